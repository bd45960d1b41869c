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
