-- SPDX-License-Identifier: MIT
-- How many at once, how fast, how much: the limits of a session.

local futures = require "futures"
local fetch = require "futures.fetch"
local bad_server = require "spec.support.bad_server"
local check = require "spec.support.check"
local demo = require "spec.support.demo"
local fetch_check = require "spec.support.fetch_check"
local scale = require "spec.support.scale"
local script = require "spec.support.script"
local witness = require "spec.support.witness"

local LIMIT = scale.LIMIT
local bodies, failed, many = fetch_check.bodies, fetch_check.failed, fetch_check.many

describe("The number of requests in flight", function()
    local good, seen

    lazy_setup(function()
        good, seen = demo.start(), witness.start()
    end)

    lazy_teardown(function()
        good:stop()
        seen:stop()
    end)

    before_each(function()
        seen:forget()
    end)

    -- Submits 30 requests that wait, when `most` of them should be in flight, for all hosts.
    local function in_flight(opts, most, urls)
        local http <close> = fetch.Session(opts)
        local gate = seen:gate()
        local list = many(30, function(i)
            return http:get(("%s/wait/%s?%d"):format(urls[i % #urls + 1], gate, i))
        end)
        seen:await(gate, most)
        futures.sleep(0.03) -- if there are more to come
        assert.equal(most, select(3, seen:now(gate)))
        seen:open(gate)
        assert.equal(30, #bodies(list))
        return seen:peak("in_flight"), seen:peak("of_host")
    end

    it("is at most max_connections", function()
        local peak = in_flight({ max_connections = 5, max_per_host = 100 }, 5, { seen.url })
        assert.equal(5, peak)
    end)

    it("is at most max_per_host for one host", function()
        local peak, of_host = in_flight({ max_per_host = 3 }, 6, { seen.url, seen.other })
        assert.equal(6, peak)
        assert.equal(3, of_host)
        seen:forget()
        peak, of_host = in_flight({ max_per_host = 3, max_connections = 4 }, 4,
            { seen.url, seen.other })
        assert.equal(4, peak)
        assert.is_true(of_host <= 3, of_host)
        local small = seen.url:gsub("127.0.0.1", "localhost")
        in_flight({ max_per_host = 3 }, 3, { small, (small:gsub("localhost", "LocalHost")) })
    end)

    it("is 16 for a host and 100 in all by default", function()
        assert.equal(16, (in_flight({}, 16, { seen.url })))
    end)

    it("does not let a slow host hold up another", function()
        local http <close> = fetch.Session { max_per_host = 2 }
        local gate = seen:gate()
        local slow = many(20, function()
            return http:get(seen.url .. "/wait/" .. gate)
        end)
        assert.equal("ok", http:get(seen.other .. "/x"):result(LIMIT).body)
        seen:open(gate)
        assert.equal(20, #bodies(slow))
    end)

    it("starts them in order, those with priority first", function()
        local http <close> = fetch.Session { max_connections = 1 }
        local gate = seen:gate()
        local first = http:get(seen.url .. "/wait/" .. gate)
        seen:await(gate, 1)
        local list = {}
        for i, priority in ipairs { 0, 5, -1, 5, 0, 2.5 } do
            list[i] = http:get(("%s/p%d"):format(seen.url, i), { priority = priority })
        end
        seen:open(gate)
        first:result(LIMIT)
        bodies(list)
        local order = {}
        for i, sight in ipairs(seen:seen()) do
            order[i] = sight.target:match("^/p(%d)")
        end
        assert.equal("246153", table.concat(order, "", 2))
    end)

    it("reuses connections", function()
        local http <close> = fetch.Session { max_per_host = 4 }
        bodies(many(200, function(i)
            return http:get(seen.url .. "/n?" .. i)
        end))
        local connections, count = {}, 0
        for _, sight in ipairs(seen:seen()) do
            count = count + (connections[sight.connection] and 0 or 1)
            connections[sight.connection] = true
        end
        assert.is_true(count <= 4, count)
    end)

    it("may be 4,000", function()
        -- In a process of its own, whose soft limit of descriptors is low.
        local out = script.output(([[
            local futures, fetch = require "futures", require "futures.fetch"
            local http <close> = fetch.Session { max_connections = 4000, max_per_host = 4000 }
            local list = {}
            for i = 1, 4000 do
                list[i] = http:get("%s/delay/2000")
            end
            local ok = 0
            for f in futures.as_completed(list) do
                ok = ok + (f:result().status == 200 and 1 or 0)
            end
            print(ok)
        ]]):format(good.url), { before = "ulimit -S -n 1024;" })
        assert.equal("4000\n", out)
    end)

    it("is lowered, and that is said, where descriptors are few", function()
        local out, result = script.output(([[
            warn "@on"
            local futures, fetch = require "futures", require "futures.fetch"
            local http <close> = fetch.Session { max_connections = 500, max_per_host = 500 }
            local list = {}
            for i = 1, 500 do
                list[i] = http:get("%s/delay/20", { timeout = 60 })
            end
            local ok = 0
            for f in futures.as_completed(list) do
                ok = ok + (f:result().status == 200 and 1 or 0)
            end
            print(ok)
        ]]):format(good.url), { before = "ulimit -n 128;" })
        assert.equal("500\n", out)
        assert.equal(1, select(2, result.err:gsub("max_connections lowered to %d+", "")))
    end)
end)

describe("The queue of a session", function()
    local seen

    lazy_setup(function()
        seen = witness.start()
    end)

    lazy_teardown(function()
        seen:stop()
    end)

    it("is bounded by max_pending: an error", function()
        local http <close> = fetch.Session {
            max_connections = 1, max_pending = 2, on_full = "error",
        }
        local gate = seen:gate()
        local list = { http:get(seen.url .. "/wait/" .. gate) }
        seen:await(gate, 1)
        list[2], list[3] = http:get(seen.url .. "/a"), http:get(seen.url .. "/b")
        check.raises(futures.QueueFullError, function()
            http:get(seen.url .. "/c")
        end)
        seen:open(gate)
        assert.equal(3, #bodies(list))
        assert.equal("ok", http:get(seen.url .. "/d"):result(LIMIT).body)
    end)

    it("is bounded by max_pending: a map loses no URL", function()
        for _, on_full in ipairs { "error", "block" } do
            local http <close> = fetch.Session {
                max_connections = 1, max_pending = 1, on_full = on_full, buffersize = 1,
            }
            local gate, read = seen:gate(), 0
            local it = http:map(function()
                read = read + 1
                return read <= 4 and seen.url .. "/x" .. read or nil
            end)
            check.eventually("the first", function() return http:stats().completed == 1 end)
            local others = { http:get(seen.url .. "/wait/" .. gate) }
            seen:await(gate, 1)
            others[2] = http:get(seen.url .. "/b")
            assert.equal(1, (it())) -- the second does not fit
            assert.equal(2, read)
            seen:open(gate)
            local n = 1
            for i, r in it do
                n = n + 1
                assert.equal(n, i)
                assert.equal("ok", r.body)
            end
            assert.equal(4, n)
            assert.equal(2, #bodies(others))
        end
    end)

    it("is bounded by max_pending: submit waits", function()
        local http <close> = fetch.Session { max_connections = 1, max_pending = 2 }
        local from, list = futures.monotonic(), {}
        for i = 1, 6 do
            list[i] = http:get(seen.url .. "/delay/50")
        end
        -- Three are there at once; for the others one has to end each.
        assert.is_true(futures.monotonic() - from >= 0.15 - 0.01)
        assert.equal(6, #bodies(list))
    end)
end)

describe("The rate of a session", function()
    local seen

    lazy_setup(function()
        seen = witness.start()
    end)

    lazy_teardown(function()
        seen:stop()
    end)

    before_each(function()
        seen:forget()
    end)

    -- In no span of time of t seconds may there be more than one second's worth and t times as
    -- many; clocks and wires are given a hundredth of a second.
    local function keeps(rate, list)
        for first = 1, #list do
            for last = first + 1, #list do
                local allowed = rate + rate * (list[last].at - list[first].at + 0.01)
                assert.is_true(last - first + 1 <= allowed + 1,
                    ("%d to %d within %.3f s"):format(first, last,
                        list[last].at - list[first].at))
            end
        end
    end

    it("is kept, without more than one second's worth in a burst", function()
        local http <close> = fetch.Session { rate = 20 }
        bodies(many(40, function(i)
            return http:get(seen.url .. "/n?" .. i)
        end))
        local list = seen:seen()
        keeps(20, list)
        local took = list[#list].at - list[1].at
        assert.is_true(took >= 0.9, took)
        assert.is_true(took < 2 + scale.seconds(2), took)
    end)

    it("is spread evenly", function()
        local http <close> = fetch.Session { rate = 50 }
        bodies(many(100, function()
            return http:get(seen.url .. "/n")
        end))
        local list = seen:seen()
        -- After the burst one each 20 ms: no tenth of a second has much more than five, but
        -- where this process was held up and catches up.
        local spans = {}
        for i = 60, #list - 10 do
            spans[#spans + 1] = list[i + 10].at - list[i].at
        end
        table.sort(spans)
        assert.is_true(spans[#spans // 2] > 0.1, spans[#spans // 2])
    end)

    it("is each host's own", function()
        local http <close> = fetch.Session { rate = 10 }
        local from = futures.monotonic()
        bodies(many(10, function(i)
            return http:get((i % 2 == 0 and seen.url or seen.other) .. "/n")
        end))
        assert.is_true(futures.monotonic() - from < 1 + scale.seconds(1))
        for _, host in ipairs { seen.url, seen.other } do
            local of_host = {}
            for _, sight in ipairs(seen:seen()) do
                of_host[#of_host + 1] = host:find(sight.host, 1, true) and sight or nil
            end
            assert.equal(5, #of_host)
            keeps(10, of_host)
        end
    end)

    it("may be below one a second", function()
        local http <close> = fetch.Session { rate = 0.5 }
        local gate = futures.monotonic()
        local list = { http:get(seen.url .. "/a"), http:get(seen.url .. "/b") }
        bodies(list)
        assert.is_true(futures.monotonic() - gate >= 1)
    end)

    it("does not keep those from being cancelled that wait for it", function()
        local http = fetch.Session { rate = 0.001 }
        local list = many(3, function()
            return http:get(seen.url .. "/a")
        end)
        list[1]:result(LIMIT)
        assert.is_true(list[2]:cancel())
        assert.is_true(http:shutdown { cancel_futures = true, timeout = LIMIT })
        assert.is_true(list[3]:cancelled())
    end)

    it("counts against the deadline", function()
        local http <close> = fetch.Session { rate = 0.01 }
        http:get(seen.url .. "/a"):result(LIMIT)
        local err = failed("timeout", http:get(seen.url .. "/b", { deadline = 0.1 }))
        assert.equal("deadline", err.phase)
    end)
end)

describe("The limit max_body", function()
    local bad, good

    lazy_setup(function()
        bad, good = bad_server.start(), demo.start()
    end)

    lazy_teardown(function()
        bad:stop()
        good:stop()
    end)

    it("is a session's and a call's", function()
        local http <close> = fetch.Session { max_body = 10 }
        assert.equal(10, #http:get(good.url .. "/bytes/10"):result(LIMIT))
        failed("too_large", http:get(good.url .. "/bytes/11"))
        assert.equal(11, #http:get(good.url .. "/bytes/11", { max_body = 11 }):result(LIMIT))
        failed("too_large", http:get(bad.url .. "/chunked-big"))
        failed("too_large", http:get(bad.url .. "/gzip-bomb"))
        assert.equal(0, #http:head(good.url .. "/bytes/1000"):result(LIMIT))
    end)

    it("holds for lengths that no computer could count", function()
        for _, path in ipairs { "/length-63", "/length-64", "/length-no-body" } do
            local err = failed("too_large", fetch.submit(bad.url .. path))
            assert.matches("body over 67108864 bytes", err.message)
            failed("too_large", fetch.submit(bad.url .. path, { max_body = math.maxinteger }))
            local output = os.tmpname()
            err = failed("protocol",
                fetch.submit(bad.url .. path, { output = output, max_body = false }))
            assert.matches("Content%-Length over 2%^63 %- 1", err.message)
            os.remove(output)
        end
        for _, path in ipairs { "/length-chunked", "/length-redirect", "/length-zeros" } do
            assert.equal("ok", fetch.submit(bad.url .. path):result(LIMIT).body)
        end
        local f = fetch.submit(bad.url .. "/length-63", { method = "HEAD" })
        assert.equal("9223372036854775808", f:result(LIMIT).headers["content-length"])
    end)

    it("is not none, unless the body goes to a file", function()
        check.misuse(1, "Session", function()
            fetch.Session { max_body = false }
        end)
        check.misuse(2, "submit", function()
            fetch.submit(good.url, { max_body = false })
        end)
    end)
end)
