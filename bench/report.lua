-- SPDX-License-Identifier: MIT
-- From single runs to medians, ratios and lines of a table.

local sample = require "bench.sample"

local report = {}

local NOT_MEASURED = "not measured"

--- How many times better we are: the median over the turns, as only neighbours in time compare.
local function ratio(ours, theirs, better)
    local ratios = {}
    for i = 1, math.min(#ours, #theirs) do
        ratios[i] = better == "more" and ours[i] / theirs[i] or theirs[i] / ours[i]
    end
    return #ratios > 0 and sample.median(ratios) or nil
end

local function meets(row, goal, better)
    if row.ratio then
        return row.ratio >= goal
    end
    if better == "more" then
        return row.median >= goal
    end
    return row.median <= goal
end

-- Which of ours another contestant is compared with: processes with processes.
local function counterpart(contestant, ours)
    local processes = contestant:find("processes") and ours["ours processes"]
    return processes or ours["ours threads"] or ours["ours fetch"] or {}
end

--- Adds `median`, `ratio`, `goal` and `met` to the rows of a workload.
function report.judge(workload, rows)
    local failures = 0
    local ours = {}
    for _, row in ipairs(rows) do
        ours[row.contestant] = #row.runs > 0 and row.runs or nil
    end
    for _, row in ipairs(rows) do
        local is_ours = row.contestant:find("^ours")
        if row.failed and is_ours then
            failures = failures + 1
        end
        if #row.runs > 0 then
            row.median = sample.median(row.runs)
            local runs = counterpart(row.contestant, ours)
            row.ratio = not is_ours and ratio(runs, row.runs, workload.better) or nil
            row.goal = (is_ours or row.ratio) and workload.goals[row.contestant] or nil
            if row.goal then
                row.met = meets(row, row.goal, workload.better)
            end
        end
    end
    local result = { rows = rows, failures = failures }
    for _, key in ipairs({ "name", "text", "unit", "better" }) do
        result[key] = workload[key]
    end
    return result
end

local function figure(x)
    for _, scale in ipairs({ { 1e6, " M" }, { 1e3, " k" } }) do
        if x >= scale[1] then
            return ("%.3g%s"):format(x / scale[1], scale[2])
        end
    end
    return ("%.3g"):format(x)
end

local function line(result, row)
    if not row.median then
        local why = (row.failed and "FAILED: " or "- ") .. row.why
        return row.why == NOT_MEASURED and "" or ("  %-17s %s\n"):format(row.contestant, why)
    end
    local value = figure(row.median) .. " " .. result.unit
    local times = row.ratio and ("%.2f x"):format(row.ratio) or ""
    local goal = ""
    if row.goal then
        local bound = row.ratio and ("%.2f x"):format(row.goal) or figure(row.goal)
        local sign = (row.ratio or result.better == "more") and ">=" or "<="
        goal = ("%s %-8s %s"):format(sign, bound, row.met and "met" or "not met")
    end
    local text = ("  %-17s %-18s %10s   %s"):format(row.contestant, value, times, goal)
    return (text:gsub("%s+$", "") .. "\n")
end

--- The table of one workload: contestant, median, how many times better we are, the goal.
function report.lines(result)
    local lines = { ("\n%s: %s\n"):format(result.name, result.text) }
    for _, row in ipairs(result.rows) do
        lines[#lines + 1] = line(result, row)
    end
    return table.concat(lines)
end

local function output_of(command)
    local pipe <close> = assert(io.popen(command .. " 2>/dev/null"))
    return (pipe:read("a"):gsub("%s+$", ""))
end

--- What the figures were measured on.
function report.machine()
    return {
        cpus = tonumber(output_of("nproc")),
        cpu = output_of("sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1"),
        kernel = output_of("uname -sr"),
        lua = _VERSION,
        lua_release = output_of("'" .. (arg[-1] or "lua5.4") .. "' -v"),
        python = output_of("python3 -V"),
        load = tonumber(output_of("cut -d ' ' -f 1 /proc/loadavg")),
        time = os.date("!%Y-%m-%dT%H:%M:%SZ"),
    }
end

return report
