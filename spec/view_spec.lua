-- SPDX-License-Identifier: MIT
-- Views: `with`, and the options of maps, on pools of both kinds.

local futures = require "futures"
require "spec.support.watchdog"
local check = require "spec.support.check"
local gate = require "spec.support.gate"
local scale = require "spec.support.scale"
local tally = require "spec.support.tally"

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

-- One task of a view, with one argument: like pcall.
local routes = {
    submit = function(view, fn, arg)
        return view:submit(fn, arg):outcome(LIMIT)
    end,
    map = function(view, fn, arg)
        local ok, index, value = pcall(view:with { timeout = LIMIT }:map(fn, { arg }))
        if not ok then return false, index end
        assert(index == 1)
        return true, value
    end,
    ["map in chunks"] = function(view, fn, arg)
        local step = view:with { timeout = LIMIT, chunksize = 2 }:map(fn, { arg, arg })
        local ok, index, value = pcall(step)
        if not ok then return false, index end
        assert(index == 1)
        return true, value
    end,
}

local function yes() return true end

for kind, new in pairs {
    thread = futures.ThreadPoolExecutor, process = futures.ProcessPoolExecutor,
} do
    for how, run in pairs(routes) do
        describe(("The options of a task by %s (%s)"):format(how, kind), function()
            local ex

            before_each(function() ex = new(1) end)
            after_each(function() ex:shutdown { cancel_futures = true } end)

            local function timed_out(view)
                local ok, err = run(view, echo, 1)
                assert.is_true(ok or futures.iserror(err, futures.TimeoutError), tostring(err))
                return not ok
            end

            it("nest: task_timeout", function()
                local none, long = ex:with { task_timeout = 0 }, ex:with { task_timeout = 1000 }
                assert.is_true(timed_out(none))
                assert.is_false(timed_out(long))
                assert.is_true(timed_out(none:with { name = "x" }:with { priority = 1 }))
                assert.is_true(timed_out(long:with { task_timeout = 0 }))
                assert.is_false(timed_out(none:with { task_timeout = 1000 }))
                assert.is_false(timed_out(none:with { task_timeout = math.huge }))
                local back = long:with { task_timeout = 0 }:with { task_timeout = 1000 }
                assert.is_false(timed_out(back))
                assert.is_true(timed_out(none)) -- as it was
                assert.is_false(timed_out(ex))
            end)

            it("nest: task_timeout and name, of a task that is ended", function()
                local view = ex:with { task_timeout = 1000, name = "outer" }
                    :with { name = "inner" }:with { task_timeout = 0.05 }
                local ok, err = run(view, function() while true do end end, 1)
                assert.is_false(ok)
                assert.equal("TimeoutError: the task 'inner' ran longer than its limit of "
                    .. "0.05 s", tostring(err))
            end)

            -- How often a task of the view runs that fails each time.
            local function runs_of(view)
                local runs <close> = tally.new()
                local ok, err = run(view, function(path) tally.fail(path, 100) end, runs.token)
                assert.is_false(ok)
                assert.equal("number", type(err.run))
                local items = how == "map in chunks" and 2 or 1
                assert.equal(0, runs:runs() % items)
                return runs:runs() // items
            end

            it("nest: retries", function()
                local base = ex:with { retry_on = yes }
                local twice, never = base:with { retries = 2 }, base:with { retries = 0 }
                assert.equal(1, runs_of(base))
                assert.equal(3, runs_of(twice))
                assert.equal(3, runs_of(twice:with { name = "x" }:with { priority = 1 }))
                assert.equal(1, runs_of(never))
                assert.equal(1, runs_of(twice:with { retries = 0 }))
                assert.equal(2, runs_of(never:with { retries = 1 }))
                assert.equal(4, runs_of(twice:with { retries = 1 }:with {
                    retries = { max = 3, backoff = 0 },
                }))
                assert.equal(2, runs_of(twice:with { retries = { max = 9 } }
                    :with { retries = 1 }:with { task_timeout = 1000 }))
                assert.equal(3, runs_of(twice))
            end)

            it("nest: retry_on", function()
                local function no() return false end
                local says_yes = ex:with { retries = 1, retry_on = yes }
                local says_no = ex:with { retries = 1, retry_on = no }
                assert.equal(2, runs_of(ex:with { retry_on = yes }:with { retries = 1 }))
                assert.equal(2, runs_of(says_yes:with { name = "x" }))
                assert.equal(1, runs_of(says_yes:with { retry_on = no }))
                assert.equal(2, runs_of(says_no:with { retry_on = yes }))
                assert.equal(1, runs_of(says_no))
            end)
        end)
    end

    describe("The options of a task (" .. kind .. ")", function()
        it("nest: priority, by submit and by map", function()
            local ex <close> = new(1)
            local hold <close> = gate.hold(ex, 1, kind)
            local high = ex:with { priority = 1, name = "outer" }
            local now, at = futures.monotonic, {}
            local function submit(view) -- called like the step of a map
                local f = view:submit(now)
                return function() return 1, f:result(LIMIT) end
            end
            local low = high:with { name = "low" }:with { priority = -1 }
            at[6] = submit(low)
            at[7] = low:map(now, { 1 })
            at[8] = low:with { chunksize = 2 }:map(now, { 1, 2 })
            at[5] = submit(ex)
            local higher = high:with { chunksize = 2 }
            at[1] = submit(high:with { name = "high" })
            at[2] = high:with { name = "high" }:map(now, { 1 })
            at[3] = higher:with { task_timeout = 1000 }:map(now, { 1, 2 })
            at[4] = submit(low:with { priority = 0.5 })
            hold:open()
            local last = 0
            for i = 1, 8 do
                local _, time = at[i]()
                assert.is_true(last < time, i)
                last = time
            end
        end)

        it("nest: name, in tostring and tracebacks", function()
            local ex <close> = new(1)
            local outer = ex:with { name = "outer", priority = 1 }
            for name, view in pairs {
                outer = outer:with { retries = 1 }, inner = outer:with { name = "inner" },
                last = outer:with { name = "inner" }:with { name = "last", chunksize = 2 },
            } do
                local f = view:submit(error, "x")
                assert.is_false((f:outcome(LIMIT)))
                check.contains("'" .. name .. "'", tostring(f))
                assert.matches("in task '" .. name .. "'$", f:traceback())
            end
        end)

        it("do not keep a task from being cancelled while it runs", function()
            local ex <close> = new(1)
            local view = ex:with { task_timeout = 1000, retries = 3, retry_on = yes }
                :with { priority = 1 }:with { name = "inner" }
            local hold <close> = gate.hold(view, 1, kind)
            local f = hold.futures[1]
            check.contains("'inner'", tostring(f))
            assert.is_true(f:running())
            assert.is_true(f:cancel(true))
            check.raises(futures.CancelledError, function() f:result(LIMIT) end)
            assert.equal(1, f:attempts())
            assert.equal(1, ex:stats().cancelled)
        end)
    end)
end
