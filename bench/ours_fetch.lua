-- SPDX-License-Identifier: MIT
-- Requests through one session, from the main thread. Connections are new in each run, as they
-- are for the others: a run is a process.
-- Usage: ours_fetch.lua WORKLOAD   prints "workload value"

local futures = require "futures"
local fetch = require "futures.fetch"
local requests = require "bench.requests"
local sample = require "bench.sample"

local name = ...
local now = futures.monotonic
local job = requests[name]

local function open(parallel)
    local http = fetch.Session { max_connections = parallel, max_per_host = parallel }
    http:get((job.url:gsub("/delay/.*", "/bytes/1"))):result() -- the engine runs
    return http
end

local function submit(http)
    local fs = {}
    for i = 1, job.count do
        fs[i] = http:get(job.url)
    end
    return fs
end

--- All responses are looked at and kept, and so are their bodies.
local function results(fs)
    local bytes = 0
    for i, f in ipairs(fs) do
        local r = f:result()
        assert(r.status == 200)
        bytes = bytes + #r
        fs[i] = r
    end
    return bytes
end

local function seconds()
    local http <close> = open(job.parallel)
    local from = now()
    results(submit(http))
    return now() - from
end

local workloads = { fetch_small = seconds, fetch_slow = seconds, fetch_large = seconds }

function workloads.probe()
    return fetch.Session and 1 or error("no fetch.Session in this build", 0)
end

function workloads.fetch_cpu()
    local http <close> = open(job.parallel)
    local from = os.clock() -- of all threads
    results(submit(http))
    return (os.clock() - from) / job.count * 1e6
end

function workloads.fetch_memory()
    local http <close> = open(job.parallel)
    collectgarbage()
    local before = sample.memory()
    local fs = submit(http)
    futures.sleep(1.5) -- all are in flight, and none is answered
    local per_transfer = (sample.memory() - before) / job.count
    results(fs)
    return per_transfer / 1024
end

sample.main(workloads, name)
