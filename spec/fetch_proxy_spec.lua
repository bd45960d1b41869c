-- SPDX-License-Identifier: MIT
-- Requests through a proxy: by option, by environment, not at all.

local fetch = require "futures.fetch"
local bad_server = require "spec.support.bad_server"
local check = require "spec.support.check"
local fetch_check = require "spec.support.fetch_check"
local nginx = require "spec.support.nginx"
local scale = require "spec.support.scale"
local script = require "spec.support.script"
local witness = require "spec.support.witness"

local LIMIT = scale.LIMIT
local failed, sent = fetch_check.failed, fetch_check.sent

describe("A proxy", function()
    local bad, proxy, web

    lazy_setup(function()
        bad, proxy, web = bad_server.start(), witness.start(), nginx.start()
    end)

    lazy_teardown(function()
        bad:stop()
        proxy:stop()
        web:stop()
    end)

    before_each(function()
        proxy:forget()
    end)

    it("is asked for the whole URL, without TLS", function()
        local http <close> = fetch.Session { proxy = proxy.url }
        local request = sent(http:get("http://far.invalid/path?q=1"):result(LIMIT))
        assert.equal("GET http://far.invalid/path?q=1 HTTP/1.1", request.line)
        assert.equal("far.invalid", request.host)
    end)

    it("tunnels TLS, which is verified all the same", function()
        local http <close> = fetch.Session { proxy = proxy.url, ca_file = web.ca_file }
        local r = http:get(web.tls .. "/small.txt"):result(LIMIT)
        assert.equal("small\n", r.body)
        assert.equal("CONNECT", proxy:seen()[1].method)
        assert.equal(web.tls:match("//(.*)$"), proxy:seen()[1].target)
        failed("tls", http:get(web.self_signed .. "/small.txt"))
    end)

    it("gets its own credentials, and the server does not", function()
        local with_user = proxy.url:gsub("//", "//user:secret@")
        local request = sent(fetch.submit("http://far.invalid/", { proxy = with_user })
            :result(LIMIT))
        assert.equal("Basic dXNlcjpzZWNyZXQ=", request["proxy-authorization"])
        assert.is_nil(request.authorization)
    end)

    it("that does not answer is a failure to connect", function()
        failed("connect", fetch.submit(web.url, { proxy = bad.refused }))
        failed("dns", fetch.submit(web.url, { proxy = "http://nobody.invalid:1" }))
        local deaf = { proxy = bad.deaf, timeout = 0.2 }
        local err = failed("timeout", fetch.submit(web.url, deaf))
        assert.equal("connect", err.phase)
        -- It answers, but knows no CONNECT.
        failed("connect", fetch.submit(web.tls, { proxy = bad.url, ca_file = web.ca_file }))
    end)

    local function in_environment(words, url, opts)
        return script.output(([[
            local fetch = require "futures.fetch"
            local f = fetch.submit("%s", { %s })
            local ok, r = f:outcome()
            print(ok and r.body or r.kind)
        ]]):format(url, opts or ""), { before = "env -u no_proxy -u NO_PROXY " .. words })
    end

    it("is found in the environment", function()
        check.contains("GET http://far.invalid/ HTTP/1.1",
            in_environment("http_proxy=" .. proxy.url, "http://far.invalid/"))
        check.contains("GET http://far.invalid/ HTTP/1.1",
            in_environment("all_proxy=" .. proxy.url, "http://far.invalid/"))
        assert.equal("small\n\n", in_environment("https_proxy=" .. proxy.url,
            web.tls .. "/small.txt", ("ca_file = %q"):format(web.ca_file)))
        assert.equal("CONNECT", proxy:seen()[3].method)
    end)

    it("of the environment is left aside when told so", function()
        local url = proxy.url .. "/echo"
        local words = "http_proxy=" .. bad.refused
        check.contains("GET /echo HTTP/1.1", in_environment(words, url, "proxy = false"))
        check.contains("GET /echo HTTP/1.1",
            in_environment(words .. " no_proxy=127.0.0.1", url))
        assert.equal("connect\n", in_environment(words, url))
    end)
end)
