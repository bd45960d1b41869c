-- SPDX-License-Identifier: MIT
-- Requests of one session that follow each other: nothing of one is left in the next.

local fetch = require "futures.fetch"
local bad_server = require "spec.support.bad_server"
local demo = require "spec.support.demo"
local fetch_check = require "spec.support.fetch_check"
local nginx = require "spec.support.nginx"
local scale = require "spec.support.scale"
local witness = require "spec.support.witness"

local LIMIT = scale.LIMIT
local sent = fetch_check.sent

describe("A request after another one of its session", function()
    local seen, web, bad, good

    lazy_setup(function()
        seen, web = witness.start(), nginx.start()
        bad, good = bad_server.start(), demo.start()
    end)

    lazy_teardown(function()
        seen:stop()
        web:stop()
        bad:stop()
        good:stop()
    end)

    it("says the same as the one before", function()
        local http <close> = fetch.Session { base_url = seen.url, headers = { ["X-A"] = "1" } }
        local first = http:get("/echo?1"):result(LIMIT).body
        for _ = 1, 5 do
            assert.equal(first, http:get("/echo?1"):result(LIMIT).body)
        end
        assert.equal("GET /echo?2 HTTP/1.1", sent(http:get("/echo?2"):result(LIMIT)).line)
    end)

    it("has its own method, body and headers", function()
        local http <close> = fetch.Session { base_url = seen.url }
        for _ = 1, 3 do
            local got = sent(http:get("/echo"):result(LIMIT))
            assert.equal("GET /echo HTTP/1.1", got.line)
            assert.equal("", got.body or "")
            assert.is_nil(got["x-a"])
            assert.is_nil(got["content-length"])
            got = sent(http:post("/echo", { body = "text", headers = { ["X-A"] = "1" } })
                :result(LIMIT))
            assert.equal("text", got.body)
            assert.equal("1", got["x-a"])
            local head = http:head("/echo"):result(LIMIT)
            assert.equal(200, head.status)
            assert.equal(0, #head)
            got = sent(http:get("/echo", { user_agent = "me" }):result(LIMIT))
            assert.equal("me", got["user-agent"])
            got = sent(http:get("/echo", { auth = { token = "secret" } }):result(LIMIT))
            assert.equal("Bearer secret", got.authorization)
            assert.is_nil(sent(http:get("/echo"):result(LIMIT)).authorization)
            assert.equal("DELETE /echo HTTP/1.1",
                sent(http:delete("/echo"):result(LIMIT)).line)
        end
    end)

    it("gets all of its body, whatever the size of the one before", function()
        local http <close> = fetch.Session { base_url = web.url }
        for _ = 1, 3 do
            assert.equal("small\n", http:get("/small.txt"):result(LIMIT).body)
            assert.equal(("0123456789"):rep(10000), http:get("/100k.bin"):result(LIMIT).body)
        end
    end)

    it("fails by itself, without a status of the one before", function()
        local http <close> = fetch.Session()
        for _ = 1, 3 do
            assert.equal(200, http:get(web.url .. "/ok"):result(LIMIT).status)
            local err = fetch_check.failed("connect", http:get(bad.refused))
            assert.is_nil(err.status)
            assert.equal(0, err.bytes)
            err = fetch_check.failed("protocol", http:get(bad.url .. "/empty"))
            assert.is_nil(err.status)
            assert.equal(404, http:get(web.url .. "/404"):result(LIMIT).status)
        end
    end)

    it("may come after a redirect, or follow one", function()
        local http <close> = fetch.Session()
        for _ = 1, 3 do
            assert.equal("small\n", http:get(web.url .. "/small.txt"):result(LIMIT).body)
            local r = http:get(good.url .. "/redirect/3"):result(LIMIT)
            assert.equal(3, r.redirects)
            r = http:get(web.url .. "/small.txt"):result(LIMIT)
            assert.equal(0, r.redirects)
            assert.equal(web.url .. "/small.txt", r.url)
        end
    end)

    it("may go to the other scheme", function()
        local http <close> = fetch.Session { ca_file = web.ca_file }
        for _ = 1, 3 do
            assert.equal("HTTP/1.1", http:get(web.url .. "/protocol"):result(LIMIT).body)
            assert.equal("HTTP/2.0", http:get(web.tls .. "/protocol"):result(LIMIT).body)
        end
    end)
end)
