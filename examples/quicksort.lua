-- SPDX-License-Identifier: MIT
-- Tasks that submit tasks to the pool that runs them, and wait for them: a parallel quicksort.
-- A worker that waits runs other tasks meanwhile, so any number of workers will do, even one.
--
--     lua5.4 examples/quicksort.lua [NUMBERS [WORKERS]]

local futures = require "futures"

local n = tonumber(arg[1]) or 200000
local ex <close> = futures.ThreadPoolExecutor(tonumber(arg[2]) or futures.cpu_count())

local SMALL <const> = 10000 -- what is sent is copied: below this it is not worth it

local function quicksort(list)
    if #list <= SMALL then
        table.sort(list)
        return list
    end
    local pivot, less, rest = list[#list // 2], {}, {}
    local middle = {}
    for _, x in ipairs(list) do
        local part = x < pivot and less or x > pivot and rest or middle
        part[#part + 1] = x
    end
    local left = ex:submit(quicksort, less)
    rest = quicksort(rest)
    less = left:result()
    table.move(middle, 1, #middle, #less + 1, less)
    return table.move(rest, 1, #rest, #less + 1, less)
end

local numbers = {}
for i = 1, n do numbers[i] = math.random(n) end
local start = futures.monotonic()
local sorted = ex:submit(quicksort, numbers):result()
local seconds = futures.monotonic() - start
for i = 2, n do assert(sorted[i - 1] <= sorted[i]) end
local tasks = ex:stats().completed
print(("%d numbers sorted by %d tasks in %.2f s"):format(#sorted, tasks, seconds))
