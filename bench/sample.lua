-- SPDX-License-Identifier: MIT
-- What the driver and the contestants in Lua share.

local sample = {}

local PAGE_BYTES = 4096

function sample.median(values)
    local sorted = table.move(values, 1, #values, 1, {})
    table.sort(sorted)
    local n = #sorted
    return (sorted[(n + 1) // 2] + sorted[n // 2 + 1]) / 2
end

--- The median of three figures that `run` returns, after one that does not count.
function sample.of(run)
    run()
    return sample.median({ run(), run(), run() })
end

--- Resident bytes of this process.
function sample.memory()
    local file <close> = assert(io.open("/proc/self/statm"))
    local _, pages = file:read("n", "n")
    return pages * PAGE_BYTES
end

--- The records that travel.
function sample.records(n)
    local rows = {}
    for i = 1, n do
        rows[i] = { id = i, name = "name " .. i, v = i / 2 }
    end
    return rows
end

--- Runs a workload and prints its line; a string in its place says why it is left out.
function sample.main(workloads, name, count)
    local run = workloads[name] or "not measured"
    if type(run) == "string" then
        print(name, "skip", run)
    else
        print(name, string.format("%.6g", run(count)))
    end
end

return sample
