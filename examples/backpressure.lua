-- SPDX-License-Identifier: MIT
-- A pipeline: a fast reader, slower workers, a writer. The bound of the pool keeps the reader
-- from running ahead: however long the input is, few of its lines are in memory.
--
--     lua5.4 examples/backpressure.lua [LINES [BOUND]]

local futures = require "futures"

local lines, bound = tonumber(arg[1]) or 200, tonumber(arg[2]) or 8

-- The slow part: what a word is worth.
local function rate(number, line)
    local sum = 0
    for letter in line:gmatch("%a") do sum = sum + letter:byte() - 96 end
    futures.sleep(0.001)
    return number, line, sum
end

local ex <close> = futures.ThreadPoolExecutor { max_workers = 2, max_pending = bound }
local best, best_line, written, most = 0, nil, 0, 0

-- The writer runs here, whenever a submit waits for room, or at the end.
local function write(future)
    local number, line, sum = future:result()
    if sum > best then best, best_line = sum, number .. ": " .. line end
    written = written + 1
end

for number = 1, lines do
    local line = ("lua"):rep(number % 7 + 1) .. ("moon"):rep(number % 5)
    ex:submit(rate, number, line):add_done_callback(write)
    most = math.max(most, ex:stats().pending)
end
ex:shutdown()

local wait = ex:stats().wait
print(("%d lines read, %d written; the best is %s"):format(lines, written, best_line))
print(("never more than %d in the queue, where they waited %.4f s"):format(most, wait.p50))
