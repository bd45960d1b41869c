-- SPDX-License-Identifier: MIT
-- Tasks between two runs, and what ends them: cancel, shutdown, kill, a broken pool, the end of
-- the script.

local futures = require "futures"
require "spec.support.watchdog"
local check = require "spec.support.check"
local gate = require "spec.support.gate"
local scale = require "spec.support.scale"
local script = require "spec.support.script"
local tally = require "spec.support.tally"

local LIMIT = scale.LIMIT

local pools = {
    thread = futures.ThreadPoolExecutor,
    process = futures.ProcessPoolExecutor,
}

local function yes() return true end

-- Longer than any test.
local LONG = { max = 9, backoff = 1000, max_delay = 1000 }

local function is_broken(f)
    local err = f:exception(LIMIT)
    assert.is_true(futures.iserror(err, futures.BrokenExecutor), tostring(err))
end

-- A future whose task has failed once and rests, for long if nothing else is said.
local function resting(ex, token, pause)
    local retries = pause and { max = 9, backoff = pause, jitter = false } or LONG
    local f = ex:with { retries = retries, retry_on = yes }:submit(tally.fail, token, 1)
    check.eventually("the end of the first run", function()
        return f:attempts() == 1 and f:state() == "pending"
    end)
    assert.equal(1, futures.poll(LIMIT))
    assert.is_true(pause ~= nil or f:state() == "pending")
    return f
end

-- A future whose task has failed once, and about which nobody was asked yet.
local function asked(ex, token, retry_on)
    local f = ex:with { retries = 9, retry_on = retry_on or yes }:submit(tally.fail, token, 1)
    check.eventually("the end of the first run", function()
        return f:attempts() == 1 and f:state() == "pending"
    end)
    return f
end

for kind, new in pairs(pools) do
    describe("Between two runs (" .. kind .. ")", function()
        it("cancel ends a task at once, for everyone", function()
            for _, interrupt in ipairs { false, true } do
                for _, begin in ipairs { resting, asked } do
                    local ex <close> = new(1)
                    local runs <close> = tally.new()
                    local f = begin(ex, runs.token)
                    local called = 0
                    f:add_done_callback(function() called = called + 1 end)
                    assert.is_true(f:cancel(interrupt))
                    assert.equal(1, called)
                    assert.equal("cancelled", f:state())
                    assert.is_true(f:cancel())
                    assert.equal(1, #futures.wait({ f }, LIMIT))
                    assert.equal(f, futures.as_completed({ f }, LIMIT)())
                    futures.sleep(0)
                    assert.equal(1, f:attempts())
                    assert.equal(1, runs:runs())
                    local stats = ex:stats()
                    assert.equal(1, stats.cancelled)
                    assert.equal(0, stats.failed)
                    assert.equal(0, stats.pending)
                    assert.equal(0, stats.retried)
                end
            end
        end)

        it("nobody is asked about a task that was cancelled", function()
            local ex <close> = new(1)
            local runs <close> = tally.new()
            local count = 0
            local f = asked(ex, runs.token, function()
                count = count + 1
                return true
            end)
            assert.is_true(f:cancel())
            futures.sleep(0)
            assert.equal(0, count)
            -- also one that runs
            local hold <close> = gate.hold(ex:with { retries = 5, retry_on = function()
                count = count + 1
                return true
            end }, 1, kind)
            assert.is_true(hold.futures[1]:cancel(true))
            assert.is_false((hold.futures[1]:outcome(LIMIT)))
            assert.is_true(hold.futures[1]:cancelled())
            assert.equal(0, count)
        end)

        it("a cancel in retry_on counts", function()
            local ex <close> = new(1)
            local runs <close> = tally.new()
            local f
            f = asked(ex, runs.token, function()
                assert(f:cancel())
                return true
            end)
            futures.poll()
            assert.is_true(f:cancelled())
            assert.equal(1, f:attempts())
        end)

        it("shutdown waits for the runs that are left", function()
            local runs <close> = tally.new()
            local f
            do
                local ex = new(2)
                f = ex:with {
                    retries = { max = 3, backoff = 0.05, jitter = false }, retry_on = yes,
                }:submit(tally.fail, runs.token, 3)
                assert.is_true(ex:shutdown())
            end
            assert.is_true(f:done())
            assert.equal(4, f:result())
        end)

        it("shutdown without a wait lets them finish", function()
            local runs <close> = tally.new()
            local ex = new(1)
            local f = ex:with { retries = 3, retry_on = yes }:submit(tally.fail, runs.token, 3)
            ex:shutdown { wait = false }
            assert.equal(4, f:result(LIMIT))
            assert.is_true(ex:shutdown())
        end)

        it("shutdown lets a task that rests run again after its pause", function()
            for _, wait in ipairs { false, true } do
                local runs <close> = tally.new()
                local ex <close> = new(1)
                local f = resting(ex, runs.token, 0.2)
                assert.is_true(ex:shutdown { wait = wait })
                check.raises(futures.Error, function() ex:submit(math.abs, 1) end)
                assert.equal(2, f:result(LIMIT))
                assert.equal(2, f:attempts())
                assert.is_true(ex:shutdown { timeout = LIMIT })
                local stats = ex:stats()
                assert.equal(1, stats.retried)
                assert.equal(1, stats.completed)
                assert.equal(0, stats.workers)
            end
        end)

        it("shutdown waits for the answer, too, and asks", function()
            for _, answer in ipairs { true, false } do
                local runs <close> = tally.new()
                local ex <close> = new(1)
                local asked_by = 0
                local f = asked(ex, runs.token, function()
                    asked_by = asked_by + 1
                    return answer
                end)
                assert.equal(0, asked_by)
                assert.is_true(ex:shutdown { timeout = LIMIT })
                assert.equal(1, asked_by)
                assert.is_true(f:done())
                assert.equal(answer, (f:outcome()))
                assert.equal(answer and 2 or 1, runs:runs())
            end
        end)

        it("cancel ends a task that rests after a shutdown, which then is over", function()
            for _, begin in ipairs { resting, asked } do
                local runs <close> = tally.new()
                local ex <close> = new(1)
                local f = begin(ex, runs.token)
                ex:shutdown { wait = false }
                assert.equal("pending", f:state())
                assert.is_true(f:cancel())
                assert.is_true(ex:shutdown { timeout = LIMIT })
                assert.equal("cancelled", f:state())
                assert.equal(1, f:attempts())
                assert.equal(1, runs:runs())
                local stats = ex:stats()
                assert.equal(1, stats.cancelled)
                assert.equal(0, stats.retried)
                assert.equal(0, stats.workers + stats.pending)
            end
        end)

        it("nothing runs again after a cancel, whenever that comes", function()
            local ex <close> = new(2)
            local view = ex:with { retries = { max = 1e6, backoff = 0.001, factor = 1 },
                retry_on = yes }
            local fs, runs = {}, {}
            local _ <close> = setmetatable({}, { __close = function()
                for _, each in ipairs(runs) do each:__close() end
            end })
            for i = 1, scale.count(50) do
                runs[i] = tally.new()
                fs[i] = view:submit(tally.fail, runs[i].token, math.maxinteger)
            end
            local ended = {}
            for i, f in ipairs(fs) do
                check.eventually("some runs", function()
                    futures.poll()
                    return f:attempts() >= i % 4
                end)
                assert.is_true(f:cancel(i % 2 == 0) or f:cancel(true))
                assert.is_false((f:outcome(LIMIT)))
                ended[i] = { "cancelled", f:attempts(), runs[i]:runs() }
            end
            assert.is_true(ex:shutdown { timeout = LIMIT })
            for i, f in ipairs(fs) do
                assert.same(ended[i], { f:state(), f:attempts(), runs[i]:runs() })
            end
            local stats = ex:stats()
            assert.equal(#fs, stats.cancelled)
            assert.equal(0, stats.failed + stats.completed + stats.pending + stats.running)
        end)

        it("shutdown keeps its timeout, and cancel_futures cancels", function()
            for _, begin in ipairs { resting, asked } do
                local runs <close> = tally.new()
                local ex = new(1)
                local f = begin(ex, runs.token)
                if begin == resting then
                    assert.is_false(ex:shutdown { timeout = 0.05 })
                    assert.is_false(f:done())
                end
                assert.is_true(ex:shutdown { cancel_futures = true })
                assert.is_true(f:cancelled())
                assert.equal(1, ex:stats().cancelled)
            end
        end)

        it("a block left by an error cancels", function()
            local runs <close> = tally.new()
            local f
            pcall(function()
                local ex <close> = new(1)
                f = resting(ex, runs.token)
                error("out")
            end)
            assert.is_true(f:cancelled())
        end)

        it("an executor that is collected finishes them", function()
            local runs <close> = tally.new()
            local f
            do
                local ex = new(1)
                f = ex:with { retries = { max = 3, backoff = 0.05 }, retry_on = yes }
                    :submit(tally.fail, runs.token, 3)
            end
            check.collect()
            assert.equal(4, f:result(LIMIT))
        end)

        it("the counts are right after many", function()
            local ex = new(2)
            local view = ex:with {
                retries = { max = 2, backoff = 0.002 },
                retry_on = function(err) return err ~= "no" end,
            }
            local function task(i)
                if i % 3 == 0 then error(i, 0) end
                if i % 3 == 1 then error("no", 0) end
                return i
            end
            local fs, n = {}, scale.count(300)
            for i = 1, n do fs[i] = view:submit(task, i) end
            for i = 1, n, 7 do fs[i]:cancel(true) end
            futures.wait(fs, LIMIT)
            assert.is_true(ex:shutdown())
            local stats = ex:stats()
            assert.equal(n, stats.completed + stats.failed + stats.cancelled)
            assert.equal(0, stats.pending)
            assert.equal(0, stats.running)
            for i, f in ipairs(fs) do
                assert.is_true(f:done())
                if not f:cancelled() then
                    local _, value = f:outcome()
                    assert.equal(i % 3 == 1 and "no" or i, value)
                    assert.equal(i % 3 == 0 and 3 or 1, f:attempts())
                end
            end
        end)

        it("the end of the script is not kept waiting by questions", function()
            local out = script.output(([[
                local futures = require "futures"
                local ex = futures.%s(1)
                local f = ex:with { retries = 1e6, retry_on = function() return true end }
                    :submit(error, "x", 0)
                while f:attempts() == 0 or f:running() do end
                print(f:state())
            ]]):format(kind == "thread" and "ThreadPoolExecutor" or "ProcessPoolExecutor"))
            assert.equal("pending\n", out)
        end)

        it("the end of the script waits for those that rest", function()
            local runs <close> = tally.new()
            local out = script.output(([[
                local futures = require "futures"
                local tally = require "spec.support.tally"
                local ex = futures.%s(1)
                local f = ex:with {
                    retries = { max = 3, backoff = 0.2 }, retry_on = function() return true end,
                }:submit(tally.fail, %q, 1)
                while futures.poll() == 0 do end
                print(f:state())
            ]]):format(kind == "thread" and "ThreadPoolExecutor" or "ProcessPoolExecutor",
                runs.token))
            assert.equal("pending\n", out)
            assert.equal(2, runs:runs())
        end)
    end)
end

-- Submits the task that breaks it; without a safe point, where questions are answered.
local function breaks(ex)
    local f = ex:submit(math.abs, 1)
    check.eventually("a broken pool", function() return f:done() end)
    is_broken(f)
end

describe("Between two runs", function()
    it("kill_workers and terminate_workers cancel", function()
        for _, method in ipairs { "kill_workers", "terminate_workers" } do
            for _, begin in ipairs { resting, asked } do
                local runs <close> = tally.new()
                local ex <close> = futures.ProcessPoolExecutor(1)
                local f = begin(ex, runs.token)
                ex[method](ex)
                assert.is_true(f:cancelled())
            end
        end
    end)

    it("a worker that is killed with the pool is not retried", function()
        local ex <close> = futures.ProcessPoolExecutor(1)
        local hold <close> = gate.hold(ex:with { retries = 5, retry_on = yes }, 1, "process")
        ex:kill_workers()
        is_broken(hold.futures[1])
        assert.equal(1, hold.futures[1]:attempts())
    end)

    it("a worker that was lost is replaced after a shutdown, too", function()
        for _, wait in ipairs { false, true } do
            local runs <close> = tally.new()
            local ex <close> = futures.ProcessPoolExecutor(1)
            local f = ex:with { retries = { max = 3, backoff = 0.2, jitter = false } }
                :submit(tally.die, runs.token, 2)
            check.eventually("a rest", function() -- the first, or the machine is slow
                return f:attempts() > 1 or (f:attempts() == 1 and f:state() == "pending")
            end)
            ex:shutdown { wait = wait }
            assert.equal(3, f:result(LIMIT))
            assert.equal(3, f:attempts())
            assert.is_true(ex:shutdown { timeout = LIMIT })
            assert.equal(2, ex:stats().lost)
        end
    end)

    it("cancel and cancel_futures end a task whose worker was lost", function()
        for _, how in ipairs { "cancel", "shutdown" } do
            local runs <close> = tally.new()
            local ex <close> = futures.ProcessPoolExecutor(1)
            local f = ex:with { retries = LONG }:submit(tally.die, runs.token, 1)
            check.eventually("a rest", function()
                return f:attempts() == 1 and f:state() == "pending"
            end)
            if how == "cancel" then
                assert.is_true(f:cancel())
            else
                ex:shutdown { wait = false, cancel_futures = true }
            end
            assert.is_true(f:cancelled())
            assert.is_true(ex:shutdown { timeout = LIMIT })
            assert.equal(1, f:attempts())
            assert.equal(1, runs:runs())
            assert.equal(1, ex:stats().cancelled)
            assert.equal(0, ex:stats().retried)
        end
    end)

    it("a pool that breaks fails what rests; what was asked about keeps its error", function()
        local flag <close> = tally.new()
        os.remove(flag.token)
        local ex <close> = futures.ProcessPoolExecutor {
            max_workers = 1, max_tasks_per_child = 1, initargs = { flag.token },
            initializer = function(path)
                local file <close> = io.open(path)
                if file then error("broken now") end
            end,
        }
        local a <close> = tally.new()
        local b <close> = tally.new()
        local rests, was_asked = resting(ex, a.token), asked(ex, b.token)
        io.open(flag.token, "w"):close()
        breaks(ex)
        is_broken(rests)
        assert.equal(1, was_asked:exception(LIMIT).run)
        assert.equal(1, was_asked:attempts())
    end)

    it("a thread pool that breaks does the same", function()
        local ex <close> = futures.ThreadPoolExecutor {
            max_workers = 2,
            initializer = function()
                if require "futures".worker().id == 2 then error("broken now") end
            end,
        }
        local a <close> = tally.new()
        local b <close> = tally.new()
        local rests, was_asked = resting(ex, a.token), asked(ex, b.token)
        local go <close> = gate.new()
        ex:submit(gate.passer(), go.token) -- the one worker is busy, another one is needed
        breaks(ex)
        is_broken(rests)
        assert.equal(1, was_asked:exception(LIMIT).run)
    end)

    it("many kills lose nothing", function()
        local ex <close> = futures.ProcessPoolExecutor(2)
        local view = ex:with { retries = { max = 1000, backoff = 0.001 } }
        local fs, n = {}, scale.count(60)
        for i = 1, n do
            fs[i] = view:submit(function(value)
                if math.random() < 0.2 then os.exit(1) end
                return value
            end, i)
        end
        for i, f in ipairs(fs) do assert.equal(i, f:result(LIMIT)) end
        local stats = ex:stats()
        assert.equal(n, stats.completed)
        assert.equal(stats.lost, stats.retried)
    end)
end)
