-- SPDX-License-Identifier: MIT
-- Tasks that wait for tasks of the pool that runs them: what their workers do meanwhile.

local futures = require "futures"
local check = require "spec.support.check"
local gate = require "spec.support.gate"
local scale = require "spec.support.scale"

local LIMIT = scale.LIMIT

-- fib(n) by nested tasks. It gets itself, since a local function does not travel inside of
-- itself as an argument. The timeout is for each wait.
local function fib(ex, self, n, timeout)
    if n < 2 then return n end
    local a = ex:submit(self, ex, self, n - 1, timeout)
    local b = ex:submit(self, ex, self, n - 2, timeout)
    return a:result(timeout) + b:result(timeout)
end

describe("A task on top of another one", function()
    it("has a traceback of its own", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        local text = ex:submit(function()
            local function below_it()
                local f = ex:submit(function() error("from the top") end)
                f:exception()
                return f:traceback()
            end
            return below_it(), "not a tail call"
        end):result(LIMIT)
        check.contains("from the top", text)
        assert.is_nil(text:find("below_it", 1, true))
    end)

    it("passes its error down", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        local ok, err = ex:submit(function()
            return ex:submit(function()
                return ex:submit(error, { code = 7 }):result()
            end):result()
        end):outcome(LIMIT)
        assert.is_false(ok)
        assert.same({ code = 7 }, err)
    end)

    it("may overflow its stack, in Lua and in C, and the one below goes on", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        local one, two = ex:submit(function()
            local function deep(n) return 1 + deep(n + 1) end
            local function nest() return (("x"):gsub("x", nest)) end
            local a, b = ex:submit(deep, 1), ex:submit(nest)
            return tostring(a:exception()), tostring(b:exception())
        end):result(LIMIT)
        check.contains("stack overflow", one)
        check.contains("stack overflow", two)
        assert.equal(3, ex:submit(math.max, 1, 3):result(LIMIT))
    end)

    it("finds as many nested C calls as any other", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        local function depth()
            local n = 0
            local function nest()
                n = n + 1
                return (("x"):gsub("x", nest))
            end
            pcall(nest)
            return n
        end
        local below = ex:submit(depth):result(LIMIT)
        local function down(self, levels)
            if levels == 0 then return depth() end
            return ex:submit(self, self, levels - 1):result()
        end
        assert.equal(below, ex:submit(down, down, 50):result(LIMIT))
    end)

    it("cannot yield, and its coroutines can", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        local ok, value = ex:submit(function()
            local bad = ex:submit(function() coroutine.yield(1) end)
            local good = ex:submit(function()
                return coroutine.wrap(function() coroutine.yield(5) end)()
            end)
            return bad:exception() == nil, good:result()
        end):result(LIMIT)
        assert.is_false(ok)
        assert.equal(5, value)
    end)

    it("is counted as running like the one below", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        local running = ex:submit(function()
            return ex:submit(function()
                return ex:submit(function() return ex:stats().running end):result()
            end):result()
        end):result(LIMIT)
        assert.equal(3, running)
    end)
end)

describe("A worker whose task waits", function()
    it("runs other queued tasks meanwhile, also those submitted later", function()
        local ex <close> = futures.ThreadPoolExecutor(2)
        local go <close> = gate.new()
        local waiting = futures.Future()
        local slow = ex:submit(gate.passer(), go.token)
        local waiter = ex:submit(function()
            waiting:set_result()
            return slow:result()
        end)
        waiting:result(LIMIT)
        for i = 1, 50 do
            assert.equal(i, ex:submit(math.abs, -i):result(LIMIT))
        end
        assert.is_false(waiter:done())
        assert.equal(2, ex:stats().workers)
        go:open()
        assert.is_true(waiter:result(LIMIT))
    end)

    it("and is to end when it is called to run another leaves that to others", function()
        local ex <close> = futures.ThreadPoolExecutor(2)
        local go <close> = gate.new()
        local slow = ex:submit(gate.passer(), go.token)
        for i = 1, 20 do
            local waiting = futures.Future()
            local waiter = ex:submit(function()
                waiting:set_result()
                return slow:result()
            end)
            waiting:result(LIMIT)
            futures.sleep(0.001) -- it sleeps by now, or else this round tests less
            local cancelled = i % 2 == 0 and waiter:cancel(true)
            local other = ex:submit(math.abs, -i)
            assert.is_true(cancelled or waiter:cancel(true))
            assert.equal(i, other:result(LIMIT))
            futures.sleep(0.001)
            assert.equal(i, ex:submit(math.abs, -i):result(LIMIT))
        end
    end)

    it("has a spare one run what refers to futures: it could wait for what is below", function()
        local ex <close> = futures.ThreadPoolExecutor(2)
        local go <close> = gate.new()
        local asleep, seen = futures.Future(), futures.Future()
        local slow = ex:submit(gate.passer(), go.token)
        local f = ex:submit(function()
            local mine = futures.Future()
            local other = ex:submit(function()
                seen:set_result(ex:stats().workers)
                return mine:result()
            end)
            asleep:set_result()
            slow:result()
            mine:set_result("mine")
            return other:result()
        end)
        asleep:result(LIMIT)
        assert.equal(3, seen:result(LIMIT))
        go:open()
        assert.equal("mine", f:result(LIMIT))
    end)

    it("ends its wait in time", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        local go <close> = gate.new()
        local pass, token = gate.passer(), go.token
        local err = check.takes(0.05, 1, function()
            return ex:submit(function()
                return ex:submit(pass, token):exception(0.05)
            end):exception(LIMIT)
        end)
        assert.is_true(futures.iserror(err, futures.TimeoutError))
    end)

    it("at a bare future keeps its worker", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        local hold <close> = gate.hold(ex)
        local queued = ex:submit(print)
        assert.is_false(pcall(queued.result, queued, 0.05))
        assert.is_true(queued:cancel())
        assert.equal(1, ex:stats().workers)
        hold:open()
    end)

    it("has spare ones beside it, which leave when they are not needed", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        assert.equal(55, ex:submit(fib, ex, fib, 10, 300):result(LIMIT))
        check.eventually("one worker is left", function() return ex:stats().workers == 1 end)
        assert.equal(1, ex:stats().idle)
        assert.equal(5, ex:submit(math.abs, -5):result(LIMIT))
    end)

    it("inside a callback lets others run beside it", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        assert.equal(42, ex:submit(function()
            local seen
            local f = ex:submit(math.abs, -1)
            f:add_done_callback(function()
                seen = ex:submit(function()
                    local g, ran = ex:submit(math.abs, -42), 0
                    g:add_done_callback(function() ran = ran + 1 end)
                    g:result()
                    return ran == 1 and g:result()
                end):result()
            end)
            f:result()
            return seen
        end):result(LIMIT))
    end)

    it("inside a finalizer lets others run beside it", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        assert.equal(42, ex:submit(function()
            local seen
            setmetatable({}, { __gc = function()
                seen = ex:submit(math.abs, -42):result()
            end })
            collectgarbage()
            return seen
        end):result(LIMIT))
    end)

    it("may be left by its pool's shutdown, which waits for all of it", function()
        local started = futures.Future()
        local f
        do
            local ex <close> = futures.ThreadPoolExecutor(1)
            f = ex:submit(function()
                local inner = ex:submit(math.abs, -3)
                started:set_result()
                return inner:result() + ex:submit(math.abs, -4):result()
            end)
            started:result(LIMIT)
        end
        assert.is_true(f:done())
    end)

    it("may wait for the end of an executor whose tasks need it", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        assert.equal(9, ex:submit(function()
            local inner = futures.ThreadPoolExecutor(1)
            local f = inner:submit(function() return ex:submit(math.abs, -9):result() end)
            inner:shutdown()
            return f:result()
        end):result(LIMIT))
    end)
end)

local it_unless_tsan = scale.tsan and pending or it

describe("Pools of threads and of processes", function()
    it_unless_tsan("nest into each other", function()
        local threads <close> = futures.ThreadPoolExecutor(1)
        assert.equal(55, threads:submit(function()
            local processes <close> = require "futures".ProcessPoolExecutor(2)
            local sum = 0
            for _, x in processes:map(math.abs, { -1, -2, -3, -4, -5, -6, -7, -8, -9, -10 }) do
                sum = sum + x
            end
            return sum
        end):result(LIMIT))
        local processes <close> = futures.ProcessPoolExecutor(1)
        assert.equal(144, processes:submit(function(self)
            local ex <close> = require "futures".ThreadPoolExecutor(1)
            return ex:submit(self, ex, self, 12):result()
        end, fib):result(LIMIT))
    end)

    it_unless_tsan("see cycles inside of a process, too", function()
        local processes <close> = futures.ProcessPoolExecutor(1)
        local text = processes:submit(function()
            local fs = require "futures"
            local ex <close> = fs.ThreadPoolExecutor(2)
            local ahead = fs.Future()
            local f = ex:submit(function() return ahead:result():result() end)
            ahead:set_result(f)
            return tostring(f:exception())
        end):result(LIMIT)
        check.contains("waits for itself", text)
    end)

    it("wait for each other's tasks in a chain", function()
        local threads <close> = futures.ThreadPoolExecutor(1)
        local processes <close> = futures.ProcessPoolExecutor(1)
        local function count(n)
            if n == 0 then return 0 end
            local there = processes:submit(math.abs, -1):result()
            return there + threads:submit(count, n - 1):result()
        end
        assert.equal(20, threads:submit(count, 20):result(LIMIT))
    end)
end)
