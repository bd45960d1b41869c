-- SPDX-License-Identifier: MIT
-- The option retries.

local futures = require "futures"
local fetch = require "futures.fetch"
local bad_server = require "spec.support.bad_server"
local check = require "spec.support.check"
local fetch_check = require "spec.support.fetch_check"
local scale = require "spec.support.scale"
local witness = require "spec.support.witness"

local LIMIT = scale.LIMIT
local fails = fetch_check.fails

describe("Retries", function()
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

    local fast = { max = 3, backoff = 0.01, jitter = false }

    local function retries(more)
        local all = {}
        for key, value in pairs(fast) do
            all[key] = value
        end
        for key, value in pairs(more or {}) do
            all[key] = value
        end
        return all
    end

    local patient = { retries = retries { max_delay = 2000 } }

    local function sequence(items)
        return seen.url .. "/sequence/x/" .. items
    end

    local function count()
        return #seen:seen()
    end

    -- Seconds between one attempt and the next.
    local function gaps()
        local list, result = seen:seen(), {}
        for i = 2, #list do
            result[i - 1] = list[i].at - list[i - 1].at
        end
        return result
    end

    it("are none by default", function()
        local r = fetch(sequence "503,200")
        assert.equal(503, r.status)
        assert.equal(1, r.attempts)
        assert.equal(1, count())
    end)

    it("try again until it is well", function()
        local r = fetch(sequence "503,503,200", { retries = fast })
        assert.equal(200, r.status)
        assert.equal(3, r.attempts)
        assert.equal(3, count())
        seen:forget()
        r = fetch.submit(sequence "503,200", { retries = 1 }):result(LIMIT)
        assert.equal(200, r.status)
        assert.equal(2, r.attempts)
    end)

    it("end with the last response when they are used up", function()
        local r = fetch(sequence "500,502,503,504,200", { retries = retries { max = 2 } })
        assert.equal(503, r.status)
        assert.equal("503", r.body)
        assert.equal(3, r.attempts)
        assert.equal(3, count())
    end)

    it("end with the last error when they are used up", function()
        local err = fails("truncated", sequence "503,reset,truncated,200",
            { retries = retries { max = 2 } })
        assert.equal(3, err.attempt)
        assert.equal(3, count())
        err = fails("connect", bad.refused, { retries = retries { max = 2 } })
        assert.equal(3, err.attempt)
    end)

    it("heal broken connections, short bodies and silence", function()
        local r = fetch(sequence "reset,truncated,silence,200",
            { retries = fast, timeout = 0.2 })
        assert.equal(200, r.status)
        assert.equal("200", r.body)
        assert.equal(4, r.attempts)
    end)

    it("are for the statuses of the contract", function()
        for _, status in ipairs { 408, 429, 500, 502, 503, 504 } do
            seen:forget()
            local r = fetch(sequence(status .. ",200"), { retries = fast })
            assert.equal(2, r.attempts, status)
        end
        for _, status in ipairs { 400, 401, 404, 501, 505 } do
            seen:forget()
            assert.equal(status, fetch(sequence(status .. ",200"), { retries = fast }).status)
            assert.equal(1, count())
        end
    end)

    it("are for other statuses when told so", function()
        local r = fetch(sequence "404,503,200", { retries = retries { statuses = { 404 } } })
        assert.equal(503, r.status)
        assert.equal(2, count())
    end)

    it("are for idempotent methods only", function()
        for _, method in ipairs { "GET", "HEAD", "PUT", "DELETE", "OPTIONS" } do
            seen:forget()
            local r = fetch(sequence "503,200", { retries = fast, method = method })
            assert.equal(2, r.attempts, method)
        end
        for _, method in ipairs { "POST", "PATCH" } do
            seen:forget()
            local opts = { retries = fast, method = method, body = "x" }
            assert.equal(503, fetch(sequence "503,200", opts).status)
            seen:forget()
            fails("truncated", sequence "truncated,200", opts)
            assert.equal(1, count())
        end
    end)

    it("are for other methods when told so, with the body again", function()
        local r = fetch(sequence "503,200", {
            retries = retries { methods = { "POST" } }, method = "POST", body = "x",
        })
        assert.equal(2, r.attempts)
        seen:forget()
        r = fetch(sequence "503,200", { retries = retries { methods = { "POST" } } })
        assert.equal(503, r.status)
    end)

    it("are not for what will not change", function()
        for path, kind in pairs { ["/garbage"] = "protocol", ["/redirect-loop"] = "redirect",
            ["/announced-big"] = "too_large" } do
            local err = fails(kind, bad.url .. path, { retries = fast, max_body = 100 })
            assert.equal(1, err.attempt, path)
        end
        local err = fails("denied", bad.url, { retries = fast, deny_private = true })
        assert.equal(1, err.attempt)
    end)

    it("wait longer each time", function()
        local r = fetch(sequence "503,503,503,200",
            { retries = { max = 3, backoff = 0.1, factor = 2, jitter = false } })
        assert.equal(4, r.attempts)
        local waits = gaps()
        for i, least in ipairs { 0.1, 0.2, 0.4 } do
            assert.is_true(waits[i] >= least - 0.002, waits[i])
            assert.is_true(waits[i] < least + scale.seconds(1), waits[i])
        end
    end)

    it("wait no longer than max_delay, and jitter shortens", function()
        local from = futures.monotonic()
        fetch(sequence "503,503,503,200",
            { retries = { max = 3, backoff = 30, factor = 10, max_delay = 0.05 } })
        assert.is_true(futures.monotonic() - from < LIMIT)
        for _, wait in ipairs(gaps()) do
            assert.is_true(wait < 0.05 + scale.seconds(1))
        end
    end)

    it("do what Retry-After says", function()
        fetch(sequence "503:1,200", { retries = fast })
        local wait = gaps()[1]
        assert.is_true(wait >= 1 - 0.002, wait)
        seen:forget()
        fetch(sequence "429:@2,200", { retries = fast }) -- a date has whole seconds
        wait = gaps()[1]
        assert.is_true(wait >= 0.9, wait)
        assert.is_true(wait < 2 + scale.seconds(1), wait)
    end)

    it("do not wait for Retry-After when told so, or when it makes no sense", function()
        local from = futures.monotonic()
        fetch(sequence "503:1000,200", { retries = retries { respect_retry_after = false } })
        for _, text in ipairs { "-5", "soon", "@-100", "", "0x10", "16.5" } do
            seen:forget()
            local r = fetch(sequence("503:" .. text .. ",200"), { retries = fast })
            assert.equal(200, r.status)
        end
        assert.is_true(futures.monotonic() - from < LIMIT)
    end)

    it("wait at most max_delay for Retry-After, or take the response as it is", function()
        local from = futures.monotonic()
        local r = fetch(sequence "503:1000,200", { retries = retries { max_delay = 0.1 } })
        assert.is_true(r.status == 200 or r.status == 503)
        assert.is_true(futures.monotonic() - from < LIMIT)
    end)

    it("have a timeout for each attempt, and one deadline", function()
        local from = futures.monotonic()
        local err = fails("timeout", bad.url .. "/silence",
            { retries = retries { max = 2 }, timeout = 0.2 })
        local took = futures.monotonic() - from
        assert.equal(3, err.attempt)
        assert.equal("first_byte", err.phase)
        assert.is_true(took >= 0.6 - 0.002 and took < 0.6 + scale.seconds(2), took)
        from = futures.monotonic()
        err = fails("timeout", bad.url .. "/silence",
            { retries = retries { max = 100 }, timeout = 0.2, deadline = 0.5 })
        took = futures.monotonic() - from
        assert.equal("deadline", err.phase)
        assert.is_true(took >= 0.5 - 0.002 and took < 0.5 + scale.seconds(1), took)
    end)

    it("do not begin to wait beyond the deadline", function()
        local from = futures.monotonic()
        local f = fetch.submit(sequence "503:1000,200",
            { retries = retries { max_delay = 2000 }, deadline = 0.3 })
        local ok, outcome = f:outcome(LIMIT)
        assert.is_true(ok and outcome.status == 503 or outcome.kind == "timeout")
        assert.is_true(futures.monotonic() - from < LIMIT)
    end)

    it("can be cancelled while they wait", function()
        local f = fetch.submit(sequence "503:1000,200", patient)
        check.eventually("the first answer", function()
            return count() == 1
        end)
        futures.sleep(0.05) -- the answer is on its way; too soon is good as well
        assert.is_true(f:cancel())
        assert.is_true(f:cancelled())
        assert.equal(1, count())
    end)

    it("occupy no connection while they wait", function()
        local http <close> = fetch.Session { max_connections = 1 }
        local slow = http:get(sequence "503:1000,200", patient)
        check.eventually("the first answer", function()
            return count() == 1
        end)
        assert.equal("ok", http:get(seen.url .. "/x"):result(LIMIT).body)
        assert.is_true(slow:cancel())
    end)

    it("end with a FetchError of kind status under raise_for_status", function()
        local err = fails("status", sequence "503,500,200",
            { retries = retries { max = 1 }, raise_for_status = true })
        assert.equal(500, err.status)
        assert.equal(2, err.attempt)
    end)

    it("count attempts on the future, and in the stats of the session", function()
        local http <close> = fetch.Session { retries = fast, name = "thrice" }
        local f = http:get(sequence "503,503,200")
        check.contains("'thrice'", tostring(f))
        f:result(LIMIT)
        assert.equal(3, f:attempts())
        local s = http:stats()
        assert.equal(2, s.retried)
        assert.equal(1, s.completed)
        assert.equal(0, s.failed)
    end)

    it("start a file of output anew", function()
        local path = os.tmpname()
        local r = fetch(sequence "truncated,200", { retries = fast, output = path })
        assert.equal(path, r.path)
        local file <close> = assert(io.open(path))
        assert.equal("200", file:read("a"))
        os.remove(path)
        assert.is_nil(io.open(path .. ".part"))
    end)

    it("are refused where they make no sense", function()
        for _, value in ipairs { -1, 1.5, "3", true, 0 / 0, math.huge, { colour = 1 },
            { max = -1 }, { max = 1.5 }, { backoff = -1 }, { backoff = 0 / 0 },
            { factor = "2" }, { max_delay = -1 }, { jitter = 1 }, { statuses = 503 },
            { max = 1, statuses = { "x" } }, { max = 1, statuses = { [503] = true } },
            { max = 1, methods = { POST = true } }, { methods = "GET" }, { methods = { 3 } },
            { respect_retry_after = 1 } } do
            check.misuse(2, "submit", function()
                fetch.submit(seen.url, { retries = value })
            end)
        end
        for problem, value in pairs {
            ["unknown field 'maxx'"] = { maxx = 3 },
            ["'max' is missing: how many times after the first"] = { backoff = 1 },
        } do
            local err = check.misuse(2, "submit", function()
                fetch.submit(seen.url, { retries = value })
            end)
            check.contains(("(option 'retries': %s)"):format(problem), err)
        end
        assert.equal(0, count())
        assert.equal(200, fetch(sequence "200", { retries = 0 }).status)
    end)
end)
