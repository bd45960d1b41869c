-- SPDX-License-Identifier: MIT
-- The option cookies: a jar of the session.

local fetch = require "futures.fetch"
local check = require "spec.support.check"
local fetch_check = require "spec.support.fetch_check"
local scale = require "spec.support.scale"
local witness = require "spec.support.witness"

local LIMIT = scale.LIMIT
local sent = fetch_check.sent

describe("Cookies", function()
    local seen

    lazy_setup(function()
        seen = witness.start()
    end)

    lazy_teardown(function()
        seen:stop()
    end)

    local function set(http, cookie, url)
        local encoded = cookie:gsub("[^%w]", function(c)
            return ("%%%02x"):format(c:byte())
        end)
        return http:get((url or seen.url) .. "/set/" .. encoded):result(LIMIT)
    end

    local function cookie_of(http, path, opts)
        return sent(http:get(seen.url .. (path or "/echo"), opts):result(LIMIT)).cookie
    end

    it("are off by default", function()
        local http <close> = fetch.Session {}
        assert.equal("a=1; Path=/", set(http, "a=1; Path=/").headers["set-cookie"])
        assert.is_nil(cookie_of(http))
    end)

    it("are kept in the session's jar", function()
        local http <close> = fetch.Session { cookies = true }
        set(http, "a=1; Path=/")
        assert.equal("a=1", cookie_of(http))
        set(http, "b=2; Path=/")
        local both = cookie_of(http)
        check.contains("a=1", both)
        check.contains("b=2", both)
        set(http, "a=3; Path=/")
        check.contains("a=3", cookie_of(http))
        set(http, "a=; Path=/; Max-Age=0")
        assert.equal("b=2", cookie_of(http))
    end)

    it("are each session's own", function()
        local one <close> = fetch.Session { cookies = true }
        local two <close> = fetch.Session { cookies = true }
        set(one, "a=1; Path=/")
        assert.equal("a=1", cookie_of(one))
        assert.is_nil(cookie_of(two))
        assert.is_nil(sent(fetch(seen.url .. "/echo")).cookie)
        set(two, "a=2; Path=/")
        assert.equal("a=1", cookie_of(one))
        assert.equal("a=2", cookie_of(two))
    end)

    it("stay with their path and their host", function()
        local http <close> = fetch.Session { cookies = true }
        set(http, "a=1; Path=/echo/deep")
        assert.is_nil(cookie_of(http, "/echo"))
        assert.equal("a=1", cookie_of(http, "/echo/deep/er"))
        set(http, "b=2; Path=/")
        local request = sent(http:get(seen.other .. "/echo"):result(LIMIT))
        assert.is_nil(request.cookie)
    end)

    it("are those of the host that is asked, whoever a Host header has named before", function()
        local http <close> = fetch.Session { cookies = true }
        local opts = { headers = { Host = "example.org" } }
        local other = sent(http:get(seen.url .. "/echo", opts):result(LIMIT)).host
        assert.equal("example.org", other)
        set(http, "b=2; Path=/")
        assert.equal("b=2", cookie_of(http))
        assert.is_nil(sent(http:get(seen.other .. "/echo"):result(LIMIT)).cookie)
        assert.is_nil(cookie_of(http, "/echo", opts))
    end)

    it("of a secure server only do not travel in the open", function()
        local http <close> = fetch.Session { cookies = true }
        set(http, "a=1; Path=/; Secure", seen.other) -- 127.0.0.1 is as good as secure
        assert.is_nil(sent(http:get(seen.other .. "/echo"):result(LIMIT)).cookie)
    end)

    it("set along with a redirect go where it leads", function()
        local http <close> = fetch.Session { cookies = true }
        local request = sent(http:get(seen.url .. "/login"):result(LIMIT))
        assert.equal("login=1", request.cookie)
    end)

    it("are known to all requests at once", function()
        local http <close> = fetch.Session { cookies = true, max_per_host = 8 }
        set(http, "a=1; Path=/")
        local list = {}
        for i = 1, 50 do
            list[i] = http:get(seen.url .. "/echo")
        end
        for _, f in ipairs(list) do
            assert.equal("a=1", sent(f:result(LIMIT)).cookie)
        end
    end)

    it("may be added by hand", function()
        local http <close> = fetch.Session { cookies = true }
        set(http, "a=1; Path=/")
        local both = cookie_of(http, "/echo", { headers = { Cookie = "c=3" } })
        assert.equal("a=1; c=3", both)
    end)

    it("are refused as anything but a boolean", function()
        for _, value in ipairs { 1, "a=1", {} } do
            check.misuse(1, "Session", function()
                fetch.Session { cookies = value }
            end)
        end
    end)
end)
