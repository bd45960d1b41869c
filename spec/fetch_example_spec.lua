-- SPDX-License-Identifier: MIT
-- examples/fetch.lua

local bad_server = require "spec.support.bad_server"
local check = require "spec.support.check"
local demo = require "spec.support.demo"
local nginx = require "spec.support.nginx"
local script = require "spec.support.script"
local server = require "spec.support.server"

describe("The example fetch", function()
    local bad, good, web

    lazy_setup(function()
        bad, good, web = bad_server.start(), demo.start(), nginx.start()
    end)

    lazy_teardown(function()
        bad:stop()
        good:stop()
        web:stop()
    end)

    local function run(args, input)
        return script.run(nil, { path = "examples/fetch.lua", args = args, input = input })
    end

    -- The one line that names `url`.
    local function line_of(url, out)
        local found
        for line in out:gmatch("[^\n]+") do
            if line:find(url, 1, true) then
                assert.is_nil(found, "two lines for " .. url)
                found = line
            end
        end
        return assert(found, "no line for " .. url .. " in " .. out)
    end

    it("says one clear line for each URL", function()
        local ok, missing = good.url .. "/bytes/1234", good.url .. "/status/404"
        local slow, unknown = bad.url .. "/silence", "http://nobody.invalid/"
        local refused = bad.refused
        local result = run { "-j", "4", "-t", "0.3", ok, missing, slow, unknown,
            refused, "foo" }
        assert.equal(1, result.code)
        assert.equal("", result.err)
        assert.matches("^200 +1234 bytes +%d+%.%d%d%d s  http", line_of(ok, result.out))
        assert.matches("^404 +14 bytes +%d+%.%d%d%d s  http", line_of(missing, result.out))
        assert.matches("^timeout +timed out after 0.3 s", line_of(slow, result.out))
        assert.matches("^dns +cannot resolve the name of nobody.invalid",
            line_of(unknown, result.out))
        assert.matches("^connect +cannot connect to .* refused", line_of(refused, result.out))
        assert.matches("^url +bad argument", line_of("'foo'", result.out))
        assert.matches("\n1 fetched, 5 failed, 1248 bytes in [%d.]+ s with 4 workers\n$",
            result.out)
    end)

    it("reads URLs from a file and from standard input", function()
        local path = os.tmpname()
        local file <close> = assert(io.open(path, "w"))
        file:write("# a list\n\n", good.url, "/bytes/1\n  ", good.url, "/bytes/2  \n")
        file:flush()
        local input = good.url .. "/bytes/3\n" .. good.url .. "/bytes/4"
        local result = run({ "-i", path, "-", good.url .. "/bytes/5" }, input)
        os.remove(path)
        assert.equal(0, result.code)
        for n = 1, 5 do
            assert.matches(("^200 +%d bytes"):format(n), line_of("/bytes/" .. n, result.out))
        end
        check.contains("5 fetched, 0 failed, 15 bytes", result.out)
        check.contains("0 fetched, 0 failed", run({ "-" }, "").out)
    end)

    it("visits the demo server when it is told nothing", function()
        local result = run {}
        assert.equal(0, result.code, result.err)
        assert.matches("6 fetched, 0 failed", result.out)
    end)

    it("fetches 1,000 URLs of nginx through 32 workers", function()
        local urls = {}
        for i = 1, 1000 do
            urls[i] = ("%s/small.txt?%d"):format(web.url, i)
        end
        local result = run({ "-j", "32", "-" }, table.concat(urls, "\n"))
        assert.equal(0, result.code, result.err)
        check.contains("1000 fetched, 0 failed, 6000 bytes", result.out)
    end)

    it("shows progress on a terminal only", function()
        local command = ("%s examples/fetch.lua %s/json"):format(script.lua, good.url)
        local pipe = assert(io.popen("script -qec " .. server.quote(command) .. " /dev/null"))
        local out = pipe:read("a")
        pipe:close()
        check.contains("1 of 1", out)
        check.contains("\r\27[K", out)
    end)

    it("explains itself", function()
        for _, words in ipairs { "-x", "-j", "-j many", "-t x", "-i" } do
            local args = {}
            for word in words:gmatch("%S+") do
                args[#args + 1] = word
            end
            local result = run(args)
            assert.equal(2, result.code)
            assert.matches("^usage: fetch.lua ", result.err)
        end
    end)
end)
