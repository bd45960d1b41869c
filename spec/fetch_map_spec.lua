-- SPDX-License-Identifier: MIT
-- `fetch.map` and `session:map`: the rules of an executor's map, for URLs.

local futures = require "futures"
local fetch = require "futures.fetch"
local bad_server = require "spec.support.bad_server"
local check = require "spec.support.check"
local demo = require "spec.support.demo"
local scale = require "spec.support.scale"
local witness = require "spec.support.witness"

local LIMIT = scale.LIMIT

describe("fetch.map", function()
    local bad, good, seen

    lazy_setup(function()
        bad, good, seen = bad_server.start(), demo.start(), witness.start()
    end)

    lazy_teardown(function()
        bad:stop()
        good:stop()
        seen:stop()
    end)

    before_each(function()
        seen:forget()
    end)

    it("gives index and response, in the order of the input", function()
        local urls = {}
        for i = 1, 20 do
            urls[i] = ("%s/delay/%d?%d"):format(good.url, (20 - i) * 3, i)
        end
        local count = 0
        for i, r in fetch.map(urls) do
            count = count + 1
            assert.equal(count, i)
            assert.equal(urls[i], r.request.url)
        end
        assert.equal(20, count)
    end)

    it("sends all at the call", function()
        local gate = seen:gate()
        local it_maps = fetch.map { seen.url .. "/wait/" .. gate, seen.url .. "/wait/" .. gate }
        seen:await(gate, 2)
        seen:open(gate)
        assert.equal(2, it_maps:totable().n)
    end)

    it("takes options for all of them", function()
        for _, r in fetch.map({ seen.url .. "/echo", seen.url .. "/echo" },
            { headers = { ["X-A"] = "1" } }) do
            check.contains("X-A: 1\r\n", r.body)
        end
    end)

    it("takes an endless iterator with buffersize", function()
        local asked = 0
        local function urls()
            asked = asked + 1
            return seen.url .. "/n?" .. asked
        end
        for i, r in fetch.map(urls, { buffersize = 4 }) do
            assert.equal(seen.url .. "/n?" .. i, r.url)
            assert.is_true(asked <= i + 4, asked)
            if i == 50 then
                break
            end
        end
    end)

    it("takes io.lines, and nothing", function()
        local path = os.tmpname()
        local file = assert(io.open(path, "w"))
        file:write(good.url, "/bytes/1\n", good.url, "/bytes/2\n")
        file:close()
        local sizes = {}
        for i, r in fetch.map(io.lines(path)) do
            sizes[i] = #r
        end
        os.remove(path)
        assert.same({ 1, 2 }, sizes)
        for _ in fetch.map {} do
            error("there was nothing")
        end
    end)

    it("raises a bad URL and a failure at its position, and goes on", function()
        local it_maps = fetch.map { good.url .. "/bytes/1", "nonsense", bad.refused,
            good.url .. "/status/404", "file:///etc/passwd", good.url .. "/bytes/2" }
        local kinds = {}
        for n = 1, 6 do
            local ok, i, r = pcall(it_maps)
            kinds[n] = ok and r.status or i.kind
            assert.equal(ok, not not (n == 1 or n == 4 or n == 6))
            if ok then
                assert.equal(n, i)
            else
                assert.is_true(futures.iserror(i, fetch.FetchError))
            end
        end
        assert.same({ 200, "url", "connect", 404, "scheme", 200 }, kinds)
        assert.is_nil(it_maps())
    end)

    it("raises what is no string at its position, too", function()
        local it_maps = fetch.map { good.url .. "/bytes/1", 3, good.url .. "/bytes/2" }
        assert.equal(1, (it_maps()))
        assert.is_false((pcall(it_maps)))
        assert.equal(3, (it_maps()))
    end)

    it("stops when a bad URL is not caught", function()
        local reached = 0
        assert.is_false(pcall(function()
            for i in fetch.map { good.url .. "/bytes/1", "nonsense" } do
                reached = i
            end
        end))
        assert.equal(1, reached)
    end)

    it("gives them as they come, when told so", function()
        local gate, order = seen:gate(), {}
        for i in fetch.map({ seen.url .. "/wait/" .. gate, seen.url .. "/b" },
            { ordered = false }) do
            order[#order + 1] = i
            seen:open(gate)
        end
        assert.same({ 2, 1 }, order)
    end)

    it("cancels what is left when the loop is left", function()
        local gate = seen:gate()
        local urls = { seen.url .. "/first" }
        for i = 2, 100 do
            urls[i] = seen.url .. "/wait/" .. gate
        end
        for i in fetch.map(urls, { max_per_host = 4 }) do
            if i == 1 then
                break
            end
        end
        seen:open(gate)
        assert.equal("ok", fetch(seen.url .. "/after").body)
        assert.is_true(#seen:seen() <= 10, #seen:seen())
    end)

    it("closes as a map does", function()
        local gate = seen:gate()
        local url = seen.url .. "/wait/" .. gate
        local it_maps = fetch.map({ url, url }, { max_per_host = 1 })
        seen:await(gate, 1)
        it_maps:close()
        it_maps:close()
        seen:open(gate)
        assert.is_nil(it_maps())
    end)

    it("counts the timeout for each request, not for the map", function()
        local sizes = 0
        for _, r in fetch.map({ seen.url .. "/delay/150", seen.url .. "/delay/150",
            seen.url .. "/delay/150" }, { timeout = LIMIT, max_per_host = 1 }) do
            sizes = sizes + #r
        end
        assert.equal(6, sizes)
        local it_maps = fetch.map({ bad.url .. "/silence", good.url .. "/bytes/5" },
            { timeout = 0.2 })
        local ok, err = pcall(it_maps)
        assert.is_false(ok)
        assert.equal("timeout", err.kind)
        assert.equal(5, #select(2, it_maps()))
    end)

    it("refuses misuse at the call", function()
        for _, urls in ipairs { 3, "http://h/" } do
            check.misuse(1, "map", function()
                fetch.map(urls)
            end)
        end
        check.misuse(1, "map", function()
            fetch.map()
        end)
        local err = check.misuse(1, "map", function()
            fetch.map { first = "http://h/" }
        end)
        check.contains("got a table without [1])", err)
        for _, opts in ipairs { 3, { colour = 1 }, { buffersize = 0 }, { ordered = 1 },
            { headers = { A = "\n" } } } do
            check.misuse(2, "map", function()
                fetch.map({}, opts)
            end)
        end
    end)

    it("is there for a session, with its options", function()
        local http <close> = fetch.Session { base_url = seen.url, headers = { A = "1" } }
        for _, r in http:map { "/echo", "/echo" } do
            check.contains("A: 1\r\n", r.body)
        end
        for _, r in http:with({ headers = { B = "2" } }):map({ "/echo" }) do
            check.contains("A: 1\r\n", r.body)
            check.contains("B: 2\r\n", r.body)
        end
        local results = http:map({ "/a", "/b", "/c" }):totable()
        assert.equal(3, results.n)
        assert.equal(seen.url .. "/b", results[2].url)
        local seen_urls = 0
        for _, r in http:with({ buffersize = 2, ordered = false }):map({ "/a", "/b", "/c" }) do
            seen_urls = seen_urls + #r
        end
        assert.equal(6, seen_urls)
    end)
end)
