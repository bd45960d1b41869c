-- SPDX-License-Identifier: MIT
-- Requests in worker processes, and what a fork means for requests under way.

local futures = require "futures"
local fetch = require "futures.fetch"
local bad_server = require "spec.support.bad_server"
local check = require "spec.support.check"
local demo = require "spec.support.demo"
local scale = require "spec.support.scale"
local script = require "spec.support.script"
local witness = require "spec.support.witness"

local LIMIT = scale.LIMIT
local it = scale.tsan and pending or it -- the engine is at work while they fork

describe("fetch in processes", function()
    local bad, good, seen

    lazy_setup(function()
        bad, good, seen = bad_server.start(), demo.start(), witness.start()
    end)

    lazy_teardown(function()
        bad:stop()
        good:stop()
        seen:stop()
    end)

    it("is submitted as it is, and its response comes home whole", function()
        local ex <close> = futures.ProcessPoolExecutor(2)
        local r = ex:submit(fetch, good.url .. "/json", { timeout = LIMIT }):result(LIMIT)
        assert.equal(fetch.Response, getmetatable(r))
        assert.equal("demo", r:json().name)
        assert.equal("application/json", r.headers["CONTENT-TYPE"])
        assert.equal(#r.body, #r)
        assert.equal(good.url .. "/json", r.request.url)
    end)

    it("raises at home what it raised there", function()
        local ex <close> = futures.ProcessPoolExecutor(1)
        local err = ex:submit(fetch, bad.refused):exception(LIMIT)
        assert.is_true(futures.iserror(err, fetch.FetchError))
        assert.equal("connect", err.kind)
        err = ex:submit(fetch, bad.url .. "/silence", { timeout = 0.1 }):exception(LIMIT)
        assert.equal("first_byte", err.phase)
    end)

    it("works when the parent has used it before, and goes on using it", function()
        assert.equal("ok", fetch(seen.url).body)
        local gate = seen:gate()
        local slow = fetch.submit(seen.url .. "/wait/" .. gate)
        seen:await(gate, 1)
        local ex <close> = futures.ProcessPoolExecutor(2)
        local urls = {}
        for i = 1, 20 do
            urls[i] = seen.url .. "/n?" .. i
        end
        for i, r in ex:map(fetch, urls) do
            assert.equal(urls[i], r.url)
            assert.equal("ok", r.body)
        end
        seen:open(gate)
        assert.equal("ok", slow:result(LIMIT).body)
        assert.equal("ok", fetch(seen.url).body)
    end)

    it("has all of submit, map and sessions there", function()
        local ex <close> = futures.ProcessPoolExecutor(1)
        local url = seen.url .. "/x"
        assert.equal(3, ex:submit(function()
            local http <close> = fetch.Session { max_per_host = 2 }
            local count = 0
            for _, r in http:map { url, url } do
                count = count + #r // 2
            end
            return count + #fetch.submit(url):result() // 2
        end):result(LIMIT))
    end)

    it("keeps no connection of the parent open", function()
        local gate = seen:gate()
        local f = fetch.submit(seen.url .. "/wait/" .. gate)
        seen:await(gate, 1)
        local ex <close> = futures.ProcessPoolExecutor(2)
        ex:submit(math.abs, 1):result(LIMIT)
        assert.is_true(f:cancel())
        seen:await(gate, 0) -- or a child would hold it
    end)

    it("does not take a session or a future of the parent along", function()
        local ex <close> = futures.ProcessPoolExecutor(1)
        local http <close> = fetch.Session {}
        check.raises(futures.TransferError, function()
            ex:submit(tostring, http)
        end)
        check.raises(futures.TransferError, function()
            ex:submit(tostring, fetch.submit(seen.url))
        end)
    end)

    it("survives the death of a worker in the middle", function()
        local ex <close> = futures.ProcessPoolExecutor(1)
        local gate = seen:gate()
        local f = ex:submit(fetch, seen.url .. "/wait/" .. gate)
        seen:await(gate, 1)
        ex:kill_workers()
        assert.is_true(futures.iserror(f:exception(LIMIT), futures.BrokenProcessPool))
        seen:await(gate, 0)
        assert.equal("ok", fetch(seen.url).body)
    end)

    it("waits at the end of the script for what is under way there", function()
        seen:forget()
        script.output(([[
            local futures, fetch = require "futures", require "futures.fetch"
            local ex = futures.ProcessPoolExecutor(2)
            for i = 1, 4 do ex:submit(fetch, "%s/delay/20?" .. i) end
        ]]):format(seen.url))
        assert.equal(4, #seen:seen())
    end)
end)

describe("A fork of somebody else's", function()
    local seen

    lazy_setup(function()
        seen = witness.start()
    end)

    lazy_teardown(function()
        seen:stop()
    end)

    -- Runs `parent` before, `child` in a forked child, then the rest of the parent's.
    local function run(before, child, after)
        local code = ([[
            io.stdout:setvbuf("line")
            local futures, fetch = require "futures", require "futures.fetch"
            local posix = require "spec_posix"
            %s
            local pid = posix.fork()
            if pid == 0 then
                local ok, err = pcall(function() %s end)
                if not ok then print("child", err) end
                posix._exit(ok and 0 or 1)
            end
            print(posix.waitpid(pid))
            %s
        ]]):format(before, child, after):gsub("$SEEN", seen.url)
        return script.output(code)
    end

    it("has futures that failed with kind forked, where the parent waits for them", function()
        local gate = seen:gate()
        local out = run('local f = fetch.submit("$SEEN/wait/' .. gate .. '")', [[
            local ok, err = f:outcome(10)
            print(ok, futures.iserror(err, fetch.FetchError), err.kind)
        ]], [[
            assert(f:cancel())
            print(fetch("$SEEN/x").body)
        ]])
        assert.equal("false\ttrue\tforked\nexited\t0\nok\n", out)
    end)

    it("fetches by itself, while the parent goes on", function()
        local out = run([[
            local http = fetch.Session { max_per_host = 4 }
            local list = {}
            for i = 1, 10 do list[i] = http:get("$SEEN/delay/100?" .. i) end
            list[1]:result()
        ]], [[
            print(fetch("$SEEN/child").body)
            print(fetch.submit("$SEEN/child"):result().body)
            local mine <close> = fetch.Session()
            print(mine:get("$SEEN/child"):result().body)
        ]], [[
            for _, f in ipairs(list) do assert(f:result().body == "ok") end
            http:shutdown()
            print "all"
        ]])
        assert.equal("ok\nok\nok\nexited\t0\nall\n", out)
    end)

    it("that closes its state at once harms nobody", function()
        local gate = seen:gate()
        local out = script.output(([[
            io.stdout:setvbuf("line")
            local futures, fetch = require "futures", require "futures.fetch"
            local posix = require "spec_posix"
            local http = fetch.Session()
            local f = http:get("%s/wait/%s")
            while not f:running() do futures.sleep(0.001) end
            local pid = posix.fork()
            if pid == 0 then os.exit(0, true) end
            print(posix.waitpid(pid))
            print(f:running(), f:cancel())
            print(fetch("%s/x").body)
        ]]):format(seen.url, gate, seen.url))
        assert.equal("exited\t0\ntrue\ttrue\nok\n", out)
    end)
end)
