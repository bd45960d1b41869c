-- SPDX-License-Identifier: MIT
-- One task after the other is handed in, and each gives a future: a promise of its result.
-- The squares of 0 to 9, drawn as a parabola.
--
--     lua5.4 examples/submit.lua

local futures = require "futures"

local ex <close> = futures.ThreadPoolExecutor(4)

local promised = {}
for n = 0, 9 do
    -- The function travels to a thread with what it uses from here: `n`.
    promised[n] = ex:submit(function() return n * n end)
end

-- Nobody has waited so far. `result` waits for the one that is asked for.
for n = 0, 9 do
    local squared = promised[n]:result()
    print(("%d² = %2d %s"):format(n, squared, (" "):rep(squared // 2) .. "●"))
end
