-- SPDX-License-Identifier: MIT
-- The same work on libuv's thread pool: one uv.new_work a function, its callbacks in the loop.
-- Usage: luv.lua WORKLOAD [COUNT]   prints "workload value"

local uv = require "luv"
local sample = require "bench.sample"

local name, count = ...
local WORKERS = 2
uv.os_setenv("UV_THREADPOOL_SIZE", tostring(WORKERS))

local function now()
    return uv.hrtime() * 1e-9
end

local function identity(x)
    return x
end

local function ignore() end

local workloads = {}

function workloads.probe()
    local got
    uv.new_work(identity, function(x)
        got = x
    end):queue(1)
    uv.run()
    return got
end

function workloads.noop(n)
    n = n or 100000
    return sample.of(function()
        local done = 0
        local work = uv.new_work(identity, function()
            done = done + 1
        end)
        local start = now()
        for i = 1, n do
            work:queue(i)
        end
        uv.run()
        assert(done == n)
        return n / (now() - start)
    end)
end

-- There are no upvalues: the nearest is a fresh work a task, with the value as its argument.
function workloads.closure(n)
    n = n or 100000
    return sample.of(function()
        local works, done = {}, 0
        local function count_one()
            done = done + 1
        end
        local start = now()
        for i = 1, n do
            works[i] = uv.new_work(function(x)
                return x
            end, count_one)
            works[i]:queue(i)
        end
        uv.run()
        assert(done == n)
        return n / (now() - start)
    end)
end

function workloads.roundtrip(n)
    n = n or 10000
    return sample.of(function()
        local times, start = {}, nil
        local work
        work = uv.new_work(identity, function(i)
            times[i] = now() - start
            if i < n then
                start = now()
                work:queue(i + 1)
            end
        end)
        start = now()
        work:queue(1)
        uv.run()
        return sample.median(times) * 1e6
    end)
end

function workloads.records(n)
    local rows = sample.records(10000)
    local json = require "cjson"
    n = n or 10
    return sample.of(function()
        local work = uv.new_work(function(text)
            local cjson = require "cjson"
            return cjson.encode(cjson.decode(text))
        end, function(text)
            assert(#json.decode(text) == #rows)
        end)
        local start = now()
        for _ = 1, n do
            work:queue(json.encode(rows))
            uv.run()
        end
        return n * #rows / (now() - start)
    end)
end

function workloads.string1mb(n)
    local text = string.rep("x", 1 << 20)
    n = n or 20
    return sample.of(function()
        local work = uv.new_work(function(s)
            return #s
        end, ignore)
        local start = now()
        for _ = 1, n do
            for _ = 1, 16 do
                work:queue(text)
            end
            uv.run()
        end
        return n * 16 * #text / (now() - start) * 1e-9
    end)
end

function workloads.fib(n)
    n = n or 30
    local function fib(k)
        return k < 2 and k or fib(k - 1) + fib(k - 2)
    end
    workloads.probe()
    local start = now()
    for _ = 1, 16 do
        fib(n)
    end
    local middle = now()
    local work = uv.new_work(function(k)
        local function nested(j)
            return j < 2 and j or nested(j - 1) + nested(j - 2)
        end
        return nested(k)
    end, ignore)
    for _ = 1, 16 do
        work:queue(n)
    end
    uv.run()
    return (middle - start) / (now() - middle)
end

-- The pool cannot be started twice: this is uv.new_thread, a thread with a state.
function workloads.start(n)
    n = n or 200
    return sample.of(function()
        local start = now()
        for i = 1, n do
            uv.new_thread(identity, i):join()
        end
        return (now() - start) / n * 1e6
    end)
end

function workloads.memory(n)
    n = n or 100000
    local block = uv.new_work(function(ms)
        require("luv").sleep(ms)
    end, ignore)
    local work = uv.new_work(identity, ignore)
    for _ = 1, WORKERS do
        block:queue(1000)
    end
    collectgarbage()
    local before = sample.memory()
    for i = 1, n do
        work:queue(i)
    end
    local per_task = (sample.memory() - before) / n
    uv.run()
    return per_task
end

workloads.map_small = "no map"
workloads.as_completed = "no futures"

sample.main(workloads, name, tonumber(count))
