-- SPDX-License-Identifier: MIT
-- Usage: ours.lua threads|processes WORKLOAD [COUNT]   prints "workload value"

local futures = require "futures"
local sample = require "bench.sample"

local kind, name, count = ...
local Executor = kind == "processes" and futures.ProcessPoolExecutor
    or kind == "threads" and futures.ThreadPoolExecutor
if not Executor then
    error("no pool of " .. kind .. " in this build", 0)
end

local WORKERS = 2
local now = futures.monotonic
local pool = Executor(WORKERS)

local function identity(x)
    return x
end

local function fib(n)
    return n < 2 and n or fib(n - 1) + fib(n - 2)
end

--- Submits `n` tasks, awaits them all, gives tasks a second.
local function rate(n, submit, await)
    return sample.of(function()
        local fs, start = {}, now()
        for i = 1, n do
            fs[i] = submit(i)
        end
        await(fs)
        return n / (now() - start)
    end)
end

local function results(fs)
    for i = 1, #fs do
        fs[i]:result()
    end
end

local function submit_identity(i)
    return pool:submit(identity, i)
end

local workloads = {}

function workloads.probe()
    return pool:submit(identity, 1):result()
end

function workloads.noop(n)
    return rate(n or 100000, submit_identity, results)
end

function workloads.closure(n)
    return rate(n or 100000, function(i)
        return pool:submit(function()
            return i
        end)
    end, results)
end

function workloads.roundtrip(n)
    return sample.of(function()
        local times = {}
        for i = 1, n or 10000 do
            local start = now()
            pool:submit(identity, i):result()
            times[i] = now() - start
        end
        return sample.median(times) * 1e6
    end)
end

function workloads.records(n)
    local rows = sample.records(10000)
    n = n or 10
    return sample.of(function()
        local start = now()
        for _ = 1, n do
            assert(#pool:submit(identity, rows):result() == #rows)
        end
        return n * #rows / (now() - start)
    end)
end

function workloads.string1mb(n)
    local text = string.rep("x", 1 << 20)
    local function length(s)
        return #s
    end
    n = n or 20
    return sample.of(function()
        local start = now()
        for _ = 1, n do
            local fs = {}
            for i = 1, 16 do
                fs[i] = pool:submit(length, text)
            end
            results(fs)
        end
        return n * 16 * #text / (now() - start) * 1e-9
    end)
end

function workloads.map_small(n)
    local items = {}
    for i = 1, n or 1000000 do
        items[i] = i
    end
    local chunked = pool:with({ chunksize = 1000 })
    return sample.of(function()
        local start, sum = now(), 0
        for _, v in chunked:map(identity, items) do
            sum = sum + v
        end
        assert(sum == #items * (#items + 1) // 2)
        return #items / (now() - start)
    end)
end

function workloads.as_completed(n)
    return rate(n or 100000, submit_identity, function(fs)
        local seen = 0
        for _ in futures.as_completed(fs) do
            seen = seen + 1
        end
        assert(seen == #fs)
    end)
end

function workloads.fib(n)
    n = n or 30
    workloads.probe()
    local start = now()
    for _ = 1, 16 do
        fib(n)
    end
    local middle = now()
    local fs = {}
    for i = 1, 16 do
        fs[i] = pool:submit(fib, n)
    end
    results(fs)
    return (middle - start) / (now() - middle)
end

function workloads.start(n)
    n = n or 200
    return sample.of(function()
        local start = now()
        for i = 1, n do
            local ex = Executor(1)
            ex:submit(identity, i):result()
            ex:shutdown()
        end
        return (now() - start) / n * 1e6
    end)
end

function workloads.memory(n)
    n = n or 100000
    local ex <close> = Executor(1)
    local gate = futures.Future()
    ex:submit(function(g)
        g:result()
    end, gate)
    local fs = {}
    for i = 1, n do
        fs[i] = false
    end
    collectgarbage()
    local before = sample.memory()
    for i = 1, n do
        fs[i] = ex:submit(identity, i)
    end
    local per_task = (sample.memory() - before) / #fs
    gate:set_result()
    return per_task
end

if kind == "processes" then
    workloads.memory = "nothing holds its worker back"
end

sample.main(workloads, name, tonumber(count))
pool:shutdown()
