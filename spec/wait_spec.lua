-- SPDX-License-Identifier: MIT
-- futures.wait: what it takes, when it returns, what it returns.

local futures = require "futures"
local bare = require "spec.support.bare"
local check = require "spec.support.check"
local gate = require "spec.support.gate"
local scale = require "spec.support.scale"

local LIMIT = scale.LIMIT
local finished, failed, cancelled = bare.finished, bare.failed, bare.cancelled

describe("wait takes", function()
    it("an array of futures", function()
        local fs = { finished(1), finished(2), futures.Future() }
        local done, not_done = futures.wait(fs, 0)
        check.same_futures({ fs[1], fs[2] }, done)
        check.same_futures({ fs[3] }, not_done)
    end)

    it("an iterator", function()
        local fs, i = { finished(1), finished(2) }, 0
        local done, not_done = futures.wait(function()
            i = i + 1
            return fs[i]
        end, 0)
        check.same_futures(fs, done)
        check.same_futures({}, not_done)
    end)

    it("a table whose keys are futures", function()
        local a, b = finished(1), futures.Future()
        local done, not_done = futures.wait({ [a] = "url a", [b] = "url b" }, 0)
        check.same_futures({ a }, done)
        check.same_futures({ b }, not_done)
    end)

    it("nothing at all", function()
        for _, key in ipairs { "ALL_COMPLETED", "FIRST_COMPLETED", "FIRST_EXCEPTION" } do
            local done, not_done = futures.wait({}, nil, futures[key])
            assert.same({}, done)
            assert.same({}, not_done)
        end
    end)

    it("a future twice and counts it once", function()
        local a, b = finished(1), futures.Future()
        local done, not_done = futures.wait({ a, b, a, b, a }, 0)
        check.same_futures({ a }, done)
        check.same_futures({ b }, not_done)
    end)

    it("nothing but futures", function()
        check.misuse(1, "wait", function() futures.wait() end)
        check.misuse(1, "wait", function() futures.wait(nil) end)
        check.misuse(1, "wait", function() futures.wait(5) end)
        check.misuse(1, "wait", function() futures.wait { finished(), 5 } end)
        check.misuse(1, "wait", function() futures.wait { { finished() } } end)
        check.misuse(1, "wait", function() futures.wait(finished()) end)
        check.misuse(1, "wait", function() futures.wait { key = "value" } end)
        -- Each value of an iterator is looked at when it comes: this one never ends.
        check.misuse(1, "wait", function() futures.wait(function() return 5 end) end)
    end)

    it("only what return_when can be", function()
        local fs = { finished() }
        for _, bad in ipairs { "SOMETIME", 5, true, {} } do
            check.misuse(3, "wait", function() futures.wait(fs, 0, bad) end)
        end
    end)
end)

describe("wait returns", function()
    it("by default when all are done", function()
        local ex <close> = futures.ThreadPoolExecutor(2)
        local g1 <close> = gate.new()
        local g2 <close> = gate.new()
        local fs = { ex:submit(gate.passer(), g1.token), ex:submit(gate.passer(), g2.token) }
        g1:open()
        fs[1]:result(LIMIT)
        local done, not_done = futures.wait(fs, 0.01)
        check.same_futures({ fs[1] }, done)
        check.same_futures({ fs[2] }, not_done)
        g2:open()
        done, not_done = futures.wait(fs)
        check.same_futures(fs, done)
        assert.equal(0, #not_done)
    end)

    it("under FIRST_COMPLETED when one is done", function()
        local ex <close> = futures.ThreadPoolExecutor(2)
        local hold <close> = gate.hold(ex)
        local quick = ex:submit(math.abs, -2)
        local fs = { hold.futures[1], quick }
        local done, not_done = futures.wait(fs, LIMIT, futures.FIRST_COMPLETED)
        check.same_futures({ quick }, done)
        check.same_futures({ hold.futures[1] }, not_done)
        hold:open()
    end)

    it("under FIRST_COMPLETED at once when one is done or cancelled already", function()
        for _, one in ipairs { finished(), failed("x"), cancelled() } do
            local other = futures.Future()
            local done, not_done = futures.wait({ other, one }, nil, futures.FIRST_COMPLETED)
            check.same_futures({ one }, done)
            check.same_futures({ other }, not_done)
        end
    end)

    it("under FIRST_EXCEPTION when one has failed", function()
        local ex <close> = futures.ThreadPoolExecutor(2)
        local hold <close> = gate.hold(ex)
        local good, bad = ex:submit(math.abs, 1), ex:submit(error, "bad")
        local fs = { hold.futures[1], good, bad }
        local done, not_done = futures.wait(fs, LIMIT, futures.FIRST_EXCEPTION)
        check.same_futures({ good, bad }, done)
        check.same_futures({ hold.futures[1] }, not_done)
        hold:open()
    end)

    it("under FIRST_EXCEPTION at once when one has failed already", function()
        local open, bad = futures.Future(), failed(false)
        local done, not_done = futures.wait({ open, bad }, nil, futures.FIRST_EXCEPTION)
        check.same_futures({ bad }, done)
        check.same_futures({ open }, not_done)
    end)

    it("under FIRST_EXCEPTION when all are done and none has failed", function()
        local ex <close> = futures.ThreadPoolExecutor(2)
        local fs = { ex:submit(math.abs, 1), ex:submit(math.abs, 2) }
        local done, not_done = futures.wait(fs, nil, futures.FIRST_EXCEPTION)
        check.same_futures(fs, done)
        assert.equal(0, #not_done)
    end)

    it("under FIRST_EXCEPTION not for a cancelled future", function()
        local open, gone = futures.Future(), cancelled()
        check.takes(0.02, 0.02, function()
            local done, not_done = futures.wait({ open, gone }, 0.02, futures.FIRST_EXCEPTION)
            check.same_futures({ gone }, done)
            check.same_futures({ open }, not_done)
        end)
    end)

    it("when the timeout has passed, and raises nothing", function()
        local open = futures.Future()
        local done, not_done = check.takes(0.03, 0.03, futures.wait, { open }, 0.03)
        assert.equal(0, #done)
        check.same_futures({ open }, not_done)
    end)

    it("when a future is cancelled by somebody else", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        local f, waiting = futures.Future(), futures.Future()
        ex:submit(function(future, started)
            started:result(30)
            future:cancel()
        end, f, waiting)
        waiting:set_result()
        local done, not_done = futures.wait({ f }, LIMIT)
        check.same_futures({ f }, done)
        assert.equal(0, #not_done)
        assert.is_true(f:cancelled())
    end)

    it("when a bare future is completed by somebody else", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        local f = futures.Future()
        ex:submit(function(future) future:set_result("theirs") end, f)
        check.same_futures({ f }, (futures.wait({ f }, LIMIT)))
        assert.equal("theirs", f:result())
    end)

    it("in several threads that wait for the same future", function()
        local ex <close> = futures.ThreadPoolExecutor(4)
        local f, fs = futures.Future(), {}
        for i = 1, 4 do
            fs[i] = ex:submit(function(future)
                local done, not_done = futures.wait({ future }, 30)
                return #done, #not_done
            end, f)
        end
        f:set_result()
        for i = 1, 4 do
            assert.same({ 1, 0 }, { fs[i]:result(LIMIT) })
        end
    end)

    it("after linear work for many futures", function()
        local ex <close> = futures.ThreadPoolExecutor(2)
        local function run(count)
            local fs = {}
            for i = 1, count do
                fs[i] = ex:submit(math.abs, i)
            end
            local done = futures.wait(fs, LIMIT)
            assert.equal(count, #done)
        end
        check.linear(run, scale.count(5000))
    end)
end)
