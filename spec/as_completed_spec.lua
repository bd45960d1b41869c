-- SPDX-License-Identifier: MIT
-- futures.as_completed: order, timeouts, what it takes.

local futures = require "futures"
local bare = require "spec.support.bare"
local check = require "spec.support.check"
local gate = require "spec.support.gate"
local scale = require "spec.support.scale"

local LIMIT = scale.LIMIT
local finished = bare.finished

local function collect(...)
    local list = {}
    for f in futures.as_completed(...) do
        list[#list + 1] = f
    end
    return list
end

describe("as_completed", function()
    it("gives finished futures in the order in which they were done", function()
        local fs = {}
        for i = 1, 4 do
            fs[i] = futures.Future()
        end
        for _, i in ipairs { 3, 1, 4, 2 } do
            fs[i]:set_result()
        end
        local order = {}
        for f in futures.as_completed(fs) do
            for i = 1, 4 do
                order[#order + 1] = rawequal(f, fs[i]) and i or nil
            end
        end
        assert.same({ 3, 1, 4, 2 }, order)
    end)

    it("gives back the same futures, also cancelled and failed ones", function()
        local a, b, c = finished(), futures.Future(), futures.Future()
        b:cancel()
        c:set_exception("x")
        check.same_futures({ a, b, c }, collect({ a, b, c }, 0))
    end)

    it("gives a future as soon as it is cancelled", function()
        local a, b = futures.Future(), futures.Future()
        local step = futures.as_completed({ a, b }, LIMIT)
        b:cancel()
        assert.is_true(rawequal(b, step()))
        a:cancel()
        assert.is_true(rawequal(a, step()))
        assert.is_nil(step())
    end)

    it("takes an iterator and a table whose keys are futures", function()
        local fs, i = { finished(1), finished(2) }, 0
        check.same_futures(fs, collect(function()
            i = i + 1
            return fs[i]
        end, 0))
        check.same_futures(fs, collect({ [fs[1]] = "a", [fs[2]] = "b" }, 0))
    end)

    it("counts duplicates once", function()
        local a, b = finished(), futures.Future()
        local step = futures.as_completed({ a, b, a, b, b }, 0)
        assert.is_true(rawequal(a, step()))
        local err = check.raises(futures.TimeoutError, step)
        assert.equal("1 (of 2) futures unfinished", err.message)
    end)

    it("of nothing ends at once", function()
        assert.same({}, collect({}))
        assert.same({}, collect({}, 0))
    end)

    it("stays at its end", function()
        local step = futures.as_completed { finished() }
        assert.is_not_nil(step())
        for _ = 1, 3 do
            assert.is_nil(step())
        end
    end)

    it("yields what is finished before it raises the timeout", function()
        local a, b, c, d = futures.Future(), finished(), futures.Future(), finished()
        local step = futures.as_completed({ a, b, c, d }, 0)
        check.same_futures({ b, d }, { step(), step() })
        local err = check.raises(futures.TimeoutError, step)
        assert.equal("TimeoutError: 2 (of 4) futures unfinished", tostring(err))
    end)

    it("counts its timeout from the call", function()
        local step = futures.as_completed({ futures.Future() }, 0.05)
        local from = futures.monotonic()
        futures.sleep(0.04)
        check.raises(futures.TimeoutError, step)
        local seconds = futures.monotonic() - from
        assert.is_true(seconds < 0.05 + scale.seconds(2))
        assert.is_true(seconds >= 0.049, "too early: " .. seconds)
    end)

    it("refuses what is no future and what is no timeout", function()
        check.misuse(1, "as_completed", function() futures.as_completed() end)
        check.misuse(1, "as_completed", function() futures.as_completed(5) end)
        check.misuse(1, "as_completed", function() futures.as_completed { 5 } end)
        check.misuse(1, "as_completed", function()
            futures.as_completed(function() return { finished() } end)
        end)
        check.misuse(1, "as_completed", function() futures.as_completed(finished()) end)
        for _, bad in ipairs { 0 / 0, "5", true, {} } do
            check.misuse(2, "as_completed", function() futures.as_completed({}, bad) end)
        end
    end)

    it("wakes up for each future that a worker completes", function()
        local ex <close> = futures.ThreadPoolExecutor(2)
        local hold <close> = gate.hold(ex, 1)
        local step = futures.as_completed({ hold.futures[1], ex:submit(math.abs, -3) }, LIMIT)
        assert.equal(3, step():result())
        hold:open()
        assert.equal("held", step():result())
        assert.is_nil(step())
    end)

    it("may be left early, and taken up by another", function()
        local ex <close> = futures.ThreadPoolExecutor(2)
        local fs = {}
        for i = 1, 10 do
            fs[i] = ex:submit(math.abs, -i)
        end
        for f in futures.as_completed(fs, LIMIT) do
            if f:done() then
                break
            end
        end
        check.same_futures(fs, collect(fs, LIMIT))
    end)

    it("may run twice over the same futures at a time", function()
        local ex <close> = futures.ThreadPoolExecutor(2)
        local fs = {}
        for i = 1, 20 do
            fs[i] = ex:submit(math.abs, -i)
        end
        local one, two = futures.as_completed(fs, LIMIT), futures.as_completed(fs, LIMIT)
        local from_one, from_two = {}, {}
        for i = 1, 20 do
            from_one[i], from_two[i] = one(), two()
        end
        check.same_futures(fs, from_one)
        check.same_futures(fs, from_two)
    end)

    it("works inside a task", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        local a, b = futures.Future(), futures.Future()
        local f = ex:submit(function(x, y)
            local sum = 0
            for done in futures.as_completed({ x, y }, 30) do
                sum = sum + done:result()
            end
            return sum
        end, a, b)
        b:set_result(2)
        a:set_result(1)
        assert.equal(3, f:result(LIMIT))
    end)

    it("is linear work: 100,000 futures", function()
        local ex <close> = futures.ThreadPoolExecutor(2)
        local function run(count)
            local fs, seen = {}, 0
            for i = 1, count do
                fs[i] = ex:submit(math.abs, i)
            end
            for f in futures.as_completed(fs, LIMIT) do
                seen = seen + (f:done() and 1 or 0)
            end
            assert.equal(count, seen)
        end
        check.linear(run, scale.count(10000))
    end)
end)
