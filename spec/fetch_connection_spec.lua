-- SPDX-License-Identifier: MIT
-- Connections: kept, secure, of a version, given up; and what is left of them.

local lfs = require "lfs"
local system = require "system"
local fetch = require "futures.fetch"
local bad_server = require "spec.support.bad_server"
local nginx = require "spec.support.nginx"
local fetch_check = require "spec.support.fetch_check"
local proc = require "spec.support.proc"
local scale = require "spec.support.scale"
local script = require "spec.support.script"

local fails = fetch_check.fails

-- The descriptors of this process that are TCP connections.
local function tcp_sockets()
    local inodes, found = {}, {}
    for line in io.lines("/proc/self/net/tcp") do
        local inode = line:match("^%s*%d+:" .. (" %S+"):rep(3) .. (" +%S+"):rep(5) .. " (%d+)")
        inodes[inode or false] = true
    end
    for fd in lfs.dir("/proc/self/fd") do
        local target = lfs.symlinkattributes("/proc/self/fd/" .. fd, "target")
        if inodes[target and target:match("^socket:%[(%d+)%]$")] then
            found[#found + 1] = fd
        end
    end
    return found
end

describe("A connection", function()
    local bad, web

    lazy_setup(function()
        bad, web = bad_server.start(), nginx.start()
    end)

    lazy_teardown(function()
        bad:stop()
        web:stop()
    end)

    -- Which connection of the server it was, and which request on that.
    local function place(url, opts)
        local connection, turn = fetch(url .. "/connection", opts).body:match("^(%d+) (%d+)$")
        return tonumber(connection), tonumber(turn)
    end

    it("is used again", function()
        local first, turn = place(bad.url)
        for i = 1, 20 do
            local connection, later = place(bad.url)
            assert.equal(first, connection)
            assert.equal(turn + i, later)
        end
        local secure = place(web.tls, { ca_file = web.ca_file })
        assert.equal(secure, (place(web.tls, { ca_file = web.ca_file })))
    end)

    it("is used again after a redirect and a 404, not after a broken answer", function()
        local first = place(bad.url)
        fetch(bad.url .. "/to/302//echo")
        fetch(bad.url .. "/no-such-path")
        assert.equal(first, (place(bad.url)))
        fails("timeout", bad.url .. "/stall", { timeout = 0.1 })
        local second = place(bad.url)
        assert.are_not.equal(first, second)
        fails("too_large", bad.url .. "/announced-big", { max_body = 5 })
        assert.are_not.equal(second, (place(bad.url)))
    end)

    it("that the server gave up in the meantime is replaced without a word", function()
        for _ = 1, 5 do
            assert.equal("ok", fetch(bad.url .. "/die-on-reuse").body)
        end
    end)

    it("verifies the server", function()
        local trusted = { ca_file = web.ca_file }
        assert.equal("small\n", fetch(web.tls .. "/small.txt", trusted).body)
        local err = fails("tls", web.tls .. "/small.txt")
        assert.matches("certificate", err.message)
        assert.is_false(err.retryable)
        err = fails("tls", web.unnamed .. "/small.txt", trusted)
        assert.matches("127%.0%.0%.2", err.message)
        assert.is_false(err.retryable)
        fails("tls", web.other_name .. "/small.txt", trusted)
        err = fails("tls", web.self_signed .. "/small.txt", trusted)
        assert.matches("certificate", err.message)
        for _, url in ipairs { web.unnamed, web.other_name, web.self_signed } do
            assert.equal("small\n", fetch(url .. "/small.txt", { verify = false }).body)
        end
        fails("tls", web.tls .. "/small.txt") -- still
        fails("tls", web.tls .. "/small.txt", { ca_file = "/nowhere.pem" })
    end)

    it("to a plain port is no TLS", function()
        fails("tls", (web.url:gsub("^http", "https")))
        fails("tls", (bad.url:gsub("^http", "https")) .. "/garbage", { timeout = scale.LIMIT })
    end)

    it("shows a certificate of ours", function()
        local opts = { ca_file = web.ca_file }
        assert.equal("NONE", fetch(web.tls .. "/client", opts).body)
        opts.cert, opts.key = web.cert, web.key
        assert.equal("SUCCESS", fetch(web.tls .. "/client", opts).body)
        opts.key, opts.http_version = "/nowhere.pem", "1.1" -- on a new connection
        fails("tls", web.tls .. "/client", opts)
    end)

    it("speaks the version that was asked for, whatever is open already", function()
        local function versions(version)
            local opts = { ca_file = web.ca_file, http_version = version }
            local r = fetch(web.tls .. "/protocol", opts)
            return r.http_version .. " " .. r.body
        end
        for _ = 1, 2 do
            assert.equal("2 HTTP/2.0", versions(nil))
            assert.equal("1.1 HTTP/1.1", versions("1.1"))
            assert.equal("2 HTTP/2.0", versions("2"))
        end
        assert.equal("", fetch(web.tls .. "/protocol", { ca_file = web.ca_file }).reason)
    end)

    it("does not take HTTP/1.1 for the HTTP/2 that was asked for", function()
        local opts = { ca_file = web.ca_file, http_version = "2" }
        local err = fails("protocol", web.old_tls .. "/protocol", opts)
        assert.matches("HTTP/1.1 is all that 127%.0%.0%.1:%d+ speaks", err.message)
        assert.is_false(err.retryable)
        err = fails("scheme", web.url .. "/protocol", opts)
        assert.matches("^bad argument #1 to 'fetch' %(option 'http_version'.*https only",
            err.message)
        opts.http_version = nil
        assert.equal("1.1", fetch(web.old_tls .. "/protocol", opts).http_version)
        assert.equal("1.1", fetch(web.url .. "/protocol", opts).http_version)
    end)

    it("knows the user", function()
        assert.equal(401, fetch(web.url .. "/auth/small.txt").status)
        local auth = { user = "user", password = "secret" }
        assert.equal("small\n", fetch(web.url .. "/auth/small.txt", { auth = auth }).body)
        assert.equal(401, fetch(web.url .. "/auth/small.txt").status)
    end)

    it("costs no descriptors in the long run", function()
        local function round()
            for _, url in ipairs { bad.url .. "/ok", bad.url .. "/stall", bad.refused,
                web.url .. "/small.txt", bad.url .. "/truncated", "http://nobody.invalid/" } do
                pcall(fetch, url, { timeout = 0.03 })
            end
        end
        round()
        local before = proc.fds()
        for _ = 1, scale.count(20) do
            round()
        end
        assert.is_true(proc.fds() <= before + 2)
    end)

    it("is closed on exec", function()
        fetch(bad.url .. "/echo")
        local sockets = tcp_sockets()
        assert.is_true(#sockets > 0)
        for _, fd in ipairs(sockets) do
            local file <close> = assert(io.open("/proc/self/fdinfo/" .. fd))
            local flags = tonumber(file:read("a"):match("flags:%s*(%d+)"), 8)
            assert.equal(tonumber("2000000", 8), flags & tonumber("2000000", 8)) -- O_CLOEXEC
        end
    end)
end)

describe("An interrupted fetch", function()
    local bad

    lazy_setup(function()
        bad = bad_server.start()
    end)

    lazy_teardown(function()
        bad:stop()
    end)

    local SCRIPT = [[
        local fetch = require "futures.fetch"
        local function block()
            fetch("%s")
        end
        io.stdout:setvbuf("line")
        print "READY"
        local ok, err = %s
        print "BACK"
        print(ok, (tostring(err):gsub("^.*: ", "")))
        print(fetch("%s/ok").body)
    ]]

    -- The machine may be busy: the best of five counts.
    local function best_reaction(url, call)
        local best = math.huge
        for _ = 1, 5 do
            local child <close> = script.start(SCRIPT:format(url, call, bad.url))
            child:expect("READY")
            child:await_sleep()
            local from = system.monotime()
            child:kill("INT")
            child:expect("BACK")
            best = math.min(best, system.monotime() - from)
            local result = child:finish()
            assert.equal("false\tinterrupted!\nok\n", result.out)
            assert.equal(0, result.code)
            if best < 0.1 then
                break
            end
        end
        return best
    end

    local IN_COROUTINE = "coroutine.resume(coroutine.create(block))"

    it("raises within 100 ms, and the next one works", function()
        for _, url in ipairs { bad.url .. "/silence", bad.url .. "/drip", bad.deaf } do
            assert.is_true(best_reaction(url, "pcall(block)") < scale.seconds(0.1))
        end
    end)

    it("raises inside a coroutine as well", function()
        assert.is_true(best_reaction(bad.url .. "/silence", IN_COROUTINE) < scale.seconds(0.1))
    end)

    it("leaves no half file", function()
        local path = os.tmpname()
        os.remove(path)
        local child <close> = script.start(([[
            local fetch = require "futures.fetch"
            print "READY"
            io.stdout:flush()
            print(pcall(fetch, "%s/drip", { output = "%s" }))
        ]]):format(bad.url, path))
        child:expect("READY")
        local part = path .. ".part"
        repeat
            local file = io.open(part)
        until file and file:close()
        child:kill("INT")
        assert.matches("interrupted!", child:finish().out)
        assert.is_nil(io.open(part))
        assert.is_nil(io.open(path))
    end)
end)

describe("The module futures.fetch", function()
    it("says what is missing without its C part", function()
        local out = script.output [[
            package.cpath = "/nowhere/?.so"
            print(pcall(require, "futures.fetch"))
        ]]
        assert.matches("libcurl4%-openssl%-dev", out)
        assert.matches("no file '/nowhere/futures/fetch/core.so'", out)
    end)

    it("says what is missing without libcurl", function()
        local out = script.output [[
            package.preload["futures.fetch.core"] = function()
                error("error loading module: libcurl.so.4: cannot open shared object file")
            end
            print(pcall(require, "futures.fetch"))
        ]]
        assert.matches("apt install libcurl4%)", out)
    end)

    it("can be closed and opened again in one process", function()
        script.output [[
            local fetch = require "futures.fetch"
            print(pcall(fetch, "http://127.0.0.1:1/"))
            package.loaded["futures.fetch"] = nil
            package.loaded["futures.fetch.core"] = nil
            print(pcall(require "futures.fetch", "http://127.0.0.1:1/"))
            os.exit(0, true)
        ]]
    end)
end)
