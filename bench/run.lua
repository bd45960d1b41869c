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
    local fetch_limit = quote(build .. "/limit_fetch") .. " "
    local function bench(file)
        return quote(root .. "/bench/" .. file) .. " "
    end
    local ours, python = lua .. bench("ours.lua"), "python3 " .. bench("python.py")
    -- Libraries that come with the system are for the system's interpreter.
    local clients = (io.open("/usr/bin/python3") and "/usr/bin/" or "") .. "python3 "
        .. bench("http_peers.py")
    local curl = lua .. bench("curl.lua")
    return {
        { name = "ours threads", before = ours .. "threads " },
        { name = "ours processes", before = ours .. "processes " },
        { name = "limit", before = limit },
        { name = "limit spinning", before = limit, after = " 2000" },
        { name = "luv", before = lua .. bench("luv.lua") },
        { name = "python threads", before = python .. "threads " },
        { name = "python processes", before = python .. "processes " },
        { name = "ours fetch", before = lua .. bench("ours_fetch.lua"), group = "fetch" },
        { name = "limit", before = fetch_limit, group = "fetch" },
        { name = "limit keeping", before = fetch_limit, after = " keep", group = "fetch" },
        { name = "curl", before = curl .. "curl ", group = "fetch" },
        { name = "curl keeping", before = curl .. "keeping ", group = "fetch" },
        { name = "pycurl", before = clients .. "pycurl ", group = "fetch" },
        { name = "aiohttp", before = clients .. "aiohttp ", group = "fetch" },
        { name = "requests", before = clients .. "requests ", group = "fetch" },
        { name = "wrk", before = curl .. "wrk ", group = "fetch" },
    }
end

local environment = "" -- words for `env`: where the servers are

--- One run: its figure; or nil, why there is none, and whether that is a failure.
local function run(contestant, workload)
    local command = ("timeout %d env %s%s%s%s 2>&1"):format(RUN_SECONDS, environment,
        contestant.before, workload, contestant.after or "")
    local pipe = assert(io.popen(command))
    local output = pipe:read("a")
    local ok, _, code = pipe:close()
    if not ok then
        -- Lua says it first, Python last.
        local why = output:match(output:find("^Traceback") and "([^\n]*)\n*$" or "[^\n]*")
        return nil, ("exit code %d: %s"):format(code, why), true
    end
    local text = ("\n" .. output):match("\n" .. workload .. "%s+([^\n]*)") or ""
    local figure = tonumber(text:match("^%S+"))
    return figure, text:match("^skip%s+(.*)") or text, not figure and not text:find("^skip")
end

--- The contestants of a group that can run here.
local function present(all, group)
    local here = {}
    for _, contestant in ipairs(all) do
        if contestant.group == group then
            local _, why, failed = run(contestant, "probe")
            if failed then
                print(("%s is left out: %s"):format(contestant.name, why))
            else
                here[#here + 1] = contestant
            end
        end
    end
    return here
end

--- What a group of workloads needs: its contestants, and for requests servers. nil: it cannot
--- be measured here.
local function prepare(group)
    if group ~= "fetch" then
        return { here = present(contestants(), group) }
    end
    local started, words, stop = pcall(function()
        return require("bench.servers").start()
    end)
    if not started then
        print("fetch is left out, there is no server: " .. tostring(words))
        return nil
    end
    environment = words
    return { here = present(contestants(), group), stop = stop }
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

local function list(chosen)
    for _, workload in ipairs(chosen) do
        print(("%-14s %s"):format(workload.name, workload.text))
    end
end

local function measure_all(chosen, rounds)
    local groups, results, failures = {}, {}, 0
    for _, workload in ipairs(chosen) do
        local key = workload.group or "tasks"
        if groups[key] == nil then
            groups[key] = prepare(workload.group) or false
        end
        if groups[key] then
            local rows = measure(workload, groups[key].here, rounds)
            local result = report.judge(workload, rows)
            results[#results + 1] = result
            failures = failures + result.failures
            io.write(report.lines(result))
            io.flush()
        end
    end
    for _, group in pairs(groups) do
        if group and group.stop then
            group.stop()
        end
    end
    return results, failures
end

local function write_json(name, rounds, results)
    local file <close> = assert(io.open(name, "w"))
    local document = { machine = report.machine(), rounds = rounds, workloads = results }
    assert(file:write(json.encode(document), "\n"))
end

local function main()
    local options, chosen = parse(arg), {}
    for _, workload in ipairs(workloads) do
        chosen[#chosen + 1] = workload.name:find(options.only) and workload or nil
    end
    if options.list then
        return list(chosen)
    end
    local results, failures = measure_all(chosen, options.rounds)
    if options.json then
        write_json(options.json, options.rounds, results)
    end
    os.exit(failures == 0, true)
end

main()
