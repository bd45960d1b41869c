-- SPDX-License-Identifier: MIT
-- What `fetch` returns.

local errors = require "futures.errors"
local fetch = require "futures.fetch"
local bad_server = require "spec.support.bad_server"
local check = require "spec.support.check"
local demo = require "spec.support.demo"
local nginx = require "spec.support.nginx"
local fetch_check = require "spec.support.fetch_check"
local script = require "spec.support.script"

describe("A response", function()
    local good, bad, web

    lazy_setup(function()
        good, bad, web = demo.start(), bad_server.start(), nginx.start()
    end)

    lazy_teardown(function()
        good:stop()
        bad:stop()
        web:stop()
    end)

    it("has the fields of the contract", function()
        local url = good.url .. "/json"
        local r = fetch(url)
        assert.equal(fetch.Response, getmetatable(r))
        assert.equal(200, r.status)
        assert.is_true(r.ok)
        assert.equal("OK", r.reason)
        assert.equal(url, r.url)
        assert.equal("1.1", r.http_version)
        assert.equal("application/json", r.headers["content-type"])
        assert.matches('^{"name":"demo"', r.body)
        assert.equal(0, r.redirects)
        assert.equal(1, r.attempts)
        assert.is_nil(r.path)
        assert.same({ method = "GET", url = url }, r.request)
        assert.equal(#r.body, #r)
    end)

    it("says how it looks", function()
        local text = tostring(fetch(good.url .. "/bytes/1532"))
        assert.matches("^Response 200 " .. good.url:gsub("%p", "%%%0")
            .. "/bytes/1532 1532 bytes %d+%.%d%d%d s$", text)
    end)

    it("is not an error for 4xx and 5xx", function()
        for _, status in ipairs { 404, 410, 500, 503 } do
            local r = fetch(good.url .. "/status/" .. status)
            assert.equal(status, r.status)
            assert.is_false(r.ok)
            assert.matches("^" .. status, r.body)
        end
        local r = fetch(good.url .. "/status/204")
        assert.is_true(r.ok)
        assert.equal("", r.body)
    end)

    it("raises for its status when asked to", function()
        local ok, err = pcall(function()
            return fetch(good.url .. "/status/503"):raise_for_status()
        end)
        assert.is_false(ok)
        assert.is_true(errors.iserror(err, fetch.FetchError))
        assert.equal("status", err.kind)
        assert.equal(503, err.status)
        assert.is_true(err.retryable)
        assert.matches("^FetchError: 503 Service Unavailable %(GET http", tostring(err))
        local opts = { raise_for_status = true }
        err = fetch_check.fails("status", good.url .. "/status/404", opts)
        assert.is_false(err.retryable)
        assert.equal(404, err.status)
        assert.equal(1, err.attempt)
        local r = fetch(good.url .. "/json", opts)
        assert.equal(r, r:raise_for_status())
    end)

    it("decodes JSON", function()
        local value = fetch(good.url .. "/json"):json()
        assert.equal("demo", value.name)
        assert.same({ 1, 2, 3 }, value.numbers)
        assert.same({ 7 }, fetch(bad.url .. "/marked-json"):json())
        local ok, err = pcall(function()
            return (fetch(good.url .. "/bytes/10"):json())
        end)
        assert.is_false(ok)
        assert.equal("protocol", err.kind)
        assert.matches("not JSON.*character 1.*/bytes/10", tostring(err))
    end)

    it("has methods that say what they are called on", function()
        local r = fetch(good.url .. "/json")
        for _, name in ipairs { "json", "raise_for_status" } do
            for _, value in ipairs { 5, "text", {}, false, io.stdout } do
                local err = check.misuse(1, name, function()
                    return (r[name](value))
                end)
                assert.matches("response expected, got ", err)
            end
            check.misuse(1, name, function()
                return (r[name]())
            end)
        end
    end)

    it("has headers of any case, in order, repeated ones too", function()
        local h = fetch(bad.url .. "/headers").headers
        assert.equal("Value", h["x-mixed"])
        assert.equal("Value", h["X-MIXED"])
        assert.equal("", h["x-empty"])
        assert.equal("one two", h["x-folded"])
        assert.equal("a=1", h["Set-Cookie"])
        assert.same({ "a=1", "b=2" }, h:get_all "set-cookie")
        assert.same({ "Value" }, h:get_all "X-Mixed")
        assert.same({}, h:get_all "nothing")
        assert.is_nil(h.nothing)
        assert.is_nil(h[false])
        local named = fetch(bad.url .. "/method-named").headers
        assert.same({ "x" }, named:get_all "get_all")
        assert.equal("x", named.Get_All)
        local seen = {}
        for name, value in pairs(h) do
            seen[#seen + 1] = name .. "=" .. value
        end
        assert.equal("Content-Length=0 Set-Cookie=a=1 X-MiXed=Value set-cookie=b=2 "
            .. "X-Empty= X-Folded=one two", table.concat(seen, " "))
        assert.equal(6, #h)
        assert.matches("^Content%-Length: 0\nSet%-Cookie: a=1\n", tostring(h))
        assert.has_error(function()
            h:get_all(3)
        end, "bad argument #1 to 'get_all' (string expected, got number)")
    end)

    it("shows the last of several heads, and no trailers", function()
        local r = fetch(bad.url .. "/interim")
        assert.equal(200, r.status)
        assert.equal("1", r.headers["x-final"])
        assert.is_nil(r.headers["x-interim"])
        r = fetch(bad.url .. "/trailer")
        assert.equal("ok", r.body)
        assert.is_nil(r.headers["x-trailer"])
    end)

    it("has the body, whole, of any size", function()
        local alphabet = "abcdefghijklmnopqrstuvwxyz"
        for _, n in ipairs { 0, 1, 25, 16384, 16385, 3000000 } do
            local r = fetch(good.url .. "/bytes/" .. n)
            assert.equal(n, #r)
            assert.is_true(r.body == alphabet:rep(n // 26 + 1):sub(1, n))
        end
        assert.equal(100000, #fetch(web.url .. "/100k.bin").body)
    end)

    it("has no body after HEAD, but its announced length", function()
        local r = fetch(good.url .. "/bytes/1000", { method = "HEAD", max_body = 10 })
        assert.equal("", r.body)
        assert.equal("1000", r.headers["content-length"])
    end)

    it("is decompressed", function()
        local r = fetch(web.url .. "/gzip/list.json")
        assert.equal("gzip", r.headers["content-encoding"])
        assert.same({ 1, 2, 3 }, r:json().list)
        assert.is_true(#r > tonumber(r.headers["content-length"] or 0))
        assert.equal("", fetch(web.url .. "/accepts", { compression = false }).body)
        assert.matches("gzip", fetch(web.url .. "/accepts").body)
        r = fetch(web.url .. "/gzip/list.json", { compression = false })
        assert.is_nil(r.headers["content-encoding"])
        assert.same({ 1, 2, 3 }, r:json().list)
    end)

    it("may be a part of something", function()
        local r = fetch(web.url .. "/100k.bin", { headers = { Range = "bytes=10-29" } })
        assert.equal(206, r.status)
        assert.is_true(r.ok)
        assert.equal("01234567890123456789", r.body)
        assert.equal("bytes 10-29/100000", r.headers["Content-Range"])
        r = fetch(web.url .. "/100k.bin", { headers = { Range = "bytes=100000-" } })
        assert.equal(416, r.status)
    end)

    it("knows its times", function()
        local r = fetch(good.url .. "/delay/100")
        assert.equal("waited 100 ms\n", r.body)
        assert.is_true(r.time.first_byte >= 0.1)
        assert.is_true(r.time.total >= r.time.first_byte)
        assert.is_true(r.time.connect < 0.1)
        assert.is_true(r.time.dns <= r.time.connect)
        assert.equal(0, r.time.tls)
        r = fetch(web.tls .. "/small.txt", { ca_file = web.ca_file })
        assert.is_true(r.time.tls > r.time.connect)
        assert.is_true(r.time.first_byte >= r.time.tls)
    end)
end)

describe("The option output", function()
    local good, bad, path

    lazy_setup(function()
        good, bad = demo.start(), bad_server.start()
    end)

    lazy_teardown(function()
        good:stop()
        bad:stop()
    end)

    before_each(function()
        path = os.tmpname()
        os.remove(path)
    end)

    after_each(function()
        os.remove(path)
    end)

    local function content(name)
        local file <close> = io.open(name, "rb")
        return file and file:read("a")
    end

    it("streams the body to the file, without a limit if so wanted", function()
        local r = fetch(good.url .. "/bytes/100000", { output = path, max_body = false })
        assert.equal(path, r.path)
        assert.is_nil(r.body)
        assert.equal(100000, #r)
        assert.equal(100000, #content(path))
        assert.is_nil(content(path .. ".part"))
        assert.has_error(function()
            r:json()
        end)
        r = fetch(good.url .. "/bytes/0", { output = path })
        assert.equal(path, r.path)
        assert.equal("", content(path))
    end)

    it("leaves the old file alone until the new one is complete", function()
        local file = assert(io.open(path, "w"))
        file:write("old")
        file:close()
        fetch_check.fails("truncated", bad.url .. "/truncated", { output = path })
        assert.equal("old", content(path))
        local opts = { output = path, max_body = 99 }
        fetch_check.fails("too_large", good.url .. "/bytes/100", opts)
        assert.equal("old", content(path))
        assert.is_nil(content(path .. ".part"))
    end)

    it("keeps what is no success out of the file", function()
        local r = fetch(good.url .. "/status/404", { output = path, max_body = false })
        assert.equal("404 Not Found\n", r.body)
        assert.is_nil(r.path)
        assert.is_nil(content(path))
        assert.is_nil(content(path .. ".part"))
        r = fetch(good.url .. "/redirect/2", { output = path })
        assert.equal("arrived\n", content(r.path))
    end)

    it("fails with kind io when the file cannot be written", function()
        local err = fetch_check.fails("io", good.url .. "/json", { output = "/nowhere/file" })
        assert.matches("/nowhere/file: No such file", err.message)
        assert(os.execute("mkdir " .. path))
        fetch_check.fails("io", good.url .. "/json", { output = path })
        assert.is_nil(content(path .. ".part"))
        assert(os.execute("rmdir " .. path))
    end)

    it("fails with kind io when the file cannot take more", function()
        local result = script.run(([[
            local fetch = require "futures.fetch"
            local _, err = pcall(fetch, "%s/bytes/100000", { output = "%s" })
            print(err.kind, err.message)
        ]]):format(good.url, path), { before = "trap '' XFSZ; ulimit -f 8;" })
        assert.matches("^io\tcannot write .*: File too large", result.out)
        assert.is_nil(content(path))
        assert.is_nil(content(path .. ".part"))
    end)
end)
