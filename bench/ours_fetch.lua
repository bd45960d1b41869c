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

--- Milliseconds from the first cancel to the end of the session, of requests in flight.
function workloads.fetch_cancel()
    return sample.of(function()
        local http = open(job.parallel)
        local fs = submit(http)
        while http:stats().running < job.parallel do
            futures.sleep(0.01)
        end
        futures.sleep(1) -- all are connected
        local from = now()
        for _, f in ipairs(fs) do
            f:cancel()
        end
        assert(http:shutdown())
        return (now() - from) * 1000
    end)
end

-- A script that is in the middle of its requests when it says so.
local INTERRUPTED = [[
    local fetch = require "futures.fetch"
    local http <close> = fetch.Session { max_connections = %d, max_per_host = %d }
    local fs = {}
    for i = 1, %d do fs[i] = http:get("%s") end
    fs[1]:result()
    print(io.open("/proc/self/stat"):read("n"))
    io.stdout:flush()
    for _, f in ipairs(fs) do f:result() end
]]

--- Milliseconds from a Ctrl-C to the end of such a script.
function workloads.fetch_interrupt()
    return sample.of(function()
        local code = INTERRUPTED:format(job.parallel, job.parallel, job.count, job.url)
        local command = ("%s -e '%s' 2>/dev/null"):format(arg[-1], code)
        local script <close> = assert(io.popen(command))
        local kill <close> = assert(io.popen("read _; kill -INT " .. script:read("n"), "w"))
        futures.sleep(0.3)
        local from = now()
        kill:write("\n")
        kill:flush()
        script:read("a")
        return (now() - from) * 1000
    end)
end

sample.main(workloads, name)
