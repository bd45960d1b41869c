-- SPDX-License-Identifier: MIT
-- What `map` takes: sources side by side, a source that never ends, many small items in chunks.
--
--     lua5.4 examples/map.lua

local futures = require "futures"

local function is_prime(n)
    for d = 2, math.floor(n ^ 0.5) do
        if n % d == 0 then return false end
    end
    return n > 1
end

local ex <close> = futures.ThreadPoolExecutor(4)

-- The n-th task gets the n-th value of each source.
for _, text in ex:map(string.rep, { "Lua", "~*", "moon" }, { 3, 8, 2 }, { " ", "", "-" }) do
    print(text)
end

-- A source may be a function that gives a value a call. This one never ends: `buffersize` says
-- how many tasks may be under way, and leaving the loop cancels those that nobody needs.
local n = 10 ^ 12 // 1 | 0
local function numbers() n = n + 1 return n end
for i, prime in ex:with { buffersize = 16 }:map(is_prime, numbers) do
    if prime then print("the first prime above 10^12 is 10^12 + " .. i) break end
end

local small = {}
for i = 1, 49999 do small[i] = i end
for _, size in ipairs { 1, 1000 } do
    local start, primes = futures.monotonic(), 0
    for _, prime in ex:with { chunksize = size }:map(is_prime, small) do
        if prime then primes = primes + 1 end
    end
    local took = futures.monotonic() - start
    print(("%d primes below 50000: %.3f s, %d in a task"):format(primes, took, size))
end
