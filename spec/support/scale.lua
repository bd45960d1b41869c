-- SPDX-License-Identifier: MIT
-- How much and how long. Sanitizers make everything slower: FUTURES_SLOW=1 asks for smaller
-- counts and longer limits. Limits exist to end a broken run, so they are generous.

local scale = {}

scale.slow = os.getenv("FUTURES_SLOW") == "1"

--- ThreadSanitizer runs this. It cannot run tests that fork while other threads are at work:
--- in the child its own locks may be taken for ever, and new threads there confuse it.
scale.tsan = (os.getenv("FUTURES_BUILD") or ""):find("/tsan$") ~= nil

--- A count that a run under a sanitizer divides by ten.
function scale.count(n)
    return scale.slow and math.max(1, n // 10) or n
end

--- A limit in seconds that a run under a sanitizer multiplies by ten.
function scale.seconds(s)
    return scale.slow and s * 10 or s
end

--- How often a race is run: FUTURES_RACE_RUNS, 10,000 if it is not set.
function scale.races(share)
    local runs = tonumber(os.getenv("FUTURES_RACE_RUNS")) or scale.count(10000)
    return math.max(1, math.floor(runs * (share or 1)))
end

--- The longest that anything in a test may wait for something that is sure to come.
scale.LIMIT = scale.seconds(20)

return scale
