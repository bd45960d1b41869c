-- SPDX-License-Identifier: MIT
-- A worker is killed in the middle of its task: that task says so, the others do not notice,
-- and it is run again by hand.
--
--     lua5.4 examples/crash.lua

local futures = require "futures"

local function careful(n)
    return ("%d is done by process %d"):format(n, futures.worker().pid)
end

local function reckless(n)
    os.execute("kill -KILL " .. futures.worker().pid) -- as the system does when memory is short
    return n
end

local ex <close> = futures.ProcessPoolExecutor(2)
local tasks = {}
for n = 1, 6 do
    tasks[n] = ex:submit(n == 3 and reckless or careful, n)
end
for n, f in ipairs(tasks) do
    local ok, result = f:outcome()
    if not ok and futures.iserror(result, futures.WorkerLostError) then
        print(("%d is lost: process %d got signal %d"):format(n, result.pid, result.signal))
        result = ex:submit(careful, n):result()
    end
    print(result)
end
local stats = ex:stats()
print(("%d worker was lost, %d tasks are complete"):format(stats.lost, stats.completed))
