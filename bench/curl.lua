-- SPDX-License-Identifier: MIT
-- The same requests by the programs curl (--parallel) and wrk, which is no client but tells how
-- fast the server can be. What curl needs to start is not counted.
-- Usage: curl.lua curl|wrk WORKLOAD   prints "workload value"

local futures = require "futures"
local requests = require "bench.requests"
local sample = require "bench.sample"

local program, name = ...
local job = requests[name]
local now = futures.monotonic

local MOST = 300 -- in flight: more than that curl does not do, whatever --parallel-max says

local function curl(count, more)
    local command = "curl -f --parallel %s --parallel-max %d -o /dev/null '%s?[1-%d]' "
        .. "2>/dev/null"
    return command:format(more or "", math.min(job.parallel, MOST), job.url, count)
end

local function run(command)
    if not os.execute(command) then
        error("failed: " .. command, 0)
    end
end

local function seconds_of(command)
    local from = now()
    run(command)
    return now() - from
end

--- Processor seconds of the children of this process so far.
local function children_cpu()
    local file <close> = assert(io.open("/proc/self/stat"))
    local fields = {}
    for field in file:read("a"):match("^.*%) (.*)$"):gmatch("%S+") do
        fields[#fields + 1] = tonumber(field) or field
    end
    return (fields[14] + fields[15]) / 100 -- cutime, cstime
end

local function cpu_of(command)
    local before = children_cpu()
    run(command)
    return children_cpu() - before
end

local function median_of_five(measure, command)
    local figures = {}
    for i = 1, 5 do
        figures[i] = measure(command)
    end
    return sample.median(figures)
end

--- What `measure` says of all transfers, without what it says of a start.
local function without_start(measure)
    local all = median_of_five(measure, curl(job.count))
    return all - median_of_five(measure, "curl --version >/dev/null")
end

local function seconds()
    return without_start(seconds_of)
end

local function rss_of(pid)
    local file <close> = assert(io.open(("/proc/%s/statm"):format(pid)))
    local _, pages = file:read("n", "n")
    return pages * 4
end

--- Kilobytes of one transfer more, while none is answered.
local function memory()
    local function resident(count)
        local command = "echo $$; exec " .. curl(count, "--parallel-immediate")
        local pipe <close> = assert(io.popen(command))
        local pid = pipe:read("l")
        futures.sleep(1.5)
        return rss_of(pid)
    end
    return (resident(MOST) - resident(1)) / (MOST - 1)
end

local function ceiling()
    local command = "wrk -t 1 -c %d -d 2s %s"
    local pipe <close> = assert(io.popen(command:format(job.parallel, job.url)))
    local rate = pipe:read("a"):match("Requests/sec:%s*([%d.]+)")
    return job.count / (tonumber(rate) or error("wrk says no rate", 0))
end

local contestants = {
    curl = {
        probe = function()
            run("curl --version >/dev/null")
            return 1
        end,
        fetch_small = seconds,
        fetch_slow = seconds,
        fetch_large = seconds,
        fetch_cpu = function()
            return without_start(cpu_of) / job.count * 1e6
        end,
        fetch_memory = memory,
    },
    wrk = {
        probe = function()
            run("command -v wrk >/dev/null")
            return 1
        end,
        fetch_small = ceiling,
        fetch_slow = ceiling,
        fetch_large = ceiling,
    },
}

sample.main(contestants[program], name)
