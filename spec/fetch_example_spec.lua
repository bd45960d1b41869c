-- SPDX-License-Identifier: MIT
-- examples/fetch.lua

local cjson = require "cjson"
local lfs = require "lfs"
local bad_server = require "spec.support.bad_server"
local check = require "spec.support.check"
local demo = require "spec.support.demo"
local nginx = require "spec.support.nginx"
local scale = require "spec.support.scale"
local script = require "spec.support.script"
local server = require "spec.support.server"
local witness = require "spec.support.witness"

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
        assert.matches("\n1 fetched, 5 failed, 1%.2 KB in [%d.]+ s, 4 at once\n$", result.out)
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

    it("fetches 1,000 URLs of nginx, 200 at once, on one thread more", function()
        local urls = {}
        for i = 1, 1000 do
            urls[i] = ("%s/small.txt?%d"):format(web.url, i)
        end
        local result = run({ "-j", "200", "-" }, table.concat(urls, "\n"))
        assert.equal(0, result.code, result.err)
        check.contains("1000 fetched, 0 failed, 6.0 KB", result.out)
        check.contains("200 at once", result.out)
    end)

    it("speaks JSON when told so, a line for each URL", function()
        local result = run { "--json", good.url .. "/bytes/5", bad.refused, 'a"b' }
        local by_url = {}
        for line in result.out:gmatch("[^\n]+") do
            local object = cjson.decode(line)
            by_url[object.url] = object
        end
        local ok, refused = by_url[good.url .. "/bytes/5"], by_url[bad.refused]
        assert.equal(200, ok.status)
        assert.equal(5, ok.bytes)
        assert.is_true(ok.seconds >= 0)
        assert.equal("connect", refused.error)
        assert.matches("refused", refused.message)
        assert.equal("url", by_url['a"b'].error)
        assert.matches("^1 fetched, 2 failed", result.err)
    end)

    it("writes bodies to a folder when told so", function()
        local dir = os.tmpname()
        os.remove(dir)
        dir = dir .. "'s"
        local a, b = good.url .. "/bytes/5", good.url .. "/bytes/5?again"
        local result = run { "--output", dir, a, b, good.url .. "/status/404" }
        assert.equal(1, result.code, result.err)
        local count = 0
        for name in lfs.dir(dir) do
            if not name:find("^%.") then
                count = count + 1
                local file <close> = assert(io.open(dir .. "/" .. name))
                assert.equal("abcde", file:read("a"))
                file:close()
                os.remove(dir .. "/" .. name)
            end
        end
        assert.equal(2, count)
        lfs.rmdir(dir)
    end)

    it("tries again when told so", function()
        local seen <close> = witness.start()
        local url = seen.url .. "/sequence/x/503,503,200"
        assert.equal(0, run({ "--retries", "3", url }).code)
        assert.equal(3, #seen:seen())
    end)

    it("shows progress on a terminal only", function()
        local command = ("%s examples/fetch.lua %s/json"):format(script.lua, good.url)
        local pipe = assert(io.popen("script -qec " .. server.quote(command) .. " /dev/null"))
        local out = pipe:read("a")
        pipe:close()
        check.contains("1 of 1, ", out)
        check.contains(" a second, ", out)
        check.contains(" s left", out)
        check.contains("\r\27[K", out)
    end)

    it("says what is wrong with its arguments", function()
        local problems = {
            ["-x"] = "unknown option -x",
            ["--what"] = "unknown option --what",
            ["-j"] = "-j: a value is missing",
            ["-j many"] = "-j: integer from 1 expected, got 'many'",
            ["-j 0"] = "-j: integer from 1 expected, got '0'",
            ["-j 1.5"] = "-j: integer from 1 expected, got '1.5'",
            ["--retries -1"] = "--retries: integer from 0 expected, got '-1'",
            ["-t x"] = "-t: number above 0 expected, got 'x'",
            ["-t 0"] = "-t: number above 0 expected, got '0'",
            ["-i"] = "-i: a file name is missing",
            ["-i /nowhere/list"] = "-i: /nowhere/list: No such file or directory",
        }
        for words, problem in pairs(problems) do
            local args = {}
            for word in words:gmatch("%S+") do
                args[#args + 1] = word
            end
            local result = run(args)
            assert.equal(2, result.code)
            assert.equal("", result.out)
            assert.matches("^usage: fetch.lua ", result.err)
            check.contains(("\nfetch.lua: %s; --help says more\n"):format(problem), result.err)
        end
    end)

    it("explains itself", function()
        local result = run { "--help" }
        assert.equal(0, result.code, result.err)
        assert.equal("", result.err)
        assert.matches("^Fetches many URLs at once", result.out)
        for _, option in ipairs { "-j", "-t", "--retries", "--output", "--json", "-i", "-" } do
            check.contains(("\n    %s "):format(option), result.out)
        end
    end)
end)

describe("The example", function()
    local good

    lazy_setup(function()
        good = demo.start()
    end)

    lazy_teardown(function()
        good:stop()
    end)

    local function run(name, args)
        return script.run(nil, { path = ("examples/%s.lua"):format(name), args = args })
    end

    it("crawl finds all pages and the broken links", function()
        local result = run("crawl", { good.url .. "/site/1" })
        assert.equal(1, result.code, result.err)
        assert.equal("", result.err)
        local broken = result.out:match("^410 +(%S+)  %(on %S+/site/%d+%)\n")
        assert.equal(good.url .. "/status/410", broken)
        assert.matches("\n32 pages in [%d.]+ s, 1 broken, 15 links lead elsewhere\n$",
            result.out)
        result = run("crawl", { "--depth", "5", "-j", "4", good.url .. "/site/1" })
        assert.equal(32, select(2, result.out:gsub("404 +http", "")))
        assert.matches("64 pages", result.out)
        result = run("crawl", { "--depth", "1" })
        assert.matches("^3 pages", result.out)
        assert.equal(0, result.code, result.err)
        result = run("crawl", { "http://127.0.0.1:1/" })
        assert.matches("^connect +http://127.0.0.1:1/  %(on the command line%)", result.out)
    end)

    it("download puts the pieces where they belong", function()
        local path = os.tmpname()
        local result = run("download", { "-j", "4", "--piece", "7000",
            good.url .. "/bytes/100001", path })
        assert.equal(0, result.code, result.err)
        local file <close> = assert(io.open(path, "rb"))
        local alphabet = "abcdefghijklmnopqrstuvwxyz"
        assert.is_true(file:read("a") == alphabet:rep(4000):sub(1, 100001))
        os.remove(path)
        assert.matches("100%.0 KB in 15 pieces, 4 at once, [%d.]+ s, %S+ %S+ a second\n$",
            result.out)
        result = run("download", {})
        assert.equal(0, result.code, result.err)
        assert.matches("50%.0 MB in 12 pieces", result.out)
        result = run("download", { good.url .. "/json" })
        assert.equal(1, result.code)
        assert.matches("has no ranges", result.err)
    end)

    it("fetch_parse parses in processes what is fetched here", function()
        local result = run("fetch_parse", {})
        assert.equal(0, result.code, result.err)
        assert.equal("", result.err)
        for page = 1, 31 do
            assert.matches(("Page %d +%%d links  http"):format(page), result.out)
        end
        assert.matches("\n31 pages, 159 links, %d processes, [%d.]+ s\n$", result.out)
    end)

    it("scraper cuts what hangs and what never ends, and reads the others", function()
        local result = run("scraper", { "--limit", scale.slow and "5" or "2" })
        assert.equal(0, result.code, result.err)
        assert.equal("", result.err)
        for page = 1, 4 do
            local line = ("Page %d +%%d+ bytes  http%%S+/site/%d\n"):format(page, page)
            assert.matches(line, result.out)
        end
        assert.matches("FetchError: 503 [^\n]+/status/503%) %(attempts: 3%)\n", result.out)
        for _, path in ipairs { "/delay/60000", "/bytes/1000" } do
            assert.matches("TimeoutError: the task 'http%S+" .. path .. "' ran longer than its "
                .. "limit of %d s %(attempts: 1%)\n", result.out)
        end
        assert.matches("\n4 of 7 pages read in [%d.]+ s\n$", result.out)
    end)

    it("fetch looks for the demo server beside itself, from wherever it is called", function()
        local folder = lfs.currentdir() .. "/examples/"
        local result = script.run(nil, {
            path = folder .. "fetch.lua", before = "cd / && env -u FUTURES_BUILD",
        })
        if lfs.attributes("build/release/demo_server") then
            assert.equal(0, result.code, result.err)
            assert.matches("6 fetched, 0 failed", result.out)
        else
            check.contains(folder .. "../build/release/demo_server does not start", result.err)
        end
        result = script.run(nil, {
            path = folder .. "fetch.lua", before = "FUTURES_BUILD=/nowhere",
        })
        assert.equal(2, result.code)
        check.contains("/nowhere/demo_server does not start: './dev demo' builds it",
            result.err)
    end)

    for _, name in ipairs { "fetch", "crawl", "scraper", "download", "fetch_parse" } do
        it(name .. " has fewer than 40 lines of code", function()
            local count = 0
            for line in io.lines(("examples/%s.lua"):format(name)) do
                count = count + ((line:match("^%s*%-%-") or not line:match("%S")) and 0 or 1)
            end
            assert.is_true(count < 40, "lines: " .. count)
        end)
    end
end)
