-- SPDX-License-Identifier: MIT
-- The first pool: three threads square the numbers 1 to 4, and `map` gives the squares in the
-- order of the numbers, whoever was ready first.
--
--     lua5.4 examples/squares.lua

local futures = require "futures"

local function square(n)
    futures.sleep(0.1) -- let us say that this is hard work
    return n * n, futures.worker().name
end

local ex <close> = futures.ThreadPoolExecutor { max_workers = 3, thread_name_prefix = "thread" }

-- First comes the index, then everything that the task has returned.
for i, squared, thread in ex:map(square, { 1, 2, 3, 4 }) do
    print(("%d squared is %2d, says %s"):format(i, squared, thread))
end
