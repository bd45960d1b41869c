-- SPDX-License-Identifier: MIT
-- The same requests by the programs curl (--parallel) and wrk, which is no client but tells how
-- fast the server can be. What curl needs to start is not counted. It throws bodies away, or
-- keeps them where memory is: in files of a folder that is no disk.
-- Usage: curl.lua curl|keeping|wrk WORKLOAD   prints "workload value"

local futures = require "futures"
local requests = require "bench.requests"
local sample = require "bench.sample"

local program, name = ...
local job = requests[name]
local now = futures.monotonic

local MOST = 300 -- in flight: more than that curl does not do, whatever --parallel-max says

local function curl(count, more, output)
    local command = "curl -f --parallel %s --parallel-max %d -o '%s' '%s?[1-%d]' 2>/dev/null"
    local parallel = math.min(job.parallel, MOST)
    return command:format(more or "", parallel, output or "/dev/null", job.url, count)
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

--- The folder is new each time, and its end is not counted.
local function seconds_in_folder(command)
    local pipe <close> = assert(io.popen("mktemp -d -p /dev/shm 2>/dev/null || mktemp -d"))
    local folder = pipe:read("l")
    local seconds = seconds_of("cd " .. folder .. " && " .. command)
    run("rm -r " .. folder)
    return seconds
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
local function without_start(measure, output)
    local all = median_of_five(measure, curl(job.count, nil, output))
    return all - median_of_five(measure, "curl --version >/dev/null")
end

local function seconds()
    return without_start(seconds_of)
end

local function seconds_keeping()
    return without_start(seconds_in_folder, "#1")
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

local function has_curl()
    run("curl --version >/dev/null")
    return 1
end

local contestants = {
    curl = {
        probe = has_curl,
        fetch_small = seconds,
        fetch_slow = seconds,
        fetch_large = seconds,
        fetch_cpu = function()
            return without_start(cpu_of) / job.count * 1e6
        end,
        fetch_memory = memory,
    },
    keeping = { probe = has_curl, fetch_large = seconds_keeping },
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
