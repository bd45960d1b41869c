-- SPDX-License-Identifier: MIT
-- `fetch.Session`: an executor whose tasks are requests.

local futures = require "futures"
local fetch = require "futures.fetch"
local check = require "spec.support.check"
local fetch_check = require "spec.support.fetch_check"
local scale = require "spec.support.scale"
local witness = require "spec.support.witness"

local LIMIT = scale.LIMIT
local bodies, many, sent = fetch_check.bodies, fetch_check.many, fetch_check.sent

describe("A session", function()
    local seen

    lazy_setup(function()
        seen = witness.start()
    end)

    lazy_teardown(function()
        seen:stop()
    end)

    it("has a method for each method", function()
        local http <close> = fetch.Session { base_url = seen.url }
        for _, name in ipairs { "get", "post", "put", "patch", "delete" } do
            local seen_request = sent(http[name](http, "/echo"):result(LIMIT))
            assert.equal(name:upper() .. " /echo HTTP/1.1", seen_request.line)
        end
        local r = http:head("/echo"):result(LIMIT)
        assert.equal("HEAD", r.request.method)
        assert.equal("", r.body)
        r = http:request("PROPFIND", "/echo"):result(LIMIT)
        assert.equal("PROPFIND /echo HTTP/1.1", sent(r).line)
        assert.equal("GET /echo HTTP/1.1", sent(http:submit("/echo"):result(LIMIT)).line)
        r = http:post("/echo", { body = "text", headers = { ["X-A"] = "1" } }):result(LIMIT)
        assert.equal("text", sent(r).body)
        assert.equal("1", sent(r)["x-a"])
    end)

    it("refuses another method in the options of one that is named", function()
        local http <close> = fetch.Session { base_url = seen.url }
        check.misuse(2, "get", function()
            http:get("/echo", { method = "POST" })
        end)
    end)

    it("lends its options to each request; the call's win", function()
        local http <close> = fetch.Session {
            base_url = seen.url, user_agent = "spec", query = { page = 1 },
            headers = { ["X-A"] = "1", ["X-B"] = "2" },
        }
        local request = sent(http:get("/echo", {
            headers = { ["x-b"] = "3", ["X-C"] = "4" },
        }):result(LIMIT))
        assert.equal("spec", request["user-agent"])
        assert.equal("1", request["x-a"])
        assert.equal("3", request["x-b"])
        assert.equal("4", request["x-c"])
        assert.equal(1, select(2, table.concat(request.names, " "):lower():gsub("x%-b", "")))
        assert.equal("GET /echo?page=1 HTTP/1.1", request.line)
        request = sent(http:get("/echo", { user_agent = "me", query = { page = 2 } })
            :result(LIMIT))
        assert.equal("me", request["user-agent"])
        assert.equal("GET /echo?page=2 HTTP/1.1", request.line)
    end)

    it("has options of its own, whatever becomes of those that were given", function()
        local opts = { base_url = seen.url, headers = { A = "1" } }
        local http <close> = fetch.Session(opts)
        local more = { headers = { B = "1" } }
        local view = http:with(more)
        opts.headers.A, more.headers.B, opts.headers.C = "2", "2", {}
        for _, one in ipairs { http, view } do
            for _, call in ipairs { false, {} } do
                local request = sent(one:get("/echo", call or nil):result(LIMIT))
                assert.equal("1", request.a)
                assert.equal(one == view and "1" or nil, request.b)
            end
        end
    end)

    it("has views with more options, which nest", function()
        local http <close> = fetch.Session { base_url = seen.url, headers = { A = "1" } }
        local one = http:with { headers = { B = "2" }, user_agent = "one" }
        local two = one:with { headers = { A = "3" } }
        local request = sent(two:get("/echo"):result(LIMIT))
        assert.same({ "3", "2", "one" }, { request.a, request.b, request["user-agent"] })
        request = sent(one:get("/echo"):result(LIMIT))
        assert.same({ "1", "2" }, { request.a, request.b })
        request = sent(http:get("/echo"):result(LIMIT))
        assert.equal("1", request.a)
        assert.is_nil(request.b)
        request = sent(http:get("/echo", { headers = { a = {} } }):result(LIMIT))
        assert.is_nil(request.a)
    end)

    it("is misused by unknown options, wherever they are", function()
        local http <close> = fetch.Session {}
        for _, opts in ipairs { { colour = "red" }, { 1 }, { max_connections = 0 },
            { max_connections = 1.5 }, { max_per_host = "3" }, { rate = -1 }, { rate = 0 / 0 },
            { max_buffered = -1 }, { retries = -1 }, { retries = { colour = 1 } },
            { deadline = "1" }, { cookies = 3 }, { timeout = true } } do
            check.misuse(1, "Session", function()
                fetch.Session(opts)
            end)
            check.misuse(1, "with", function()
                http:with(opts)
            end)
            check.misuse(2, "get", function()
                http:get(seen.url, opts)
            end)
            check.misuse(2, "map", function()
                http:map({ seen.url }, opts)
            end)
        end
        check.misuse(1, "Session", function()
            fetch.Session(3)
        end)
        check.misuse(1, "get", function()
            http:get()
        end)
        local err = check.misuse(1, "request", function()
            http:request("A B\n", seen.url)
        end)
        check.contains("method expected, got 'A B?'", err)
        check.misuse(2, "request", function()
            http:request("GET", 3)
        end)
    end)

    it("needs no options", function()
        local http <close> = fetch.Session()
        assert.equal("ok", http:get(seen.url .. "/x"):result(LIMIT).body)
    end)

    it("refuses a bad URL at the call", function()
        local http <close> = fetch.Session {}
        local err = check.raises(fetch.FetchError, function()
            http:get("/no-base")
        end)
        assert.equal("url", err.kind)
        check.contains("bad argument #1 to 'get'", err.message)
        err = check.raises(fetch.FetchError, function()
            http:request("GET", "gopher://h/")
        end)
        assert.equal("scheme", err.kind)
        check.contains("bad argument #2 to 'request'", err.message)
    end)

    it("may be sent to tasks", function()
        local http <close> = fetch.Session { base_url = seen.url, headers = { A = "1" } }
        local ex <close> = futures.ThreadPoolExecutor(2)
        local text = ex:submit(function(session)
            return session:get("/echo"):result().body
        end, http):result(LIMIT)
        check.contains("A: 1\r\n", text)
        text = ex:submit(function()
            return http:get("/echo"):result().body
        end):result(LIMIT)
        check.contains("A: 1\r\n", text)
        assert.equal("ok", http:get("/x"):result(LIMIT).body)
    end)

    it("counts", function()
        local http <close> = fetch.Session { base_url = seen.url, max_connections = 2 }
        local gate = seen:gate()
        local list = many(5, function()
            return http:get("/wait/" .. gate)
        end)
        seen:await(gate, 2)
        local s = http:stats()
        assert.equal(2, s.running)
        assert.equal(3, s.pending)
        assert.equal(5, s.submitted)
        assert.equal(2, s.workers)
        assert.equal(0, s.idle)
        assert.same({ p50 = 0, p99 = 0, max = 0, mean = 0 }, s.run)
        assert.is_true(list[5]:cancel())
        seen:open(gate)
        for i = 1, 4 do
            list[i]:result(LIMIT)
        end
        pcall(function()
            http:get("http://127.0.0.1:1/"):result(LIMIT)
        end)
        s = http:stats()
        assert.equal(0, s.running)
        assert.equal(0, s.pending)
        assert.equal(6, s.submitted)
        assert.equal(4, s.completed)
        assert.equal(1, s.failed)
        assert.equal(1, s.cancelled)
        assert.equal(2, s.workers)
        assert.equal(2, s.idle)
        assert.equal(0, s.lost)
        assert.equal(0, s.retried)
        http:shutdown()
        assert.equal(0, http:stats().workers)
    end)

    it("has the counts of an executor, all 0 at first", function()
        local http <close> = fetch.Session {}
        local ex <close> = futures.ThreadPoolExecutor(1)
        assert.same(ex:stats(), http:stats())
        assert.same(ex:stats(), http:with({ timeout = 1 }):stats())
    end)

    it("times how long its requests wait and run", function()
        local http <close> = fetch.Session { base_url = seen.url, max_connections = 1 }
        local gate = seen:gate()
        local list = many(2, function()
            return http:get("/wait/" .. gate)
        end)
        seen:await(gate, 1)
        futures.sleep(0.05)
        seen:open(gate)
        for _, f in ipairs(list) do
            f:result(LIMIT)
        end
        local s = http:stats()
        for _, times in ipairs { s.wait, s.run } do -- of one of the two at least so long
            assert.is_true(times.max >= 0.05, times.max)
            assert.is_true(times.mean >= 0.025 and times.mean <= times.max, times.mean)
            assert.is_true(times.p50 <= times.p99 and times.p99 <= times.max)
        end
    end)

    it("says what it is", function()
        local http <close> = fetch.Session {}
        check.contains("Session: 0x", tostring(http))
        check.contains("(0 workers, 0 pending, 0 running)", tostring(http))
        assert.equal("view of " .. tostring(http), tostring(http:with { timeout = 1 }))
    end)
end)

describe("The shutdown of a session", function()
    local seen

    lazy_setup(function()
        seen = witness.start()
    end)

    lazy_teardown(function()
        seen:stop()
    end)

    local function refuses(http)
        local err = check.raises(fetch.FetchError, function()
            http:get(seen.url)
        end)
        assert.equal("shutdown", err.kind)
        check.contains("cannot schedule new futures after shutdown", err.message)
    end

    it("takes no more requests, and lets the others end", function()
        local http = fetch.Session { max_connections = 1 }
        local list = many(3, function(i)
            return http:get(seen.url .. "/n?" .. i)
        end)
        assert.is_true(http:shutdown())
        for _, f in ipairs(list) do
            assert.is_true(f:done())
            assert.equal("ok", f:result(0).body)
        end
        refuses(http)
        refuses(http:with { timeout = 1 })
        assert.is_true(http:shutdown())
    end)

    it("cancels what has not started, when told so", function()
        local http, gate = fetch.Session { max_connections = 1 }, seen:gate()
        local first = http:get(seen.url .. "/wait/" .. gate)
        seen:await(gate, 1)
        local second = http:get(seen.url .. "/x")
        assert.is_false(http:shutdown { cancel_futures = true, timeout = 0.05 })
        assert.is_true(second:cancelled())
        assert.is_false(first:done())
        seen:open(gate)
        assert.is_true(http:shutdown { timeout = LIMIT })
        assert.equal("ok", first:result(0).body)
    end)

    it("does not wait, when told so", function()
        local http, gate = fetch.Session {}, seen:gate()
        local f = http:get(seen.url .. "/wait/" .. gate)
        assert.is_true(http:shutdown { wait = false })
        refuses(http)
        seen:open(gate)
        assert.equal("ok", f:result(LIMIT).body)
    end)

    it("checks its options", function()
        local http <close> = fetch.Session {}
        for _, opts in ipairs { false, 5, "", { colour = 1 }, { wait = 1 },
            { timeout = "1" } } do
            check.misuse(1, "shutdown", function()
                http:shutdown(opts)
            end)
        end
    end)

    it("happens at the end of its block", function()
        local f, session
        do
            local http <close> = fetch.Session {}
            f, session = http:get(seen.url .. "/delay/50"), http
        end
        assert.equal("ok", f:result(0).body)
        refuses(session)
    end)

    it("after an error cancels what has not started", function()
        local gate, first, second = seen:gate(), nil, nil
        local ok, err = pcall(function()
            local http <close> = fetch.Session { max_connections = 1 }
            first = http:get(seen.url .. "/wait/" .. gate)
            seen:await(gate, 1)
            second = http:get(seen.url .. "/never")
            second:add_done_callback(function()
                seen:open(gate)
            end)
            error("out", 0)
        end)
        assert.is_false(ok)
        assert.equal("out", err)
        assert.is_true(second:cancelled())
        assert.equal("ok", first:result(0).body)
    end)

    it("leaves the requests to the engine when the session is collected", function()
        local list = {}
        do
            local http = fetch.Session { max_connections = 1 }
            for i = 1, 5 do
                list[i] = http:get(seen.url .. "/collected")
            end
        end
        check.collect()
        assert.equal(5, #bodies(list))
    end)

    it("does not touch other sessions", function()
        local one, two = fetch.Session {}, fetch.Session {}
        one:shutdown()
        assert.equal("ok", two:get(seen.url .. "/x"):result(LIMIT).body)
        assert.equal("ok", fetch(seen.url).body)
        two:shutdown()
    end)
end)
