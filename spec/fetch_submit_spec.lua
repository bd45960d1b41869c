-- SPDX-License-Identifier: MIT
-- `fetch.submit`: requests that are futures, without a worker.

local futures = require "futures"
local fetch = require "futures.fetch"
local bad_server = require "spec.support.bad_server"
local check = require "spec.support.check"
local demo = require "spec.support.demo"
local fetch_check = require "spec.support.fetch_check"
local proc = require "spec.support.proc"
local scale = require "spec.support.scale"
local witness = require "spec.support.witness"

local LIMIT = scale.LIMIT
local bodies, failed, many = fetch_check.bodies, fetch_check.failed, fetch_check.many

describe("fetch.submit", function()
    local bad, good, seen

    lazy_setup(function()
        bad, good, seen = bad_server.start(), demo.start(), witness.start()
    end)

    lazy_teardown(function()
        bad:stop()
        good:stop()
        seen:stop()
    end)

    it("gives a future at once, and the response comes", function()
        local gate = seen:gate()
        local f = fetch.submit(seen.url .. "/wait/" .. gate)
        assert.equal(getmetatable(futures.Future()), getmetatable(f))
        seen:await(gate, 1)
        assert.is_false(f:done())
        assert.is_true(f:running())
        assert.equal("running", f:state())
        check.raises(futures.TimeoutError, function()
            f:result(0)
        end)
        seen:open(gate)
        local r = f:result(LIMIT)
        assert.equal("ok", r.body)
        assert.equal("finished", f:state())
        assert.is_true(rawequal(r, f:result()))
        assert.is_nil(f:exception())
        assert.same({ true, r }, { f:outcome() })
    end)

    it("gives the same response as fetch does", function()
        local r = fetch.submit(good.url .. "/json", { query = { a = 1 } }):result(LIMIT)
        assert.equal(fetch.Response, getmetatable(r))
        assert.equal(200, r.status)
        assert.is_true(r.ok)
        assert.equal("OK", r.reason)
        assert.equal("1.1", r.http_version)
        assert.equal(good.url .. "/json?a=1", r.url)
        assert.equal("application/json", r.headers["CONTENT-type"])
        assert.equal("demo", r:json().name)
        assert.equal(0, r.redirects)
        assert.equal(1, r.attempts)
        assert.equal(#r.body, #r)
        assert.is_nil(r.path)
        assert.same({ method = "GET", url = good.url .. "/json?a=1" }, r.request)
        assert.is_true(r.time.total >= r.time.first_byte)
        assert.is_true(r.time.first_byte >= r.time.connect)
        assert.matches("^Response 200 http://%S+ %d+ bytes %d+%.%d%d%d s$", tostring(r))
        assert.equal(r, r:raise_for_status())
    end)

    it("needs no thread for each, and no caller for progress", function()
        local gate, threads = seen:gate(), proc.threads()
        local list = many(50, function()
            return fetch.submit(seen.url .. "/wait/" .. gate, { max_per_host = 50 })
        end)
        seen:await(gate, 50)
        assert.is_true(proc.threads() <= threads + 2, proc.threads())
        seen:open(gate)
        assert.equal(50, #bodies(list))
    end)

    it("is known to wait and as_completed, and callbacks", function()
        local gate, calls = seen:gate(), {}
        local url_of = {}
        local slow = fetch.submit(seen.url .. "/wait/" .. gate)
        local fast = fetch.submit(seen.url .. "/fast")
        url_of[slow], url_of[fast] = "slow", "fast"
        fast:add_done_callback(function(f)
            calls[#calls + 1] = url_of[f]
        end)
        local done, not_done = futures.wait(url_of, LIMIT, futures.FIRST_COMPLETED)
        assert.same({ fast }, done)
        assert.same({ slow }, not_done)
        assert.same({ "fast" }, calls)
        seen:open(gate)
        local order = {}
        for f in futures.as_completed(url_of, LIMIT) do
            order[#order + 1] = url_of[f]
        end
        assert.same({ "fast", "slow" }, order)
    end)

    it("mixes with tasks of a pool", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        local fs = { ex:submit(math.abs, -1), fetch.submit(good.url .. "/bytes/3") }
        local done, not_done = futures.wait(fs, LIMIT)
        assert.equal(2, #done)
        assert.equal(0, #not_done)
        assert.equal(1, fs[1]:result())
        assert.equal("abc", fs[2]:result().body)
    end)

    it("may be sent to a task, which waits for it", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        local f = fetch.submit(good.url .. "/bytes/3")
        assert.equal("abc", ex:submit(function(request)
            return request:result().body
        end, f):result(LIMIT))
    end)

    it("works inside a task", function()
        local ex <close> = futures.ThreadPoolExecutor(2)
        local url = good.url .. "/bytes/4"
        assert.equal("abcdabcd", ex:submit(function()
            local f, g = fetch.submit(url), fetch.submit(url)
            return f:result().body .. g:result().body
        end):result(LIMIT))
    end)

    it("fails as fetch does", function()
        local err = failed("connect", fetch.submit(bad.refused))
        assert.is_true(err.retryable)
        assert.equal(1, err.attempt)
        assert.matches("^FetchError: cannot connect", tostring(err))
        err = failed("timeout", fetch.submit(bad.url .. "/silence", { timeout = 0.1 }))
        assert.equal("first_byte", err.phase)
        err = failed("status", fetch.submit(good.url .. "/status/404",
            { raise_for_status = true }))
        assert.equal(404, err.status)
        assert.equal(404, fetch.submit(good.url .. "/status/404"):result(LIMIT).status)
        check.raises(fetch.FetchError, function()
            fetch.submit(bad.url .. "/empty"):result(LIMIT)
        end)
    end)

    it("refuses a bad URL and misuse at the call", function()
        for url, kind in pairs { ["nonsense"] = "url", ["http://h:99999/"] = "url",
            ["http://a b/"] = "url", ["file:///etc/passwd"] = "scheme" } do
            local err = check.raises(fetch.FetchError, function()
                fetch.submit(url)
            end)
            assert.equal(kind, err.kind)
            check.contains("bad argument #1 to 'submit' (", err.message)
        end
        check.misuse(1, "submit", function()
            fetch.submit(nil)
        end)
        for _, opts in ipairs { 3, { colour = "red" }, { timeout = "5" }, { timeout = 0 / 0 },
            { headers = { X = "a\nb" } } } do
            check.misuse(2, "submit", function()
                fetch.submit(good.url, opts)
            end)
        end
    end)

    it("leaves no trace when nobody keeps the future", function()
        for _ = 1, 20 do
            fetch.submit(good.url .. "/bytes/1000")
            fetch.submit(bad.url .. "/truncated")
        end
        check.collect()
        assert.equal("ok", fetch(seen.url).body)
    end)

    it("shares its connections with all states of the process", function()
        local ex <close> = futures.ThreadPoolExecutor(2)
        local url = seen.url .. "/shared"
        fetch(url)
        seen:forget()
        for _ = 1, 3 do
            fetch(url)
            fetch.submit(url):result(LIMIT)
            ex:submit(fetch, url):result(LIMIT)
        end
        local connections = {}
        for _, sight in ipairs(seen:seen()) do
            connections[sight.connection] = true
        end
        local _, first = next(connections)
        assert.is_true(first)
        assert.is_nil(next(connections, (next(connections))))
    end)

    it("tells its progress", function()
        local gate, size = seen:gate(), 100000
        local f = fetch.submit(("%s/halves/%s/%d"):format(seen.url, gate, size))
        seen:await(gate, 1)
        check.eventually("half of the bytes", function()
            local now, expected = f:progress()
            return now == size // 2 and expected == size
        end)
        seen:open(gate)
        assert.equal(size, #f:result(LIMIT))
        local now, expected = f:progress()
        assert.equal(size, now)
        assert.equal(size, expected)
        f = fetch.submit(bad.url .. "/drip", { timeout = 0.3 })
        failed("timeout", f)
        now, expected = f:progress()
        assert.is_true(now > 0)
        assert.is_nil(expected)
    end)

    it("has a name when it is given one", function()
        local f = fetch.submit(good.url .. "/json", { name = "the json" })
        f:result(LIMIT)
        check.contains("the json", tostring(f))
    end)
end)
