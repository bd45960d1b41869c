-- SPDX-License-Identifier: MIT
-- What the system says of this process. Specs that run in a child take it by `require` as well.

local lfs = require "lfs"

local proc = {}

local function status(field, pid)
    local file <close> = assert(io.open(("/proc/%s/status"):format(pid or "self")))
    return tonumber(file:read("a"):match(field .. ":%s*(%d+)"))
end

--- Resident memory in bytes.
function proc.rss(pid)
    return status("VmRSS", pid) * 1024
end

--- Native threads, the main one included.
function proc.threads(pid)
    return status("Threads", pid)
end

local function entries(folder)
    local count = 0
    for name in lfs.dir(folder) do
        if name ~= "." and name ~= ".." then
            count = count + 1
        end
    end
    return count
end

--- Open file descriptors, the one that lists them not counted.
function proc.fds()
    return entries("/proc/self/fd") - 1
end

--- The names of the threads of this process as the system knows them, sorted.
function proc.thread_names()
    local names = {}
    for id in lfs.dir("/proc/self/task") do
        local file = id:match("^%d+$") and io.open("/proc/self/task/" .. id .. "/comm")
        if file then
            names[#names + 1] = file:read("l")
            file:close()
        end
    end
    table.sort(names)
    return names
end

--- The id of this process.
function proc.pid()
    local file <close> = assert(io.open("/proc/self/stat"))
    return file:read("n")
end

--- The state letter of a process's main thread: R runs, S sleeps and can be woken by a signal.
function proc.state(pid)
    local file <close> = io.open(("/proc/%d/task/%d/stat"):format(pid, pid))
    return file and file:read("a"):match("^.*%) (%a)")
end

return proc
