-- SPDX-License-Identifier: MIT
-- Where a redirect leads, and where it may not.

local fetch = require "futures.fetch"
local bad_server = require "spec.support.bad_server"
local demo = require "spec.support.demo"
local nginx = require "spec.support.nginx"
local fetch_check = require "spec.support.fetch_check"

local fails, sent = fetch_check.fails, fetch_check.sent

describe("A redirect", function()
    local bad, other, good, web

    lazy_setup(function()
        bad, other = bad_server.start(), bad_server.start()
        good, web = demo.start(), nginx.start()
    end)

    lazy_teardown(function()
        bad:stop()
        other:stop()
        good:stop()
        web:stop()
    end)

    local function to(status, location)
        return ("%s/to/%d/%s"):format(bad.url, status, location)
    end

    it("is followed, and counted", function()
        local r = fetch(good.url .. "/redirect/3")
        assert.equal("arrived\n", r.body)
        assert.equal(3, r.redirects)
        assert.equal(good.url .. "/redirect/0", r.url)
        assert.equal(good.url .. "/redirect/3", r.request.url)
    end)

    it("is followed ten times, or as often as wanted", function()
        assert.equal(10, fetch(good.url .. "/redirect/10").redirects)
        local err = fails("redirect", good.url .. "/redirect/11")
        assert.matches("more than 10 redirects", err.message)
        assert.is_false(err.retryable)
        assert.equal(30, fetch(good.url .. "/redirect/30", { max_redirects = 30 }).redirects)
        fails("redirect", good.url .. "/redirect/2", { max_redirects = 1 })
        fails("redirect", bad.url .. "/redirect-loop")
    end)

    it("is the response when none is to be followed", function()
        local r = fetch(good.url .. "/redirect/3", { max_redirects = 0 })
        assert.equal(302, r.status)
        assert.is_false(r.ok)
        assert.equal("/redirect/2", r.headers.location)
        assert.equal(0, r.redirects)
        assert.equal("moved", fetch(to(301, "/ok"), { max_redirects = 0 }).body)
    end)

    it("without a Location, or with another status, is the response", function()
        assert.equal("nowhere", fetch(bad.url .. "/no-location").body)
        assert.equal("nowhere", fetch(bad.url .. "/empty-location").body)
        for _, status in ipairs { 300, 305, 306 } do
            assert.equal(status, fetch(to(status, "/ok")).status)
        end
    end)

    it("leads to http and https only", function()
        for _, location in ipairs { "file:///etc/passwd", "gopher://h/", "ftp://h/x" } do
            local err = fails("redirect", to(302, location))
            assert.matches("neither http nor https", err.message)
            assert.is_truthy(err.message:find(location, 1, true), err.message)
        end
        assert.matches("malformed", fails("redirect", to(302, "http://h:99999/")).message)
        fails("redirect", to(302, "http://"))
    end)

    it("does not lead from https to http", function()
        local err = fails("redirect", web.tls .. "/downgrade", { ca_file = web.ca_file })
        assert.matches("from https to http", err.message)
        local r = fetch(to(302, web.tls .. "/small.txt"), { ca_file = web.ca_file })
        assert.equal("small\n", r.body)
    end)

    it("may be relative", function()
        assert.equal("GET /echo?x=1 HTTP/1.1", sent(fetch(to(302, "../../echo?x=1"))).line)
        assert.equal("GET /echo HTTP/1.1", sent(fetch(to(302, "/echo"))).line)
    end)

    it("is followed whatever its body is", function()
        assert.equal("ok", fetch(bad.url .. "/redirect-bad-gzip").body)
    end)

    it("changes the method as browsers do", function()
        local rows = {
            { 301, "POST", "GET" }, { 302, "POST", "GET" }, { 303, "POST", "GET" },
            { 307, "POST", "POST" }, { 308, "POST", "POST" },
            { 301, "PUT", "PUT" }, { 302, "PUT", "PUT" }, { 303, "PUT", "GET" },
            { 303, "DELETE", "GET" }, { 302, "GET", "GET" }, { 307, "PATCH", "PATCH" },
        }
        for _, row in ipairs(rows) do
            local status, method, expected = table.unpack(row)
            local body = method ~= "GET" and "some body" or nil
            local seen = sent(fetch(to(status, "/echo"), { method = method, body = body,
                headers = { ["Content-Type"] = "text/x", ["X-Kept"] = "1" } }))
            assert.equal(expected .. " /echo HTTP/1.1", seen.line)
            local keeps = method == expected and method ~= "GET"
            assert.equal(keeps and "some body" or "", seen.body)
            assert.equal((keeps or method == "GET") and "text/x" or nil, seen["content-type"])
            assert.equal("1", seen["x-kept"])
        end
        local r = fetch(to(303, "/echo"), { method = "HEAD" })
        assert.equal(200, r.status)
        assert.equal("", r.body)
    end)

    it("sends a multipart body again", function()
        local seen = sent(fetch(to(307, "/echo"), { multipart = { a = "b" } }))
        assert.matches('name="a"\r\n\r\nb\r\n', seen.body)
    end)

    it("keeps credentials on the same server", function()
        local opts = { headers = { Cookie = "a=b", Authorization = "X", Host = "h.example" } }
        local seen = sent(fetch(to(302, "/echo"), opts))
        assert.equal("a=b", seen.cookie)
        assert.equal("X", seen.authorization)
        seen = sent(fetch(to(302, "/echo"), { auth = { token = "t" } }))
        assert.equal("Bearer t", seen.authorization)
        local auth = { user = "u", password = "p" }
        seen = sent(fetch(to(302, bad.url .. "/echo"), { auth = auth }))
        assert.matches("^Basic ", seen.authorization)
    end)

    it("takes no credentials to another server", function()
        local secrets = { Cookie = "a=b", Authorization = "X", ["proxy-authorization"] = "Y",
            Host = "h.example", ["X-Kept"] = "1" }
        local all = { { headers = secrets }, { auth = { token = "t" } },
            { auth = { user = "u", password = "p" } } }
        local seen
        for _, opts in ipairs(all) do
            seen = sent(fetch(to(302, other.url .. "/echo"), opts))
            assert.is_nil(seen.cookie)
            assert.is_nil(seen.authorization)
            assert.is_nil(seen["proxy-authorization"])
            assert.equal(other.url:match("//(.*)$"), seen.host)
            assert.equal(opts.headers and "1" or nil, seen["x-kept"])
        end
        local url = to(302, other.url .. "/echo"):gsub("//", "//user:secret@", 1)
        assert.is_nil(sent(fetch(url)).authorization)
        seen = sent(fetch(to(302, (bad.url:gsub("127.0.0.1", "localhost")) .. "/echo"), all[2]))
        assert.is_nil(seen.authorization)
    end)

    it("sends credentials again when it leads back", function()
        local back = ("%s/to/302/%s/echo"):format(other.url, bad.url)
        local seen = sent(fetch(to(302, back), { auth = { token = "t" } }))
        assert.equal("Bearer t", seen.authorization)
    end)

    it("hides credentials of its Location", function()
        local location = other.url:gsub("//", "//user:secret@") .. "/echo"
        local r = fetch(to(302, location))
        assert.is_nil((r.url .. tostring(r)):find("secret", 1, true))
        assert.is_nil(sent(r).authorization)
        for _, bad_url in ipairs { "ftp://user:secret@h/", "http://user:secret@h:99999/" } do
            -- Behind the parenthesis is the URL that the request named itself.
            local err = fails("redirect", to(302, bad_url))
            local said = err.message:match("^[^(]*")
            assert.is_truthy(said:find("://***@h", 1, true), said)
            assert.is_nil(said:find("secret", 1, true))
        end
    end)

    it("has a body of no interest", function()
        assert.equal("ok", fetch(bad.url .. "/redirect-body").body)
        assert.equal("ok", fetch(bad.url .. "/redirect-body", { max_body = 2 }).body)
    end)

    it("is subject to deny_private as well", function()
        fails("denied", to(302, other.url .. "/ok"), { deny_private = true })
    end)
end)
