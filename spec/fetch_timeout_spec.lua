-- SPDX-License-Identifier: MIT
-- Limits of time for requests that are futures. Those of `fetch` itself: fetch_error_spec.

local futures = require "futures"
local fetch = require "futures.fetch"
local request = require "futures.fetch.request"
local bad_server = require "spec.support.bad_server"
local check = require "spec.support.check"
local fetch_check = require "spec.support.fetch_check"
local scale = require "spec.support.scale"
local witness = require "spec.support.witness"

local LIMIT = scale.LIMIT
local failed, many = fetch_check.failed, fetch_check.many

describe("A request", function()
    local bad, seen

    lazy_setup(function()
        bad, seen = bad_server.start(), witness.start()
    end)

    lazy_teardown(function()
        bad:stop()
        seen:stop()
    end)

    local function times_out(low, phase, submit)
        local from = futures.monotonic()
        local err = failed("timeout", submit())
        local took = futures.monotonic() - from
        assert.is_true(took >= low - 0.002, took)
        assert.is_true(took < low + scale.seconds(1), took)
        assert.equal(phase, err.phase)
        return err
    end

    -- Nobody waits a minute here: these are the limits that the C part is given.
    it("has limits that nobody named", function()
        local function limits(timeout)
            local flat = request.flatten { timeout = timeout }
            return { flat.total, flat.connect, flat.idle }
        end
        assert.same({}, limits(nil)) -- csrc/fetch/request.c: total, of 60
        assert.same({ 5 }, limits(5))
        assert.same({ math.huge }, limits(false))
        assert.same({ 60, 10, 30 }, limits {})
        assert.same({ 60, 0.2, 30 }, limits { connect = 0.2 })
        assert.same({ 5, 10, math.huge }, limits { total = 5, idle = false })
    end)

    it("times out in each phase", function()
        for path, phase in pairs { ["/silence"] = "first_byte", ["/drip"] = "body",
            ["/stall"] = "body", ["/slow-headers"] = "body" } do
            times_out(0.2, phase, function()
                return fetch.submit(bad.url .. path, { timeout = 0.2 })
            end)
        end
        times_out(0.2, "connect", function()
            return fetch.submit(bad.deaf, { timeout = { connect = 0.2 } })
        end)
    end)

    it("is idle for exactly as long as it may be", function()
        for _, idle in ipairs { 0.1, 0.35, 1 } do
            times_out(idle, "first_byte", function()
                return fetch.submit(bad.url .. "/silence", { timeout = { idle = idle } })
            end)
        end
        -- A byte each 50 ms.
        times_out(0.7, "body", function()
            return fetch.submit(bad.url .. "/drip", { timeout = { idle = 0.45, total = 0.7 } })
        end)
    end)

    it("has its time from the session, or its own", function()
        local http <close> = fetch.Session { timeout = 0.2 }
        times_out(0.2, "first_byte", function()
            return http:get(bad.url .. "/silence")
        end)
        times_out(0.1, "first_byte", function()
            return http:get(bad.url .. "/silence", { timeout = 0.1 })
        end)
        times_out(0.3, "first_byte", function()
            return http:with({ timeout = { idle = 0.3, total = false } })
                :get(bad.url .. "/silence")
        end)
        assert.equal("ok", http:get(seen.url .. "/delay/300", { timeout = false })
            :result(LIMIT).body)
    end)

    it("does not lose time in the queue", function()
        local http <close> = fetch.Session { max_connections = 1, timeout = 0.6 }
        local list = many(4, function()
            return http:get(seen.url .. "/delay/200")
        end)
        for _, f in ipairs(list) do
            assert.equal("ok", f:result(LIMIT).body)
        end
    end)

    it("has a deadline for all, the queue included", function()
        local http <close> = fetch.Session { max_connections = 1 }
        local gate = seen:gate()
        local first = http:get(seen.url .. "/wait/" .. gate)
        seen:await(gate, 1)
        local err = times_out(0.2, "deadline", function()
            return http:get(seen.url .. "/x", { deadline = 0.2 })
        end)
        assert.equal(seen.url .. "/x", err.url)
        seen:open(gate)
        assert.equal("ok", first:result(LIMIT).body)
        err = times_out(0.2, "deadline", function()
            return http:get(bad.url .. "/drip", { deadline = 0.2 })
        end)
        assert.is_true(err.bytes > 0)
        times_out(0.2, "deadline", function()
            return fetch.submit(bad.deaf, { deadline = 0.2 })
        end)
        times_out(0.2, "first_byte", function()
            return fetch.submit(bad.url .. "/silence", { deadline = 10, timeout = 0.2 })
        end)
    end)

    it("has a deadline that is met, or none", function()
        for _, deadline in ipairs { LIMIT, math.huge, 1e18 } do
            local f = fetch.submit(seen.url .. "/x", { deadline = deadline })
            assert.equal("ok", f:result(LIMIT).body)
        end
        for _, deadline in ipairs { 0, -1, -math.huge } do
            local err = failed("timeout", fetch.submit(seen.url, { deadline = deadline }))
            assert.equal("deadline", err.phase)
        end
        for _, deadline in ipairs { "1", 0 / 0, {}, true } do
            check.misuse(2, "submit", function()
                fetch.submit(seen.url, { deadline = deadline })
            end)
        end
    end)

    it("waits no longer than its timeout, whatever others do", function()
        local http <close> = fetch.Session { max_connections = 200, max_per_host = 200 }
        local from = futures.monotonic()
        local list = many(200, function(i)
            return http:get(bad.url .. "/silence", { timeout = 0.2 + i % 10 * 0.02 })
        end)
        for _, f in ipairs(list) do
            failed("timeout", f)
        end
        assert.is_true(futures.monotonic() - from < 0.4 + scale.seconds(2))
    end)

    it("that is asked for its result has the waiter's time, too", function()
        local f = fetch.submit(bad.url .. "/silence", { timeout = 0.5 })
        local from = futures.monotonic()
        check.raises(futures.TimeoutError, function()
            f:result(0.05)
        end)
        assert.is_true(futures.monotonic() - from < 0.4)
        assert.is_false(f:done())
        failed("timeout", f)
    end)
end)
