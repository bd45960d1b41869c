-- SPDX-License-Identifier: MIT
-- Bodies of requests of a session that go to files.

local lfs = require "lfs"
local fetch = require "futures.fetch"
local bad_server = require "spec.support.bad_server"
local check = require "spec.support.check"
local demo = require "spec.support.demo"
local fetch_check = require "spec.support.fetch_check"
local nginx = require "spec.support.nginx"
local scale = require "spec.support.scale"
local witness = require "spec.support.witness"

local LIMIT = scale.LIMIT
local failed = fetch_check.failed

describe("Files of output", function()
    local bad, good, web, seen, dir

    lazy_setup(function()
        bad, good, web = bad_server.start(), demo.start(), nginx.start()
        seen = witness.start()
    end)

    lazy_teardown(function()
        bad:stop()
        good:stop()
        web:stop()
        seen:stop()
    end)

    before_each(function()
        dir = os.tmpname()
        os.remove(dir)
        assert(lfs.mkdir(dir))
    end)

    after_each(function()
        for name in lfs.dir(dir) do
            os.remove(dir .. "/" .. name)
        end
        lfs.rmdir(dir)
    end)

    local function content(name)
        local file <close> = io.open(dir .. "/" .. name, "rb")
        return file and file:read("a")
    end

    local function names()
        local list = {}
        for name in lfs.dir(dir) do
            list[#list + 1] = not name:find("^%.%.?$") and name or nil
        end
        table.sort(list)
        return list
    end

    it("are written many at once", function()
        local http <close> = fetch.Session { max_body = 200000 }
        local list = {}
        for i = 1, 50 do
            list[i] = http:get(web.url .. "/100k.bin", { output = ("%s/%02d"):format(dir, i) })
        end
        for i, f in ipairs(list) do
            local r = f:result(LIMIT)
            assert.equal(("%s/%02d"):format(dir, i), r.path)
            assert.is_nil(r.body)
            assert.equal(100000, #r)
            assert.equal(100000, lfs.attributes(r.path, "size"))
        end
        assert.equal(50, #names())
    end)

    it("may be large, and cost no memory", function()
        local before = collectgarbage("count")
        local r = fetch.submit(good.url .. "/bytes/100000000", {
            output = dir .. "/large", max_body = false,
        }):result(LIMIT)
        assert.equal(100000000, #r)
        assert.equal(100000000, lfs.attributes(r.path, "size"))
        assert.is_true(collectgarbage("count") - before < 1000)
    end)

    it("are there when complete, and not before", function()
        failed("truncated", fetch.submit(bad.url .. "/truncated", { output = dir .. "/a" }))
        failed("too_large", fetch.submit(bad.url .. "/gzip-bomb",
            { output = dir .. "/b", max_body = 1000 }))
        failed("timeout", fetch.submit(bad.url .. "/drip",
            { output = dir .. "/c", timeout = 0.2 }))
        failed("protocol", fetch.submit(bad.url .. "/bad-chunk", { output = dir .. "/d" }))
        assert.same({}, names())
    end)

    it("are decompressed", function()
        local r = fetch.submit(web.url .. "/gzip/list.json", { output = dir .. "/list" })
            :result(LIMIT)
        assert.matches('^{"list":%[1,2,3%]', content("list"))
        assert.equal(#content("list"), #r)
    end)

    it("are not made of what is no success", function()
        local f = fetch.submit(good.url .. "/status/404", { output = dir .. "/x" })
        local r = f:result(LIMIT)
        assert.equal("404 Not Found\n", r.body)
        assert.is_nil(r.path)
        assert.same({}, names())
    end)

    it("that cannot be written are failures of kind io", function()
        local err = failed("io", fetch.submit(good.url, { output = "/nowhere/x" }))
        assert.matches("/nowhere/x: No such file", err.message)
        assert(lfs.mkdir(dir .. "/folder"))
        err = failed("io", fetch.submit(good.url, { output = dir .. "/folder" }))
        assert.matches("/folder: not a regular file", err.message)
        assert(lfs.rmdir(dir .. "/folder"))
        assert.same({}, names())
    end)

    it("take the place of files only, and wait for nobody", function()
        assert(os.execute("mkfifo " .. dir .. "/pipe " .. dir .. "/file.part"))
        for _, name in ipairs { "/pipe", "/file" } do
            local err = failed("io", fetch.submit(good.url, { output = dir .. name }))
            assert.matches("not a regular file", err.message)
        end
        assert.equal("named pipe", lfs.attributes(dir .. "/pipe", "mode"))
        assert.equal("named pipe", lfs.attributes(dir .. "/file.part", "mode"))
    end)

    it("are written by one request at a time", function()
        local gate = seen:gate()
        local function get(path)
            return fetch.submit(seen.url .. path, { output = dir .. "/one" })
        end
        local first = get("/halves/" .. gate .. "/1000")
        check.eventually("the first half", function()
            return first:progress() == 500
        end)
        local err = failed("io", get "/")
        assert.matches("another request is writing it", err.message)
        seen:open(gate)
        assert.equal(1000, #first:result(LIMIT))
        assert.equal(1000, #content("one"))
        assert.equal(2, #get("/"):result(LIMIT))
        assert.equal("ok", content("one"))
    end)

    it("take the place of what a request left that was killed", function()
        local left <close> = assert(io.open(dir .. "/old.part", "w"))
        left:write(("x"):rep(1000))
        left:flush()
        assert.equal(2, #fetch.submit(seen.url, { output = dir .. "/old" }):result(LIMIT))
        assert.equal("ok", content("old"))
    end)
end)
