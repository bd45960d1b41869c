-- SPDX-License-Identifier: MIT
-- Recursion by nested tasks: each submits tasks to the pool that runs it and waits for them.

local futures = require "futures"
local check = require "spec.support.check"
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
    next = function(ex, self, n)
        if n < 2 then return n end
        local function same(x) return x end
        local a = ex:submit(self, ex, self, n - 1):next(same):next(same)
        local b = ex:submit(self, ex, self, n - 2):next(same)
        return a:result() + b:result()
    end,
    ["next that follows"] = function(ex, self, n)
        if n < 2 then return n end
        return ex:submit(self, ex, self, n - 1):next(function(x)
            return ex:submit(self, ex, self, n - 2):next(function(y) return x + y end)
        end):result()
    end,
    all = function(ex, self, n)
        if n < 2 then return n end
        local results = require "futures".all {
            ex:submit(self, ex, self, n - 1), ex:submit(self, ex, self, n - 2),
        }:result()
        return results[1] + results[2]
    end,
    any = function(ex, self, n)
        if n < 2 then return n end
        local any = require "futures".any
        local a = any { ex:submit(error, "no"), ex:submit(self, ex, self, n - 1) }
        return a:result() + any { ex:submit(self, ex, self, n - 2) }:result()
    end,
    await = function(ex, self, n)
        if n < 2 then return n end
        local await = require "futures".await
        local a, b = ex:submit(self, ex, self, n - 1), ex:submit(self, ex, self, n - 2)
        return await(a) + await(b)
    end,
    ["await in a coroutine"] = function(ex, self, n)
        if n < 2 then return n end
        local fs = require "futures"
        local go = coroutine.wrap(function()
            local a, b = ex:submit(self, ex, self, n - 1), ex:submit(self, ex, self, n - 2)
            return fs.await(a) + fs.await(b)
        end)
        while true do
            local value = go()
            if type(value) == "number" then return value end
            fs.wait { value }
        end
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
