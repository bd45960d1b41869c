-- SPDX-License-Identifier: MIT
-- Callbacks in an event loop: luv waits for its own timers and, by `pollfd`, for our futures.
--
--     lua5.4 examples/luv_loop.lua        needs luv (Debian: lua-luv)

local futures = require "futures"
local uv = require "luv"

local ex <close> = futures.ThreadPoolExecutor(2)

-- All that the loop has to know.
local due = uv.new_poll(futures.pollfd())
due:start("r", function() futures.poll() end)

local ticks, timer = 0, uv.new_timer()
timer:start(0, 10, function() ticks = ticks + 1 end)

local function count_primes(limit)
    local count = 0
    for n = 2, limit do
        local d = 2
        while d * d <= n and n % d ~= 0 do d = d + 1 end
        if d * d > n then count = count + 1 end
    end
    return count
end

local counts = {}
for i, limit in ipairs { 50000, 100000 } do
    counts[i] = ex:submit(count_primes, limit):next(function(n)
        print(("%d primes below %d"):format(n, limit))
    end)
end

futures.all(counts):next(function()
    print(ticks > 0 and "the loop went on meanwhile" or "the loop stood still")
    timer:close()
    due:close()
end)

uv.run()
