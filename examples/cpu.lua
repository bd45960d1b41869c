-- SPDX-License-Identifier: MIT
-- Work that computes: in a plain loop, in threads, in processes. Threads and processes are as
-- fast as there are processors; use processes when one crash must not end everything.
--
--     lua5.4 examples/cpu.lua [N]      counts primes below N, 300000 if not given

local futures = require "futures"

local function count_primes(from, to)
    local count = 0
    for n = math.max(from, 2), to do
        local d = 2
        while d * d <= n and n % d ~= 0 do d = d + 1 end
        if d * d > n then count = count + 1 end
    end
    return count
end

local limit, froms, tos = math.tointeger(arg[1]) or 300000, {}, {}
for i = 1, 16 do
    froms[i], tos[i] = limit * (i - 1) // 16, limit * i // 16 - 1
end

local function measure(name, count)
    local start, primes = futures.monotonic(), count()
    print(("%-10s %d primes in %.2f s"):format(name, primes, futures.monotonic() - start))
end

local function in_pool(ex)
    local sum = 0
    for _, count in ex:map(count_primes, froms, tos) do sum = sum + count end
    ex:shutdown()
    return sum
end

measure("loop", function() return count_primes(0, limit - 1) end)
local cpus = futures.cpu_count()
measure("threads", function() return in_pool(futures.ThreadPoolExecutor(cpus)) end)
measure("processes", function() return in_pool(futures.ProcessPoolExecutor(cpus)) end)
