-- SPDX-License-Identifier: MIT
-- The option retries as a table: pauses; and how it and retry_on are checked.

local futures = require "futures"
require "spec.support.watchdog"
local check = require "spec.support.check"
local scale = require "spec.support.scale"
local tally = require "spec.support.tally"

local LIMIT = scale.LIMIT

local pools = {
    thread = futures.ThreadPoolExecutor,
    process = futures.ProcessPoolExecutor,
}

local function yes() return true end

describe("Back-off", function()
    local function delayed(backoff, more)
        local policy = { max = 9, backoff = backoff, jitter = false }
        for key, value in pairs(more or {}) do policy[key] = value end
        return policy
    end

    for kind, new in pairs(pools) do
        it("waits, twice as long each time (" .. kind .. ")", function()
            local ex <close> = new(1)
            local runs <close> = tally.new()
            local from = futures.monotonic()
            local f = ex:with { retries = delayed(0.05), retry_on = yes }
                :submit(tally.fail, runs.token, 3)
            assert.equal(4, f:result(LIMIT))
            assert.is_true(futures.monotonic() - from >= 0.35)
        end)

        it("lets other tasks run, and the future is pending (" .. kind .. ")", function()
            local ex <close> = new(1)
            local runs <close> = tally.new()
            local f = ex:with { retries = delayed(60, { max_delay = 0.3 }), retry_on = yes }
                :submit(tally.fail, runs.token, 1)
            check.eventually("a rest", function()
                futures.poll()
                return f:attempts() == 1 and f:state() == "pending"
            end)
            assert.equal(7, ex:submit(math.abs, -7):result(LIMIT))
            assert.equal(2, f:result(LIMIT))
            assert.equal(2, f:attempts())
        end)

        it("takes many that rest at once (" .. kind .. ")", function()
            local ex <close> = new(2)
            local view = ex:with {
                retries = { max = 3, backoff = 0.02, factor = 1 },
                retry_on = function(_, attempt) return attempt < 3 end,
            }
            local fs = {}
            for i = 1, 50 do fs[i] = view:submit(error, i, 0) end
            for i, f in ipairs(fs) do
                assert.equal(i, f:exception(LIMIT))
                assert.equal(3, f:attempts())
            end
            assert.equal(100, ex:stats().retried)
        end)
    end

    it("is for lost workers, too", function()
        local ex <close> = futures.ProcessPoolExecutor(1)
        local runs <close> = tally.new()
        local from = futures.monotonic()
        local f = ex:with { retries = delayed(0.1, { factor = 1 }) }
            :submit(tally.die, runs.token, 2)
        assert.equal(3, f:result(LIMIT))
        assert.is_true(futures.monotonic() - from >= 0.2)
    end)

    it("is none unless it is asked for", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        local runs <close> = tally.new()
        local view = ex:with { retries = { max = 30 }, retry_on = yes }
        assert.equal(31, view:submit(tally.fail, runs.token, 30):result(LIMIT))
    end)
end)

describe("The options retries and retry_on", function()
    it("are checked", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        for _, value in ipairs {
            -1, 1.5, "3", true, 0 / 0, math.huge, {}, { 3 }, { max = -1 }, { max = 1.5 },
            { max = "1" }, { max = 1, colour = 1 }, { max = 1, backoff = -1 },
            { max = 1, backoff = 0 / 0 }, { max = 1, factor = "2" },
            { max = 1, max_delay = -1 }, { max = 1, jitter = 1 },
        } do
            local err = check.misuse(1, "with", function() ex:with { retries = value } end)
            check.contains("option 'retries': ", err)
        end
        for problem, value in pairs {
            ["unknown field 'maxx'"] = { maxx = 3 },
            ["'max' is missing: how many times after the first"] = { backoff = 1 },
        } do
            local err = check.misuse(1, "with", function() ex:with { retries = value } end)
            check.contains(("(option 'retries': %s)"):format(problem), err)
        end
        for _, value in ipairs { 1, true, "f", {} } do
            local err = check.misuse(1, "with", function() ex:with { retry_on = value } end)
            check.contains("option 'retry_on': callable value expected", err)
        end
        ex:with { retries = 2.0 }
        ex:with { retries = math.maxinteger }
        ex:with { retries = { max = 1, backoff = 0, factor = 0, max_delay = math.huge } }
    end)

    it("nest like others", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        local outer = ex:with { retries = 2, retry_on = yes }
        local cases = {
            { outer, 3 }, { outer:with { name = "x" }, 3 }, { outer:with { retries = 4 }, 5 },
            { outer:with { retries = 0 }, 1 },
            { outer:with { retry_on = function() return false end }, 1 },
            { ex:with { retry_on = yes }:with { retries = 1 }, 2 },
        }
        for _, case in ipairs(cases) do
            local f = case[1]:submit(error, "x")
            f:outcome(LIMIT)
            assert.equal(case[2], f:attempts())
        end
    end)

    it("are copied: later changes of the table change nothing", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        local policy = { max = 1 }
        local view = ex:with { retries = policy, retry_on = yes }
        policy.max = 5
        local f = view:submit(error, "x")
        f:outcome(LIMIT)
        assert.equal(2, f:attempts())
    end)
end)
