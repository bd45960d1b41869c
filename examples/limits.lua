-- SPDX-License-Identifier: MIT
-- Tasks that nobody can trust to end: each may run for a while, and any may be called off.
--
--     lua5.4 examples/limits.lua          0.2 seconds for each search
--     lua5.4 examples/limits.lua 5        more patience

local futures = require "futures"

local limit = tonumber(arg[1]) or 0.2

-- Collatz: halve what is even, 3n + 1 what is odd; all numbers that were tried end at 1. This
-- one looks for the number below `n` that takes the most steps.
local function longest(n)
    local best, most = 1, 0
    local _ <close> = setmetatable({}, { __close = function(_, err)
        if err then print(("   up to %d: gave up, best so far: %d"):format(n, best)) end
    end })
    for start = 1, n do
        local x, steps = start, 0
        while x ~= 1 do
            x = x % 2 == 0 and x // 2 or 3 * x + 1
            steps = steps + 1
        end
        if steps > most then best, most = start, steps end
    end
    return best, most
end

local ex <close> = futures.ThreadPoolExecutor(2)
local limited = ex:with { task_timeout = limit, name = "search" }

for _, n in ipairs { 10, 1000, 1000000000 } do
    local ok, best, steps = limited:submit(longest, n):outcome()
    print(ok and ("up to %d: %d takes %d steps"):format(n, best, steps) or best)
end

local endless = ex:submit(longest, 1 << 50)
futures.sleep(limit)
print("called off:", endless:cancel(true), select(2, endless:outcome()))
