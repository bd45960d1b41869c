-- SPDX-License-Identifier: MIT
-- The end of an executor: shutdown, leaving the scope, garbage collection.

local futures = require "futures"
local check = require "spec.support.check"
local gate = require "spec.support.gate"
local scale = require "spec.support.scale"
local script = require "spec.support.script"

local LIMIT = scale.LIMIT

local function echo(...)
    return ...
end

describe("shutdown", function()
    it("waits by default until the queue is done", function()
        local ex = futures.ThreadPoolExecutor(2)
        local fs = {}
        for i = 1, 200 do
            fs[i] = ex:submit(echo, i)
        end
        assert.is_true(ex:shutdown())
        for i = 1, 200 do
            assert.is_true(fs[i]:done())
            assert.equal(i, fs[i]:result())
        end
    end)

    it("with wait = false returns while tasks run", function()
        local ex = futures.ThreadPoolExecutor(1)
        local hold <close> = gate.hold(ex)
        assert.is_true(ex:shutdown { wait = false })
        assert.is_true(hold.futures[1]:running())
        hold:open()
        assert.equal("held", hold.futures[1]:result(LIMIT))
    end)

    it("may come again and then waits for what the first did not", function()
        local ex = futures.ThreadPoolExecutor(1)
        local hold <close> = gate.hold(ex)
        local f = ex:submit(echo, 1)
        ex:shutdown { wait = false }
        ex:shutdown { wait = false }
        assert.is_false(ex:shutdown { timeout = 0 })
        hold:open()
        assert.is_true(ex:shutdown())
        assert.is_true(f:done())
        assert.is_true(ex:shutdown())
    end)

    it("may cancel later what an earlier one left in the queue", function()
        local ex = futures.ThreadPoolExecutor(1)
        local hold <close> = gate.hold(ex)
        local f = ex:submit(echo, 1)
        ex:shutdown { wait = false }
        assert.equal("pending", f:state())
        ex:shutdown { wait = false, cancel_futures = true }
        assert.is_true(f:cancelled())
        hold:open()
    end)

    it("works on an executor that never had a task", function()
        assert.is_true(futures.ThreadPoolExecutor(3):shutdown())
        local ex <close> = futures.ThreadPoolExecutor()
        assert.is_true(ex:shutdown { cancel_futures = true, timeout = 0 })
    end)

    it("with cancel_futures tells everyone at once", function()
        local ex = futures.ThreadPoolExecutor(1)
        local hold <close> = gate.hold(ex)
        local fs, called = {}, 0
        for i = 1, 10 do
            fs[i] = ex:submit(echo, i)
            fs[i]:add_done_callback(function(f)
                assert(f:cancelled())
                called = called + 1
            end)
        end
        ex:shutdown { wait = false, cancel_futures = true }
        local done, not_done = futures.wait(fs, 0)
        check.same_futures(fs, done)
        assert.equal(0, #not_done)
        futures.poll()
        assert.equal(10, called)
        hold:open()
    end)

    it("with a timeout of 0 does not wait", function()
        local ex = futures.ThreadPoolExecutor(1)
        local hold <close> = gate.hold(ex)
        for _, timeout in ipairs { 0, -1, 1e-9 } do
            assert.is_false(ex:shutdown { timeout = timeout })
        end
        hold:open()
        assert.is_true(ex:shutdown { timeout = math.huge })
    end)

    it("refuses unknown keys and wrong values", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        local err = check.misuse(1, "shutdown", function() ex:shutdown { cancel = true } end)
        check.contains("cancel", err)
        for _, bad in ipairs { 0 / 0, "5", true } do
            check.misuse(1, "shutdown", function() ex:shutdown { timeout = bad } end)
        end
        check.misuse(1, "shutdown", function() ex:shutdown { wait = 1 } end)
        check.misuse(1, "shutdown", function() ex:shutdown { cancel_futures = "yes" } end)
        for _, bad in ipairs { 5, true, false } do
            check.misuse(1, "shutdown", function() ex:shutdown(bad) end)
        end
        assert.equal(1, ex:submit(echo, 1):result(LIMIT))
    end)

    it("leaves nobody waiting in another thread", function()
        local ex = futures.ThreadPoolExecutor(1)
        local other <close> = futures.ThreadPoolExecutor(1)
        local hold <close> = gate.hold(ex)
        local queued = ex:submit(echo)
        local started <close> = gate.new()
        local waiting = other:submit(function(f, token)
            token:set_result()
            return f:outcome(30)
        end, queued, started.token)
        started.opened = true
        started:pass()
        ex:shutdown { wait = false, cancel_futures = true }
        local ok, err = waiting:result(LIMIT)
        assert.is_false(ok)
        assert.is_true(futures.iserror(err, futures.CancelledError))
        hold:open()
    end)
end)

describe("Queued tasks", function()
    it("run without any further call into the library", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        local ran <close> = gate.new("process")
        for _ = 1, 20 do
            ex:submit(echo)
        end
        ex:submit(gate.opener("process"), ran.token)
        ran:pass() -- reads a FIFO, nothing of the library
        ran.opened = true
        assert.equal(21, ex:stats().submitted)
    end)
end)

describe("Leaving the scope of an executor", function()
    it("is a shutdown", function()
        local kept
        do
            local ex <close> = futures.ThreadPoolExecutor(1)
            kept = ex
        end
        local ok, err = pcall(function() kept:submit(echo) end)
        assert.is_false(ok)
        check.contains("cannot schedule new futures after shutdown", err)
    end)

    it("is fine after a shutdown", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        local f = ex:submit(echo, 1)
        ex:shutdown { wait = false }
        assert.equal(1, f:result(LIMIT))
    end)

    it("by an error keeps that error and cancels only what has not started", function()
        local boom, done, queued = {}, nil, {}
        local ok, err = pcall(function()
            local ex <close> = futures.ThreadPoolExecutor(1)
            done = ex:submit(echo, "done")
            done:result(LIMIT)
            local go = gate.new()
            local started = futures.Future()
            ex:submit(function(token, running)
                running:set_result()
                return token:result(30)
            end, go.token, started)
            started:result(LIMIT)
            for i = 1, 5 do
                queued[i] = ex:submit(echo, i)
            end
            queued[1]:add_done_callback(function() go:open() end)
            error(boom)
        end)
        assert.is_false(ok)
        assert.is_true(rawequal(boom, err))
        assert.equal("done", done:result())
        for i = 1, 5 do
            assert.is_true(queued[i]:cancelled())
        end
    end)

    it("by break or return waits like at its end", function()
        local f
        for _ = 1, 2 do
            local ex <close> = futures.ThreadPoolExecutor(1)
            for i = 1, 20 do
                f = ex:submit(echo, i)
            end
            if f then
                break
            end
        end
        assert.is_true(f:done())
        assert.equal(20, f:result())
    end)
end)

describe("An executor collected without shutdown", function()
    it("finishes its queue", function()
        local fs = {}
        local hold
        do
            local ex = futures.ThreadPoolExecutor(1)
            hold = gate.hold(ex)
            for i = 1, 10 do
                fs[i] = ex:submit(echo, i)
            end
        end
        check.collect()
        assert.equal("pending", fs[10]:state())
        hold:open()
        for i = 1, 10 do
            assert.equal(i, fs[i]:result(LIMIT))
        end
    end)

    it("ends its threads and gives back what they held", function()
        local out = script.output [[
            local futures = require "futures"
            local proc = require "spec.support.proc"
            local check_deadline = futures.monotonic() + 20
            local threads, fds = proc.threads(), proc.fds()
            for _ = 1, 10 do
                local ex = futures.ThreadPoolExecutor(3)
                assert(ex:submit(math.abs, -1):result(10) == 1)
            end
            collectgarbage()
            collectgarbage()
            repeat
                local same = proc.threads() == threads and proc.fds() == fds
            until same or futures.monotonic() > check_deadline
            print(proc.threads() - threads, proc.fds() - fds)
        ]]
        assert.equal("0\t0\n", out)
    end)
end)
