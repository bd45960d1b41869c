-- SPDX-License-Identifier: MIT
-- Workers that die: the task that ran is lost and says so, all others do not notice, and the
-- pool is refilled.

local futures = require "futures"
local check = require "spec.support.check"
local gate = require "spec.support.gate"
local posix = require "spec_posix"
local proc = require "spec.support.proc"
local scale = require "spec.support.scale"

local LIMIT = scale.LIMIT
local SIGABRT, SIGKILL, SIGSEGV, SIGTERM, SIGCONT, SIGSTOP = 6, 9, 11, 15, 18, 19

local function new(options)
    return futures.ProcessPoolExecutor(options)
end

local pid = posix.getpid

local function die(signal)
    posix.kill(posix.getpid(), signal) -- by name: the worker requires it
    return "survived"
end

local function lost(f)
    local err = f:exception(LIMIT)
    assert.is_true(futures.iserror(err, futures.WorkerLostError), tostring(err))
    return err
end

describe("A process worker that dies", function()
    it("by a signal fails its task with pid and signal", function()
        local ex <close> = new(1)
        for _, signal in ipairs { SIGKILL, SIGSEGV, SIGABRT, SIGTERM } do
            local worker = ex:submit(pid):result(LIMIT)
            local err = lost(ex:submit(die, signal))
            assert.equal(worker, err.pid)
            assert.equal(signal, err.signal)
            assert.is_nil(err.exitcode)
            check.contains("WorkerLostError: ", tostring(err))
            check.contains(tostring(worker), err.message)
        end
        assert.equal(4, ex:stats().lost)
    end)

    it("by os.exit fails its task with the exit code", function()
        local ex <close> = new(1)
        for _, case in ipairs { { 7, 7 }, { 0, 0 }, { true, 0 }, { false, 1 } } do
            local err = lost(ex:submit(os.exit, case[1]))
            assert.equal(case[2], err.exitcode)
            assert.is_nil(err.signal)
        end
        local err = lost(ex:submit(function() os.exit(3, true) end))
        assert.equal(3, err.exitcode)
    end)

    it("has an error object of its own for each task", function()
        local ex <close> = new(2)
        local a, b = ex:submit(die, SIGKILL), ex:submit(die, SIGKILL)
        assert.is_false(rawequal(lost(a), lost(b)))
        assert.is_true(rawequal(lost(a), lost(a)))
    end)

    it("costs no other task, and is replaced", function()
        local ex <close> = new(2)
        local fs = {}
        for i = 1, 200 do
            fs[i] = ex:submit(i % 20 == 0 and die or math.abs, i % 20 == 0 and SIGKILL or -i)
        end
        for i, f in ipairs(fs) do
            if i % 20 == 0 then
                lost(f)
            else
                assert.equal(i, f:result(LIMIT))
            end
        end
        local stats = ex:stats()
        assert.equal(10, stats.lost)
        assert.equal(10, stats.failed)
        assert.equal(190, stats.completed)
        assert.is_true(stats.workers <= 2)
    end)

    it("is noticed at once, also while nothing else happens", function()
        local ex <close> = new(1)
        local f = ex:submit(futures.sleep, 60)
        check.eventually("it runs", function() return f:running() end)
        local worker = check.eventually("a worker", function()
            return proc.workers()[1]
        end)
        check.takes(0, 0.05, function()
            posix.kill(worker, SIGKILL)
            lost(f)
        end)
    end)

    it("while it is idle costs nothing", function()
        local ex <close> = new(1)
        local first = ex:submit(pid):result(LIMIT)
        posix.kill(first, SIGKILL)
        check.eventually("it is buried", function() return ex:stats().workers == 0 end)
        assert.not_equal(first, ex:submit(pid):result(LIMIT))
        assert.equal(0, ex:stats().lost)
    end)

    it("between the hand-over and the start of a task loses nothing", function()
        local ex <close> = new(1)
        local first = ex:submit(pid):result(LIMIT)
        posix.kill(first, SIGSTOP)
        local fs = {}
        for i = 1, 20 do
            fs[i] = ex:submit(pid)
        end
        assert.equal("pending", fs[1]:state())
        posix.kill(first, SIGKILL)
        local second = fs[1]:result(LIMIT)
        assert.not_equal(first, second)
        for i = 2, 20 do
            assert.equal(second, fs[i]:result(LIMIT))
        end
        assert.equal(0, ex:stats().lost)
    end)

    it("while a large argument is written to it loses nothing", function()
        local ex <close> = new(1)
        local first = ex:submit(pid):result(LIMIT)
        posix.kill(first, SIGSTOP)
        local text = ("x"):rep(16 << 20)
        local f = ex:submit(function(s) return #s, s:sub(-1) end, text .. "y")
        posix.kill(first, SIGKILL)
        local length, last = f:result(LIMIT)
        assert.equal(#text + 1, length)
        assert.equal("y", last)
    end)

    it("while it writes a large result fails that task only", function()
        local ex <close> = new(1)
        for _ = 1, 5 do
            local started <close> = gate.new("process")
            local f = ex:submit(function(open, token)
                local text = ("x"):rep(16 << 20)
                open(token)
                return pid(), text
            end, gate.opener("process"), started.token)
            local worker = check.eventually("a worker", function()
                return proc.workers()[1]
            end)
            started:pass()
            posix.kill(worker, SIGKILL)
            local ok, result, text = f:outcome(LIMIT)
            if ok then
                assert.equal(16 << 20, #text)
            else
                assert.equal(worker, result.pid)
            end
            assert.equal(1, ex:submit(math.abs, -1):result(LIMIT))
        end
    end)

    it("leaves tasks that were stopped with it to others", function()
        local ex <close> = new(2)
        local hold <close> = gate.hold(ex, 2, "process")
        local fs = {}
        for i = 1, 40 do
            fs[i] = ex:submit(math.abs, -i)
        end
        for _, worker in ipairs(proc.workers()) do
            posix.kill(worker, SIGKILL)
        end
        for i = 1, 40 do
            assert.equal(i, fs[i]:result(LIMIT))
        end
        for _, f in ipairs(hold.futures) do
            assert.equal(SIGKILL, lost(f).signal)
        end
    end)

    it("leaves the task beside it where it is, and that ends in its process", function()
        local ex <close> = new(2)
        local started <close> = gate.new("process")
        local go <close> = gate.new("process")
        local f = ex:submit(function(open, said, pass, token)
            local before, count = pid(), 0
            open(said)
            local co = coroutine.wrap(function()
                count = count + 1
                coroutine.yield()
                count = count + 1
            end)
            co()
            pass(token)
            co()
            return before, pid(), count
        end, gate.opener("process"), started.token, gate.passer("process"), go.token)
        started:pass()
        local gone = {}
        for _, signal in ipairs { SIGKILL, SIGSEGV, SIGABRT } do
            gone[lost(ex:submit(die, signal)).pid] = true
            gone[lost(ex:submit(os.exit, 3)).pid] = true
            assert.equal("running", f:state())
        end
        go:open()
        local before, after, count = f:result(LIMIT)
        assert.equal(before, after)
        assert.is_nil(gone[before])
        assert.equal(2, count)
        assert.equal(1, f:attempts())
        assert.equal(6, ex:stats().lost)
    end)

    it("is lost for a task of threads that has its pool, and for no other", function()
        local ex <close> = futures.ThreadPoolExecutor(2)
        local started <close> = gate.new()
        local go <close> = gate.new()
        local function worker() return require "futures".worker().id end
        local f = ex:submit(function(open, said, pass, token)
            local before = worker()
            open(said)
            pass(token)
            return before == worker()
        end, gate.opener(), started.token, gate.passer(), go.token)
        started:pass()
        local function lose()
            local inner <close> = require "futures".ProcessPoolExecutor(1)
            return inner:submit(die, SIGKILL):result(30)
        end
        for _ = 1, 3 do assert.equal(SIGKILL, lost(ex:submit(lose)).signal) end
        assert.equal("running", f:state())
        go:open()
        assert.is_true(f:result(LIMIT))
    end)

    it("goes on after a stop", function()
        local ex <close> = new(1)
        local worker = ex:submit(pid):result(LIMIT)
        posix.kill(worker, SIGSTOP)
        local f = ex:submit(pid)
        check.raises(futures.TimeoutError, function() f:result(0.05) end)
        posix.kill(worker, SIGCONT)
        assert.equal(worker, f:result(LIMIT))
    end)
end)

describe("A worker that dies and cannot be replaced", function()
    before_each(function() posix.refuse_forks(false) end)
    after_each(function() posix.refuse_forks(false) end)

    local TOO_MANY = "no process could be forked: there are too many"

    local function is_broken(f)
        local err = f:exception(LIMIT)
        assert.is_true(futures.iserror(err, futures.BrokenProcessPool), tostring(err))
        check.contains(TOO_MANY, err.message)
    end

    -- Keeps all workers of a new pool busy, which can have no other ones from here on.
    local function hold_all(ex, workers)
        local hold = gate.hold(ex, workers, "process")
        posix.refuse_forks(true)
        return hold
    end

    it("costs its task, and those that are left fail", function()
        local ex <close> = new(1)
        local hold <close> = hold_all(ex, 1)
        local fs, called = {}, 0
        for i = 1, 20 do
            fs[i] = ex:submit(math.abs, -i)
            fs[i]:add_done_callback(function() called = called + 1 end)
        end
        posix.kill(proc.workers()[1], SIGKILL)
        assert.equal(SIGKILL, lost(hold.futures[1]).signal)
        for _, f in ipairs(fs) do is_broken(f) end
        futures.poll()
        assert.equal(20, called)
        assert.is_false(rawequal(fs[1]:exception(), fs[2]:exception()))
        check.contains(TOO_MANY, check.raises(futures.BrokenProcessPool, function()
            ex:submit(math.abs, 1)
        end))
        check.raises(futures.BrokenProcessPool, function() ex:map(math.abs, { 1 }) end)
        assert.is_true(ex:shutdown { timeout = LIMIT })
        local stats = ex:stats()
        assert.equal(1, stats.lost)
        assert.equal(21, stats.failed)
        assert.equal(0, stats.workers + stats.pending + stats.running)
        assert.same({}, proc.zygotes())
    end)

    it("leaves the rest to those that are there, as long as there is one", function()
        local ex <close> = new(2)
        local hold <close> = hold_all(ex, 2)
        local fs = {}
        for i = 1, 20 do fs[i] = ex:submit(pid) end
        local workers = proc.workers()
        posix.kill(workers[1], SIGKILL)
        local done = futures.wait(hold.futures, LIMIT, futures.FIRST_COMPLETED)
        assert.equal(1, #done)
        assert.equal(workers[1], lost(done[1]).pid)
        hold:open()
        for _, f in ipairs(fs) do assert.equal(workers[2], f:result(LIMIT)) end
        lost(ex:submit(die, SIGKILL))
        is_broken(ex:submit(pid))
        assert.is_true(ex:shutdown { timeout = LIMIT })
    end)

    it("ends every wait", function()
        local ex <close> = new(1)
        local _ <close> = hold_all(ex, 1)
        local fs = { ex:submit(pid), ex:submit(pid), ex:submit(pid) }
        local map = ex:map(math.abs, { 1, 2 })
        local all, any = futures.all(fs), futures.any(fs)
        local chained = fs[1]:next(pid):next(pid)
        local fd, seen = futures.pollfd(), 0
        posix.kill(proc.workers()[1], SIGKILL)
        check.eventually("a callback that is due", function() return posix.readable(fd) end)
        for f in futures.as_completed(fs, LIMIT) do
            is_broken(f)
            seen = seen + 1
        end
        assert.equal(3, seen)
        assert.equal(3, #futures.wait(fs, LIMIT))
        for _ = 1, 2 do check.raises(futures.BrokenProcessPool, map) end
        assert.is_nil((map()))
        is_broken(all)
        is_broken(chained)
        assert.equal(3, any:exception(LIMIT).errors.n)
        assert.is_true(ex:shutdown { timeout = LIMIT })
    end)

    it("ends tasks that were to run again", function()
        local ex <close> = new(1)
        local hold <close> = hold_all(ex, 1)
        local again = ex:with { retries = 5 }:submit(die, SIGKILL)
        local rests = ex:with { retries = { max = 5, backoff = 1000, max_delay = 1000 } }
            :submit(die, SIGKILL)
        hold:open()
        is_broken(again)
        is_broken(rests)
        assert.equal(1, again:attempts())
        assert.is_true(ex:shutdown { timeout = LIMIT })
    end)

    it("because it has run enough tasks fails none of them", function()
        local ex <close> = new { max_workers = 1, max_tasks_per_child = 2 }
        local hold <close> = hold_all(ex, 1)
        local fs = { ex:submit(math.abs, -1), ex:submit(math.abs, -2) }
        hold:open()
        assert.equal("held", hold.futures[1]:result(LIMIT))
        assert.equal(1, fs[1]:result(LIMIT))
        is_broken(fs[2])
        assert.equal(0, ex:stats().lost)
        assert.is_true(ex:shutdown { timeout = LIMIT })
    end)
end)

describe("An initializer that ends its process", function()
    it("breaks the pool after a bounded number of forks", function()
        for _, workers in ipairs { 1, 3 } do
            local path = os.tmpname()
            local ex <close> = new {
                max_workers = workers,
                initializer = function(name)
                    local file <close> = assert(io.open(name, "a"))
                    file:write("x")
                    file:close()
                    posix.kill(posix.getpid(), SIGKILL)
                end,
                initargs = { path },
            }
            local fs = {}
            for i = 1, 10 do
                fs[i] = ex:submit(math.abs, i)
            end
            for _, f in ipairs(fs) do
                local err = f:exception(LIMIT)
                assert.is_true(futures.iserror(err, futures.BrokenProcessPool), tostring(err))
                check.contains("signal 9", err.message)
            end
            check.raises(futures.BrokenProcessPool, function() ex:submit(math.abs, 1) end)
            ex:shutdown()
            local file <close> = assert(io.open(path))
            assert.is_true(#file:read("a") <= 5 * workers + 5)
            os.remove(path)
        end
    end)
end)

describe("The process that forks the workers", function()
    it("can die: the futures fail, nothing hangs", function()
        local ex = new(2)
        local hold = gate.hold(ex, 2, "process")
        local queued = ex:submit(math.abs, 1)
        posix.kill(proc.zygotes()[1], SIGKILL)
        for _, f in ipairs(hold.futures) do
            lost(f)
        end
        local err = queued:exception(LIMIT)
        assert.is_true(futures.iserror(err, futures.BrokenProcessPool))
        check.raises(futures.BrokenProcessPool, function() ex:submit(math.abs, 1) end)
        assert.is_true(ex:shutdown { timeout = LIMIT })
        hold:open()
    end)

    it("can die while nothing runs", function()
        local ex = new(1)
        local worker = ex:submit(pid):result(LIMIT)
        posix.kill(proc.zygotes()[1], SIGKILL)
        check.eventually("the worker ends with it", function() return proc.gone(worker) end)
        local ok, err = pcall(function() return ex:submit(math.abs, 1):result(LIMIT) end)
        assert.is_false(ok)
        assert.is_true(futures.iserror(err, futures.BrokenProcessPool), tostring(err))
        assert.is_true(ex:shutdown { timeout = LIMIT })
    end)
end)

describe("A task in a process that runs out of memory", function()
    it("fails, and the next one runs in a sound worker", function()
        if scale.slow then
            return -- a sanitizer needs terabytes of addresses
        end
        local ex <close> = new(1)
        local worker = ex:submit(pid):result(LIMIT)
        local err = ex:submit(function()
            local before = posix.limit("memory", 300 << 20)
            local _ <close> = setmetatable({}, {
                __close = function() posix.limit("memory", before) end,
            })
            local t = {}
            for i = 1, 64 do
                t[i] = ("x"):rep(1 << 26)
            end
            return #t
        end):exception(LIMIT)
        check.contains("memory", err)
        assert.equal(worker, ex:submit(pid):result(LIMIT))
    end)
end)
