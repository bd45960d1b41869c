-- SPDX-License-Identifier: MIT
-- What every executor promises, run once for each of them:
--
--     require "spec.executor_contract" { name = "ThreadPoolExecutor", kind = "thread",
--                                        new = function(options) ... end }
--
-- The specs beside this file go into the details of one concept each.

local busted = require "busted"
local assert = require "luassert"
local futures = require "futures"
local check = require "spec.support.check"
local gate = require "spec.support.gate"
local scale = require "spec.support.scale"

local describe, it = busted.describe, busted.it
local LIMIT = scale.LIMIT

local function echo(...)
    return ...
end

local function fail(value)
    error(value, 0)
end

local function double(x)
    return 2 * x
end

local function submitting(executor)
    local new = executor.new

    it("submit returns a future with the task's results", function()
        local ex <close> = new { max_workers = 2 }
        local f = ex:submit(function(a, b) return a + b, a * b end, 3, 4)
        local sum, product = f:result(LIMIT)
        assert.equal(7, sum)
        assert.equal(12, product)
    end)

    it("keeps the count of arguments and results, nils included", function()
        local ex <close> = new { max_workers = 1 }
        local count = function(...) return select("#", ...), ... end
        local packed = table.pack(ex:submit(count, nil, 1, nil, nil):result(LIMIT))
        assert.equal(5, packed.n)
        assert.same({ 4, nil, 1, nil, nil, n = 5 }, packed)
        assert.equal(0, select("#", ex:submit(function() end):result(LIMIT)))
    end)

    it("passes 1, 60 and 300 arguments and results", function()
        local ex <close> = new { max_workers = 1 }
        for _, count in ipairs { 1, 60, 300 } do
            local values = {}
            for i = 1, count do
                values[i] = i * i
            end
            local f = ex:submit(echo, table.unpack(values))
            assert.same(values, { f:result(LIMIT) })
        end
    end)

    it("takes a Lua function, a C function and a callable table", function()
        local ex <close> = new { max_workers = 1 }
        local adder = setmetatable({ base = 40 }, {
            __call = function(self, x) return self.base + x end,
        })
        assert.equal(6, ex:submit(double, 3):result(LIMIT))
        assert.equal("ababab", ex:submit(string.rep, "ab", 3):result(LIMIT))
        assert.equal(42, ex:submit(adder, 2):result(LIMIT))
    end)

    it("never runs a task in the caller", function()
        local ex <close> = new { max_workers = 1 }
        assert.is_nil(futures.worker())
        local worker = ex:submit(futures.worker):result(LIMIT)
        assert.equal(executor.kind, worker.kind)
        assert.is_nil(futures.worker())
    end)

    it("runs queued tasks in the order of submission", function()
        local ex <close> = new { max_workers = 1 }
        local hold <close> = gate.hold(ex, 1, executor.kind)
        local fs, count = {}, 0
        for i = 1, 20 do
            fs[i] = ex:submit(echo, i)
        end
        hold:open()
        for f in futures.as_completed(fs, LIMIT) do
            count = count + 1
            assert.equal(count, f:result())
        end
        assert.equal(20, count)
    end)

    it("runs as many tasks at once as it has workers", function()
        local ex <close> = new { max_workers = 3 }
        local hold <close> = gate.hold(ex, 3, executor.kind)
        for _, f in ipairs(hold.futures) do
            assert.is_true(f:running())
        end
        local queued = ex:submit(echo)
        assert.equal("pending", queued:state())
        hold:open()
        assert.is_nil(queued:result(LIMIT))
    end)

    it("refuses what is not callable and names the argument", function()
        local ex <close> = new { max_workers = 1 }
        check.misuse(1, "submit", function() ex:submit() end)
        check.misuse(1, "submit", function() ex:submit(42) end)
        check.misuse(1, "submit", function() ex:submit({}, 1) end)
    end)

    it("refuses at the call a value that cannot travel", function()
        local ex <close> = new { max_workers = 1 }
        local err = check.raises(futures.TransferError, function()
            ex:submit(echo, 1, { log = io.stdout })
        end)
        assert.equal("argument 2.log: userdata (FILE*) cannot travel", err.message)
        assert.equal(5, ex:submit(echo, 5):result(LIMIT))
    end)
end

local function failing(executor)
    local new = executor.new

    it("raises the error value of a task unchanged", function()
        local ex <close> = new { max_workers = 1 }
        for _, value in ipairs { "text", 42, 1.5, true, false } do
            local ok, err = pcall(function() ex:submit(fail, value):result(LIMIT) end)
            assert.is_false(ok)
            assert.equal(value, err)
        end
        local ok, err = pcall(function() ex:submit(fail, { code = 7 }):result(LIMIT) end)
        assert.is_false(ok)
        assert.same({ code = 7 }, err)
    end)

    it("turns a nil error value into the string <no error object>", function()
        local ex <close> = new { max_workers = 1 }
        assert.equal("<no error object>", ex:submit(function() error() end):exception(LIMIT))
    end)

    it("runs the next task in a sound worker after an error", function()
        local ex <close> = new { max_workers = 1 }
        local function nest() return (string.gsub("a", "a", nest)) end
        local function misindex(x) return #x.y.z end
        for _, task in ipairs { fail, nest, misindex } do
            assert.is_not_nil(ex:submit(task, "x"):exception(LIMIT))
            assert.equal(8, ex:submit(double, 4):result(LIMIT))
        end
    end)

    it("gives the failure as outcome, exception and result, each time the same", function()
        local ex <close> = new { max_workers = 1 }
        local f = ex:submit(fail, { 1 })
        local ok, err = f:outcome(LIMIT)
        assert.is_false(ok)
        assert.is_true(rawequal(err, f:exception()))
        local _, raised = pcall(f.result, f)
        assert.is_true(rawequal(err, raised))
    end)

    it("refuses on the future a result that cannot travel", function()
        local ex <close> = new { max_workers = 1 }
        local err = ex:submit(function() return 1, { file = io.stdout } end):exception(LIMIT)
        assert.is_true(futures.iserror(err, futures.TransferError))
        assert.equal("result 2.file: userdata (FILE*) cannot travel", err.message)
    end)

    it("refuses on the future an error value that cannot travel", function()
        local ex <close> = new { max_workers = 1 }
        local err = ex:submit(function() error { io.stdout } end):exception(LIMIT)
        assert.is_true(futures.iserror(err, futures.TransferError))
        check.contains("error", err.message:sub(1, 5))
    end)
end

local function states(executor)
    local new = executor.new

    it("a future is pending, then running, then finished", function()
        local ex <close> = new { max_workers = 1 }
        local hold <close> = gate.hold(ex, 1, executor.kind)
        local f = ex:submit(echo)
        assert.equal("pending", f:state())
        assert.is_false(f:running() or f:done() or f:cancelled())
        local running = hold.futures[1]
        assert.equal("running", running:state())
        assert.is_true(running:running())
        assert.is_false(running:done() or running:cancelled())
        hold:open()
        f:result(LIMIT)
        assert.equal("finished", running:state())
        assert.is_true(running:done())
        assert.is_false(running:running() or running:cancelled())
    end)

    it("a pending future can be cancelled, a running or finished one not", function()
        local ex <close> = new { max_workers = 1 }
        local hold <close> = gate.hold(ex, 1, executor.kind)
        local f = ex:submit(echo)
        assert.is_true(f:cancel())
        assert.is_true(f:cancel())
        assert.equal("cancelled", f:state())
        assert.is_true(f:cancelled() and f:done())
        assert.is_false(hold.futures[1]:cancel())
        hold:open()
        assert.equal("held", hold.futures[1]:result(LIMIT))
        assert.is_false(hold.futures[1]:cancel())
        assert.is_false(hold.futures[1]:cancelled())
    end)

    it("a cancelled task never runs and its future raises CancelledError", function()
        local ex <close> = new { max_workers = 1 }
        local hold <close> = gate.hold(ex, 1, executor.kind)
        local ran <close> = gate.new(executor.kind)
        local f = ex:submit(gate.opener(executor.kind), ran.token)
        f:cancel()
        check.raises(futures.CancelledError, function() f:result() end)
        check.raises(futures.CancelledError, function() f:exception() end)
        local ok, err = f:outcome()
        assert.is_false(ok)
        assert.is_true(futures.iserror(err, futures.CancelledError))
        hold:open()
        ex:submit(echo):result(LIMIT)
        if executor.kind == "thread" then
            assert.is_false(ran.token:done())
        end
    end)

    it("a wait that times out raises TimeoutError and the task goes on", function()
        local ex <close> = new { max_workers = 1 }
        local hold <close> = gate.hold(ex, 1, executor.kind)
        local f = hold.futures[1]
        check.takes(0.02, 0.02, function()
            check.raises(futures.TimeoutError, function() f:result(0.02) end)
        end)
        check.raises(futures.TimeoutError, function() f:exception(0) end)
        assert.is_true(f:running())
        hold:open()
        assert.equal("held", f:result(LIMIT))
    end)

    it("gives the same values at each call, the same table included", function()
        local ex <close> = new { max_workers = 1 }
        local f = ex:submit(function() return { 1, 2 } end)
        local first = f:result(LIMIT)
        assert.is_true(rawequal(first, f:result()))
        local _, third = f:outcome()
        assert.is_true(rawequal(first, third))
    end)

    it("a future outlives its executor", function()
        local f
        do
            local ex <close> = new { max_workers = 1 }
            f = ex:submit(echo, { "kept" })
        end
        check.collect()
        assert.same({ "kept" }, f:result(LIMIT))
    end)
end

local function waiting(executor)
    local new = executor.new

    it("wait splits the futures into done and not done", function()
        local ex <close> = new { max_workers = 2 }
        local hold <close> = gate.hold(ex, 1, executor.kind)
        local quick = ex:submit(echo)
        local fs = { hold.futures[1], quick }
        local done, not_done = futures.wait(fs, LIMIT, futures.FIRST_COMPLETED)
        check.same_futures({ quick }, done)
        check.same_futures({ hold.futures[1] }, not_done)
        hold:open()
        done, not_done = futures.wait(fs, LIMIT)
        check.same_futures(fs, done)
        check.same_futures({}, not_done)
    end)

    it("as_completed gives each future once, in completion order", function()
        local ex <close> = new { max_workers = 3 }
        local g1 <close> = gate.new(executor.kind)
        local g2 <close> = gate.new(executor.kind)
        local g3 <close> = gate.new(executor.kind)
        local fs, pass = {}, gate.passer(executor.kind)
        for i, g in ipairs { g1, g2, g3 } do
            fs[i] = ex:submit(pass, g.token)
        end
        local step = futures.as_completed(fs, LIMIT)
        g2:open()
        assert.is_true(rawequal(fs[2], step()))
        g3:open()
        assert.is_true(rawequal(fs[3], step()))
        g1:open()
        assert.is_true(rawequal(fs[1], step()))
        assert.is_nil(step())
    end)

    it("callbacks run once, in the waiting state, in the order added", function()
        local ex <close> = new { max_workers = 1 }
        local f, seen = ex:submit(echo, 1), {}
        f:add_done_callback(function(same)
            assert.is_true(rawequal(f, same))
            assert.is_nil(futures.worker())
            seen[#seen + 1] = "first"
        end)
        f:add_done_callback(function() seen[#seen + 1] = "second" end)
        f:result(LIMIT)
        f:result()
        futures.poll()
        assert.same({ "first", "second" }, seen)
    end)
end

local function mapping(executor)
    local new = executor.new

    it("map gives the index and all results of each task in input order", function()
        local ex <close> = new { max_workers = 3 }
        local seen = {}
        for i, square, text in ex:with { timeout = LIMIT }:map(function(x)
            return x * x, "n" .. x
        end, { 4, 5, 6 }) do
            seen[#seen + 1] = { i, square, text }
        end
        assert.same({ { 1, 16, "n4" }, { 2, 25, "n5" }, { 3, 36, "n6" } }, seen)
    end)

    it("map raises a task's error at its position and goes on after it", function()
        local ex <close> = new { max_workers = 2 }
        local step = ex:with { timeout = LIMIT }:map(function(x)
            if x == 2 then
                error("two", 0)
            end
            return x
        end, { 1, 2, 3 })
        assert.same({ 1, 1 }, { step() })
        local ok, err = pcall(step)
        assert.is_false(ok)
        assert.equal("two", err)
        assert.same({ 3, 3 }, { step() })
        assert.is_nil(step())
    end)

    it("map works in chunks, too", function()
        local ex <close> = new { max_workers = 2 }
        local input, expected = {}, { n = 50 }
        for i = 1, 50 do
            input[i], expected[i] = i, 2 * i
        end
        for _, chunksize in ipairs { 1, 7, 50, 1000 } do
            local view = ex:with { chunksize = chunksize, timeout = LIMIT }
            assert.same(expected, view:map(double, input):totable())
        end
    end)

    it("leaving a map early cancels what has not started", function()
        local ex <close> = new { max_workers = 1 }
        local go <close> = gate.new(executor.kind)
        local pass, token, steps = gate.passer(executor.kind), go.token, 0
        for i in ex:map(function(x)
            if x > 1 then
                pass(token)
            end
            return x
        end, { 1, 2, 3, 4 }) do
            steps = steps + i
            if i == 1 then
                break
            end
        end
        assert.equal(1, steps)
        -- The second may be running or not by now; the third and the fourth are not.
        local cancelled = ex:stats().cancelled
        assert.is_true(cancelled == 2 or cancelled == 3)
        go:open()
    end)
end

local function ending(executor)
    local new = executor.new

    it("shutdown runs what is queued, then refuses new tasks", function()
        local ex = new { max_workers = 1 }
        local hold <close> = gate.hold(ex, 1, executor.kind)
        local f = ex:submit(echo, "queued")
        assert.is_true(ex:shutdown { wait = false })
        hold:open()
        assert.is_true(ex:shutdown())
        assert.is_true(f:done())
        assert.equal("queued", f:result())
        local ok, err = pcall(function() ex:submit(echo) end)
        assert.is_false(ok)
        check.contains("cannot schedule new futures after shutdown", err)
        assert.is_true(ex:shutdown())
    end)

    it("shutdown with cancel_futures cancels what has not started", function()
        local ex = new { max_workers = 1 }
        local hold <close> = gate.hold(ex, 1, executor.kind)
        local f = ex:submit(echo)
        ex:shutdown { wait = false, cancel_futures = true }
        assert.is_true(f:cancelled())
        hold:open()
        assert.is_true(ex:shutdown())
        assert.equal("held", hold.futures[1]:result())
    end)

    it("shutdown with a timeout says false when that passed first", function()
        local ex = new { max_workers = 1 }
        local hold <close> = gate.hold(ex, 1, executor.kind)
        assert.is_false(check.takes(0.02, 0.02, function()
            return ex:shutdown { timeout = 0.02 }
        end))
        hold:open()
        assert.is_true(ex:shutdown { timeout = LIMIT })
    end)

    it("leaving the scope waits for what is queued", function()
        local fs = {}
        do
            local ex <close> = new { max_workers = 1 }
            for i = 1, 10 do
                fs[i] = ex:submit(echo, i)
            end
        end
        for i = 1, 10 do
            assert.is_true(fs[i]:done())
            assert.equal(i, fs[i]:result())
        end
    end)

    it("leaving the scope by an error cancels what has not started", function()
        local running, queued
        local ok, err = pcall(function()
            local ex <close> = new { max_workers = 1 }
            local hold = gate.hold(ex, 1, executor.kind)
            running, queued = hold.futures[1], ex:submit(echo)
            -- Opened while the executor closes: only then is the queue cancelled for sure.
            queued:add_done_callback(function() hold:__close() end)
            error("out", 0)
        end)
        assert.is_false(ok)
        assert.equal("out", err)
        assert.is_true(queued:cancelled())
        assert.equal("held", running:result(LIMIT))
    end)

    it("an initializer runs once in each worker before its first task", function()
        local ex <close> = new {
            max_workers = 1,
            initializer = function(a, b)
                -- Globals of the worker, on purpose.
                _G.started = (_G.started or 0) + 1
                _G.given = { a, b }
            end,
            initargs = { "x", 2 },
        }
        for _ = 1, 3 do
            local started, given = ex:submit(function()
                return rawget(_G, "started"), rawget(_G, "given")
            end):result(LIMIT)
            assert.equal(1, started)
            assert.same({ "x", 2 }, given)
        end
    end)

    it("a failing initializer breaks the pool", function()
        local ex <close> = new {
            max_workers = 1,
            initializer = function() error("no license", 0) end,
        }
        local class = executor.kind == "thread" and futures.BrokenThreadPool
            or futures.BrokenProcessPool
        local err = ex:submit(echo):exception(LIMIT)
        assert.is_true(futures.iserror(err, class))
        check.contains("no license", err)
        local later = check.raises(class, function() ex:submit(echo) end)
        check.contains("no license", later)
    end)
end

return function(executor)
    describe(executor.name, function()
        describe("submit", function() submitting(executor) end)
        describe("errors of tasks", function() failing(executor) end)
        describe("futures", function() states(executor) end)
        describe("waiting", function() waiting(executor) end)
        describe("map", function() mapping(executor) end)
        describe("start and end", function() ending(executor) end)
    end)
end
