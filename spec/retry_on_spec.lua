-- SPDX-License-Identifier: MIT
-- The option retry_on: which errors are worth another run.

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

for kind, new in pairs(pools) do
    describe("retry_on (" .. kind .. ")", function()
        it("is asked with the error and the number of the attempt", function()
            local ex <close> = new(1)
            local runs <close> = tally.new()
            local asked = {}
            local f = ex:with {
                retries = 5,
                retry_on = function(...)
                    asked[#asked + 1] = table.pack(...)
                    return true
                end,
            }:submit(tally.fail, runs.token, 3)
            assert.equal(4, f:result(LIMIT))
            assert.equal(4, f:attempts())
            local expected = {}
            for i = 1, 3 do expected[i] = { { run = i }, i, n = 2 } end
            assert.same(expected, asked)
            local stats = ex:stats()
            assert.equal(3, stats.retried)
            assert.equal(1, stats.completed)
            assert.equal(0, stats.failed)
            assert.equal(0, stats.pending)
        end)

        it("may say no, with false or nil; then the error is the outcome", function()
            local ex <close> = new(1)
            for _, answer in ipairs { { false, 1 }, { nil, 1 }, { 0, 4 }, { "", 4 } } do
                local runs <close> = tally.new()
                local said = answer[1]
                local f = ex:with { retries = 3, retry_on = function() return said end }
                    :submit(tally.fail, runs.token, 100)
                local err = f:exception(LIMIT)
                assert.equal(answer[2], err.run)
                assert.equal(answer[2], f:attempts())
                assert.is_true(rawequal(err, f:exception()))
                check.contains("tally.lua", f:traceback())
            end
            assert.equal(4, ex:stats().failed)
        end)

        it("chooses by the error", function()
            local ex <close> = new(2)
            local function fail(path, word)
                local n = tally.count(path)
                if n < 3 then error(n == 1 and "again" or word, 0) end
                return n
            end
            local view = ex:with {
                retries = 9, retry_on = function(err) return err == "again" end,
            }
            local a <close> = tally.new()
            local b <close> = tally.new()
            assert.equal(3, view:submit(fail, a.token, "again"):result(LIMIT))
            assert.equal("stop", view:submit(fail, b.token, "stop"):exception(LIMIT))
        end)

        it("gets any error value", function()
            local ex <close> = new(1)
            local seen = {}
            local view = ex:with {
                retries = 1,
                retry_on = function(err) seen[#seen + 1] = tostring(err) end,
            }
            view:submit(error, false):outcome(LIMIT)
            view:submit(error):outcome(LIMIT)
            view:submit(error, 3.5):outcome(LIMIT)
            view:submit(function() return coroutine.create(print) end):outcome(LIMIT)
            assert.same({ "false", "<no error object>", "3.5" },
                { table.unpack(seen, 1, 3) })
            check.contains("TransferError: ", seen[4])
        end)

        it("may be any callable value", function()
            local ex <close> = new(1)
            local runs <close> = tally.new()
            local callable = setmetatable({}, { __call = function(_, err) return err.run end })
            local f = ex:with { retries = 2, retry_on = callable }
                :submit(tally.fail, runs.token, 2)
            assert.equal(3, f:result(LIMIT))
        end)

        it("means nothing without retries", function()
            local ex <close> = new(1)
            for _, retries in ipairs { 0, false } do
                local runs <close> = tally.new()
                local view = ex:with {
                    retries = retries or nil, retry_on = function() error("asked") end,
                }
                local f = view:submit(tally.fail, runs.token, 1)
                assert.equal(1, f:exception(LIMIT).run)
            end
        end)

        it("runs at safe points only; the future is pending until then", function()
            local ex <close> = new(1)
            local runs <close> = tally.new()
            local asked = 0
            local view = ex:with { retries = 1, retry_on = function()
                asked = asked + 1
                return true
            end }
            local f = view:submit(tally.fail, runs.token, 1)
            check.eventually("the end of a run", function()
                return f:attempts() == 1 and f:state() == "pending"
            end)
            assert.equal(0, asked)
            assert.is_false(f:running())
            assert.is_false(f:done())
            assert.is_nil(f:traceback())
            local stats = ex:stats()
            assert.equal(1, stats.pending)
            assert.equal(0, stats.running)
            assert.equal(0, stats.failed)
            assert.equal(1, futures.poll())
            assert.equal(1, asked)
            assert.equal(2, f:result(LIMIT))
            assert.equal(0, futures.poll())
        end)

        it("is waited for by poll", function()
            local ex <close> = new(1)
            local runs <close> = tally.new()
            local f = ex:with { retries = 1, retry_on = yes }
                :submit(tally.fail, runs.token, 1)
            assert.equal(1, futures.poll(LIMIT))
            assert.equal(2, f:result(LIMIT))
        end)

        it("goes to warn when it raises, and the task's error stays", function()
            local out, result = script.output(([[
                local futures = require "futures"
                local ex <close> = futures.%s(1)
                local view = ex:with { retries = 3, retry_on = function() error("oops") end }
                local f = view:submit(error, "the task's", 0)
                print(f:exception(20), f:attempts())
                view = ex:with { retries = 3, retry_on = function() coroutine.yield() end }
                print(view:submit(error, "the task's", 0):exception(20))
            ]]):format(kind == "thread" and "ThreadPoolExecutor" or "ProcessPoolExecutor"),
                { flags = { "-W" } })
            assert.equal("the task's\t1\nthe task's\n", out)
            assert.matches("Lua warning: futures: error in retry_on: [^\n]*oops", result.err)
            assert.matches("error in retry_on: [^\n]*yield", result.err)
        end)

        it("lets callbacks, wait and as_completed see the last outcome only", function()
            local ex <close> = new(2)
            local a <close> = tally.new()
            local b <close> = tally.new()
            local c <close> = tally.new()
            local view, called = ex:with { retries = 9, retry_on = yes }, {}
            local fs = {
                view:submit(tally.fail, a.token, 3), view:submit(tally.fail, b.token, 2),
                view:submit(tally.fail, c.token, 0),
            }
            for i, f in ipairs(fs) do
                f:add_done_callback(function() called[#called + 1] = i end)
            end
            local count = 0
            for f in futures.as_completed(fs, LIMIT) do
                assert.is_true(f:done())
                assert.is_nil(f:exception())
                count = count + 1
            end
            assert.equal(3, count)
            table.sort(called)
            assert.same({ 1, 2, 3 }, called)
            local done, not_done = futures.wait({ view:submit(tally.fail, a.token, 6) }, LIMIT,
                futures.FIRST_EXCEPTION)
            assert.equal(1, #done)
            assert.equal(0, #not_done)
            assert.equal(7, done[1]:result())
        end)

        it("is asked when a task was too slow", function()
            local ex <close> = new(1)
            local runs <close> = tally.new()
            local function slow(path)
                local n = tally.count(path)
                while n < 3 do end
                return n
            end
            local seen = {}
            local view = ex:with { task_timeout = 0.05, retries = 2, retry_on = function(err)
                seen[#seen + 1] = err
                return futures.iserror(err, futures.TimeoutError)
            end }
            local f = view:submit(slow, runs.token)
            assert.equal(3, f:result(LIMIT))
            assert.equal(2, #seen)
            local other <close> = tally.new()
            f = ex:with { task_timeout = 0.05, retries = 2 }:submit(slow, other.token)
            assert.is_true(futures.iserror(f:exception(LIMIT), futures.TimeoutError))
            assert.equal(1, f:attempts())
        end)

        it("holds for maps", function()
            local ex <close> = new(2)
            local runs <close> = tally.new()
            local fail = tally.fail
            local results = ex:with { retries = 2, retry_on = yes, buffersize = 2 }
                :map(function(i)
                    if i == 3 then fail(runs.token, 2) end
                    return i
                end, { 1, 2, 3, 4, 5 }):totable()
            assert.same({ 1, 2, 3, 4, 5, n = 5 }, results)
            assert.equal(3, runs:runs())
        end)

        it("is asked with the errors in a chunk, which runs again as a whole", function()
            local ex <close> = new(1)
            local a <close> = tally.new()
            local b <close> = tally.new()
            local seen, count = {}, tally.count
            local view = ex:with {
                retries = 5, chunksize = 4,
                retry_on = function(err, attempt)
                    seen[#seen + 1] = err .. " " .. attempt
                    return err == "again"
                end,
            }
            local map = view:map(function(i)
                local n = i == 3 and count(a.token) or 0
                if i == 1 then count(b.token) end
                if i == 2 then error("never", 0) end
                if i == 3 and n < 3 then error("again", 0) end
                return 10 * i
            end, { 1, 2, 3, 4, 5 })
            local results = {}
            for _ = 1, 5 do results[#results + 1] = { pcall(map) } end
            assert.same({
                { true, 1, 10 }, { false, "never" }, { true, 3, 30 }, { true, 4, 40 },
                { true, 5, 50 },
            }, results)
            assert.same({ "never 1", "again 1", "never 2", "again 2", "never 3" }, seen)
            assert.equal(3, a:runs())
            assert.equal(3, b:runs())
            assert.is_nil((map()))
            local stats = ex:stats()
            assert.equal(2, stats.retried)
            assert.equal(2, stats.completed)
            assert.equal(0, stats.failed)
        end)

        it("gets a TransferError for an item whose result cannot travel", function()
            local ex <close> = new(1)
            local runs <close> = tally.new()
            local count, class = tally.count, nil
            local results = ex:with { retries = 2, chunksize = 2, retry_on = function(err)
                class = futures.iserror(err, futures.TransferError)
                return true
            end }:map(function(i)
                return count(runs.token) == 1 and coroutine.create(print) or i
            end, { 1, 2 }):totable()
            assert.same({ 1, 2, n = 2 }, results)
            assert.is_true(class)
        end)

        it("is not kept with all that it holds when the task is done", function()
            local ex <close> = new(1)
            local kept = setmetatable({}, { __mode = "k" })
            do
                local runs <close> = tally.new()
                local held = {}
                kept[held] = true
                local view = ex:with { retries = 1, retry_on = function() return held end }
                held.view = view
                held.future = view:submit(tally.fail, runs.token, 1)
                held.future:result(LIMIT)
                futures.sleep(0)
            end
            check.collect()
            assert.is_nil(next(kept))
        end)

        it("leaves nothing behind where a submit is refused", function()
            local ex = new(1)
            local kept = setmetatable({}, { __mode = "k" })
            do
                local held = {}
                kept[held] = true
                local view = ex:with { retries = 1, retry_on = function() return held end }
                ex:shutdown()
                local _, err = pcall(view.submit, view, math.abs, 1)
                check.contains("cannot schedule new futures after shutdown", err)
            end
            check.collect()
            assert.is_nil(next(kept))
        end)
    end)
end

describe("retry_on", function()
    it("is not asked about a lost worker", function()
        local ex <close> = futures.ProcessPoolExecutor(1)
        local runs <close> = tally.new()
        local asked = 0
        local f = ex:with { retries = 2, retry_on = function() asked = asked + 1 end }
            :submit(tally.die, runs.token, 2)
        assert.equal(3, f:result(LIMIT))
        assert.equal(0, asked)
    end)

    it("shares its retries with lost workers", function()
        local ex <close> = futures.ProcessPoolExecutor(1)
        local runs <close> = tally.new()
        local function task(path)
            local n = tally.count(path)
            if n % 2 == 1 then os.exit(9) end
            error { run = n }
        end
        local attempts = {}
        local f = ex:with { retries = 3, retry_on = function(_, attempt)
            attempts[#attempts + 1] = attempt
            return true
        end }:submit(task, runs.token)
        assert.equal(4, f:exception(LIMIT).run)
        assert.same({ 2 }, attempts)
        assert.equal(4, f:attempts())
    end)

    it("runs in the worker that has submitted, while its task waits", function()
        local ex <close> = futures.ThreadPoolExecutor(2)
        local runs <close> = tally.new()
        local f = ex:submit(function(inner, path)
            local name
            local view = inner:with { retries = 2, retry_on = function(err)
                name = require "futures".worker().name
                return err.run
            end }
            local result = view:submit(tally.fail, path, 2):result(20)
            return result, name == require "futures".worker().name
        end, ex, runs.token)
        assert.same({ 3, true }, { f:result(LIMIT) })
    end)

    it("works where one worker runs all", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        local runs <close> = tally.new()
        local f = ex:submit(function(inner, path)
            return inner:with { retries = 2, retry_on = function() return true end }
                :submit(tally.fail, path, 2):result()
        end, ex, runs.token)
        assert.equal(3, f:result(LIMIT))
    end)

    it("is not asked any more once the task that has submitted is over", function()
        local ex <close> = futures.ThreadPoolExecutor(2)
        local other <close> = futures.ThreadPoolExecutor(1)
        local go <close> = gate.new()
        local pass = gate.passer()
        local f = ex:submit(function(inner, token)
            return inner:with { retries = 5, retry_on = function() return true end }
                :submit(function()
                    pass(token)
                    error("late", 0)
                end)
        end, other, go.token):result(LIMIT)
        go:open()
        assert.equal("late", f:exception(LIMIT))
        assert.equal(1, f:attempts())
        -- also when the error came first
        f = ex:submit(function(inner)
            local g = inner:with { retries = 5, retry_on = function() return true end }
                :submit(error, "early", 0)
            while g:attempts() == 0 or g:state() == "running" do end
            return g
        end, other):result(LIMIT)
        assert.equal("early", f:exception(LIMIT))
    end)

    it("may come with a view that was sent", function()
        local ex <close> = futures.ThreadPoolExecutor(2)
        local runs <close> = tally.new()
        local view = ex:with { retries = 2, retry_on = function(err) return err.run < 3 end }
        local f = ex:submit(function(sent, fail, path)
            return sent:submit(fail, path, 2):result(20)
        end, view, tally.fail, runs.token)
        assert.equal(3, f:result(LIMIT))
    end)

    local it_unless_tsan = scale.tsan and pending or it

    it_unless_tsan("works in a pool that a worker process has made", function()
        local ex <close> = futures.ProcessPoolExecutor(1)
        local runs <close> = tally.new()
        local f = ex:submit(function(path)
            local inner <close> = require "futures".ThreadPoolExecutor(1)
            return inner:with { retries = 2, retry_on = function() return true end }
                :submit(tally.fail, path, 2):result(20)
        end, runs.token)
        assert.equal(3, f:result(LIMIT))
    end)

    it("may end the program", function()
        for _, class in ipairs { "ThreadPoolExecutor", "ProcessPoolExecutor" } do
            local result = script.run(([[
                local futures = require "futures"
                local ex = futures.%s(2)
                local function stop() os.exit(3, true) end
                local function inner()
                    ex:with { retries = 1, retry_on = stop }:submit(error, "inner"):result()
                end
                ex:with { retries = 1, retry_on = inner }:submit(error, "outer"):result()
            ]]):format(class))
            assert.equal(3, result.code, result.err)
        end
    end)
end)
