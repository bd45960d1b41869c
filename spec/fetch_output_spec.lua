-- SPDX-License-Identifier: MIT
-- Bodies of requests of a session that go to files.

local lfs = require "lfs"
local fetch = require "futures.fetch"
local bad_server = require "spec.support.bad_server"
local demo = require "spec.support.demo"
local fetch_check = require "spec.support.fetch_check"
local nginx = require "spec.support.nginx"
local scale = require "spec.support.scale"

local LIMIT = scale.LIMIT
local failed = fetch_check.failed

describe("Files of output", function()
    local bad, good, web, dir

    lazy_setup(function()
        bad, good, web = bad_server.start(), demo.start(), nginx.start()
    end)

    lazy_teardown(function()
        bad:stop()
        good:stop()
        web:stop()
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
        failed("io", fetch.submit(good.url, { output = dir .. "/folder" }))
        assert(lfs.rmdir(dir .. "/folder"))
        assert.same({}, names())
    end)
end)
