-- SPDX-License-Identifier: MIT
-- The records of transform.lua in processes: each says by its pid who has looked at it.
--
--     lua5.4 examples/pids.lua [SECONDS]      of work for a record, 1 if not given

local futures = require "futures"

local seconds = tonumber(arg[1]) or 1

local moons <const> = {
    { name = "Io", planet = "Jupiter", found = 1610 },
    { name = "Titan", planet = "Saturn", found = 1655 },
    { name = "Oberon", planet = "Uranus", found = 1787 },
    { name = "Phobos", planet = "Mars", found = 1877 },
}

local function transform(moon)
    local worker = futures.worker()
    print(("  process %d looks at %s"):format(worker.pid, moon.name))
    futures.sleep(seconds)
    return { name = moon.name .. " of " .. moon.planet, century = moon.found // 100 + 1,
        pid = worker.pid }
end

local ex <close> = futures.ProcessPoolExecutor(4)
local start = futures.monotonic()
for _, moon in ex:map(transform, moons) do
    print(("%s, %dth century, says %d"):format(moon.name, moon.century, moon.pid))
end
print(("%.2f s of work took %.2f s"):format(#moons * seconds, futures.monotonic() - start))
