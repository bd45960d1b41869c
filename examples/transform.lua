-- SPDX-License-Identifier: MIT
-- A list that nobody can change, and a function that makes new records of the old ones: nothing
-- is shared, so it may run anywhere. First here, one by one; then in a pool, all at once.
--
--     lua5.4 examples/transform.lua [SECONDS]      of work for a record, 1 if not given

local futures = require "futures"

local seconds = tonumber(arg[1]) or 1

local function frozen(t)
    return setmetatable({}, { __index = t, __newindex = function() error("read-only", 2) end })
end

local moons <const> = frozen {
    frozen { name = "Io", planet = "Jupiter", found = 1610 },
    frozen { name = "Titan", planet = "Saturn", found = 1655 },
    frozen { name = "Oberon", planet = "Uranus", found = 1787 },
    frozen { name = "Phobos", planet = "Mars", found = 1877 },
}

local function transform(moon)
    local worker = futures.worker() -- nil on the main thread
    io.write(("  %-8s looks at %s\n"):format(worker and worker.name or "main", moon.name))
    futures.sleep(seconds)
    return frozen { name = moon.name .. " of " .. moon.planet, century = moon.found // 100 + 1 }
end

local start = futures.monotonic()
for _, moon in ipairs(moons) do transform(moon) end
local alone = futures.monotonic() - start
print(("One by one: %.2f s\n"):format(alone))

local ex <close> = futures.ThreadPoolExecutor { max_workers = 4, thread_name_prefix = "thread" }
start = futures.monotonic()
local seen = ex:map(transform, moons):totable()
local together = futures.monotonic() - start
print(("In parallel: %.2f s, %.1f times as fast\n"):format(together, alone / together))
for _, moon in ipairs(seen) do print(("%s, %dth century"):format(moon.name, moon.century)) end
