-- SPDX-License-Identifier: MIT
-- The end of a program that has requests under way.

local futures = require "futures"
local bad_server = require "spec.support.bad_server"
local demo = require "spec.support.demo"
local scale = require "spec.support.scale"
local script = require "spec.support.script"
local witness = require "spec.support.witness"
require "spec.support.watchdog"

describe("At the end of a script", function()
    local bad, good, seen

    lazy_setup(function()
        bad, good, seen = bad_server.start(), demo.start(), witness.start()
    end)

    lazy_teardown(function()
        bad:stop()
        good:stop()
        seen:stop()
    end)

    before_each(function()
        seen:forget()
    end)

    local function targets()
        local set, count = {}, 0
        for _, sight in ipairs(seen:seen()) do
            set[sight.target] = true
            count = count + 1
        end
        return count, set
    end

    local function run(code)
        return script.run('local futures, fetch = require "futures", require "futures.fetch"\n'
            .. code:gsub("$SEEN", seen.url):gsub("$BAD", bad.url):gsub("$GOOD", good.url))
    end

    it("what is in flight and what is queued still comes", function()
        local path = os.tmpname()
        local result = run(([[
            local http = fetch.Session { max_connections = 2 }
            for i = 1, 6 do http:get("$SEEN/delay/30?" .. i) end
            http:get("$GOOD/bytes/1000", { output = "%s" })
            fetch.submit("$SEEN/last")
        ]]):format(path))
        assert.equal(0, result.code, result.err)
        assert.equal("", result.err)
        local count, set = targets()
        assert.equal(7, count)
        assert.is_true(set["/last"])
        local file <close> = assert(io.open(path))
        assert.equal(1000, #file:read("a"))
        os.remove(path)
    end)

    it("nothing waits longer than its timeout", function()
        local result = run [[
            fetch.submit("$BAD/silence", { timeout = 0.3 })
            fetch.submit("$BAD/drip", { deadline = 0.3 })
        ]]
        assert.equal(0, result.code, result.err)
        assert.is_true(result.seconds >= 0.3 and result.seconds < 0.3 + scale.seconds(3))
    end)

    it("an error keeps its exit code", function()
        local result = run [[
            for i = 1, 5 do fetch.submit("$SEEN/delay/20?" .. i) end
            error("out")
        ]]
        assert.equal(1, result.code)
        assert.matches("out", result.err)
        assert.equal(5, (targets()))
    end)

    it("os.exit(code, true) waits, os.exit(code) does not", function()
        local result = run [[
            for i = 1, 5 do fetch.submit("$SEEN/delay/20?" .. i) end
            os.exit(3, true)
        ]]
        assert.equal(3, result.code)
        assert.equal(5, (targets()))
        result = run [[
            for i = 1, 200 do fetch.submit("$BAD/silence") end
            os.exit(4)
        ]]
        assert.equal(4, result.code, result.err)
        assert.is_true(result.seconds < scale.seconds(3), result.seconds)
    end)

    it("sessions that were never shut down do no harm", function()
        local result = run [[
            A = fetch.Session {}
            A:get("$SEEN/x")
            B = A:with { timeout = 1 }
            C = coroutine.wrap(function() local http <close> = fetch.Session {}
                coroutine.yield(http:get("$SEEN/y")) end)
            F = C()
            for i, r in fetch.map({ "$SEEN/1", "$SEEN/2" }) do break end
        ]]
        assert.equal(0, result.code, result.err)
        assert.equal("", result.err)
    end)

    it("a request in a finalizer does no harm", function()
        local result = run [[
            setmetatable({}, { __gc = function()
                local ok, err = pcall(function() return fetch("$SEEN/late").body end)
                print(ok and err or "refused")
            end })
            fetch("$SEEN/early")
        ]]
        assert.equal(0, result.code, result.err)
        assert.is_true(result.out == "ok\n" or result.out == "refused\n", result.out)
    end)

    it("a state that is closed leaves the requests of others alone", function()
        local result = run [[
            local gate = fetch.submit("$SEEN/delay/200")
            local ex = futures.ThreadPoolExecutor(1)
            ex:submit(function() fetch.submit("$SEEN/theirs") end):result()
            ex:shutdown()
            print(gate:result().body)
        ]]
        assert.equal("ok\n", result.out, result.err)
        assert.is_true(select(2, targets())["/theirs"])
    end)
end)

describe("Ctrl-C", function()
    local good

    lazy_setup(function()
        good = demo.start()
    end)

    lazy_teardown(function()
        good:stop()
    end)

    it("in the middle of 10,000 requests ends the script soon", function()
        local best = math.huge
        for _ = 1, 3 do
            local child <close> = script.start(([[
                io.stdout:setvbuf("line")
                local futures, fetch = require "futures", require "futures.fetch"
                local http <close> = fetch.Session {
                    base_url = "%s", max_connections = 200, max_per_host = 200, timeout = false,
                }
                local list = {}
                for i = 1, 10000 do
                    list[i] = http:get((i <= 100 and "/bytes/1?" or "/delay/60000?") .. i)
                end
                list[100]:result()
                print "READY"
                for f in futures.as_completed(list) do f:result() end
            ]]):format(good.url))
            child:expect("READY")
            local from = futures.monotonic()
            child:kill("INT")
            local result = child:finish()
            best = math.min(best, futures.monotonic() - from)
            assert.equal(1, result.code or result.signal and 1, result.err)
            assert.matches("interrupted!", result.err)
        end
        assert.is_true(best < scale.seconds(2), best) -- 0.2 is what it takes
    end)

    it("gives up what is in flight, whatever a message handler makes of it", function()
        local child <close> = script.start(([[
            io.stdout:setvbuf("line")
            local fetch = require "futures.fetch"
            local ok, err = xpcall(function()
                local http <close> = fetch.Session { timeout = false }
                local f = http:get "%s/delay/60000"
                print "READY"
                f:result()
            end, function(message) return { message } end)
            print(ok, err[1])
        ]]):format(good.url))
        child:expect("READY")
        child:await_sleep()
        local from = futures.monotonic()
        child:kill("INT")
        local result = child:finish()
        assert.equal(0, result.code, result.err)
        assert.matches("false.*interrupted!", result.out)
        assert.is_true(futures.monotonic() - from < scale.LIMIT / 2)
    end)

    it("ends a script that only waits for what is under way", function()
        local child <close> = script.start(([[
            io.stdout:setvbuf("line")
            local fetch = require "futures.fetch"
            fetch.submit("%s/delay/60000", { timeout = false })
            print "READY"
        ]]):format(good.url))
        child:expect("READY")
        child:await_sleep()
        local from = futures.monotonic()
        child:kill("INT")
        local result = child:finish()
        assert.is_nil(result.hung)
        assert.is_true(futures.monotonic() - from < scale.LIMIT / 2)
    end)
end)
