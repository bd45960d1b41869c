-- SPDX-License-Identifier: MIT
-- Tasks that wait for tasks of the pool that runs them: what their workers do meanwhile.

local futures = require "futures"
local check = require "spec.support.check"
local gate = require "spec.support.gate"
local scale = require "spec.support.scale"

local LIMIT = scale.LIMIT

-- The ways to compute fib(n) by nested tasks. Each gets itself, since a local function does not
-- travel inside of itself as an argument.
local ways = {
    result = function(ex, self, n)
        if n < 2 then return n end
        local a, b = ex:submit(self, ex, self, n - 1), ex:submit(self, ex, self, n - 2)
        return a:result() + b:result()
    end,
    ["result with a timeout"] = function(ex, self, n)
        if n < 2 then return n end
        local a, b = ex:submit(self, ex, self, n - 1), ex:submit(self, ex, self, n - 2)
        return a:result(300) + b:result(300)
    end,
    outcome = function(ex, self, n)
        if n < 2 then return n end
        local a, b = ex:submit(self, ex, self, n - 1), ex:submit(self, ex, self, n - 2)
        local _, x = a:outcome()
        local _, y = b:outcome()
        return x + y
    end,
    exception = function(ex, self, n)
        if n < 2 then return n end
        local a, b = ex:submit(self, ex, self, n - 1), ex:submit(self, ex, self, n - 2)
        assert(not b:exception() and not a:exception())
        return a:result() + b:result()
    end,
    wait = function(ex, self, n)
        if n < 2 then return n end
        local a, b = ex:submit(self, ex, self, n - 1), ex:submit(self, ex, self, n - 2)
        local done = require "futures".wait { a, b }
        assert(#done == 2)
        return a:result() + b:result()
    end,
    ["wait for the first"] = function(ex, self, n)
        if n < 2 then return n end
        local fs = { ex:submit(self, ex, self, n - 1), ex:submit(self, ex, self, n - 2) }
        local sum = 0
        while fs[1] do
            local done, rest = require "futures".wait(fs, nil, "FIRST_COMPLETED")
            for _, f in ipairs(done) do sum = sum + f:result() end
            fs = rest
        end
        return sum
    end,
    as_completed = function(ex, self, n)
        if n < 2 then return n end
        local sum = 0
        local fs = { ex:submit(self, ex, self, n - 1), ex:submit(self, ex, self, n - 2) }
        for f in require "futures".as_completed(fs) do
            sum = sum + f:result()
        end
        return sum
    end,
    map = function(ex, self, n)
        if n < 2 then return n end
        local sum = 0
        for _, x in ex:map(self, { ex, ex }, { self, self }, { n - 1, n - 2 }) do
            sum = sum + x
        end
        return sum
    end,
    ["map without order"] = function(ex, self, n)
        if n < 2 then return n end
        local sum = 0
        local view = ex:with { ordered = false }
        for _, x in view:map(self, { ex, ex }, { self, self }, { n - 1, n - 2 }) do
            sum = sum + x
        end
        return sum
    end,
    ["map of chunks"] = function(ex, self, n)
        if n < 2 then return n end
        local sum = 0
        local view = ex:with { chunksize = 2, timeout = 300 }
        for _, x in view:map(self, { ex, ex }, { self, self }, { n - 1, n - 2 }) do
            sum = sum + x
        end
        return sum
    end,
    callbacks = function(ex, self, n)
        if n < 2 then return n end
        local sum, left = 0, 2
        local function add(f)
            sum, left = sum + f:result(), left - 1
        end
        local a, b = ex:submit(self, ex, self, n - 1), ex:submit(self, ex, self, n - 2)
        a:add_done_callback(add)
        b:add_done_callback(add)
        require "futures".wait { a, b }
        assert(left == 0)
        return sum
    end,
    ["a coroutine"] = function(ex, self, n)
        if n < 2 then return n end
        local a, b = ex:submit(self, ex, self, n - 1), ex:submit(self, ex, self, n - 2)
        return coroutine.wrap(function() return a:result() + b:result() end)()
    end,
    ["<close>"] = function(ex, self, n)
        if n < 2 then return n end
        local sum = 0
        do
            local a = ex:submit(self, ex, self, n - 1)
            local _ <close> = setmetatable({}, {
                __close = function() sum = sum + a:result() end,
            })
            sum = sum + ex:submit(self, ex, self, n - 2):result()
        end
        return sum
    end,
}

describe("Recursion by nested tasks", function()
    for name, way in pairs(ways) do
        it("through " .. name .. " works on 1, 2 and 4 workers", function()
            for _, workers in ipairs { 1, 2, 4 } do
                local ex <close> = futures.ThreadPoolExecutor(workers)
                assert.equal(144, ex:submit(way, ex, way, 12):result(LIMIT))
                check.eventually("no task runs", function() return ex:stats().running == 0 end)
            end
        end)
    end

    it("computes fib(18), which takes 8361 tasks", function()
        for _, workers in ipairs { 1, 2, 4 } do
            local ex <close> = futures.ThreadPoolExecutor(workers)
            local n = scale.slow and 14 or 18
            local f = ex:submit(ways.result, ex, ways.result, n)
            assert.equal(scale.slow and 377 or 2584, f:result(LIMIT))
            local stats = ex:stats()
            assert.equal(scale.slow and 1219 or 8361, stats.completed)
            assert.equal(stats.submitted, stats.completed)
            assert.equal(0, stats.pending)
        end
    end)

    it("needs no thread but the pool's when nothing has a timeout", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        ex:submit(ways.result, ex, ways.result, 12):result(LIMIT)
        assert.equal(1, ex:stats().workers)
    end)

    it("takes the executor as an upvalue, and as a global", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        local function fib(n)
            if n < 2 then return n end
            local a, b = ex:submit(fib, n - 1), ex:submit(fib, n - 2)
            return a:result() + b:result()
        end
        assert.equal(55, ex:submit(fib, 10):result(LIMIT))
        local source = "if ... < 2 then return ... end "
            .. "return nested_pool:submit(nested_fib, ... - 1):result()"
            .. " + nested_pool:submit(nested_fib, ... - 2):result()"
        _G.nested_pool, _G.nested_fib = ex, load(source)
        assert.equal(55, ex:submit(_G.nested_fib, 10):result(LIMIT))
        _G.nested_pool, _G.nested_fib = nil, nil
    end)

    it("goes through two executors that use each other", function()
        local one <close> = futures.ThreadPoolExecutor(1)
        local two <close> = futures.ThreadPoolExecutor(1)
        local function fib(here, there, self, n)
            if n < 2 then return n end
            local a = there:submit(self, there, here, self, n - 1)
            local b = there:submit(self, there, here, self, n - 2)
            return a:result() + b:result()
        end
        assert.equal(144, one:submit(fib, one, two, fib, 12):result(LIMIT))
    end)

    it("goes 10,000 tasks deep", function()
        for _, workers in ipairs { 1, 2 } do
            local ex <close> = futures.ThreadPoolExecutor(workers)
            local function down(self, n)
                return n == 0 and 0 or 1 + ex:submit(self, self, n - 1):result()
            end
            local depth = scale.count(10000)
            assert.equal(depth, ex:submit(down, down, depth):result(LIMIT))
        end
    end)

    it("goes 1,000 tasks deep with timeouts", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        local function down(self, n)
            return n == 0 and 0 or 1 + ex:submit(self, self, n - 1):result(300)
        end
        local depth = scale.count(1000)
        assert.equal(depth, ex:submit(down, down, depth):result(LIMIT))
    end)
end)

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
        local way = ways["result with a timeout"]
        assert.equal(55, ex:submit(way, ex, way, 10):result(LIMIT))
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
        assert.equal(144, processes:submit(function(fib)
            local ex <close> = require "futures".ThreadPoolExecutor(1)
            return ex:submit(fib, ex, fib, 12):result()
        end, ways.result):result(LIMIT))
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
