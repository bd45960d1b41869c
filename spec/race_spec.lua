-- SPDX-License-Identifier: MIT
-- The races, run 10,000 times each (FUTURES_RACE_RUNS says otherwise): whoever wins, the result
-- is one of the allowed ones and nothing is lost, run twice or left waiting.

local futures = require "futures"
local check = require "spec.support.check"
local scale = require "spec.support.scale"

local LIMIT = scale.LIMIT

-- A busy wait of varying length, so that the racers meet at different points.
local function jitter(i)
    local x = 0
    for k = 1, (i * 7919) % 257 do
        x = x + k
    end
    return x
end

describe("The race of", function()
    it("cancel against start: a task runs or is cancelled, never both", function()
        local ex <close> = futures.ThreadPoolExecutor(2)
        local runs, cancelled = scale.races(), 0
        for i = 1, runs do
            local f = ex:submit(math.abs, -i)
            jitter(i)
            local won = f:cancel()
            local ok, value = f:outcome(LIMIT)
            if won then
                cancelled = cancelled + 1
                assert(f:cancelled() and not ok)
                assert(futures.iserror(value, futures.CancelledError))
            else
                assert(ok and value == i and not f:cancelled())
            end
        end
        ex:shutdown()
        local stats = ex:stats()
        assert.equal(cancelled, stats.cancelled)
        assert.equal(runs - cancelled, stats.completed)
    end)

    it("add_done_callback against settle: it runs once", function()
        local ex <close> = futures.ThreadPoolExecutor(2)
        local ran = 0
        local function callback() ran = ran + 1 end
        local runs = scale.races()
        for i = 1, runs do
            local f = ex:submit(math.abs, i)
            jitter(i)
            f:add_done_callback(callback)
            f:result(LIMIT)
            assert(ran == i, "callbacks are not one a future")
        end
        futures.poll()
        assert.equal(runs, ran)
    end)

    it("add_done_callback against cancel by another thread: it runs once", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        local ran, runs = 0, scale.races(0.5)
        local function callback() ran = ran + 1 end
        for i = 1, runs do
            local f = futures.Future()
            local other = ex:submit(function(g) return g:cancel() end, f)
            jitter(i)
            f:add_done_callback(callback)
            futures.wait({ f }, LIMIT)
            assert(other:result(LIMIT))
            assert(ran == i)
        end
        assert.equal(runs, ran)
    end)

    it("wait against settle: it returns with the future done", function()
        local ex <close> = futures.ThreadPoolExecutor(2)
        for i = 1, scale.races() do
            local f = ex:submit(math.abs, -i)
            jitter(i)
            local done, not_done = futures.wait({ f }, LIMIT)
            assert(#done == 1 and #not_done == 0 and done[1] == f and f:done())
        end
    end)

    it("a wait that is over against settle: done or not, never both, never neither", function()
        local ex <close> = futures.ThreadPoolExecutor(2)
        for i = 1, scale.races() do
            local f = ex:submit(math.abs, -i)
            local done, not_done = futures.wait({ f }, (i % 40) * 1e-6)
            assert(#done + #not_done == 1)
            assert((done[1] or not_done[1]) == f)
            assert(f:result(LIMIT) == i)
        end
    end)

    it("result with a short timeout against settle: the value or TimeoutError", function()
        local ex <close> = futures.ThreadPoolExecutor(2)
        for i = 1, scale.races() do
            local f = ex:submit(math.abs, -i)
            local ok, value = f:outcome((i % 40) * 1e-6)
            assert(ok and value == i or not ok and futures.iserror(value, futures.TimeoutError))
            assert(f:result(LIMIT) == i)
        end
    end)

    it("as_completed against settle: each future once", function()
        local ex <close> = futures.ThreadPoolExecutor(2)
        for i = 1, scale.races(0.2) do
            local fs, count = {}, 0
            for k = 1, 5 do
                fs[k] = ex:submit(math.abs, k)
            end
            jitter(i)
            for f in futures.as_completed(fs, LIMIT) do
                count = count + f:result()
            end
            assert(count == 15)
        end
    end)

    it("shutdown against submit: a task that was taken is done", function()
        local submitter <close> = futures.ThreadPoolExecutor(1)
        local refused = 0
        for i = 1, scale.races(0.1) do
            local ex = futures.ThreadPoolExecutor(1)
            local started = futures.Future()
            local task = submitter:submit(function(pool, f)
                f:set_result()
                local taken = {}
                for k = 1, 300 do -- about as long as it takes until the shutdown comes
                    local ok, g = pcall(pool.submit, pool, math.abs, -1)
                    if not ok then
                        return taken, tostring(g)
                    end
                    taken[k] = g
                end
                return taken
            end, ex, started)
            started:result(LIMIT)
            jitter(i)
            assert(ex:shutdown())
            local taken, message = task:result(LIMIT)
            if message then
                refused = refused + 1
                assert(message:find("cannot schedule new futures after shutdown", 1, true))
            end
            for k = 1, #taken do
                assert(taken[k]:result(LIMIT) == 1)
            end
        end
        assert.is_true(refused > 0, "no race at all")
    end)

    it("shutdown that cancels against start: done or cancelled, each one", function()
        for i = 1, scale.races(0.1) do
            local ex, fs = futures.ThreadPoolExecutor(2), {}
            for k = 1, 6 do
                fs[k] = ex:submit(math.abs, -k)
            end
            jitter(i)
            assert(ex:shutdown { cancel_futures = true })
            for k = 1, 6 do
                assert(fs[k]:done())
                assert(fs[k]:cancelled() or fs[k]:result() == k)
            end
        end
    end)

    it("dropping a future against settle: the task runs, nothing is lost", function()
        local ex = futures.ThreadPoolExecutor(2)
        local runs = scale.races()
        for i = 1, runs do
            ex:submit(math.abs, -i)
            if i % 16 == 0 then
                collectgarbage("step")
            end
            if i % 500 == 0 then
                collectgarbage()
            end
        end
        ex:shutdown()
        assert.equal(runs, ex:stats().completed)
    end)

    it("dropping a future against its callback: that runs once", function()
        local ex <close> = futures.ThreadPoolExecutor(2)
        local ran, runs = 0, scale.races()
        for i = 1, runs do
            ex:submit(math.abs, -i):add_done_callback(function() ran = ran + 1 end)
            if i % 100 == 0 then
                collectgarbage()
                futures.poll()
            end
        end
        check.eventually("all callbacks", function()
            futures.poll(0.01)
            return ran >= runs
        end)
        assert.equal(0, futures.poll(0))
        assert.equal(runs, ran)
    end)

    it("dropping an executor against its queue: the queue is finished", function()
        for i = 1, scale.races(0.05) do
            local fs = {}
            do
                local ex = futures.ThreadPoolExecutor(2)
                for k = 1, 4 do
                    fs[k] = ex:submit(math.abs, -k)
                end
            end
            jitter(i)
            collectgarbage()
            for k = 1, 4 do
                assert(fs[k]:result(LIMIT) == k)
            end
        end
    end)

    it("two threads that settle one bare future: one wins", function()
        local ex <close> = futures.ThreadPoolExecutor(2)
        for i = 1, scale.races(0.5) do
            local f = futures.Future()
            local there = ex:submit(function(g) return (pcall(g.set_result, g, "there")) end, f)
            jitter(i)
            local here = pcall(f.set_result, f, "here")
            assert(there:result(LIMIT) ~= here)
            assert(f:result() == (here and "here" or "there"))
        end
    end)

    it("cancel against set_running_or_notify_cancel: one wins", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        for i = 1, scale.races(0.5) do
            local f = futures.Future()
            local there = ex:submit(function(g) return g:set_running_or_notify_cancel() end, f)
            jitter(i)
            local cancelled = f:cancel()
            assert(there:result(LIMIT) == not cancelled)
            assert(f:state() == (cancelled and "cancelled" or "running"))
        end
    end)

    it("a worker that falls asleep against submit: no task is left lying", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        for i = 1, scale.races() do
            assert(ex:submit(math.abs, -i):result(LIMIT) == i)
            jitter(i)
        end
    end)

    it("many submitters: every task runs once", function()
        local ex <close> = futures.ThreadPoolExecutor(2)
        local submitters <close> = futures.ThreadPoolExecutor(4)
        local each, fs = scale.races(0.25), {}
        for s = 1, 4 do
            fs[s] = submitters:submit(function(pool, count)
                local sum, list = 0, {}
                for i = 1, count do
                    list[i] = pool:submit(math.abs, -i)
                end
                for i = 1, count do
                    sum = sum + list[i]:result(30)
                end
                return sum
            end, ex, each)
        end
        for s = 1, 4 do
            assert.equal(each * (each + 1) // 2, fs[s]:result(LIMIT))
        end
        assert.equal(4 * each, ex:stats().submitted)
    end)
end)
