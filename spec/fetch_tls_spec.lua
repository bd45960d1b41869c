-- SPDX-License-Identifier: MIT
-- TLS for requests of a session: who is trusted, by whom, and HTTP/2 over it.

local fetch = require "futures.fetch"
local bad_server = require "spec.support.bad_server"
local fetch_check = require "spec.support.fetch_check"
local nginx = require "spec.support.nginx"
local scale = require "spec.support.scale"

local LIMIT = scale.LIMIT
local failed, many = fetch_check.failed, fetch_check.many

describe("TLS", function()
    local bad, web

    lazy_setup(function()
        bad, web = bad_server.start(), nginx.start()
    end)

    lazy_teardown(function()
        bad:stop()
        web:stop()
    end)

    it("trusts whom the session trusts", function()
        local http <close> = fetch.Session { ca_file = web.ca_file }
        assert.equal("small\n", http:get(web.tls .. "/small.txt"):result(LIMIT).body)
        failed("tls", http:get(web.unnamed .. "/small.txt"))
        failed("tls", http:get(web.other_name .. "/small.txt"))
        failed("tls", http:get(web.self_signed .. "/small.txt"))
        failed("tls", fetch.submit(web.tls .. "/small.txt"))
    end)

    it("trusts everybody when told so, for that request only", function()
        local http <close> = fetch.Session { ca_file = web.ca_file }
        for _, url in ipairs { web.unnamed, web.other_name, web.self_signed } do
            local f = http:get(url .. "/small.txt", { verify = false })
            assert.equal("small\n", f:result(LIMIT).body)
            failed("tls", http:get(url .. "/small.txt"))
        end
        -- Many at once: no connection of the careless is good enough for the careful.
        local list = many(40, function(i)
            return http:get(web.self_signed .. "/small.txt", { verify = i % 2 == 0 })
        end)
        for i, f in ipairs(list) do
            local ok, outcome = f:outcome(LIMIT)
            assert.equal(i % 2 == 1, ok)
            assert.equal(ok and 200 or "tls", ok and outcome.status or outcome.kind)
        end
    end)

    it("shows our certificate, and only where it was asked to", function()
        local http <close> = fetch.Session { ca_file = web.ca_file }
        local ours = { cert = web.cert, key = web.key }
        for _ = 1, 3 do
            assert.equal("SUCCESS", http:get(web.tls .. "/client", ours):result(LIMIT).body)
            assert.equal("NONE", http:get(web.tls .. "/client"):result(LIMIT).body)
        end
    end)

    it("to a plain port fails", function()
        failed("tls", fetch.submit((web.url:gsub("^http", "https"))))
        failed("tls", fetch.submit((bad.url:gsub("^http", "https"))))
    end)

    it("times out in its handshake", function()
        local silent = bad.deaf:gsub("^http", "https")
        local err = failed("timeout", fetch.submit(silent, { timeout = 0.2 }))
        assert.equal("connect", err.phase)
    end)
end)

describe("HTTP/2", function()
    local web

    lazy_setup(function()
        web = nginx.start()
    end)

    lazy_teardown(function()
        web:stop()
    end)

    -- The connections that answered, and how many.
    local function connections(list)
        local seen, count = {}, 0
        for _, f in ipairs(list) do
            local id = f:result(LIMIT).body:match("^%d+")
            count = count + (seen[id] and 0 or 1)
            seen[id] = true
        end
        return count
    end

    it("sends many requests over one connection", function()
        local http <close> = fetch.Session { ca_file = web.ca_file, max_per_host = 100 }
        local list = many(300, function()
            return http:get(web.tls .. "/connection")
        end)
        assert.is_true(connections(list) <= 3)
        assert.equal("2", list[1]:result().http_version)
    end)

    it("is not used when 1.1 is asked for, whatever is open", function()
        local http <close> = fetch.Session { ca_file = web.ca_file }
        local old = { http_version = "1.1" }
        local list = many(60, function(i)
            return http:get(web.tls .. "/protocol", i % 2 == 0 and old or nil)
        end)
        for i, f in ipairs(list) do
            local r = f:result(LIMIT)
            assert.equal(i % 2 == 0 and "HTTP/1.1" or "HTTP/2.0", r.body)
            assert.equal(i % 2 == 0 and "1.1" or "2", r.http_version)
        end
        for _ = 1, 3 do
            local r = http:get(web.tls .. "/protocol", { http_version = "2" }):result(LIMIT)
            assert.equal("HTTP/2.0", r.body)
            r = http:get(web.tls .. "/protocol", old):result(LIMIT)
            assert.equal("HTTP/1.1", r.body)
        end
    end)

    it("is asked for in vain where the server does not know it", function()
        local http <close> = fetch.Session { ca_file = web.ca_file, http_version = "2" }
        failed("protocol", http:get(web.old_tls .. "/protocol"))
        local ok, err = pcall(http.get, http, web.url .. "/protocol")
        assert.is_false(ok)
        assert.equal("scheme", err.kind)
        assert.matches("^bad argument #1 to 'get' %(", err.message)
        local results = {}
        for i, r in http:map { web.tls .. "/protocol" } do
            results[i] = r.body
        end
        assert.same({ "HTTP/2.0" }, results)
        local rows = http:map { web.url .. "/protocol", web.tls .. "/protocol" }
        ok, err = pcall(rows) -- at its position
        assert.is_false(ok)
        assert.equal("scheme", err.kind)
        assert.equal("HTTP/2.0", select(2, rows()).body)
    end)

    it("can be cancelled in one stream while the others go on", function()
        local http <close> = fetch.Session { ca_file = web.ca_file }
        local slow = http:get(web.tls .. "/slow.bin")
        local list = many(20, function()
            return http:get(web.tls .. "/100k.bin")
        end)
        assert.is_true(slow:cancel())
        for _, f in ipairs(list) do
            assert.equal(100000, #f:result(LIMIT))
        end
        assert.equal("small\n", http:get(web.tls .. "/small.txt"):result(LIMIT).body)
    end)

    it("carries bodies both ways", function()
        local http <close> = fetch.Session { ca_file = web.ca_file }
        local list = many(50, function()
            return http:get(web.tls .. "/gzip/list.json")
        end)
        for _, f in ipairs(list) do
            assert.same({ 1, 2, 3 }, f:result(LIMIT):json().list)
        end
        local r = http:post(web.tls .. "/protocol", { body = ("x"):rep(5000) }):result(LIMIT)
        assert.equal(200, r.status)
    end)
end)
