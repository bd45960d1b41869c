-- SPDX-License-Identifier: MIT
-- Work that fails now and then: what may go well another time is tried again, after a pause;
-- what never will is not.
--
--     lua5.4 examples/retry.lua

local futures = require "futures"

local function shaky(n)
    local luck = math.random(3)
    if n == 7 then error("7 is too hard", 0) end
    if luck == 1 then os.execute("kill -KILL " .. futures.worker().pid) end
    if luck == 2 then error("busy", 0) end
    return n * n
end

local asked = 0
local ex <close> = futures.ProcessPoolExecutor(4)
local view = ex:with {
    retries = { max = 50, backoff = 0.01, max_delay = 0.1 },
    retry_on = function(err, attempt) -- lost workers need not be asked about
        asked = asked + 1
        return err == "busy" and attempt < 50
    end,
}

local tasks = {}
for n = 1, 8 do tasks[n] = view:submit(shaky, n) end
for n, f in ipairs(tasks) do
    print(n, select(2, f:outcome()), f:attempts() .. " runs")
end
local stats = ex:stats()
print(("%d workers were lost, %d errors looked at"):format(stats.lost, asked))
print(("%d runs again for %d tasks"):format(stats.retried, stats.submitted))
