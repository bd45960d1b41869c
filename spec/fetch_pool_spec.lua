-- SPDX-License-Identifier: MIT
-- `fetch` as a task.

local futures = require "futures"
local fetch = require "futures.fetch"
local bad_server = require "spec.support.bad_server"
local check = require "spec.support.check"
local demo = require "spec.support.demo"
local nginx = require "spec.support.nginx"
local proc = require "spec.support.proc"
local scale = require "spec.support.scale"

local LIMIT = scale.LIMIT

describe("fetch as a task", function()
    local bad, good, web

    lazy_setup(function()
        bad, good, web = bad_server.start(), demo.start(), nginx.start()
    end)

    lazy_teardown(function()
        bad:stop()
        good:stop()
        web:stop()
    end)

    it("is submitted as it is, and its response comes home whole", function()
        local ex <close> = futures.ThreadPoolExecutor(2)
        local r = ex:submit(fetch, good.url .. "/json", { timeout = LIMIT }):result(LIMIT)
        assert.equal(fetch.Response, getmetatable(r))
        assert.equal("demo", r:json().name)
        assert.equal("application/json", r.headers["CONTENT-TYPE"])
        assert.equal(#r.body, #r)
        assert.matches("^Response 200 ", tostring(r))
        assert.equal(good.url .. "/json", r.request.url)
    end)

    it("raises at home what it raised there", function()
        local ex <close> = futures.ThreadPoolExecutor(2)
        local err = ex:submit(fetch, bad.refused):exception(LIMIT)
        assert.is_true(futures.iserror(err, fetch.FetchError))
        assert.is_true(futures.iserror(err, futures.Error))
        assert.equal("connect", err.kind)
        assert.matches("^FetchError: cannot connect", tostring(err))
        err = ex:submit(fetch, bad.url .. "/silence", { timeout = 0.1 }):exception(LIMIT)
        assert.equal("first_byte", err.phase)
        err = ex:submit(fetch, "nonsense"):exception(LIMIT)
        assert.equal("url", err.kind)
        err = ex:submit(fetch, good.url, { colour = "red" }):exception(LIMIT)
        check.contains("bad argument #2 to 'fetch' (unknown option 'colour')", err)
    end)

    it("may be sent a response, and may send it back", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        local r = fetch(good.url .. "/json")
        local body, kind, back = ex:submit(function(response)
            return response.body, response.headers["content-type"], response
        end, r):result(LIMIT)
        assert.equal(r.body, body)
        assert.equal("application/json", kind)
        assert.equal("demo", back:json().name)
    end)

    it("maps over URLs in order", function()
        local ex <close> = futures.ThreadPoolExecutor(8)
        local urls = {}
        for i = 1, 20 do
            urls[i] = ("%s/delay/%d"):format(good.url, (21 - i) * 3)
        end
        local count = 0
        for i, r in ex:map(fetch, urls) do
            count = count + 1
            assert.equal(count, i)
            assert.equal(urls[i], r.url)
        end
        assert.equal(20, count)
    end)

    it("waits in parallel", function()
        local ex <close> = futures.ThreadPoolExecutor(20)
        local urls = {}
        for i = 1, 20 do
            urls[i] = good.url .. "/delay/300"
        end
        check.takes(0.3, 1.5, function()
            assert.equal(20, #ex:map(fetch, urls):totable())
        end)
    end)

    it("gets 1,000 URLs of nginx through 32 workers on 32 connections", function()
        local ex <close> = futures.ThreadPoolExecutor(32)
        local fs, connections, count = {}, {}, 0
        for i = 1, 1000 do
            fs[i] = ex:submit(fetch, web.url .. (i % 10 == 0 and "/100k.bin" or "/connection"))
        end
        for i, f in ipairs(fs) do
            local r = f:result(LIMIT)
            assert.equal(200, r.status)
            if i % 10 == 0 then
                assert.equal(100000, #r)
            else
                connections[r.body:match("^%d+")] = true
            end
        end
        for _ in pairs(connections) do
            count = count + 1
        end
        assert.is_true(count <= 32, count)
    end)

    it("leaves no descriptor and no thread", function()
        local function round()
            local ex <close> = futures.ThreadPoolExecutor(8)
            for _ in ex:map(fetch, { good.url, web.url .. "/small.txt", good.url, good.url }) do
                check.collect()
            end
        end
        round()
        local fds, threads = proc.fds(), proc.threads()
        for _ = 1, 3 do
            round()
        end
        check.eventually("the old number of threads", function()
            return proc.threads() <= threads
        end)
        assert.is_true(proc.fds() <= fds)
    end)

    it("says who it is", function()
        local sent = fetch(bad.url .. "/echo").body
        check.contains("User-Agent: lua-futures/" .. futures._VERSION .. "\r\n", sent)
    end)
end)
