-- SPDX-License-Identifier: MIT
-- What runs undisturbed while a task is ended early, what its errors are, and workers that are
-- stuck.

local futures = require "futures"
require "spec.support.watchdog"
local check = require "spec.support.check"
local gate = require "spec.support.gate"
local posix = require "spec_posix"
local scale = require "spec.support.scale"
local script = require "spec.support.script"
local tally = require "spec.support.tally"

local LIMIT = scale.LIMIT

-- Waits for a task to say that it is where it wants to be, then ends it.
local function interrupt(ex, task, ...)
    local started = futures.Future()
    local f = ex:submit(task, started, ...)
    started:result(LIMIT)
    assert.is_true(f:cancel(true))
    return f
end

-- A value whose closing takes a while, of Lua code, sleep and coroutines, and then says so.
local function slow_closer(report, begun)
    local there = require "futures"
    return setmetatable({}, {
        __close = function(_, err)
            if begun then begun:set_result() end
            local from, n = there.monotonic(), 0
            while there.monotonic() < from + 0.1 do n = n + 1 end
            there.sleep(0.05)
            local ok = pcall(coroutine.wrap(function() error "inside" end))
            local first = pcall(error, "again")
            report:set_result(n, ok, first, err)
        end,
    })
end

describe("Closing variables run to their end", function()
    it("when the end of the task unwinds them", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        local report = futures.Future()
        local f = interrupt(ex, function(started, rep)
            local _ <close> = slow_closer(rep)
            started:set_result()
            while true do end
        end, report)
        local n, ok, first, err = report:result(LIMIT)
        assert.is_true(n > 0)
        assert.is_false(ok)
        assert.is_false(first)
        assert.is_true(futures.iserror(err, futures.CancelledError))
        assert.is_false(f:outcome(LIMIT))
        assert.is_true(f:cancelled())
    end)

    it("when the time of the task unwinds them", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        local report = futures.Future()
        local f = ex:with { task_timeout = 0.05 }:submit(function(rep)
            local _ <close> = slow_closer(rep)
            while true do end
        end, report)
        local _, _, _, err = report:result(LIMIT)
        assert.is_true(futures.iserror(err, futures.TimeoutError))
        assert.is_true(futures.iserror(f:exception(LIMIT), futures.TimeoutError))
    end)

    it("in coroutines, through resume and wrap", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        local one, two = futures.Future(), futures.Future()
        local f = interrupt(ex, function(started, outer, inner)
            coroutine.wrap(function()
                local _ <close> = slow_closer(outer)
                coroutine.resume(coroutine.create(function()
                    local _ <close> = slow_closer(inner)
                    started:set_result()
                    while true do end
                end))
            end)()
        end, one, two)
        assert.is_true(one:result(LIMIT) > 0)
        assert.is_true(two:result(LIMIT) > 0)
        f:outcome(LIMIT)
        assert.is_true(f:cancelled())
    end)

    for how, task in pairs {
        ["the end of a block"] = function(begun, rep, after)
            do
                local _ <close> = slow_closer(rep, begun)
            end
            for _ = 1, 1e12 do end
            after:set_result()
        end,
        ["return"] = function(begun, rep)
            local function f()
                local _ <close> = slow_closer(rep, begun)
                return 1
            end
            f()
            while true do end
        end,
        ["a loop"] = function(begun, rep)
            for _ in next, { 1 }, nil, slow_closer(rep, begun) do end
            while true do end
        end,
        ["an error"] = function(begun, rep)
            pcall(function()
                local _ <close> = slow_closer(rep, begun)
                error "x"
            end)
            while true do end
        end,
        ["an error in xpcall"] = function(begun, rep)
            xpcall(function()
                local _ <close> = slow_closer(rep, begun)
                error "x"
            end, debug.traceback)
            while true do end
        end,
        ["an error in a coroutine"] = function(begun, rep)
            pcall(coroutine.wrap(function()
                local _ <close> = slow_closer(rep, begun)
                error "x"
            end))
            while true do end
        end,
        ["coroutine.close"] = function(begun, rep)
            local co = coroutine.create(function()
                local _ <close> = slow_closer(rep, begun)
                coroutine.yield()
            end)
            coroutine.resume(co)
            coroutine.close(co)
            while true do end
        end,
    } do
        it("when the signal comes while " .. how .. " closes them", function()
            local ex <close> = futures.ThreadPoolExecutor(1)
            local report, after = futures.Future(), futures.Future()
            local f = interrupt(ex, task, report, after)
            local n, ok, first = report:result(LIMIT)
            assert.is_true(n > 0)
            assert.is_false(ok)
            assert.is_false(first)
            f:outcome(LIMIT)
            assert.is_true(f:cancelled())
            assert.is_false(after:done())
        end)
    end

    it("and an error in one does not stop the others, nor the end", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        local report = futures.Future()
        local f = interrupt(ex, function(started, rep)
            pcall(function()
                local _ <close> = slow_closer(rep)
                local _ <close> = setmetatable({}, { __close = function() error "closing" end })
                started:set_result()
                while true do end
            end)
            while true do end
        end, report)
        assert.is_true(report:result(LIMIT) > 0)
        f:outcome(LIMIT)
        assert.is_true(f:cancelled())
    end)

    it("also the executors of the task", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        local sum = futures.Future()
        local f = interrupt(ex, function(started, total)
            local there = require "futures"
            local inner <close> = there.ThreadPoolExecutor(2)
            local task = inner:submit(function() require "futures".sleep(0.2) return 42 end)
            task:add_done_callback(function(g) total:set_result(g:result()) end)
            while not task:running() do there.sleep(0.001) end
            started:set_result()
            there.sleep(1000)
        end, sum)
        f:outcome(LIMIT)
        assert.is_true(f:cancelled())
        assert.equal(42, sum:result(LIMIT))
    end)
end)

for kind, new in pairs {
    thread = futures.ThreadPoolExecutor, process = futures.ProcessPoolExecutor,
} do
    describe("A task of a " .. kind .. " that is ended", function()
        -- Says that it runs, and that it closes; waits at a gate and then leaves a word.
        local function task(open, started, closing, pass, go, path)
            local _ <close> = setmetatable({}, { __close = function(_, err)
                open(closing)
                pass(go)
                local file <close> = assert(io.open(path, "a"))
                file:write(err.name)
            end })
            coroutine.wrap(function()
                pcall(function()
                    open(started)
                    while true do end
                end)
            end)()
        end

        local function worker_of(ex)
            local w = ex:submit(futures.worker):result(LIMIT)
            return w.pid .. "/" .. w.id
        end

        for how, class in pairs {
            ["cancel(true)"] = "CancelledError", ["task_timeout"] = "TimeoutError",
        } do
            it("is done when it has left, not before (" .. how .. ")", function()
                local ex <close> = new(1)
                local before = worker_of(ex)
                local said <close> = tally.new()
                local go <close> = gate.new(kind)
                local started <close> = gate.new(kind)
                local closing <close> = gate.new(kind)
                local cancels = how == "cancel(true)"
                local view = cancels and ex or ex:with { task_timeout = 0.1 }
                local f = view:submit(task, gate.opener(kind), started.token, closing.token,
                    gate.passer(kind), go.token, said.token)
                started:pass()
                if cancels then
                    assert.is_true(f:cancel(true)) -- at once
                    assert.is_true(f:cancel(true))
                end
                closing:pass()
                assert.equal("running", f:state())
                assert.is_false(f:done())
                assert.equal(0, said:runs())
                go:open()
                local ok, err = f:outcome(LIMIT)
                assert.is_false(ok)
                assert.equal(class, err.name)
                assert.equal(cancels, f:cancelled())
                assert.equal(#class, said:runs())
                assert.equal(before, worker_of(ex)) -- nothing was replaced
            end)
        end
    end)
end

describe("Finalizers run to their end", function()
    it("when the signal comes while they run", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        local report, before = futures.Future(), futures.Future()
        local f = interrupt(ex, function(started, rep)
            local there = require "futures"
            setmetatable({}, { __gc = function()
                started:set_result()
                local from, n = there.monotonic(), 0
                while there.monotonic() < from + 0.1 do n = n + 1 end
                there.sleep(0.02)
                rep:set_result(n, (pcall(coroutine.wrap(function()
                    for _ = 1, 1e5 do n = n + 1 end
                end))))
            end })
            collectgarbage()
            while true do end
        end, report, before)
        local n, ok = report:result(LIMIT)
        assert.is_true(n > 0)
        assert.is_true(ok)
        f:outcome(LIMIT)
        assert.is_true(f:cancelled())
    end)
end)

describe("A hook of an initializer", function()
    it("is there again after a task was ended", function()
        local ex <close> = futures.ThreadPoolExecutor {
            max_workers = 1,
            initializer = function()
                _G.calls = 0
                debug.sethook(function() _G.calls = _G.calls + 1 end, "c")
            end,
        }
        local f = interrupt(ex, function(started)
            started:set_result()
            while true do end
        end)
        f:outcome(LIMIT)
        local hook, mask = ex:submit(function()
            local hook, mask = debug.gethook()
            return type(hook), mask
        end):result(LIMIT)
        assert.equal("function", hook)
        assert.equal("c", mask)
    end)
end)

describe("A message handler", function()
    it("does not hear of the end", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        local heard = futures.Future()
        local f = interrupt(ex, function(started, ear)
            xpcall(function()
                started:set_result()
                while true do end
            end, function(e) ear:set_result(e) end)
        end, heard)
        f:outcome(LIMIT)
        assert.is_true(f:cancelled())
        assert.is_false(heard:done())
    end)
end)

describe("A task that does not end", function()
    -- Backtracks for ages, in C.
    local SUBJECT, PATTERN = ("a"):rep(60), ("a*"):rep(30) .. "b"

    it("in time is done all the same, and another worker takes the place", function()
        -- Only the end of the program ends such a thread.
        local out = script.output(([[
            local futures = require "futures"
            local ex = futures.ThreadPoolExecutor(1)
            local short = ex:with { task_timeout = 0.05 }
            local f = short:submit(string.find, %q, %q)
            local g = ex:submit(string.find, %q, %q)
            print(f:exception(20).name)
            print(futures.wait({ g }, 0)[1], g:cancel(true), g:outcome(20))
            print(ex:submit(math.abs, -1):result(20))
            local s = ex:stats()
            print(s.workers, s.idle, s.running, s.failed, s.cancelled, s.completed)
            print(ex:shutdown())
        ]]):format(SUBJECT, PATTERN, SUBJECT, PATTERN))
        assert.equal("TimeoutError\n" ..
            "nil\ttrue\tfalse\tCancelledError: the future was cancelled\n" ..
            "1\n1\t1\t0\t1\t1\t1\ntrue\n", out)
    end)

    it("for longer than patience lasts comes back and works on", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        local asked = 0
        local f = ex:with { task_timeout = 0.05, retries = 5, retry_on = function()
            asked = asked + 1
            return true
        end }:submit(function()
            local there = require "futures"
            local _ <close> = setmetatable({}, { __close = function() there.sleep(2) end })
            while true do end
        end)
        assert.is_true(futures.iserror(f:exception(LIMIT), futures.TimeoutError))
        assert.equal(1, f:attempts()) -- it has not left yet, so it cannot run again
        assert.equal(0, asked)
        assert.equal(0, ex:stats().workers)
        check.eventually("back", function() return ex:stats().workers == 1 end)
        assert.equal(1, ex:stats().idle)
        assert.equal(1, ex:submit(math.abs, -1):result(LIMIT))
    end)

    it("costs a process its worker, and no other task", function()
        local ex <close> = futures.ProcessPoolExecutor(2)
        local f = ex:with { task_timeout = 0.05 }:submit(string.find, SUBJECT, PATTERN)
        local others = {}
        for i = 1, 200 do
            others[i] = ex:submit(function(n) require "futures".sleep(0.01) return n end, i)
        end
        assert.is_true(futures.iserror(f:exception(LIMIT), futures.TimeoutError))
        for i = 1, 200 do
            assert.equal(i, others[i]:result(LIMIT))
        end
        assert.equal(0, ex:stats().lost)
        assert.equal(1, ex:stats().failed)
    end)

    it("is done when its process is gone, which another one replaces", function()
        local ex <close> = futures.ProcessPoolExecutor(1)
        local pid = ex:submit(futures.worker):result(LIMIT).pid
        local f = ex:submit(string.find, SUBJECT, PATTERN)
        check.eventually("running", function() return f:running() end)
        local g = ex:submit(futures.worker)
        check.takes(0, 0, function() assert.is_true(f:cancel(true)) end)
        assert.is_false(f:done())
        assert.is_true(posix.kill(pid, 0))
        assert.is_false((f:outcome(LIMIT)))
        assert.is_true(f:cancelled())
        assert.is_false(posix.kill(pid, 0))
        assert.not_equal(pid, g:result(LIMIT).pid)
        assert.equal(0, ex:stats().lost)
    end)

    it("costs a process its worker, and may run again", function()
        local ex <close> = futures.ProcessPoolExecutor(1)
        local runs <close> = tally.new()
        local count = tally.count
        local f = ex:with { task_timeout = 0.05, retries = 1, retry_on = function(err)
            return futures.iserror(err, futures.TimeoutError)
        end }:submit(function(subject, pattern)
            return count(runs.token) == 1 and subject:find(pattern) or "again"
        end, SUBJECT, PATTERN)
        assert.equal("again", f:result(LIMIT))
        assert.equal(2, f:attempts())
        assert.equal(0, ex:stats().lost)
    end)

    it("because its process is stopped ends when that is killed", function()
        local ex <close> = futures.ProcessPoolExecutor(1)
        local f = ex:with { task_timeout = 0.05 }:submit(function()
            os.execute("kill -STOP " .. require "futures".worker().pid)
        end)
        assert.is_true(futures.iserror(f:exception(LIMIT), futures.TimeoutError))
        assert.equal(1, ex:submit(math.abs, -1):result(LIMIT))
    end)
end)
