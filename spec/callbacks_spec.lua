-- SPDX-License-Identifier: MIT
-- add_done_callback and poll: when, where and in which order callbacks run.

local futures = require "futures"
local check = require "spec.support.check"
local gate = require "spec.support.gate"
local scale = require "spec.support.scale"
local script = require "spec.support.script"

local LIMIT = scale.LIMIT

-- A future with one callback due, and a table that counts how often it ran.
local function due(...)
    local f, ran = futures.Future(), { count = 0 }
    f:add_done_callback(function() ran.count = ran.count + 1 end)
    f:set_result(...)
    return f, ran
end

describe("A callback", function()
    before_each(function() futures.poll() end)

    it("gets the future itself", function()
        local f, got = futures.Future(), nil
        f:add_done_callback(function(...) got = table.pack(...) end)
        f:set_result(1)
        futures.poll()
        assert.equal(1, got.n)
        assert.is_true(rawequal(f, got[1]))
    end)

    it("may be any callable", function()
        local f, got = futures.Future(), nil
        f:add_done_callback(setmetatable({}, { __call = function(_, future) got = future end }))
        f:set_result()
        futures.poll()
        assert.is_true(rawequal(f, got))
    end)

    it("must be a callable", function()
        local f = futures.Future()
        check.misuse(1, "add_done_callback", function() f:add_done_callback() end)
        check.misuse(1, "add_done_callback", function() f:add_done_callback(5) end)
        check.misuse(1, "add_done_callback", function() f:add_done_callback {} end)
        f:set_result()
        check.misuse(1, "add_done_callback", function() f:add_done_callback {} end)
    end)

    it("runs once for a finished, a failed and a cancelled future", function()
        local enders = {
            function(f) f:set_result(1) end,
            function(f) f:set_exception("x") end,
            function(f) f:cancel() end,
        }
        for _, finish in ipairs(enders) do
            local f, count = futures.Future(), 0
            f:add_done_callback(function(same)
                count = count + 1
                assert(same:done())
            end)
            assert.equal(0, count)
            finish(f)
            f:outcome()
            f:outcome()
            futures.poll()
            assert.equal(1, count)
        end
    end)

    it("that was added twice runs twice", function()
        local f, count = futures.Future(), 0
        local callback = function() count = count + 1 end
        f:add_done_callback(callback)
        f:add_done_callback(callback)
        f:set_result()
        assert.equal(2, futures.poll())
        assert.equal(2, count)
    end)

    it("can take the result, and a failure there is no other's", function()
        local f, value = futures.Future(), nil
        f:add_done_callback(function(same) value = same:result() end)
        f:set_result("v")
        futures.poll()
        assert.equal("v", value)
    end)

    it("runs though nobody kept the future", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        local hold <close> = gate.hold(ex)
        local value
        ex:submit(math.abs, -7):add_done_callback(function(f) value = f:result() end)
        check.collect()
        hold:open()
        assert.equal(1, futures.poll(LIMIT))
        assert.equal(7, value)
    end)

    it("runs in the state that added it, which may be a worker", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        local f = futures.Future()
        local ready = futures.Future()
        local task = ex:submit(function(future, added)
            local worker
            future:add_done_callback(function() worker = futures.worker() end)
            added:set_result()
            future:result(30)
            return worker, futures.worker()
        end, f, ready)
        ready:result(LIMIT)
        local here = 0
        f:add_done_callback(function()
            here = here + 1
            assert(futures.worker() == nil)
        end)
        f:set_result()
        local there, worker = task:result(LIMIT)
        assert.is_not_nil(there)
        assert.same(worker, there)
        assert.equal(1, here)
    end)

    it("of a worker that has ended is forgotten", function()
        local f = futures.Future()
        local here = 0
        do
            local ex <close> = futures.ThreadPoolExecutor(1)
            ex:submit(function(g)
                g:add_done_callback(function() error("not here") end)
            end, f):result(LIMIT)
        end
        f:add_done_callback(function() here = here + 1 end)
        f:set_result(1)
        assert.equal(1, futures.poll())
        assert.equal(1, here)
        assert.equal(1, f:result())
    end)

    it("added in a coroutine runs also when that has ended", function()
        local f, count = futures.Future(), 0
        coroutine.wrap(function()
            f:add_done_callback(function() count = count + 1 end)
        end)()
        check.collect()
        f:set_result()
        futures.poll()
        assert.equal(1, count)
    end)
end)

describe("Callbacks run inside", function()
    before_each(function() futures.poll() end)

    local points = {
        { "result", function(f) f:result(LIMIT) end },
        { "exception", function(f) f:exception(LIMIT) end },
        { "outcome", function(f) f:outcome(LIMIT) end },
        { "wait", function(f) futures.wait({ f }, LIMIT) end },
        { "a step of as_completed", function(f) futures.as_completed({ f }, LIMIT)() end },
        { "sleep", function() futures.sleep(0.001) end },
        { "poll", function() futures.poll() end },
        { "poll with a timeout", function() futures.poll(LIMIT) end },
    }
    for _, point in ipairs(points) do
        local name, call = table.unpack(point)
        it(name, function()
            local f, ran = due("value")
            assert.equal(0, ran.count)
            call(f)
            assert.equal(1, ran.count)
        end)
    end

    it("result of another future that was finished before", function()
        local finished = futures.Future()
        finished:set_result(1)
        finished:result()
        local _, ran = due()
        finished:result()
        assert.equal(1, ran.count)
    end)

    it("wait, whose timeout is 0", function()
        local _, ran = due()
        futures.wait({ futures.Future() }, 0)
        assert.equal(1, ran.count)
    end)

    it("a step of a map", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        local step = ex:map(math.abs, { -1 })
        local _, ran = due()
        assert.equal(0, ran.count)
        step()
        assert.equal(1, ran.count)
    end)

    it("shutdown", function()
        local ex = futures.ThreadPoolExecutor(1)
        local count = 0
        ex:submit(math.abs, -1):add_done_callback(function() count = count + 1 end)
        ex:shutdown()
        assert.equal(1, count)
    end)

    it("leaving the scope of an executor", function()
        local count = 0
        do
            local ex <close> = futures.ThreadPoolExecutor(1)
            ex:submit(math.abs, -1):add_done_callback(function() count = count + 1 end)
        end
        assert.equal(1, count)
    end)

    it("cancel", function()
        local f, count = futures.Future(), 0
        f:add_done_callback(function() count = count + 1 end)
        f:cancel()
        assert.equal(1, count)
    end)

    it("the call that waited for their own future", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        for _ = 1, scale.count(500) do
            local f, count = ex:submit(math.abs, -1), 0
            f:add_done_callback(function() count = count + 1 end)
            f:result(LIMIT)
            assert.equal(1, count)
        end
    end)
end)

describe("Callbacks do not run", function()
    before_each(function() futures.poll() end)

    it("before a fixed point", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        local f, count = ex:submit(math.abs, -1), 0
        f:add_done_callback(function() count = count + 1 end)
        check.eventually("the end of the task", function() return f:done() end)
        assert.is_false(f:running() or f:cancelled())
        assert.equal("finished", f:state())
        ex:submit(math.abs, -2)
        local _ = { ex:stats(), futures.worker(), futures.monotonic(), f:traceback() }
        assert.equal(0, count)
        assert.equal(1, futures.poll())
        assert.equal(1, count)
    end)

    it("inside set_result, set_exception and set_running_or_notify_cancel", function()
        local ran = 0
        local callback = function() ran = ran + 1 end
        local a, b = futures.Future(), futures.Future()
        a:add_done_callback(callback)
        b:add_done_callback(callback)
        a:set_running_or_notify_cancel()
        a:set_result()
        b:set_exception("x")
        assert.equal(0, ran)
        assert.equal(2, futures.poll())
        assert.equal(2, ran)
    end)

    it("from a finalizer or the collector", function()
        local ran
        do
            local f
            f, ran = due()
            setmetatable({ f }, { __gc = function(t) t[1]:done() end })
            local ex = futures.ThreadPoolExecutor(1)
            ex:submit(math.abs, -1)
        end
        check.collect()
        assert.equal(0, ran.count)
        assert.equal(1, futures.poll())
        assert.equal(1, ran.count)
    end)

    it("inside another callback, whatever that calls", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        local depth, deepest, ran = 0, 0, 0
        local fs = {}
        local function callback(f)
            depth, ran = depth + 1, ran + 1
            deepest = math.max(deepest, depth)
            f:result()
            assert(futures.poll() == 0)
            futures.sleep(0)
            futures.wait(fs, 0)
            ex:submit(math.abs, 1):result(30)
            local other = futures.Future()
            other:cancel()
            depth = depth - 1
        end
        for i = 1, 5 do
            fs[i] = futures.Future()
            fs[i]:add_done_callback(callback)
            fs[i]:set_result()
        end
        assert.equal(5, futures.poll())
        assert.equal(5, ran)
        assert.equal(1, deepest)
    end)
end)

describe("The order of callbacks", function()
    before_each(function() futures.poll() end)

    it("is that in which they were added to one future", function()
        local f, order = futures.Future(), {}
        for i = 1, 10 do
            f:add_done_callback(function() order[#order + 1] = i end)
        end
        f:set_result()
        futures.poll()
        assert.same({ 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 }, order)
    end)

    it("is that in which their futures were done", function()
        local fs, order = {}, {}
        for i = 1, 5 do
            fs[i] = futures.Future()
            for _, part in ipairs { "a", "b" } do
                fs[i]:add_done_callback(function() order[#order + 1] = i .. part end)
            end
        end
        fs[4]:set_result()
        fs[2]:set_exception("x")
        fs[5]:set_result()
        fs[1]:set_result()
        fs[3]:cancel()
        assert.equal("4a 4b 2a 2b 5a 5b 1a 1b 3a 3b", table.concat(order, " "))
    end)

    it("is that in which the tasks of one worker ended", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        local hold <close> = gate.hold(ex)
        local order, last = {}, nil
        for i = 1, 20 do
            last = ex:submit(math.abs, i)
            last:add_done_callback(function() order[#order + 1] = i end)
        end
        hold:open()
        last:result(LIMIT)
        for i = 1, 20 do
            assert.equal(i, order[i])
        end
    end)

    it("puts one added to a done future after those still due, and runs it at once", function()
        local f, order = futures.Future(), {}
        f:set_result()
        local other = futures.Future()
        other:add_done_callback(function() order[#order + 1] = "due" end)
        other:set_result()
        assert.same({}, order)
        f:add_done_callback(function(same)
            assert(rawequal(same, f))
            order[#order + 1] = "at once"
        end)
        assert.same({ "due", "at once" }, order)
    end)

    it("puts one added inside a callback after that one", function()
        local f, done, order = futures.Future(), futures.Future(), {}
        done:set_result()
        f:add_done_callback(function(same)
            order[#order + 1] = "outer starts"
            done:add_done_callback(function() order[#order + 1] = "inner" end)
            same:add_done_callback(function() order[#order + 1] = "inner too" end)
            order[#order + 1] = "outer ends"
        end)
        f:set_result()
        futures.poll()
        assert.same({ "outer starts", "outer ends", "inner", "inner too" }, order)
    end)

    it("costs linear work for many futures", function()
        local function run(count)
            local fs, ran = {}, 0
            for i = 1, count do
                fs[i] = futures.Future()
                fs[i]:add_done_callback(function() ran = ran + 1 end)
            end
            for i = 1, count do
                fs[i]:set_result()
            end
            assert.equal(count, futures.poll())
            assert.equal(count, ran)
        end
        check.linear(run, scale.count(5000))
    end)

    it("lets callbacks add callbacks for a long time", function()
        local f, count = futures.Future(), 0
        f:set_result()
        local function callback()
            count = count + 1
            if count < 10000 then
                f:add_done_callback(callback)
            end
        end
        f:add_done_callback(callback)
        futures.poll()
        assert.equal(10000, count)
    end)
end)

describe("An error in a callback", function()
    it("goes to warn and does not stop the others", function()
        local _, result = script.output([[
            local futures = require "futures"
            local f, order = futures.Future(), {}
            f:add_done_callback(function() order[#order + 1] = 1; error("first oops") end)
            f:add_done_callback(function() order[#order + 1] = 2; error { "second oops" } end)
            f:add_done_callback(function() order[#order + 1] = 3; error() end)
            f:add_done_callback(function() order[#order + 1] = 4 end)
            f:set_result("fine")
            print(f:result(), table.concat(order, " "))
        ]], { flags = { "-W" } })
        assert.equal("fine\t1 2 3 4\n", result.out)
        assert.matches("Lua warning: [^\n]*first oops", result.err)
        local _, warnings = result.err:gsub("Lua warning:", "")
        assert.equal(3, warnings)
        check.contains("<no error object>", result.err)
    end)

    it("is silent while warnings are off", function()
        local _, result = script.output [[
            local futures = require "futures"
            local f = futures.Future()
            f:add_done_callback(function() error("oops") end)
            f:set_result("fine")
            print(futures.poll())
        ]]
        assert.equal("1\n", result.out)
        assert.equal("", result.err)
    end)
end)

describe("poll", function()
    before_each(function() futures.poll() end)

    it("runs what is due and says how many", function()
        assert.equal(0, futures.poll())
        local ran = {}
        for i = 1, 3 do
            ran[i] = select(2, due())
        end
        assert.equal(3, futures.poll())
        assert.equal(0, futures.poll())
        for i = 1, 3 do
            assert.equal(1, ran[i].count)
        end
    end)

    it("waits up to its timeout for one", function()
        assert.equal(0, check.takes(0.02, 0.02, futures.poll, 0.02))
        assert.equal(0, check.takes(0, 0, futures.poll, -1))
        local ex <close> = futures.ThreadPoolExecutor(1)
        local hold <close> = gate.hold(ex)
        local count = 0
        hold.futures[1]:add_done_callback(function() count = count + 1 end)
        assert.equal(0, futures.poll(0))
        hold:open()
        assert.equal(1, futures.poll(LIMIT))
        assert.equal(1, count)
    end)

    it("counts callbacks that fail, too", function()
        local f = futures.Future()
        f:add_done_callback(function() error("x") end)
        f:set_result()
        assert.equal(1, futures.poll())
    end)
end)
