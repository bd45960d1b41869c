-- SPDX-License-Identifier: MIT
-- What `fetch` sends, as a server sees it, and what it refuses to send.

local cjson = require "cjson"
local fetch = require "futures.fetch"
local bad_server = require "spec.support.bad_server"
local fetch_check = require "spec.support.fetch_check"

local misuse, sent = fetch_check.misuse, fetch_check.sent

describe("A request", function()
    local server, echo

    lazy_setup(function()
        server = bad_server.start()
        echo = server.url .. "/echo"
    end)

    lazy_teardown(function()
        server:stop()
    end)

    local function send(opts, url)
        return sent(fetch(url or echo, opts))
    end

    it("is a plain GET by default", function()
        local seen = send()
        assert.equal("GET /echo HTTP/1.1", seen.line)
        assert.matches("^lua%-futures/%d", seen["user-agent"])
        assert.equal(echo:match("//([^/]+)"), seen.host)
        assert.is_nil(seen["content-length"])
        assert.is_nil(seen["content-type"])
        assert.is_nil(seen.authorization)
        assert.matches("gzip", seen["accept-encoding"])
        assert.equal("", seen.body)
    end)

    it("has the method that was asked for, usual ones in capitals", function()
        for given, expected in pairs { post = "POST", Put = "PUT", DELETE = "DELETE",
            PATCH = "PATCH", options = "OPTIONS", PROPFIND = "PROPFIND", brew = "brew" } do
            assert.equal(expected .. " /echo HTTP/1.1", send({ method = given }).line)
        end
    end)

    it("says that it has no body where a body is usual", function()
        for _, method in ipairs { "POST", "PUT", "PATCH" } do
            assert.equal("0", send({ method = method })["content-length"])
        end
        assert.is_nil(send({ method = "DELETE" })["content-length"])
    end)

    it("takes headers as a map, with arrays, and as a list of pairs", function()
        local headers = { ["X-One"] = "1", ["X-Two"] = { "a", "b" }, ["X-N"] = 3 }
        local seen = send { headers = headers }
        assert.equal("1", seen["x-one"])
        assert.equal("3", seen["x-n"])
        assert.equal("b", seen["x-two"])
        assert.equal(2, select(2, table.concat(seen.names, " "):gsub("X%-Two", "")))
        seen = send { headers = { { "B", "1" }, { "A", "2" }, { "B", "3" } } }
        assert.matches("B A B", table.concat(seen.names, " "))
        assert.is_nil(send({ headers = { ["X-None"] = {} } })["x-none"])
    end)

    it("sends an empty header value, and replaces headers of its own", function()
        local headers = { ["X-Empty"] = "", ["User-Agent"] = "me", Accept = "text/x" }
        local seen = send { headers = headers }
        assert.equal("", seen["x-empty"])
        assert.equal("me", seen["user-agent"])
        assert.equal("text/x", seen.accept)
        assert.equal("you", send({ user_agent = "you" })["user-agent"])
    end)

    it("carries a body of any bytes", function()
        local bytes = {}
        for i = 0, 255 do
            bytes[#bytes + 1] = string.char(i)
        end
        local body = table.concat(bytes):rep(1000)
        local seen = send { method = "PUT", body = body }
        assert.is_true(seen.body == body)
        assert.equal(tostring(#body), seen["content-length"])
        assert.is_nil(seen["content-type"])
        assert.is_nil(seen.expect)
    end)

    it("is a POST when it has a body and no method", function()
        assert.equal("POST /echo HTTP/1.1", send({ body = "x" }).line)
        assert.equal("GET /echo HTTP/1.1", send({ body = "x", method = "GET" }).line)
        assert.equal("0", send({ body = "" })["content-length"])
    end)

    it("allows a Content-Length that is right", function()
        local headers = { ["Content-Length"] = 3 }
        assert.equal("abc", send({ body = "abc", headers = headers }).body)
        misuse(2, "Content-Length", echo, { body = "abcd", headers = headers })
    end)

    it("encodes json, and sets its type unless another is given", function()
        local seen = send { json = { a = { 1, 2 }, b = "x" } }
        assert.same({ a = { 1, 2 }, b = "x" }, cjson.decode(seen.body))
        assert.equal("application/json", seen["content-type"])
        assert.equal("false", send({ json = false }).body)
        seen = send { json = {}, headers = { ["content-type"] = "application/x+json" } }
        assert.equal("application/x+json", seen["content-type"])
    end)

    it("encodes forms", function()
        local seen = send { form = { a = "1 2", b = { "&", "=ü" }, c = 3, d = true } }
        assert.equal("a=1+2&b=%26&b=%3D%C3%BC&c=3&d=true", seen.body)
        assert.equal("application/x-www-form-urlencoded", seen["content-type"])
    end)

    it("encodes multipart bodies, files included", function()
        local path = os.tmpname()
        local file = assert(io.open(path, "wb"))
        file:write("from\0disk")
        file:close()
        local seen = send { multipart = { text = "hello", number = 7,
            file = { path = path, filename = "a.bin", type = "image/x" },
            list = { "one", { body = "two", type = "text/y" } } } }
        os.remove(path)
        assert.equal("POST /echo HTTP/1.1", seen.line)
        local kind, boundary = seen["content-type"]:match("^([^;]+); boundary=(.+)$")
        assert.equal("multipart/form-data", kind)
        assert.equal(6, select(2, seen.body:gsub(boundary:gsub("%p", "%%%0"), "")))
        for _, part in ipairs { 'name="text"\r\n\r\nhello\r\n', 'name="number"\r\n\r\n7\r\n',
            'name="file"; filename="a.bin"\r\nContent-Type: image/x\r\n\r\nfrom\0disk\r\n',
            'name="list"\r\n\r\none\r\n',
            'name="list"\r\nContent-Type: text/y\r\n\r\ntwo\r\n' } do
            assert.is_truthy(seen.body:find(part, 1, true), part)
        end
    end)

    it("fails with kind io when a file of it cannot be read", function()
        local pipe = os.tmpname()
        os.remove(pipe)
        assert(os.execute("mkfifo " .. pipe))
        local paths = { "/nowhere", "No such file", "/tmp", "not a regular file",
            pipe, "not a regular file" }
        for i = 1, #paths, 2 do
            local opts = { multipart = { f = { path = paths[i] } } }
            local err = fetch_check.fails("io", echo, opts)
            assert.is_false(err.retryable)
            assert.matches(("cannot read %s: %s"):format(paths[i], paths[i + 1]), err.message)
        end
        os.remove(pipe)
    end)

    it("adds the query to the URL", function()
        local function line(url, query)
            return send({ query = query }, server.url .. url).line
        end
        assert.equal("GET /echo?a=1%202&b=x&b=y HTTP/1.1",
            line("/echo", { a = "1 2", b = { "x", "y" } }))
        assert.equal("GET /echo?z=0&q=%26%3D%C3%BC HTTP/1.1",
            line("/echo?z=0#end", { q = "&=ü" }))
        assert.equal("GET /echo?b=1&a=2 HTTP/1.1", line("/echo?", { { "b", 1 }, { "a", 2 } }))
        assert.equal("GET /echo HTTP/1.1", line("/echo", {}))
        assert.equal("GET /echo?b=1 HTTP/1.1", line("/echo", { a = {}, b = { 1 } }))
    end)

    it("percent-encodes what a URL may not hold, and leaves the rest", function()
        assert.equal("GET /echo/%c3%bc?q=%41+b HTTP/1.1",
            send({}, server.url .. "/echo/ü?q=%41+b#frag").line)
    end)

    it("resolves against base_url", function()
        local base = server.url .. "/echo/base/"
        local function line(url, other)
            return send({ base_url = other or base }, url).line
        end
        assert.equal("GET /echo/base/x HTTP/1.1", line("x"))
        assert.equal("GET /echo/y?u=http://z HTTP/1.1", line("/echo/y?u=http://z"))
        assert.equal("GET /echo/other HTTP/1.1", line(server.url .. "/echo/other"))
        local page = server.url .. "/echo/page?a=1#part"
        for _, url in ipairs { "", "#", "#b", "#%20b" } do
            assert.equal("GET /echo/page?a=1 HTTP/1.1", line(url, page))
        end
        assert.equal("GET /echo/page?b=2 HTTP/1.1", line("?b=2", page))
        assert.equal("GET /echo/x HTTP/1.1", line("x", page))
        misuse(2, "base_url", "/x", { base_url = "example.org" })
    end)

    it("sends the credentials of base_url where that leads, and not elsewhere", function()
        local base = server.url:gsub("://", "://user:secret@")
        local function authorization(url, auth)
            return send({ base_url = base, auth = auth }, url).authorization
        end
        assert.equal("Basic dXNlcjpzZWNyZXQ=", authorization("/echo"))
        assert.equal("Bearer t", authorization("/echo", { token = "t" }))
        assert.is_nil(authorization(server.url .. "/echo"))
        assert.is_nil(authorization((server.url .. "/echo"):match("//.*")))
        local opts = { base_url = base, raise_for_status = true }
        local err = fetch_check.fails("status", "/no", opts)
        assert.is_nil((tostring(err) .. err.url):find("secret", 1, true))
    end)

    it("authenticates", function()
        local auth = { user = "Aladdin", password = "open sesame" }
        local basic = "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="
        assert.equal(basic, send({ auth = auth }).authorization)
        assert.equal("Bearer t0k", send({ auth = { token = "t0k" } }).authorization)
        local url = echo:gsub("//", "//Aladdin:open%%20sesame@")
        assert.equal(basic, send({}, url).authorization)
        auth.scheme = "digest"
        local seen = send({ auth = auth }, server.url .. "/digest")
        assert.matches('^Digest username="Aladdin"', seen.authorization)
    end)

    it("asks for no compression when told so", function()
        assert.is_nil(send({ compression = false })["accept-encoding"])
    end)

    it("goes through a proxy when told so", function()
        local seen = send({ proxy = server.url }, "http://far.invalid/path")
        assert.equal("GET http://far.invalid/path HTTP/1.1", seen.line)
        assert.equal("GET /echo HTTP/1.1", send({ proxy = false }).line)
    end)
end)

describe("Misuse of fetch", function()
    local url = "http://127.0.0.1:1/"

    it("is a URL that is no string", function()
        misuse(1, "string expected, got nil")
        misuse(1, "string expected, got table", {})
    end)

    it("is an unknown option, or options that are no table", function()
        misuse(2, "table expected, got number", url, 3)
        for _, name in ipairs { "x", "retry", "Timeout" } do
            misuse(2, ("unknown option '%s'"):format(name), url, { [name] = 1 })
        end
        misuse(2, "unknown option '1'", url, { "x" })
    end)

    it("is CR, LF or NUL in a header, method or agent", function()
        for _, bad in ipairs { "a\rb", "a\nb", "a\0b", "a\r\nX: y" } do
            misuse(2, "option 'headers'", url, { headers = { X = bad } })
            misuse(2, "option 'headers'", url, { headers = { [bad] = "x" } })
            misuse(2, "option 'headers'", url, { headers = { { "X", bad } } })
            misuse(2, "option 'method'", url, { method = bad })
            misuse(2, "option 'user_agent'", url, { user_agent = bad })
            misuse(2, "option 'auth'", url, { auth = { user = bad, password = "" } })
            misuse(2, "option 'auth'", url, { auth = { user = "", password = bad } })
            misuse(2, "option 'auth'", url, { auth = { token = bad } })
            misuse(2, "option 'proxy'", url, { proxy = bad })
        end
    end)

    it("is a value of the wrong kind", function()
        local wrong = {
            method = { 3, "", "A B", "CONNECT" },
            headers = { "X: y", { X = { a = 1 } }, { X = true }, { [3] = "x" }, { { 1, 2 } },
                { X = { "y", nil, "z" } }, { X = { "y", z = 1 } }, { { "X", "y", "z" } },
                { { "X", "y" }, Z = "z" }, { { "X", "y" }, nil, { "Z", "z" } }, { { "X" } },
                { [""] = "x" }, { ["A B"] = "x" }, { ["Transfer-Encoding"] = "chunked" } },
            query = { "a=b", { a = print }, { { "a", 1 }, b = 2 } },
            body = { 3, {} },
            json = { print },
            form = { "a=b" },
            multipart = { "x", {}, { a = {} }, { a = { body = "x", path = "y" } },
                { a = { body = "x", size = 3 } }, { a = { path = "x", filename = "a\nb" } } },
            timeout = { "5", 0 / 0, true, { total = "5" }, { first = 1 }, { idle = 0 / 0 } },
            max_redirects = { -1, 1.5, "3", 0 / 0, true },
            max_body = { -1, 1.5, "3", 0 / 0, math.huge, true, false },
            verify = { 1, "no" },
            compression = { "gzip" },
            raise_for_status = { 1 },
            deny_private = { 1 },
            http_version = { 1.1, "3", "2.0" },
            user_agent = { 3 },
            ca_file = { 3, "", "a\0b" },
            cert = { true },
            key = { {} },
            output = { io.stdout, "" },
            name = { 3, "a\0b" },
            auth = { "user:password", {}, { user = "u" }, { user = "a:b", password = "" },
                { user = "u", password = "p", scheme = "ntlm" }, { token = "t", user = "u" },
                { name = "u" } },
            proxy = { true, 3, "", "a b", "ftp://p:1", "http://u:p@h:99999", "http://" },
        }
        for name, values in pairs(wrong) do
            for _, value in ipairs(values) do
                misuse(2, ("option '%s'"):format(name), url, { [name] = value })
            end
            misuse(2, ("option '%s'"):format(name), url, { [name] = coroutine.create(print) })
        end
    end)

    it("is what contradicts itself", function()
        misuse(2, "only one of", url, { body = "x", json = {} })
        misuse(2, "only one of", url, { form = {}, multipart = { a = "b" } })
        misuse(2, "HEAD", url, { method = "HEAD", body = "x" })
        misuse(2, "deny_private", url, { proxy = "http://p:1", deny_private = true })
    end)
end)
