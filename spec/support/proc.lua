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

local function slurp(path)
    local file <close> = io.open(path)
    return file and file:read("a") or ""
end

--- The name of a process as the system knows it; empty when there is none.
function proc.name(pid)
    return (slurp("/proc/" .. pid .. "/comm"):gsub("\n", ""))
end

--- Mappings of this process that it shares with others and that have no file.
function proc.shared_mappings()
    local _, count = slurp("/proc/self/maps"):gsub("/dev/zero %(deleted%)", "")
    return count
end

--- The processes that this one, or that of the pid, has forked and not reaped, sorted.
function proc.children(pid)
    local list, folder = {}, ("/proc/%s/task"):format(pid or "self")
    local ok, step, dir = pcall(lfs.dir, folder)
    while ok do -- any thread may have forked
        local id = step(dir)
        if not id then break end
        for child in slurp(folder .. "/" .. id .. "/children"):gmatch("%d+") do
            list[#list + 1] = math.tointeger(tonumber(child))
        end
    end
    table.sort(list)
    return list
end

--- The helper processes of this process's pools, which fork the workers.
function proc.zygotes()
    local list = {}
    for _, pid in ipairs(proc.children()) do
        if proc.name(pid) == "futures-zygote" then
            list[#list + 1] = pid
        end
    end
    return list
end

--- The workers of its pools.
function proc.workers()
    local list = {}
    for _, zygote in ipairs(proc.zygotes()) do
        table.move(proc.children(zygote), 1, #proc.children(zygote), #list + 1, list)
    end
    return list
end

--- The state letter of a process's main thread: R runs, S sleeps and can be woken by a signal.
function proc.state(pid)
    local file <close> = io.open(("/proc/%d/task/%d/stat"):format(pid, pid))
    return file and file:read("a"):match("^.*%) (%a)")
end

--- Has the process ended? Whether its parent has asked how is another matter.
function proc.gone(pid)
    local state = proc.state(pid)
    return state == nil or state == "Z" or state == "X"
end

return proc
