-- SPDX-License-Identifier: MIT
-- next, all, any, await, pollfd and attempts with the futures of every executor, and inside of
-- its tasks.

local futures = require "futures"
local check = require "spec.support.check"
local gate = require "spec.support.gate"
local posix = require "spec_posix"
local scale = require "spec.support.scale"

local LIMIT = scale.LIMIT

for kind, name in pairs { thread = "ThreadPoolExecutor", process = "ProcessPoolExecutor" } do
    describe("With a " .. name, function()
        local ex

        before_each(function() ex = futures[name](2) end)
        after_each(function() ex:shutdown { cancel_futures = true } end)

        it("a chain goes from task to task", function()
            local function add(x) return x + 1, "more" end
            local d = ex:submit(math.abs, -1)
            for _ = 1, 20 do
                d = d:next(function(x) return ex:submit(add, x) end)
            end
            assert.same({ 21, "more" }, { d:result(LIMIT) })
        end)

        it("errors go on as the values that they are", function()
            local f = ex:submit(function() error { code = 7 } end)
            local d = f:next(error):next(error)
            assert.equal(7, d:exception(LIMIT).code)
            assert.is_true(rawequal(f:exception(), d:exception()))
            assert.equal(7, f:next(error, function(err) return err.code end):result(LIMIT))
        end)

        it("all and any take its futures", function()
            local fs = {}
            for i = 1, 50 do fs[i] = ex:submit(function(x) return { x } end, i) end
            local results = futures.all(fs):result(LIMIT)
            assert.equal(50, results.n)
            for i = 1, 50 do
                assert.equal(i, results[i][1])
                assert.is_true(rawequal(fs[i]:result(), results[i]))
            end
            fs = { ex:submit(error, "no"), ex:submit(function() return 5 end) }
            assert.equal(5, futures.any(fs):result(LIMIT))
        end)

        it("all fails with the first error, while the others go on", function()
            local hold <close> = gate.hold(ex, 1, kind)
            local fails = ex:submit(function() error { code = 7 } end)
            local all = futures.all { hold.futures[1], fails }
            local err = all:exception(LIMIT)
            assert.equal(7, err.code)
            assert.is_true(rawequal(fails:exception(), err))
            assert.equal("running", hold.futures[1]:state())
            assert.is_false(hold.futures[1]:done())
            hold:open()
            assert.equal("held", hold.futures[1]:result(LIMIT))
            assert.is_true(rawequal(err, all:exception()))
        end)

        it("all fails with a CancelledError when a task is cancelled", function()
            local hold <close> = gate.hold(ex, 2, kind)
            local queued = ex:submit(math.abs, -1)
            local pending = futures.all { hold.futures[1], queued }
            local running = futures.all { hold.futures[1] }
            assert.is_true(queued:cancel())
            assert.is_true(hold.futures[1]:cancel(true))
            for _, all in ipairs { pending, running, futures.all { queued } } do
                local ok, err = all:outcome(LIMIT)
                assert.is_false(ok)
                assert.is_true(futures.iserror(err, futures.CancelledError), tostring(err))
                assert.equal("finished", all:state())
                assert.is_false(all:cancelled())
            end
            hold:open()
            assert.equal("held", hold.futures[2]:result(LIMIT))
        end)

        it("any fails when all have failed, and has their errors in order", function()
            local hold <close> = gate.hold(ex, 2, kind)
            local fs = {
                ex:submit(error, "one", 0), ex:submit(function() error { code = 2 } end),
                ex:submit(math.abs, -3), ex:with { task_timeout = 0 }:submit(math.abs, -4),
            }
            local any = futures.any(fs)
            assert.is_true(fs[3]:cancel())
            assert.is_false(any:done())
            hold:open()
            local err = any:exception(LIMIT)
            assert.is_true(futures.iserror(err, futures.Error))
            check.contains("no future succeeded (of 4): one; ", err)
            assert.equal(4, err.errors.n)
            assert.equal("one", err.errors[1])
            assert.is_true(rawequal(fs[2]:exception(), err.errors[2]))
            assert.is_true(futures.iserror(err.errors[3], futures.CancelledError))
            assert.is_true(futures.iserror(err.errors[4], futures.TimeoutError))
            check.raises(futures.Error, function() any:result() end)
        end)

        it("pollfd is readable in a task while a callback is due there", function()
            local function work(readable)
                local fs = require "futures"
                local mine, ran, seen, fd = fs.Future(), 0, {}, fs.pollfd()
                local function look() seen[#seen + 1] = readable(fd) end
                look()
                mine:add_done_callback(function() ran = ran + 1 end)
                look()
                mine:set_result()
                look()
                look()
                local polled = fs.poll()
                look()
                return seen, polled, ran
            end
            local expected = { { false, false, true, true, false }, 1, 1 }
            assert.same(expected, { work(posix.readable) })
            for _ = 1, 2 do -- the worker's state has it for the next task, too
                assert.same(expected, { ex:submit(work, posix.readable):result(LIMIT) })
            end
        end)

        -- ThreadSanitizer cannot run threads in a forked process.
        local it_unless_hard = scale.tsan and kind == "process" and pending or it

        it_unless_hard("pollfd tells a task what another thread has made due", function()
            local function work(readable, limit)
                local fs = require "futures"
                local inner <close> = fs.ThreadPoolExecutor(1)
                local fd, got = fs.pollfd(), nil
                local f = inner:submit(math.abs, -5)
                f:add_done_callback(function() got = f:result() end)
                local deadline = fs.monotonic() + limit
                while not readable(fd) do -- no safe point is in here
                    assert(fs.monotonic() < deadline, "never readable")
                end
                assert(f:done() and not got)
                return fs.poll(), got, readable(fd)
            end
            assert.same({ 1, 5, false },
                { ex:submit(work, posix.readable, LIMIT):result(LIMIT) })
        end)

        it("await in a coroutine of a task yields until it is done, and raises", function()
            local function work()
                local fs = require "futures"
                local f, g = fs.Future(), fs.Future()
                local co = coroutine.create(function() return fs.await(f) end)
                local _, first = coroutine.resume(co)
                local _, second = coroutine.resume(co, "too early")
                assert(rawequal(first, f) and rawequal(second, f))
                local err = { code = 7 }
                f:set_exception(err)
                local ok, got = coroutine.resume(co)
                assert(not ok and rawequal(err, got) and coroutine.status(co) == "dead")
                co = coroutine.create(function() return pcall(fs.await, g) end)
                coroutine.resume(co)
                g:cancel()
                local _, caught, why = coroutine.resume(co)
                return got.code, caught, why.name
            end
            local expected = { 7, false, "CancelledError" }
            assert.same(expected, { work() })
            assert.same(expected, { ex:submit(work):result(LIMIT) })
        end)

        it("await outside of a coroutine is result", function()
            local f = ex:submit(function() return 1, nil, { 3 }, nil end)
            local results = table.pack(futures.await(f))
            assert.same({ n = 4, 1, nil, { 3 }, nil }, results)
            assert.is_true(rawequal(results[3], (select(3, f:result()))))
            for _, value in ipairs { "text", { code = 7 }, false } do
                f = ex:submit(function() error(value, 0) end)
                local ok, err = pcall(futures.await, f)
                assert.is_false(ok)
                assert.same(value, err)
                assert.is_true(rawequal(f:exception(), err))
            end
            local hold <close> = gate.hold(ex, 2, kind)
            f = ex:submit(math.abs, 1)
            f:cancel()
            check.raises(futures.CancelledError, function() futures.await(f) end)
            f = hold.futures[1]
            f:cancel(true)
            check.raises(futures.CancelledError, function() futures.await(f) end)
        end)

        it("await in a task outside of a coroutine is result, too", function()
            local function work()
                local fs = require "futures"
                local function await(...)
                    local f = fs.Future()
                    f[...](f, select(2, ...))
                    return pcall(fs.await, f)
                end
                local _, cancelled = await("cancel")
                return cancelled.name, select("#", await("set_result", 1, nil)),
                    await("set_exception", "x")
            end
            assert.same({ "CancelledError", 3, false, "x" },
                { ex:submit(work):result(LIMIT) })
        end)

        it("await and pollfd work here and in a task", function()
            local function work()
                local mine = futures.Future()
                local d = mine:next(function(x) return x * 2 end)
                local co = coroutine.wrap(function() return futures.await(d) end)
                local yielded = co()
                mine:set_result(4)
                return yielded == d and futures.pollfd() > 2 and futures.poll() == 1 and co()
            end
            assert.equal(8, work())
            assert.equal(8, ex:submit(work):result(LIMIT))
        end)

        it("attempts counts the start of a task", function()
            local f = ex:submit(math.abs, -1)
            f:result(LIMIT)
            assert.equal(1, f:attempts())
            local running = ex:submit(futures.sleep, 0.2)
            check.eventually("the start", function() return running:running() end)
            assert.equal(1, running:attempts())
            local failing = ex:submit(error, "x")
            failing:outcome(LIMIT)
            assert.equal(1, failing:attempts())
        end)

        it("what is cancelled with the executor is cancelled in the chain", function()
            local hold <close> = gate.hold(ex, 2, kind)
            local fs, ds = {}, {}
            for i = 1, 20 do
                fs[i] = ex:submit(math.abs, i)
                ds[i] = fs[i]:next(function(x) return x end)
            end
            ex:shutdown { cancel_futures = true, wait = false }
            hold:open()
            ex:shutdown()
            for i = 1, 20 do
                assert.equal(fs[i]:cancelled(), ds[i]:cancelled())
                assert.is_true(ds[i]:done())
            end
            assert.is_true(ds[20]:cancelled())
            assert.equal(0, fs[20]:attempts())
        end)
    end)
end

describe("Futures of threads and of processes together", function()
    local threads, processes

    before_each(function()
        threads, processes = futures.ThreadPoolExecutor(1), futures.ProcessPoolExecutor(1)
    end)
    after_each(function()
        threads:shutdown { cancel_futures = true }
        processes:shutdown { cancel_futures = true }
    end)

    it("are all's in their order", function()
        local fs = {}
        for i = 1, 50 do fs[i] = (i % 2 == 0 and threads or processes):submit(math.abs, -i) end
        local results = futures.all(fs):result(LIMIT)
        assert.equal(50, results.n)
        for i = 1, 50 do assert.equal(i, results[i]) end
    end)

    it("are any's: of one kind the first success, when the other has failed", function()
        for _, pair in ipairs { { threads, processes }, { processes, threads } } do
            local any = futures.any { pair[1]:submit(error, "x"), pair[2]:submit(math.abs, -5) }
            assert.equal(5, any:result(LIMIT))
        end
    end)

    it("make all fail with one that failed or was cancelled", function()
        local thread <close> = gate.hold(threads)
        local process <close> = gate.hold(processes, 1, "process")
        local queued = processes:submit(math.abs, 1)
        local lost = futures.all { thread.futures[1], processes:submit(os.exit, 3) }
        local cancelled = futures.all { thread.futures[1], process.futures[1], queued }
        assert.is_true(queued:cancel())
        check.raises(futures.CancelledError, function() cancelled:result(LIMIT) end)
        assert.is_true(process.futures[1]:running())
        process:open()
        assert.equal(3, check.raises(futures.WorkerLostError, function()
            lost:result(LIMIT)
        end).exitcode)
        assert.is_true(thread.futures[1]:running())
    end)

    it("make any fail when all of them have", function()
        local fs = {
            threads:submit(error, "of a thread", 0), processes:submit(error, "of a process", 0),
            processes:submit(os.exit, 3), threads:with { task_timeout = 0 }:submit(print),
        }
        local errors = futures.any(fs):exception(LIMIT).errors
        assert.equal(4, errors.n)
        assert.equal("of a thread", errors[1])
        assert.equal("of a process", errors[2])
        assert.equal(3, errors[3].exitcode)
        assert.is_true(futures.iserror(errors[3], futures.WorkerLostError))
        assert.is_true(futures.iserror(errors[4], futures.TimeoutError))
    end)
end)

describe("A process that dies", function()
    it("is an error that await raises", function()
        local ex <close> = futures.ProcessPoolExecutor(1)
        local f = ex:submit(os.exit, 3)
        local err = check.raises(futures.WorkerLostError, function() futures.await(f) end)
        assert.equal(3, err.exitcode)
        f = ex:submit(os.exit, 4)
        local co = coroutine.create(function() return futures.await(f) end)
        local ok, got
        repeat
            ok, got = coroutine.resume(co)
            if coroutine.status(co) ~= "dead" then futures.wait({ f }, LIMIT) end
        until coroutine.status(co) == "dead"
        assert.is_false(ok)
        assert.equal(4, got.exitcode)
    end)

    it("is an error that on_error gets", function()
        local ex <close> = futures.ProcessPoolExecutor(1)
        local d = ex:submit(os.exit, 3):next(error, function(err)
            return futures.iserror(err, futures.WorkerLostError), err.exitcode
        end)
        assert.same({ true, 3 }, { d:result(LIMIT) })
        local f = ex:submit(os.exit, 3)
        f:outcome(LIMIT)
        assert.equal(1, f:attempts())
    end)
end)
