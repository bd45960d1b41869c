-- SPDX-License-Identifier: MIT
-- stats: the counts and the times.

local futures = require "futures"
local check = require "spec.support.check"
local gate = require "spec.support.gate"
local scale = require "spec.support.scale"

local LIMIT = scale.LIMIT

local function counts(ex)
    local stats, picked = ex:stats(), {}
    for _, key in ipairs {
        "workers", "idle", "pending", "running", "submitted", "completed", "failed",
        "cancelled", "lost", "retried",
    } do
        assert.equal("integer", math.type(stats[key]), key)
        picked[key] = stats[key]
    end
    return picked
end

local function expect(expected, ex)
    local all = {
        workers = 0, idle = 0, pending = 0, running = 0, submitted = 0, completed = 0,
        failed = 0, cancelled = 0, lost = 0, retried = 0,
    }
    for key, value in pairs(expected) do
        all[key] = value
    end
    assert.same(all, counts(ex))
end

-- The times of one kind, which must make sense by themselves.
local function times(ex, kind)
    local t = ex:stats()[kind]
    local keys = 0
    for key, value in pairs(t) do
        assert.equal("float", math.type(value), key)
        keys = keys + 1
    end
    assert.equal(4, keys)
    assert.is_true(0 <= t.p50 and t.p50 <= t.p99 and t.p99 <= t.max, kind)
    assert.is_true(t.mean <= t.max, kind)
    return t
end

for kind, new in pairs {
    thread = futures.ThreadPoolExecutor, process = futures.ProcessPoolExecutor,
} do
    describe("stats (" .. kind .. ")", function()
        it("are all 0 at first", function()
            local ex <close> = new(3)
            expect({}, ex)
        end)

        it("count what is pending and running", function()
            local ex <close> = new(2)
            local hold <close> = gate.hold(ex, 2, kind)
            for _ = 1, 5 do
                ex:submit(math.abs, 1)
            end
            expect({ workers = 2, pending = 5, running = 2, submitted = 7 }, ex)
            hold:open()
        end)

        it("count what is done when its future is", function()
            local ex <close> = new(1)
            for i = 1, 3 do
                ex:submit(math.abs, 1):result(LIMIT)
                expect({ workers = 1, idle = 1, submitted = i, completed = i }, ex)
            end
        end)

        it("count failures apart", function()
            local ex <close> = new(1)
            ex:submit(error, "x"):outcome(LIMIT)
            ex:submit(math.abs, 1):outcome(LIMIT)
            ex:submit(function() return io.stdout end):outcome(LIMIT)
            expect({ workers = 1, idle = 1, submitted = 3, completed = 1, failed = 2 }, ex)
        end)

        it("count cancelled tasks, which are no longer pending", function()
            local ex <close> = new(1)
            local hold <close> = gate.hold(ex, 1, kind)
            local a, b = ex:submit(math.abs, 1), ex:submit(math.abs, 2)
            a:cancel()
            a:cancel()
            expect({ workers = 1, running = 1, pending = 1, submitted = 3, cancelled = 1 }, ex)
            hold:open()
            b:result(LIMIT)
            expect({ workers = 1, idle = 1, submitted = 3, completed = 2, cancelled = 1 }, ex)
        end)

        it("count the tasks that a shutdown cancels", function()
            local ex = new(1)
            local hold <close> = gate.hold(ex, 1, kind)
            for _ = 1, 4 do
                ex:submit(math.abs, 1)
            end
            ex:shutdown { wait = false, cancel_futures = true }
            assert.equal(4, counts(ex).cancelled)
            assert.equal(0, counts(ex).pending)
            hold:open()
        end)

        it("can be read after shutdown, when there are no workers", function()
            local ex = new(2)
            ex:submit(math.abs, 1)
            ex:submit(error, "x")
            ex:shutdown()
            expect({ submitted = 2, completed = 1, failed = 1 }, ex)
        end)

        it("add up at the end of everything", function()
            local ex = new(4)
            local fs = {}
            for i = 1, 1000 do
                fs[i] = ex:submit(i % 7 == 0 and error or math.abs, i)
                if i % 11 == 0 then
                    fs[i - 5]:cancel()
                end
            end
            ex:shutdown()
            local tally = { completed = 0, failed = 0, cancelled = 0 }
            for i = 1, 1000 do
                local ended = fs[i]:cancelled() and "cancelled"
                    or fs[i]:exception() ~= nil and "failed" or "completed"
                tally[ended] = tally[ended] + 1
            end
            local stats = counts(ex)
            for ended, count in pairs(tally) do
                assert.equal(count, stats[ended], ended)
            end
            assert.equal(1000, stats.submitted)
        end)

        it("are a table of their own at each call", function()
            local ex <close> = new(1)
            local before = ex:stats()
            ex:submit(math.abs, 1):result(LIMIT)
            assert.equal(0, before.submitted)
            assert.equal(1, ex:stats().submitted)
        end)

        it("say idle for a worker that waits for work", function()
            local ex <close> = new(3)
            local hold <close> = gate.hold(ex, 3, kind)
            hold:open()
            futures.wait(hold.futures, LIMIT)
            check.eventually("three idle workers", function() return ex:stats().idle == 3 end)
            expect({ workers = 3, idle = 3, submitted = 3, completed = 3 }, ex)
        end)
    end)

    describe("stats about time (" .. kind .. ")", function()
        it("are 0 as long as nothing has run", function()
            local ex <close> = new(1)
            for _, which in ipairs { "wait", "run" } do
                assert.same({ p50 = 0, p99 = 0, max = 0, mean = 0 }, times(ex, which))
            end
            local hold <close> = gate.hold(ex, 1, kind)
            ex:submit(math.abs, 1):cancel()
            for _, which in ipairs { "wait", "run" } do
                assert.same({ p50 = 0, p99 = 0, max = 0, mean = 0 }, times(ex, which))
            end
            hold:open()
        end)

        it("say how long tasks run, to 5 %", function()
            local ex <close> = new(2)
            local total = 0
            for i = 1, 9 do
                local slept = ex:submit(function()
                    local f = require "futures"
                    local from = f.monotonic()
                    f.sleep(0.02)
                    return f.monotonic() - from
                end):result(LIMIT)
                total = total + slept
                local run = times(ex, "run")
                assert.is_true(run.p50 >= 0.02 * 0.95)
                assert.is_true(run.max >= slept)
                assert.is_true(run.mean >= total / i)
            end
        end)

        it("tell the usual from the rare", function()
            local ex <close> = new(1)
            for _ = 1, 200 do ex:submit(math.abs, 1) end
            ex:submit(futures.sleep, 0.25):result(LIMIT)
            local run = times(ex, "run")
            assert.is_true(run.p50 < 0.2)
            assert.is_true(run.max >= 0.25)
            assert.is_true(run.mean >= 0.25 / 201)
        end)

        it("say how long tasks waited for a worker", function()
            local ex <close> = new(1)
            local hold <close> = gate.hold(ex, 1, kind)
            for _ = 1, 3 do ex:submit(math.abs, 1) end
            futures.sleep(0.06)
            hold:open()
            ex:submit(math.abs, 1):result(LIMIT)
            local wait = times(ex, "wait")
            assert.is_true(wait.p50 >= 0.06 * 0.95)
            assert.is_true(wait.max >= 0.06)
            assert.is_true(times(ex, "run").max >= 0.06)
        end)

        it("count failed tasks, too, and stay when the workers have gone", function()
            local ex = new(3)
            for i = 1, 6 do
                ex:submit(function(n) require("futures").sleep(n / 100) error("x") end, i)
            end
            ex:shutdown()
            local run = times(ex, "run")
            assert.is_true(run.max >= 0.06)
            assert.is_true(run.mean >= 0.035)
            assert.same(run, times(ex, "run"))
        end)
    end)
end

describe("tostring of an executor", function()
    it("says the essentials", function()
        local ex <close> = futures.ThreadPoolExecutor(3)
        assert.matches("^ThreadPoolExecutor: 0x%x+ %(0 workers, 0 pending, 0 running%)$",
            tostring(ex))
        local hold <close> = gate.hold(ex, 3)
        ex:submit(math.abs, 1)
        assert.matches("^ThreadPoolExecutor: 0x%x+ %(3 workers, 1 pending, 3 running%)$",
            tostring(ex))
        assert.matches("^view of ThreadPoolExecutor: 0x%x+ ", tostring(ex:with { name = "x" }))
        hold:open()
    end)
end)
