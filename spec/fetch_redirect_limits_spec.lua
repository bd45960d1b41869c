-- SPDX-License-Identifier: MIT
-- A redirect is a request to the host that it goes to, and counts there.

local futures = require "futures"
local fetch = require "futures.fetch"
local bad_server = require "spec.support.bad_server"
local fetch_check = require "spec.support.fetch_check"
local scale = require "spec.support.scale"
local witness = require "spec.support.witness"

local LIMIT = scale.LIMIT
local bodies, failed, many = fetch_check.bodies, fetch_check.failed, fetch_check.many

describe("A redirect", function()
    local bad, seen

    lazy_setup(function()
        bad, seen = bad_server.start(), witness.start()
    end)

    lazy_teardown(function()
        bad:stop()
        seen:stop()
    end)

    before_each(function()
        seen:forget()
    end)

    -- The URL of a redirect, from another host to this path of the witness.
    local function to(path)
        return bad.url .. "/to/302/" .. seen.url .. path
    end

    it("counts in max_per_host of the host that it goes to", function()
        local http <close> = fetch.Session { max_per_host = 3 }
        local list = many(40, function(i)
            return http:get(i % 2 == 0 and to "/delay/5" or seen.url .. "/delay/5")
        end)
        bodies(list)
        assert.equal(40, #seen:seen())
        assert.is_true(seen:peak "of_host" <= 3)
        assert.equal(1, list[2]:result().redirects)
    end)

    it("frees the place at the host that it comes from", function()
        local http <close> = fetch.Session { max_per_host = 2, timeout = false }
        local gate = seen:gate()
        local list = many(5, function()
            return http:get(to("/wait/" .. gate))
        end)
        seen:await(gate, 2)
        assert.equal("ok", http:get(bad.url .. "/ok"):result(LIMIT).body)
        assert.same({ 0, 5 }, { http:stats().pending, http:stats().running })
        seen:open(gate)
        bodies(list)
        assert.is_true(seen:peak "of_host" <= 2)
    end)

    it("waits for its turn in nobody's time but the deadline's", function()
        local http <close> = fetch.Session { max_per_host = 1, timeout = 0.2 }
        local gate = seen:gate()
        local first = http:get(seen.url .. "/wait/" .. gate, { timeout = false })
        seen:await(gate, 1)
        local second = http:get(to "/second")
        local third = http:get(to "/third", { deadline = 0.1, retries = 3 })
        local err = failed("timeout", third)
        assert.equal("deadline", err.phase)
        futures.sleep(0.5)
        assert.is_true(second:running())
        seen:open(gate)
        assert.equal("ok", first:result(LIMIT).body)
        local r = second:result(LIMIT)
        assert.equal("ok", r.body)
        assert.is_true(r.time.total < 0.5, r.time.total)
        assert.same({ seen.url .. "/second", 1, 1 }, { r.url, r.redirects, r.attempts })
    end)

    it("can be cancelled while it waits", function()
        local http = fetch.Session { max_per_host = 1, timeout = false }
        local gate = seen:gate()
        local first = http:get(seen.url .. "/wait/" .. gate)
        seen:await(gate, 1)
        local list = many(3, function()
            return http:get(to "/x")
        end)
        bodies { http:get(bad.url .. "/ok") } -- so the first redirect has been seen
        for _, f in ipairs(list) do
            assert.is_true(f:cancel())
        end
        seen:open(gate)
        bodies { first }
        assert.is_true(http:shutdown { timeout = LIMIT })
        assert.equal(1, #seen:seen())
    end)

    it("is tried again from its beginning", function()
        local retries = { max = 3, backoff = 0 }
        local http <close> = fetch.Session { max_per_host = 1, retries = retries }
        local list = many(4, function(i)
            return http:get(to("/sequence/n" .. i .. "/503,truncated,200"))
        end)
        for _, f in ipairs(list) do
            local r = f:result(LIMIT)
            assert.same({ 200, 3, 1 }, { r.status, r.attempts, r.redirects })
        end
        assert.equal(12, #seen:seen())
        assert.is_true(seen:peak "of_host" <= 1)
    end)

    -- In no span of t seconds more than one second's worth and t times as many.
    local function keeps(rate)
        local list = seen:seen()
        for first = 1, #list do
            for last = first + 1, #list do
                local took = list[last].at - list[first].at + 0.01
                assert.is_true(last - first <= rate + rate * took, took)
            end
        end
    end

    it("counts in the rate of the host that it goes to", function()
        local http <close> = fetch.Session { rate = 20 }
        bodies(many(40, function(i)
            return http:get(i % 2 == 0 and to "/a" or seen.url .. "/b")
        end))
        assert.equal(40, #seen:seen())
        keeps(20)
    end)

    it("counts in the rate also where it stays", function()
        local http <close> = fetch.Session { rate = 20 }
        bodies(many(20, function()
            return http:get(seen.url .. "/login")
        end))
        assert.equal(40, #seen:seen())
        keeps(20)
    end)

    it("waits longer than the timeout for a low rate, if it must", function()
        local http <close> = fetch.Session { rate = 2, timeout = 0.4 }
        local r = http:get(seen.url .. "/login"):result(LIMIT)
        assert.equal(1, r.redirects)
    end)
end)
