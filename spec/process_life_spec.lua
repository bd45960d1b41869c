-- SPDX-License-Identifier: MIT
-- How worker processes start, what they have and what they leave behind.

local futures = require "futures"
local check = require "spec.support.check"
local gate = require "spec.support.gate"
local posix = require "spec_posix"
local proc = require "spec.support.proc"
local scale = require "spec.support.scale"
local script = require "spec.support.script"

local LIMIT = scale.LIMIT
local SIGTERM, SIGKILL = 15, 9

local function new(options)
    return futures.ProcessPoolExecutor(options)
end

local pid = posix.getpid

describe("ProcessPoolExecutor options", function()
    it("takes a number, options or nothing", function()
        local by_number <close> = new(2)
        local by_options <close> = new { max_workers = 2.0 }
        local by_default <close> = new()
        local by_empty <close> = new {}
        for _, ex in ipairs { by_number, by_options, by_default, by_empty } do
            assert.equal(9, ex:submit(math.max, 4, 9):result(LIMIT))
        end
    end)

    it("refuses nonsense for max_workers and max_tasks_per_child", function()
        for _, bad in ipairs { 0, -1, 1.5, 0 / 0, math.huge, "3", true } do
            for _, option in ipairs { "max_workers", "max_tasks_per_child" } do
                local err = check.misuse(1, "ProcessPoolExecutor", function()
                    local _ = futures.ProcessPoolExecutor { [option] = bad }
                end)
                check.contains(option, err)
            end
        end
        check.misuse(1, "ProcessPoolExecutor", function()
            local _ = futures.ProcessPoolExecutor(0)
        end)
    end)

    it("takes numbers of tasks that nobody will reach, and refuses absurd numbers of workers",
        function()
            local ex <close> = new { max_workers = 1, max_tasks_per_child = (1 << 32) + 1 }
            local first = ex:submit(pid):result(LIMIT)
            assert.equal(first, ex:submit(pid):result(LIMIT))
            check.misuse(1, "ProcessPoolExecutor", function()
                local _ = futures.ProcessPoolExecutor(1 << 20)
            end)
            local wide <close> = new(30000)
            assert.equal(5, wide:submit(math.abs, -5):result(LIMIT))
        end)

    it("refuses an unknown option and names it", function()
        local err = check.misuse(1, "ProcessPoolExecutor", function()
            local _ = futures.ProcessPoolExecutor { thread_name_prefix = "x" }
        end)
        check.contains("thread_name_prefix", err)
    end)

    it("says what is wrong when it is called as a method", function()
        local err = check.misuse(1, "ProcessPoolExecutor", function()
            local _ = futures:ProcessPoolExecutor()
        end)
        check.contains("'.'", err)
    end)

    it("uses as many workers as there are processors by default", function()
        local ex <close> = new()
        local count = futures.cpu_count()
        local _ <close> = gate.hold(ex, count, "process")
        assert.equal(count, ex:stats().workers)
        local queued = ex:submit(pid)
        assert.equal("pending", queued:state())
        assert.equal(count, ex:stats().workers)
    end)
end)

describe("Worker processes", function()
    it("start on demand, only when none is idle", function()
        local ex <close> = new(8)
        assert.equal(0, ex:stats().workers)
        local first = ex:submit(pid):result(LIMIT)
        for _ = 1, 3 do
            assert.equal(first, ex:submit(pid):result(LIMIT))
        end
        assert.equal(1, ex:stats().workers)
        local _ <close> = gate.hold(ex, 2, "process")
        assert.equal(2, ex:stats().workers)
        assert.equal(2, ex:stats().running)
    end)

    it("are children of a process of their own, not of this one", function()
        local ex <close> = new(1)
        local worker = ex:submit(pid):result(LIMIT)
        assert.not_equal(posix.getpid(), worker)
        assert.same({ worker }, proc.workers())
    end)

    it("say who they are", function()
        local ex <close> = new(1)
        local me = ex:submit(futures.worker):result(LIMIT)
        assert.equal("process", me.kind)
        assert.equal(1, me.id)
        assert.matches("^ProcessPoolExecutor%-%d+_0$", me.name)
        assert.same({ me.pid }, proc.workers())
    end)

    it("have file descriptors 0 to 2 and no others", function()
        local other <close> = new(1)
        other:submit(pid):result(LIMIT)
        local file <close> = assert(io.open("/dev/null"))
        local ex <close> = new(2)
        local _ <close> = gate.hold(ex, 1, "process")
        local fds = ex:submit(function()
            local list, lfs = {}, require "lfs"
            for name in lfs.dir("/proc/self/fd") do
                list[#list + 1] = tonumber(name)
            end
            table.sort(list)
            return list
        end):result(LIMIT)
        assert.same({ 0, 1, 2, 3 }, fds) -- 3 is the folder that lists them
        assert.truthy(file)
    end)

    it("give programs that they start nothing of ours", function()
        local ex <close> = new(1)
        local out = ex:submit(function()
            local pipe <close> = io.popen("ls -l /proc/self/fd | grep -c socket; true")
            return pipe:read("a")
        end):result(LIMIT)
        assert.equal("0\n", out)
        local pipe <close> = io.popen("ls /proc/self/fd | wc -l; true")
        local before = pipe:read("n")
        local second <close> = new(1)
        second:submit(pid):result(LIMIT)
        local again <close> = io.popen("ls /proc/self/fd | wc -l; true")
        assert.equal(before, again:read("n"))
    end)

    it("have random numbers of their own", function()
        local seen = {}
        for _ = 1, 2 do
            local pool <close> = new(3)
            local stay <close> = gate.new("process")
            local fs = {}
            for i = 1, 3 do
                fs[i] = pool:submit(function(pass, token)
                    local number = math.random(0)
                    return number, pass(token)
                end, gate.passer("process"), stay.token)
            end
            stay:open()
            for _, f in ipairs(fs) do
                local number = f:result(LIMIT)
                assert.is_nil(seen[number])
                seen[number] = true
            end
        end
    end)

    it("have a fresh state: no globals of this one, but its search paths", function()
        rawset(_G, "only_here", 1)
        local path = package.path
        package.path = "/nowhere/?.lua;" .. path
        local ex <close> = new(1)
        package.path = path
        local value, there = ex:submit(function()
            return rawget(_G, "only" .. "_here"), package.path
        end):result(LIMIT)
        rawset(_G, "only_here", nil)
        assert.is_nil(value)
        assert.equal("/nowhere/?.lua;" .. path, there)
    end)

    it("ignore SIGINT and have default handlers for the rest", function()
        local ex <close> = new(1)
        local status = ex:submit(function()
            local file <close> = assert(io.open("/proc/self/status"))
            return file:read("a")
        end):result(LIMIT)
        assert.equal(2, tonumber(status:match("SigIgn:%s*(%x+)"), 16)) -- bit 1: SIGINT
        assert.equal(0, tonumber(status:match("SigBlk:%s*(%x+)"), 16))
    end)

    local it_unless_tsan = scale.tsan and pending or it

    it_unless_tsan("may have pools of their own", function()
        local ex <close> = new(1)
        local sum, depth = ex:submit(function(n)
            local inner = require "futures".ProcessPoolExecutor(2)
            local total = 0
            for _, square in inner:map(function(x) return x * x end, { 1, 2, n }) do
                total = total + square
            end
            inner:shutdown()
            local threads <close> = require "futures".ThreadPoolExecutor(2)
            return total, threads:submit(function() return "thread" end):result()
        end, 3):result(LIMIT)
        assert.equal(14, sum)
        assert.equal("thread", depth)
    end)

    -- libuv closes in every forked child the numbers that its pipe had before the fork; in a
    -- worker, where nothing is open, they are soon the numbers of something else.
    it_unless_tsan("may have pools of their own beside libuv and its fork handler", function()
        assert.equal("inner\n", (script.output [[
            require "luv".new_signal()
            local futures = require "futures"
            local ex <close> = futures.ProcessPoolExecutor(1)
            print(ex:submit(function()
                local inner <close> = require "futures".ProcessPoolExecutor(1)
                return inner:submit(function() return "inner" end):result()
            end):result())
        ]]))
    end)

    it_unless_tsan("may belong to pools made in threads", function()
        local threads <close> = futures.ThreadPoolExecutor(3)
        local fs = {}
        for i = 1, 6 do
            fs[i] = threads:submit(function(n)
                local ex <close> = require "futures".ProcessPoolExecutor(1)
                return ex:submit(function(x) return 2 * x end, n):result()
            end, i)
        end
        for i, f in ipairs(fs) do
            assert.equal(2 * i, f:result(LIMIT))
        end
    end)

    it("cannot wait for themselves: there is no way to send them their executor", function()
        local ex <close> = new(1)
        local err = check.raises(futures.TransferError, function() ex:submit(print, ex) end)
        assert.equal("argument 1: executor cannot travel to a process", err.message)
    end)
end)

describe("max_tasks_per_child", function()
    it("replaces a worker after so many tasks, exactly", function()
        local ex <close> = new { max_workers = 1, max_tasks_per_child = 3 }
        local count, order, fs = {}, {}, {}
        for i = 1, 12 do
            fs[i] = ex:submit(pid)
        end
        for _, f in ipairs(fs) do
            local worker = f:result(LIMIT)
            if not count[worker] then
                order[#order + 1] = worker
            end
            count[worker] = (count[worker] or 0) + 1
        end
        assert.equal(4, #order)
        for _, worker in ipairs(order) do
            assert.equal(3, count[worker])
        end
        assert.equal(0, ex:stats().lost)
    end)

    it("does not count tasks that were cancelled", function()
        local ex <close> = new { max_workers = 1, max_tasks_per_child = 4 }
        local hold <close> = gate.hold(ex, 1, "process")
        local a, b, c = ex:submit(pid), ex:submit(pid), ex:submit(pid)
        assert.is_true(b:cancel())
        hold:open()
        local worker = a:result(LIMIT)
        assert.equal(worker, c:result(LIMIT))
        assert.equal(worker, ex:submit(pid):result(LIMIT))
        assert.not_equal(worker, ex:submit(pid):result(LIMIT))
    end)

    it("can be 1", function()
        local ex <close> = new { max_workers = 2, max_tasks_per_child = 1 }
        local seen = {}
        for _, worker in ex:map(pid, { 1, 2, 3, 4, 5, 6 }) do
            assert.is_nil(seen[worker])
            seen[worker] = true
        end
    end)
end)

describe("Tasks that wait at a worker", function()
    it("are taken over by a worker that has nothing to do", function()
        local ex <close> = new(2)
        local hold <close> = gate.hold(ex, 1, "process")
        local other <close> = gate.hold(ex, 1, "process")
        local fs = {}
        for i = 1, 20 do
            fs[i] = ex:submit(math.abs, -i)
        end
        other:open()
        for i, f in ipairs(fs) do
            assert.equal(i, f:result(LIMIT))
        end
        assert.is_true(hold.futures[1]:running())
    end)

    it("are taken over, too, while their arguments are still being written", function()
        local ex <close> = new(2)
        local first <close> = gate.hold(ex, 1, "process")
        local second <close> = gate.hold(ex, 1, "process")
        local text, fs = ("x"):rep(16 << 20), {}
        for i = 1, 3 do -- more than one and its memory for both of them
            fs[i] = ex:submit(function(s, n) return #s + n end, text, i)
        end
        second:open()
        for i, f in ipairs(fs) do
            assert.equal(#text + i, f:result(LIMIT))
        end
        first:open() -- the other worker now reads what it was being sent
        assert.equal("held", first.futures[1]:result(LIMIT))
        for i = 1, 4 do
            assert.equal(i, ex:submit(math.abs, -i):result(LIMIT))
        end
        assert.equal(0, ex:stats().lost)
    end)

    it("are not running, and can be cancelled", function()
        local ex <close> = new(1)
        local hold <close> = gate.hold(ex, 1, "process")
        local fs = {}
        for i = 1, 100 do
            fs[i] = ex:submit(math.abs, -i)
        end
        for i, f in ipairs(fs) do
            assert.equal("pending", f:state())
            if i % 2 == 0 then
                assert.is_true(f:cancel())
            end
        end
        assert.equal(50, ex:stats().pending)
        assert.equal(1, ex:stats().running)
        hold:open()
        for i, f in ipairs(fs) do
            assert.equal(i % 2 == 0, f:cancelled())
            if i % 2 == 1 then
                assert.equal(i, f:result(LIMIT))
            end
        end
        assert.equal(50, ex:stats().cancelled)
        assert.equal(51, ex:stats().completed)
    end)

    it("are pending while their worker starts", function()
        local start <close> = gate.new("process")
        local ex <close> = new { max_workers = 1, initializer = gate.passer("process"),
            initargs = { start.token } }
        local a, b = ex:submit(pid), ex:submit(pid)
        assert.equal("pending", a:state())
        assert.is_true(a:cancel())
        start:open()
        assert.truthy(b:result(LIMIT))
    end)
end)

for name, signal in pairs { terminate_workers = SIGTERM, kill_workers = SIGKILL } do
    describe(name, function()
        it("cancels what is pending and breaks what runs", function()
            local ex = new(2)
            local hold <close> = gate.hold(ex, 2, "process")
            local queued = ex:submit(pid)
            local workers = proc.workers()
            assert.equal(0, select("#", ex[name](ex)))
            assert.is_true(queued:cancelled())
            for _, f in ipairs(hold.futures) do
                local err = f:exception(LIMIT)
                assert.is_true(futures.iserror(err, futures.BrokenProcessPool), tostring(err))
                check.contains("signal " .. signal, err.message)
            end
            local ok, err = pcall(function() ex:submit(pid) end)
            assert.is_false(ok)
            check.contains("cannot schedule new futures after shutdown", err)
            assert.is_true(ex:shutdown { timeout = LIMIT })
            for _, worker in ipairs(workers) do
                assert.is_true(proc.gone(worker))
            end
            assert.equal(0, ex:stats().workers)
            ex[name](ex)
        end)

        it("works on a pool without workers and by a view", function()
            local ex = new(2)
            local view = ex:with { chunksize = 2 }
            view[name](view)
            assert.is_true(ex:shutdown { timeout = LIMIT })
        end)

        it("is an error for threads", function()
            local ex <close> = futures.ThreadPoolExecutor(1)
            local err = check.raises(futures.Error, function() ex[name](ex) end)
            check.contains(name, err.message)
        end)
    end)
end

describe("What a pool leaves behind", function()
    it("is nothing, after a hundred pools", function()
        local function baseline()
            check.collect()
            return { fds = proc.fds(), threads = proc.threads(), children = #proc.children() }
        end
        new(1):shutdown()
        local before = baseline()
        for i = 1, scale.count(100) do
            local ex = new(2)
            local f = ex:submit(pid)
            if i % 3 == 0 then
                ex:kill_workers()
            elseif i % 3 == 1 then
                f:result(LIMIT)
            end
            ex:shutdown()
        end
        assert.same(before, baseline())
    end)

    it("is nothing when it was only collected", function()
        local before = #proc.children()
        for _ = 1, 5 do
            new(1):submit(pid):result(LIMIT)
        end
        check.eventually("all processes end", function()
            check.collect()
            new(1):shutdown() -- joins what has stopped
            return #proc.children() == before
        end)
    end)

    it("is nothing when the program ignores or reaps its children", function()
        for _, how in ipairs { "ignore", "reap" } do
            posix.on_sigchld(how)
            local ok, err = pcall(function()
                local ex <close> = new(2)
                assert.equal(5, ex:submit(math.abs, -5):result(LIMIT))
                local lost = ex:submit(os.exit, 4):exception(LIMIT)
                assert.equal(4, lost.exitcode)
            end)
            posix.on_sigchld("default")
            assert.is_true(ok, tostring(err))
        end
        assert.equal(0, #proc.zygotes())
    end)

    it("is never somebody else's child", function()
        local child = posix.fork()
        if child == 0 then
            posix._exit(42)
        end
        local ex = new(1)
        ex:submit(pid):result(LIMIT)
        ex:shutdown()
        assert.same({ "exited", 42 }, { posix.waitpid(child) })
    end)
end)
