-- SPDX-License-Identifier: MIT
-- The demo server.

local cjson = require "cjson"
local system = require "system"
local fetch = require "futures.fetch"
local check = require "spec.support.check"
local demo = require "spec.support.demo"
local scale = require "spec.support.scale"
local script = require "spec.support.script"
local server = require "spec.support.server"
require "spec.support.watchdog"

describe("The demo server", function()
    local it_serves

    lazy_setup(function()
        it_serves = demo.start()
    end)

    lazy_teardown(function()
        it_serves:stop()
    end)

    local function get(path, opts)
        return fetch(it_serves.url .. path, opts)
    end

    it("helps", function()
        local r = get("/")
        for _, path in ipairs { "/delay/MS", "/bytes/N", "/status/N", "/json", "/redirect/N",
            "/site/N", "/echo" } do
            assert.is_truthy(r.body:find(path, 1, true))
        end
        assert.equal(404, get("/nothing").status)
    end)

    it("waits", function()
        local from = system.monotime()
        assert.equal("waited 120 ms\n", get("/delay/120").body)
        assert.is_true(system.monotime() - from >= 0.12)
        assert.equal("waited 0 ms\n", get("/delay/0").body)
    end)

    it("gives bytes, statuses, JSON, redirects", function()
        assert.equal("abcdefghijklmnopqrstuvwxyzabcd", get("/bytes/30").body)
        assert.equal(418, get("/status/418").status)
        assert.same({ pi = 3.14159 }, get("/json"):json().nested)
        assert.equal(2, get("/redirect/2").redirects)
        for _, path in ipairs { "/delay/x", "/delay/", "/bytes/-1", "/status/99", "/status/600",
            "/redirect/1x", "/bytes/99999999999999999999" } do
            assert.equal(400, get(path).status)
        end
    end)

    it("gives ranges of its bytes", function()
        local function part(range)
            local r = get("/bytes/100", { headers = { Range = range } })
            return r.status, r.body, r.headers["content-range"]
        end
        assert.same({ 206, "cdefg", "bytes 2-6/100" }, { part "bytes=2-6" })
        assert.same({ 206, "uv", "bytes 98-99/100" }, { part "bytes=98-" })
        for _, range in ipairs { "bytes=100-", "bytes=5-4", "bytes=x", "lines=1-2" } do
            assert.equal(200, (part(range)))
        end
        assert.equal("bytes", get("/bytes/1", { method = "HEAD" }).headers["accept-ranges"])
    end)

    it("has a small site", function()
        local r = get("/site/5")
        assert.equal("text/html", r.headers["content-type"])
        for _, link in ipairs { '"/site/1"', '"10"', "'../site/11#top'", '"/status/410"' } do
            check.contains("href=" .. link, r.body)
        end
        assert.equal(200, get("/site/31").status)
        assert.equal(404, get("/site/32").status)
        assert.equal(404, get("/site/0").status)
    end)

    it("echoes", function()
        local r = get("/echo/?a=%20b", { method = "PUT", body = 'x"\0\255', query = { c = 1 },
            headers = { { "X-One", "1" }, { "x-one", "\"2\"" }, { "X-Empty", "" } } })
        assert.equal(404, r.status)
        r = get("/echo?a=%20b", { method = "PUT", body = 'x"\0\200', query = { c = 1 },
            headers = { { "X-One", "1" }, { "x-one", "\"2\"" }, { "X-Empty", "" } } })
        local seen = r:json()
        assert.equal("PUT", seen.method)
        assert.equal("/echo?a=%20b&c=1", seen.path)
        assert.equal('x"\0\u{c8}', seen.body)
        assert.equal('1, "2"', seen.headers["X-One"])
        assert.equal("", seen.headers["X-Empty"])
        assert.equal("4", seen.headers["Content-Length"])
        assert.equal("application/json", r.headers["content-type"])
        assert.equal("", cjson.decode(get("/echo").body).body)
    end)

    it("answers HEAD without a body", function()
        for path, length in pairs { ["/bytes/77"] = "77", ["/delay/10"] = "13" } do
            local r = get(path, { method = "HEAD" })
            assert.equal(200, r.status)
            assert.equal("", r.body)
            assert.equal(length, r.headers["content-length"])
        end
    end)

    it("takes large bodies, not endless ones", function()
        local body = ("0123456789"):rep(100000)
        assert.equal(#body, #get("/echo", { body = body }):json().body)
        body = ("x"):rep((64 << 20) + 1)
        assert.equal(413, get("/echo", { body = body, timeout = false }).status)
    end)

    -- In a process of its own, which may open so many files.
    local CROWD = [[
        local uv = require "luv"
        local port, answered, from = tonumber(arg[1]), 0, uv.hrtime()
        for _ = 1, 2000 do
            local tcp = uv.new_tcp()
            tcp:connect("127.0.0.1", port, function(problem)
                assert(not problem, problem)
                tcp:write("GET /delay/1000 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                tcp:read_start(function(_, chunk)
                    answered = answered + (chunk and chunk:find("waited") and 1 or 0)
                    if not chunk then tcp:close() end
                end)
            end)
        end
        uv.run()
        print(answered, (uv.hrtime() - from) / 1e9)
    ]]

    it("holds 2,000 slow requests at once", function()
        local path = os.tmpname()
        local file = assert(io.open(path, "w"))
        file:write(CROWD)
        file:close()
        local command = ("ulimit -n 4096 2>/dev/null || exit; exec %s %s %s"):format(
            script.lua, path, it_serves.url:match("%d+$"))
        local pipe = assert(io.popen(command))
        local answered, seconds = pipe:read("n", "n")
        pipe:close()
        os.remove(path)
        if not answered then
            pending("no leave to open 4,096 files")
            return
        end
        assert.equal(2000, answered)
        assert.is_true(seconds < scale.LIMIT)
    end)

    it("ends on a signal, well, with requests waiting", function()
        local out = os.tmpname()
        local command = server.quote([[
            "$1" >"$2" & pid=$!
            while [ ! -s "$2" ]; do sleep 0.01; done
            url=$(sed -n 's/listening on //p' "$2")
            exec 3<>/dev/tcp/127.0.0.1/${url##*:}
            printf 'GET /delay/60000 HTTP/1.1\r\nHost: x\r\n\r\n' >&3
            sleep 0.1; kill -TERM $pid; wait $pid; echo $?
        ]])
        local program = server.quote(server.build_dir() .. "/demo_server")
        local pipe = assert(io.popen(("bash -c %s - %s %s"):format(command, program, out)))
        assert.equal("0", pipe:read("l"))
        pipe:close()
        os.remove(out)
    end)

    it("refuses bad arguments and a port that is taken", function()
        local program = server.quote(server.build_dir() .. "/demo_server")
        local port = it_serves.url:match("%d+$")
        local _, _, code = os.execute(program .. " -p x 2>/dev/null")
        assert.equal(2, code)
        _, _, code = os.execute(("%s -p %s 2>/dev/null"):format(program, port))
        assert.equal(1, code)
    end)
end)
