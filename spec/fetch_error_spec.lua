-- SPDX-License-Identifier: MIT
-- Each way to fail, its kind and what is said of it.

local system = require "system"
local errors = require "futures.errors"
local fetch = require "futures.fetch"
local bad_server = require "spec.support.bad_server"
local demo = require "spec.support.demo"
local nginx = require "spec.support.nginx"
local fetch_check = require "spec.support.fetch_check"
local scale = require "spec.support.scale"

local fails = fetch_check.fails

describe("A bad URL", function()
    local function refused(kind, url, text)
        local err = fails(kind, url)
        local start = "bad argument #1 to 'fetch' ("
        assert.equal(start, err.message:sub(1, #start))
        assert.is_truthy(err.message:find(text, 1, true), err.message)
        assert.is_false(err.retryable)
        assert.equal(0, err.attempt)
        assert.equal(0, err.bytes)
        return err
    end

    it("is refused at the call", function()
        for _, url in ipairs { "", "example.org", "/path", "localhost:80", "http:", "http://",
            "http:///path", "http://?q", "http:/host/", "://host", "mailto:a@b" } do
            refused("url", url, "URL without")
        end
        for _, url in ipairs { "http://h:99999/", "http://h:x/", "http://h:-1/" } do
            refused("url", url, "port")
        end
        for _, url in ipairs { " http://h/", "http://h/ ", "http://h/a b", "http://a b/",
            "http://h/\n", "http://h/\r\nX: y", "http://h/\0", "http://h/\t",
            "http://h/\127" } do
            refused("url", url, "space or control byte")
        end
        for _, url in ipairs { "http://[::1/", "http://a\\b/", "http://u:%0a@h/" } do
            refused("url", url, "URL")
        end
    end)

    it("of another scheme is of kind scheme", function()
        for _, url in ipairs { "file:///etc/passwd", "gopher://h/", "ftp://h/", "FILE:///x",
            "dict://h:1/", "x-y.z://h" } do
            refused("scheme", url, "neither http nor https")
        end
    end)

    it("never shows credentials", function()
        for _, url in ipairs { "http://user:secret@h:99999/", "http://user:sec ret@h/",
            "file://user:secret@h/", "user:secret@h", "http://user:se/secret@h/",
            "http://secret@h:99999/" } do
            local ok, err = pcall(fetch, url)
            assert.is_false(ok)
            assert.is_nil((tostring(err) .. err.url):find("secret", 1, true))
            assert.is_nil((tostring(err) .. err.url):find("user", 1, true))
        end
    end)

    it("is shown cut short when it is endless", function()
        assert.is_true(#refused("url", ("x"):rep(100000), "URL without").message < 500)
    end)
end)

describe("A failed fetch", function()
    local bad, good

    lazy_setup(function()
        bad, good = bad_server.start(), demo.start()
    end)

    lazy_teardown(function()
        bad:stop()
        good:stop()
    end)

    -- The rows of the contract that need no more than a path: kind, retryable, words.
    local rows = {
        ["/empty"] = { "protocol", true, "empty answer" },
        ["/interim-only"] = { "protocol", true, "empty answer" },
        ["/head-of-one-line"] = { "protocol", true, "header cut short" },
        ["/head-cut"] = { "protocol", true, "header cut short" },
        ["/redirect-cut"] = { "protocol", true, "header cut short" },
        ["/garbage"] = { "protocol", false, "no valid HTTP response" },
        ["/bad-status"] = { "protocol", false, "no valid HTTP response" },
        ["/bad-chunk"] = { "protocol", false, "chunk" },
        ["/bad-gzip"] = { "protocol", false, "no valid body" },
        ["/reset-early"] = { "protocol", true, "reset" },
        ["/truncated"] = { "truncated", true, "cut short" },
        ["/truncated-chunked"] = { "truncated", true, "cut short" },
        ["/reset"] = { "truncated", true, "cut short" },
        ["/header-bomb"] = { "too_large", false, "header" }, -- newer libcurls count fields, too
        ["/long-header"] = { "too_large", false, "header" },
        ["/chunked-big"] = { "too_large", false, "body over 100000 bytes" },
        ["/announced-big"] = { "too_large", false, "body over 100000 bytes" },
        ["/gzip-bomb"] = { "too_large", false, "body over 100000 bytes" },
    }

    for path, row in pairs(rows) do
        it("says what is wrong with " .. path, function()
            local url = bad.url .. path
            local err = fails(row[1], url, { max_body = 100000, timeout = scale.LIMIT })
            assert.equal(row[2], err.retryable)
            assert.is_truthy(err.message:find(row[3], 1, true), err.message)
            assert.equal(url, err.url)
            assert.equal(1, err.attempt)
            assert.equal("FetchError", err.name)
            assert.is_true(err.bytes <= 100000)
            assert.is_true(errors.iserror(err, errors.Error))
            local place = (" (GET %s)"):format(url)
            assert.equal(place, err.message:sub(-#place))
            assert.equal("FetchError: " .. err.message, tostring(err))
        end)
    end

    it("fails the same as a future, all of them at once", function()
        local http <close> = fetch.Session { max_body = 100000, timeout = scale.LIMIT }
        local futures_of = {}
        for path in pairs(rows) do
            futures_of[path] = { http:get(bad.url .. path), http:get(bad.url .. path) }
        end
        for path, row in pairs(rows) do
            for _, future in ipairs(futures_of[path]) do
                local err = fetch_check.failed(row[1], future)
                assert.equal(row[2], err.retryable)
                assert.is_truthy(err.message:find(row[3], 1, true), err.message)
                assert.equal(bad.url .. path, err.url)
                assert.equal(1, err.attempt)
                assert.is_true(err.bytes <= 100000)
            end
        end
    end)

    it("tells how far it came", function()
        local err = fails("truncated", bad.url .. "/truncated")
        assert.equal(10, err.bytes)
        assert.equal(200, err.status)
        assert.equal(18, err.code)
        err = fails("protocol", bad.url .. "/empty")
        assert.equal(0, err.bytes)
        assert.is_nil(err.status)
    end)

    it("is an object of its own", function()
        assert.are_not.equal(fails("protocol", bad.url .. "/empty"),
            fails("protocol", bad.url .. "/empty"))
    end)

    it("leaves the next one unharmed", function()
        for path in pairs(rows) do
            pcall(fetch, bad.url .. path, { max_body = 100000 })
            assert.equal("ok", fetch(bad.url .. "/ok").body)
        end
        for _, url in ipairs { "http://nobody.invalid/", bad.refused } do
            pcall(fetch, url)
            assert.equal("ok", fetch(bad.url .. "/ok").body)
        end
    end)

    it("has kind connect where nobody listens", function()
        local err = fails("connect", bad.refused)
        assert.is_true(err.retryable)
        assert.equal(7, err.code)
        assert.matches("cannot connect to 127%.0%.0%.1:%d+: Connection refused", err.message)
    end)

    it("tells a proxy that cannot be reached from the server", function()
        local err = fails("connect", bad.url .. "/ok", { proxy = bad.refused })
        assert.matches("port " .. bad.refused:match("%d+$"), err.message)
        err = fails("dns", bad.url .. "/ok", { proxy = "http://nobody.invalid:1" })
        assert.matches("proxy.*nobody%.invalid", err.message)
    end)

    it("has kind dns for an unknown host, soon", function()
        local from = system.monotime()
        local err = fails("dns", "http://nobody.invalid/")
        assert.is_true(system.monotime() - from < scale.LIMIT)
        assert.is_true(err.retryable)
        assert.matches("cannot resolve the name of nobody%.invalid", err.message)
    end)

    it("never shows credentials", function()
        for _, url in ipairs { bad.refused, bad.url .. "/truncated", "http://no.invalid" } do
            local _, err = pcall(fetch, (url:gsub("//", "//user:secret@")))
            assert.is_nil((tostring(err) .. err.url):find("secret", 1, true))
        end
        for _, proxy in ipairs { "http://user:secret@no.invalid", "x://user:secret@h",
            "user:secret@h:99999", bad.refused:gsub("//", "//user:secret@") } do
            local _, err = pcall(fetch, bad.url, { proxy = proxy })
            assert.is_nil(tostring(err):find("secret", 1, true))
        end
        local r = fetch((bad.url:gsub("//", "//user:secret@")) .. "/ok")
        assert.is_nil((tostring(r) .. r.url .. r.request.url):find("secret", 1, true))
    end)

    it("holds the body to max_body exactly", function()
        assert.equal(1000, #fetch(good.url .. "/bytes/1000", { max_body = 1000 }))
        fails("too_large", good.url .. "/bytes/1001", { max_body = 1000 })
        fails("too_large", good.url .. "/bytes/1", { max_body = 0 })
        assert.equal("", fetch(good.url .. "/bytes/0", { max_body = 0 }).body)
    end)

    it("has a limit of 64 MiB by default", function()
        local err = fails("too_large", good.url .. "/bytes/" .. (64 << 20) + 1)
        assert.is_truthy(err.message:find(64 << 20, 1, true))
    end)

    it("is stopped early, where 50 KB would become 50 MB", function()
        local web <close> = nginx.start()
        local raw = fetch(web.url .. "/bomb", { compression = false })
        assert.is_true(#raw < 100000, #raw)
        local err = fails("too_large", web.url .. "/bomb", { max_body = 1 << 20 })
        assert.is_true(err.bytes <= 1 << 20)
        assert.equal(50 << 20, #fetch(web.url .. "/bomb"))
    end)

    it("has kind denied for a private address under deny_private", function()
        local err = fails("denied", bad.url .. "/ok", { deny_private = true })
        assert.is_false(err.retryable)
        local port = bad.url:match("%d+$")
        for _, host in ipairs { "127.0.0.2", "2130706433", "0x7f.1", "0.0.0.0", "[::1]",
            "[::ffff:127.0.0.1]" } do
            fails("denied", ("http://%s:%s/ok"):format(host, port), { deny_private = true })
        end
    end)

    it("has kind denied also where a connection is open already", function()
        assert.equal("ok", fetch(bad.url .. "/die-on-reuse").body)
        fails("denied", bad.url .. "/die-on-reuse", { deny_private = true })
    end)
end)

describe("A limit of time", function()
    local bad

    lazy_setup(function()
        bad = bad_server.start()
    end)

    lazy_teardown(function()
        bad:stop()
    end)

    -- The failure's phase, when it comes after `low` seconds and soon after.
    local function times_out(low, url, timeout)
        local from = system.monotime()
        local err = fails("timeout", url, { timeout = timeout })
        local took = system.monotime() - from
        assert.is_true(took >= low - 0.001, took)
        assert.is_true(took < low + scale.seconds(1), took)
        assert.is_true(err.retryable)
        return err.phase, err
    end

    it("ends what is silent, drips or does not connect, and says in which phase", function()
        assert.equal("connect", times_out(0.2, bad.deaf, 0.2))
        assert.equal("first_byte", times_out(0.2, bad.url .. "/silence", 0.2))
        assert.equal("body", times_out(0.2, bad.url .. "/drip", 0.2))
        assert.equal("body", times_out(0.2, bad.url .. "/stall", 0.2))
        assert.equal("body", times_out(0.2, bad.url .. "/slow-headers", 0.2))
    end)

    it("says it in words", function()
        local _, err = times_out(0.1, bad.url .. "/silence", 0.1)
        assert.matches("^timed out after 0.1 s while waiting for the first byte from 127",
            err.message)
        _, err = times_out(0.1, bad.deaf, { connect = 0.1 })
        assert.matches("^not connected after 0.1 s while connecting to 127", err.message)
        _, err = times_out(0.1, bad.url .. "/stall", { idle = 0.1 })
        assert.matches("^no byte for 0.1 s while receiving from 127", err.message)
        assert.equal(10, err.bytes)
    end)

    it("counts idle from the last byte, exactly", function()
        assert.equal("body", times_out(0.3, bad.url .. "/stall", { idle = 0.3 }))
        assert.equal("first_byte", times_out(0.3, bad.url .. "/silence", { idle = 0.3 }))
        -- A byte each 50 ms is not idle, in the body as in the head.
        local timeout = { idle = 0.4, total = 0.6 }
        assert.equal("body", times_out(0.6, bad.url .. "/drip", timeout))
        assert.equal("body", times_out(0.6, bad.url .. "/slow-headers", timeout))
    end)

    it("connect ends with the connection", function()
        assert.equal("connect", times_out(0.2, bad.deaf, { connect = 0.2, idle = 0.05 }))
        assert.equal("first_byte", times_out(0.3, bad.url .. "/silence",
            { connect = 0.1, total = 0.3 }))
    end)

    it("that has passed already is a timeout", function()
        for _, timeout in ipairs { 0, -1, 1e-9, { total = -1e300 } } do
            assert.equal("connect", times_out(0, bad.url .. "/ok", timeout))
        end
    end)

    it("may be far away, or none", function()
        for _, timeout in ipairs { 1e18, math.huge, false, { total = false }, { idle = 1e300 },
            { total = false, connect = false, idle = false }, {} } do
            assert.equal("ok", fetch(bad.url .. "/ok", { timeout = timeout }).body)
        end
    end)

    it("covers all redirects together", function()
        local loop = bad.url .. "/to/302/" .. bad.url .. "/silence"
        assert.equal("first_byte", times_out(0.3, loop, 0.3))
    end)
end)
