-- SPDX-License-Identifier: MIT
-- Every example runs and prints what it should, and so does the synopsis of the README.

require "spec.support.watchdog"
local lfs = require "lfs"
local check = require "spec.support.check"
local script = require "spec.support.script"

-- What to run, with which arguments, and a look at what it prints. Examples that need a server
-- have specs of their own.
local elsewhere = { fetch = true, crawl = true, scraper = true, download = true,
    fetch_parse = true }

local cases = {
    squares = {
        look = function(out)
            for n = 1, 4 do
                assert.matches(("%d squared is +%d, says thread_%%d"):format(n, n * n), out)
            end
            assert.is_true(out:find("^1 squared.*\n2 squared.*\n3 squared.*\n4 squared") ~= nil)
        end,
    },
    submit = {
        look = function(out)
            local n = 0
            for line in out:gmatch("[^\n]+") do
                check.contains(("%d² = %2d"):format(n, n * n), line)
                n = n + 1
            end
            assert.equal(10, n)
        end,
    },
    quicksort = {
        args = { "30000", "1" },
        look = function(out)
            assert.matches("^30000 numbers sorted by %d+ tasks in [%d.]+ s\n$", out)
        end,
    },
    sleepers = {
        args = { "0.05" },
        look = function(out)
            local order = {}
            for seconds in out:gmatch("slept for (%d) is up") do
                order[#order + 1] = seconds
            end
            assert.equal("1 2 4", table.concat(order, " "))
            local slept, took = out:match("([%d.]+) s of sleep in ([%d.]+) s")
            assert.equal("0.35", slept)
            assert.is_true(tonumber(took) >= 0.19)
        end,
    },
    limits = {
        args = { "0.5" },
        look = function(out)
            check.contains("up to 10: 9 takes 19 steps\nup to 1000: 871 takes 178 steps\n", out)
            assert.matches("\n   up to 1000000000: gave up, best so far: %d+\n" ..
                "TimeoutError: the task 'search' ran longer than its limit of 0.5 s\n", out)
            check.contains("called off:\ttrue\tCancelledError: the future was cancelled", out)
        end,
    },
    retry = {
        look = function(out)
            local extra = 0
            for n = 1, 8 do
                local result = n == 7 and "7 is too hard" or tostring(n * n)
                local runs = out:match(("%d\t%s\t(%%d+) runs\n"):format(n, result))
                extra = extra + tonumber(runs) - 1
            end
            local lost, asked = out:match("(%d+) workers were lost, (%d+) errors looked at")
            check.contains(("%d runs again for 8 tasks"):format(extra), out)
            assert.equal(extra + 1, lost + asked) -- of 7 one error stays
        end,
    },
    transform = {
        args = { "0.02" },
        look = function(out)
            local _, by_main = out:gsub("main +looks at", "")
            local _, by_threads = out:gsub("thread_%d+ +looks at", "")
            assert.equal(4, by_main)
            assert.equal(4, by_threads)
            assert.matches("One by one: [%d.]+ s", out)
            assert.matches("In parallel: [%d.]+ s, [%d.]+ times as fast", out)
            assert.matches("Io of Jupiter, 17th century\nTitan of Saturn, 17th century", out)
        end,
    },
    urls = {
        look = function(out)
            local good = {
                ["/delay/100"] = "15 bytes", ["/delay/300"] = "15 bytes",
                ["/bytes/20000"] = "20000 bytes",
            }
            for path, what in pairs(good) do
                check.contains(("✓ http://example.org%s: %s\n"):format(path, what), out)
            end
            check.contains("✗ http://example.org/status/404: status 404\n", out)
            check.contains("✗ http://example.org/delay/5000: no answer within 0.5 s\n", out)
            local _, count = out:gsub("\n", "")
            assert.equal(5, count)
        end,
    },
    cpu = {
        args = { "20000" },
        look = function(out)
            for _, how in ipairs { "loop", "threads", "processes" } do
                assert.matches(how .. " +2262 primes in [%d.]+ s\n", out)
            end
        end,
    },
    pids = {
        args = { "0.02" },
        look = function(out)
            local looked, said, count = {}, {}, 0
            for pid, name in out:gmatch("process (%d+) looks at (%w+)\n") do
                looked[name] = pid
            end
            for name, pid in out:gmatch("(%w+) of %w+, %d+th century, says (%d+)\n") do
                said[name], count = pid, count + 1
            end
            assert.equal(4, count)
            assert.same(looked, said)
            check.contains("0.08 s of work took", out)
        end,
    },
    crash = {
        look = function(out)
            for n = 1, 6 do
                check.contains(n .. " is done by process ", out)
            end
            assert.matches("3 is lost: process %d+ got signal 9\n", out)
            assert.matches("1 worker was lost, 6 tasks are complete\n$", out)
        end,
    },
    pipeline = {
        look = function(out)
            check.contains("1\tapples: 18\n2\tpears: 60\n3\trefused: not an order: ???\n", out)
            check.contains("4\tfigs: 28\nfirst offer\tquick\n", out)
        end,
    },
    luv_loop = {
        look = function(out)
            check.contains("5133 primes below 50000\n", out)
            check.contains("9592 primes below 100000\n", out)
            assert.matches("the loop went on meanwhile\n$", out)
        end,
    },
    await = {
        look = function(out)
            local lines = {}
            for line in out:gmatch("[^\n]+") do lines[#lines + 1] = line end
            assert.equal(5, #lines)
            for name, steps in pairs { tortoise = 2, hare = 3 } do
                local step = 0
                for _, line in ipairs(lines) do
                    local number, of = line:match("^" .. name .. " has done step (%d) of (%d)$")
                    if number then
                        step = step + 1
                        assert.same({ tostring(step), tostring(steps) }, { number, of })
                    end
                end
                assert.equal(steps, step)
            end
        end,
    },
    backpressure = {
        args = { "60", "4" },
        look = function(out)
            check.contains("60 lines read, 60 written; the best is 34: " .. ("lua"):rep(7), out)
            local most = tonumber(out:match("never more than (%d) in the queue"))
            assert.is_true(most <= 4)
        end,
    },
    map = {
        look = function(out)
            assert.matches("^Lua Lua Lua\n", out)
            check.contains("moon-moon\n", out)
            check.contains("the first prime above 10^12 is 10^12 + 39", out)
            local _, counts = out:gsub("5133 primes below 50000", "")
            assert.equal(2, counts)
        end,
    },
}

describe("The example", function()
    for file in lfs.dir("examples") do
        local name = file:match("^(.*)%.lua$")
        if name and not elsewhere[name] then
            it(name .. " runs and prints what it should", function()
                local case = cases[name]
                assert.is_not_nil(case, "no case for examples/" .. file)
                local result = script.run(nil, {
                    path = "examples/" .. file, args = case.args,
                })
                assert.equal(0, result.code, result.err)
                assert.equal("", result.err)
                case.look(result.out)
            end)

            it(name .. " has fewer than 40 lines of code", function()
                local count = 0
                for line in io.lines("examples/" .. file) do
                    if not line:match("^%s*%-%-") and line:match("%S") then
                        count = count + 1
                    end
                end
                assert.is_true(count < 40, "lines: " .. count)
            end)
        end
    end

    it("of every name that the specs know is there", function()
        for name in pairs(cases) do
            assert.is_not_nil(lfs.attributes("examples/" .. name .. ".lua"), name)
        end
    end)
end)

describe("The README", function()
    local readme

    lazy_setup(function()
        local file <close> = assert(io.open("README.md"))
        readme = file:read("a")
    end)

    it("names every example", function()
        for file in lfs.dir("examples") do
            if file:find("%.lua$") then
                check.contains(("\n| [`%s`](examples/%s) | "):format(file, file), readme)
            end
        end
    end)

    it("has no code that is not Lua", function()
        local count = 0
        for code in readme:gmatch("\n```lua\n(.-)\n```\n") do
            count = count + 1
            assert(load((code:gsub("…", " "))))
        end
        assert.is_true(count > 10)
    end)

    it("has links that lead somewhere", function()
        local anchors, seen = {}, {}
        for title in ("\n" .. readme):gmatch("\n#+ ([^\n]+)") do
            local anchor = title:lower():gsub("[^%w_ -]", ""):gsub(" ", "-")
            seen[anchor] = (seen[anchor] or -1) + 1
            anchors[seen[anchor] == 0 and anchor or anchor .. "-" .. seen[anchor]] = true
        end
        for anchor in readme:gmatch("%]%(#([^)]*)%)") do
            assert.is_true(anchors[anchor], "no heading for #" .. anchor)
        end
        for path in readme:gmatch("%]%((%l[^):]*)%)") do
            assert.is_not_nil(lfs.attributes(path), "no file " .. path)
        end
    end)

    it("has a synopsis that runs", function()
        local synopsis = readme:match("\n```lua\n(.-)\n```\n")
        assert.is_not_nil(synopsis)
        local result = script.run(synopsis)
        assert.equal(0, result.code, result.err)
        assert.equal("", result.err)
        assert.is_true(#result.out > 0)
    end)
end)
