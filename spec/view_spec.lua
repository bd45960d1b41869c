-- SPDX-License-Identifier: MIT
-- Views: `with`, and the options of maps, on pools of both kinds.

local futures = require "futures"
require "spec.support.watchdog"
local check = require "spec.support.check"
local gate = require "spec.support.gate"
local scale = require "spec.support.scale"

local LIMIT = scale.LIMIT

local function echo(...)
    return ...
end

for kind, new in pairs {
    thread = futures.ThreadPoolExecutor, process = futures.ProcessPoolExecutor,
} do
    describe("with (" .. kind .. ")", function()
        it("gives a view of the same executor with the same methods", function()
            local ex = new(1)
            local view = ex:with { timeout = LIMIT }
            assert.equal(3, view:submit(echo, 3):result(LIMIT))
            assert.same({ 4, 5, n = 2 }, view:map(echo, { 4, 5 }):totable())
            assert.same({ 6, n = 1 }, view:with { name = "x" }:map(echo, { 6 }):totable())
            assert.equal(4, ex:stats().submitted)
            assert.equal(4, view:stats().submitted)
            assert.equal("view of " .. tostring(ex), tostring(view))
            if kind == "thread" then
                check.raises(futures.Error, function() view:kill_workers() end)
                check.raises(futures.Error, function() view:terminate_workers() end)
            end
            assert.is_true(view:shutdown { cancel_futures = true })
            check.raises(futures.Error, function() ex:submit(echo) end)
        end)

        it("gives a view that closes the executor", function()
            local f, g
            do
                local view <close> = new(1):with { name = "x" }
                f = view:submit(echo, 1)
            end
            assert.is_true(f:done())
            pcall(function()
                local view <close> = new(1):with { name = "x" }
                for _ = 1, 100 do g = view:submit(futures.sleep, 0.01) end
                error("out")
            end)
            assert.is_true(g:cancelled())
        end)

        it("gives views that cost next to nothing: no worker starts for one", function()
            local ex <close> = new(4)
            local view = ex
            for i = 1, 1000 do view = view:with { priority = i } end
            assert.equal(0, ex:stats().workers)
            assert.equal(1, view:submit(echo, 1):result(LIMIT))
            assert.equal(1, ex:stats().workers)
        end)

        it("counts nothing for submit: a timeout is for map", function()
            local ex <close> = new(1)
            local hold <close> = gate.hold(ex, 1, kind)
            local f = ex:with { timeout = 0 }:submit(echo, "in time")
            hold:open()
            assert.equal("in time", f:result(LIMIT))
        end)

        it("leaves the executor as it was", function()
            local ex <close> = new(1)
            local hold <close> = gate.hold(ex, 1, kind)
            local _ = ex:with { timeout = 0 }
            local step = ex:map(echo, { 1 })
            hold:open()
            assert.same({ 1, 1 }, { step() })
        end)

        it("nests: an inner view keeps what it does not say, overrides what it says", function()
            local ex <close> = new(1)
            local hold <close> = gate.hold(ex, 1, kind)
            local short = ex:with { timeout = 0 }
            check.raises(futures.TimeoutError, short:with { chunksize = 2 }:map(echo, { 1, 2 }))
            check.takes(0.03, 0.03, function()
                local longer = short:with { timeout = 0.03 }
                check.raises(futures.TimeoutError, longer:map(echo, { 1, 2 }))
            end)
            hold:open()
        end)

        it("refuses an unknown option and names it", function()
            local ex <close> = new(1)
            local err = check.misuse(1, "with", function() ex:with { time_out = 1 } end)
            check.contains("time_out", err)
            check.misuse(1, "with", function() ex:with(5) end)
        end)

        it("takes integers from 1 for chunksize and buffersize, 2.0 too", function()
            local ex <close> = new(1)
            for _, key in ipairs { "chunksize", "buffersize" } do
                for _, bad in ipairs { 0, -1, 1.5, 0 / 0, math.huge, "3", true } do
                    check.misuse(1, "with", function() ex:with { [key] = bad } end)
                end
                local view = ex:with { [key] = 2.0, timeout = LIMIT }
                assert.same({ 1, 2, 3, n = 3 }, view:map(echo, { 1, 2, 3 }):totable())
            end
        end)

        it("takes a boolean for ordered", function()
            local ex <close> = new(1)
            check.misuse(1, "with", function() ex:with { ordered = 1 } end)
            local view = ex:with { ordered = true, timeout = LIMIT }
            assert.same({ 1, 2, 3, n = 3 }, view:map(echo, { 1, 2, 3 }):totable())
        end)

        it("timeout is for the whole iteration of a map and counts from the call", function()
            for _, shape in ipairs {
                {}, { chunksize = 2 }, { ordered = false }, { buffersize = 1 },
            } do
                local ex <close> = new(1)
                local hold <close> = gate.hold(ex, 1, kind)
                shape.timeout = 0.06
                local from = futures.monotonic()
                local step = ex:with(shape):map(echo, { 1, 2, 3 })
                futures.sleep(0.04)
                check.raises(futures.TimeoutError, step)
                assert.is_true(futures.monotonic() - from >= 0.059)
                hold:open()
                assert.is_nil((step())) -- what had not started was cancelled
                ex:shutdown()
                local s = ex:stats()
                assert.equal(s.submitted - 1, s.cancelled)
            end
        end)

        it("timeout of a map is not for its tasks: what runs goes on", function()
            local ex <close> = new(1)
            local hold <close> = gate.new(kind)
            local step = ex:with { timeout = 0.05 }:map(gate.passer(kind), { hold.token })
            check.eventually("running", function() return ex:stats().running == 1 end)
            check.raises(futures.TimeoutError, step)
            assert.equal(1, ex:stats().running)
            hold:open()
            ex:shutdown()
            assert.equal(1, ex:stats().completed)
        end)

        it("chunksize says how many items are one task", function()
            local ex <close> = new(2)
            for _, case in ipairs { { 1, 7 }, { 3, 3 }, { 7, 1 }, { 100, 1 } } do
                local before = ex:stats().submitted
                local view = ex:with { chunksize = case[1] }
                assert.same({ 1, 2, 3, 4, 5, 6, 7, n = 7 },
                    view:map(echo, { 1, 2, 3, 4, 5, 6, 7 }):totable())
                assert.equal(case[2], ex:stats().submitted - before)
            end
        end)

        it("buffersize says how many tasks are under way, then one more a step", function()
            local ex <close> = new(2)
            for chunksize = 1, 3 do
                local read = 0
                local before = ex:stats().submitted
                local view = ex:with { buffersize = 4, chunksize = chunksize }
                local step = view:map(echo, function()
                    read = read + 1
                    return read
                end)
                assert.equal(4, ex:stats().submitted - before)
                assert.equal(4 * chunksize, read)
                for i = 1, 2 * chunksize do
                    assert.same({ i, i }, { step() })
                    local steps = (i - 1) // chunksize + 1
                    assert.equal(4 + steps, ex:stats().submitted - before)
                end
                step:close()
            end
        end)

        it("ordered = false gives results as they come, the index says which", function()
            local ex <close> = new(2)
            local hold <close> = gate.new(kind)
            local pass, token = gate.passer(kind), hold.token
            local step = ex:with { ordered = false }:map(function(i)
                if i == 1 then pass(token) end
                return 10 * i
            end, { 1, 2, 3 })
            assert.same({ 2, 20 }, { step() })
            assert.same({ 3, 30 }, { step() })
            hold:open()
            assert.same({ 1, 10 }, { step() })
            assert.is_nil((step()))
        end)
    end)
end
