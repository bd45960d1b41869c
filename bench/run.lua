-- SPDX-License-Identifier: MIT
-- Runs every workload for every contestant that is found on this machine. They take turns, each
-- run in a process of its own, so that the machine's moods hit all alike; medians count.

local HELP = [[
Usage: run.lua [--rounds N] [--only PATTERN] [--json FILE] [--list]

  --rounds N      how many turns each contestant gets (default 5)
  --only PATTERN  only the workloads whose name matches this Lua pattern
  --json FILE     also writes the figures of every single run, and what machine it was
  --list          names the workloads and stops

FUTURES_BUILD names the folder of the build that is measured (default build/release).
]]

local RUN_SECONDS = 120

local root = arg[0]:match("^(.*)/bench/[^/]*$") or "."
local build = os.getenv("FUTURES_BUILD") or root .. "/build/release"
local lua_path = table.concat({
    root .. "/?.lua",
    root .. "/lua/?.lua",
    root .. "/lua/?/init.lua",
    package.path,
}, ";")
local lua_cpath = build .. "/?.so;" .. package.cpath
package.path = lua_path

local json = require "bench.json"
local report = require "bench.report"
local workloads = require "bench.workloads"

local function fail(message)
    io.stderr:write(message, "\n")
    os.exit(2)
end

local function parse(args)
    local options = { rounds = 5, only = "" }
    local takes_value = { ["--rounds"] = "rounds", ["--only"] = "only", ["--json"] = "json" }
    local i = 1
    while args[i] do
        local key = takes_value[args[i]]
        if key then
            i = i + 1
            options[key] = args[i] or fail(args[i - 1] .. " needs a value")
        elseif args[i] == "--list" then
            options.list = true
        elseif args[i] == "--help" or args[i] == "-h" then
            io.write(HELP)
            os.exit(0)
        else
            fail("unknown argument " .. args[i] .. "\n\n" .. HELP)
        end
        i = i + 1
    end
    options.rounds = math.tointeger(tonumber(options.rounds)) or 0
    if options.rounds < 1 then
        fail("--rounds needs an integer from 1")
    end
    return options
end

local function quote(s)
    return "'" .. s:gsub("'", "'\\''") .. "'"
end

--- The contestants, in the order of their turns.
local function contestants()
    local paths = "LUA_PATH_5_4=" .. quote(lua_path) .. " LUA_CPATH_5_4=" .. quote(lua_cpath)
    local lua = "env " .. paths .. " " .. quote(arg[-1] or "lua5.4") .. " "
    local limit = quote(build .. "/limit") .. " "
    local function bench(file)
        return quote(root .. "/bench/" .. file) .. " "
    end
    local ours, python = lua .. bench("ours.lua"), "python3 " .. bench("python.py")
    return {
        { name = "ours threads", before = ours .. "threads " },
        { name = "ours processes", before = ours .. "processes " },
        { name = "limit", before = limit },
        { name = "limit spinning", before = limit, after = " 2000" },
        { name = "luv", before = lua .. bench("luv.lua") },
        { name = "python threads", before = python .. "threads " },
        { name = "python processes", before = python .. "processes " },
    }
end

--- One run: its figure; or nil, why there is none, and whether that is a failure.
local function run(contestant, workload)
    local command = contestant.before .. workload .. (contestant.after or "")
    local pipe = assert(io.popen("timeout " .. RUN_SECONDS .. " " .. command .. " 2>&1"))
    local output = pipe:read("a")
    local ok, _, code = pipe:close()
    if not ok then
        return nil, ("exit code %d: %s"):format(code, output:match("[^\n]*")), true
    end
    local text = ("\n" .. output):match("\n" .. workload .. "%s+([^\n]*)") or ""
    local figure = tonumber(text:match("^%S+"))
    return figure, text:match("^skip%s+(.*)") or text, not figure and not text:find("^skip")
end

local function present(all)
    local here = {}
    for _, contestant in ipairs(all) do
        local _, why, failed = run(contestant, "probe")
        if failed then
            print(("%s is left out: %s"):format(contestant.name, why))
        else
            here[#here + 1] = contestant
        end
    end
    return here
end

--- Gives every contestant its turns: rows { contestant=, runs=, why=, failed= }.
local function measure(workload, all, rounds)
    local rows = {}
    for i, contestant in ipairs(all) do
        rows[i] = { contestant = contestant.name, runs = {} }
    end
    for round = 1, rounds do
        for i, contestant in ipairs(all) do
            local row = rows[i]
            if not row.why then
                local figure, why, failed = run(contestant, workload.name)
                row.runs[round] = figure
                if not figure then
                    row.why, row.failed = why, failed
                end
            end
        end
    end
    return rows
end

local function main()
    local options = parse(arg)
    local results, failures = {}, 0
    local here = not options.list and present(contestants())
    for _, workload in ipairs(workloads) do
        if workload.name:find(options.only) and options.list then
            print(("%-14s %s"):format(workload.name, workload.text))
        elseif workload.name:find(options.only) then
            local result = report.judge(workload, measure(workload, here, options.rounds))
            results[#results + 1] = result
            failures = failures + result.failures
            io.write(report.lines(result))
            io.flush()
        end
    end
    if options.json then
        local file = assert(io.open(options.json, "w"))
        local machine = report.machine()
        local document = { machine = machine, rounds = options.rounds, workloads = results }
        assert(file:write(json.encode(document), "\n"))
        assert(file:close())
    end
    os.exit(failures == 0, true)
end

main()
