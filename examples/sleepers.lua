-- SPDX-License-Identifier: MIT
-- Three naps of 2, 4 and 1 seconds, all at once: `as_completed` gives each when it is over, the
-- shortest first, and together they take as long as the longest.
--
--     lua5.4 examples/sleepers.lua          three naps in 4 seconds
--     lua5.4 examples/sleepers.lua 0.1      the same, ten times as fast

local futures = require "futures"

local scale = tonumber(arg[1]) or 1
local began = futures.monotonic()

local function say(text)
    print(("%5.2f s  %s"):format(futures.monotonic() - began, text))
end

local function nap(seconds)
    futures.sleep(seconds * scale)
    return seconds
end

local ex <close> = futures.ThreadPoolExecutor(3)

local naps, total = {}, 0
for i, seconds in ipairs { 2, 4, 1 } do
    naps[i] = ex:submit(nap, seconds)
    total = total + seconds
    say("sleeper " .. i .. " lies down for " .. seconds)
end

for f in futures.as_completed(naps) do
    say("the one who slept for " .. f:result() .. " is up")
end

local took = futures.monotonic() - began
print(("%g s of sleep in %.2f s"):format(total * scale, took))
