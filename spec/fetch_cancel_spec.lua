-- SPDX-License-Identifier: MIT
-- Requests that are given up: waiting, in flight, at the last moment.

local lfs = require "lfs"
local futures = require "futures"
local fetch = require "futures.fetch"
local bad_server = require "spec.support.bad_server"
local check = require "spec.support.check"
local demo = require "spec.support.demo"
local fetch_check = require "spec.support.fetch_check"
local proc = require "spec.support.proc"
local scale = require "spec.support.scale"
local script = require "spec.support.script"
local witness = require "spec.support.witness"

local LIMIT = scale.LIMIT
local many = fetch_check.many

describe("Cancelling", function()
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

    it("a request in flight removes it at once", function()
        local http <close> = fetch.Session { max_connections = 1 }
        local gate = seen:gate()
        local f = http:get(seen.url .. "/wait/" .. gate)
        seen:await(gate, 1)
        assert.is_true(f:cancel())
        assert.is_true(f:cancelled())
        assert.is_true(f:done())
        assert.equal("cancelled", f:state())
        check.raises(futures.CancelledError, function()
            f:result(LIMIT)
        end)
        check.eventually("the connection closed", function()
            return select(3, seen:now(gate)) == 0
        end)
        assert.is_true(f:cancel())
        assert.equal("ok", http:get(seen.url .. "/x"):result(LIMIT).body) -- its place is free
    end)

    it("a request in flight with interrupt does the same", function()
        local gate = seen:gate()
        local f = fetch.submit(seen.url .. "/wait/" .. gate)
        seen:await(gate, 1)
        assert.is_true(f:cancel(true))
        local ok, err = f:outcome(LIMIT)
        assert.is_false(ok)
        assert.is_true(futures.iserror(err, futures.CancelledError))
        assert.is_true(f:cancelled())
    end)

    it("a request that waits keeps it from being sent", function()
        local http <close> = fetch.Session { max_connections = 1 }
        local gate = seen:gate()
        local first = http:get(seen.url .. "/wait/" .. gate)
        seen:await(gate, 1)
        local second = http:get(seen.url .. "/never")
        assert.equal("pending", second:state())
        assert.is_true(second:cancel())
        seen:open(gate)
        first:result(LIMIT)
        http:get(seen.url .. "/x"):result(LIMIT)
        for _, sight in ipairs(seen:seen()) do
            assert.are_not.equal("/never", sight.target)
        end
    end)

    it("a finished request does nothing", function()
        local f = fetch.submit(seen.url .. "/x")
        f:result(LIMIT)
        assert.is_false(f:cancel())
        assert.is_false(f:cancel(true))
        assert.equal("ok", f:result().body)
        local failed = fetch.submit(bad.refused)
        failed:exception(LIMIT)
        assert.is_false(failed:cancel())
    end)

    it("happens in each phase", function()
        for _, url in ipairs { bad.deaf, bad.url .. "/silence", bad.url .. "/drip",
            bad.url .. "/slow-headers", bad.url .. "/stall", bad.url .. "/chunked-big",
            bad.url .. "/redirect-loop", "http://nobody.invalid/" } do
            for _, pause in ipairs { 0, 0.001, 0.02 } do
                local f = fetch.submit(url)
                futures.sleep(pause)
                local cancelled = f:cancel()
                assert.equal(cancelled, f:cancelled())
                assert.is_true(f:done())
            end
        end
        assert.equal("ok", fetch(seen.url).body)
    end)

    it("wakes those who wait, and calls back", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        local gate, calls = seen:gate(), 0
        local f = fetch.submit(seen.url .. "/wait/" .. gate)
        f:add_done_callback(function(one)
            calls = calls + (one:cancelled() and 1 or 0)
        end)
        local waiter = ex:submit(function(one)
            return select(2, one:outcome()).name
        end, f)
        seen:await(gate, 1)
        assert.is_true(f:cancel())
        assert.equal(1, calls)
        assert.equal("CancelledError", waiter:result(LIMIT))
    end)

    it("leaves no half file", function()
        local path = os.tmpname()
        os.remove(path)
        local f = fetch.submit(bad.url .. "/drip", { output = path })
        check.eventually("a half file", function()
            return lfs.attributes(path .. ".part", "size")
        end)
        assert.is_true(f:cancel())
        check.eventually("no half file", function()
            return not lfs.attributes(path .. ".part")
        end)
        assert.is_nil(lfs.attributes(path))
    end)

    it("races with the end, and one of them wins", function()
        local cancelled, finished = 0, 0
        for _ = 1, scale.races(0.1) do
            local f = fetch.submit(seen.url .. "/race")
            for _ = 1, math.random(0, 2000) do end
            if f:cancel() then
                cancelled = cancelled + 1
                assert.is_true(f:cancelled())
            else
                finished = finished + 1
                assert.equal("ok", f:result(LIMIT).body)
            end
        end
        assert.equal("ok", fetch(seen.url).body)
    end)

    it("gives up 1,000 in flight and closes the session soon", function()
        local count = scale.count(1000)
        local best = math.huge
        for _ = 1, 3 do
            local gate = seen:gate()
            local http = fetch.Session { max_connections = count, max_per_host = count }
            local list = many(count, function()
                return http:get(seen.url .. "/wait/" .. gate)
            end)
            seen:await(gate, count)
            local from = futures.monotonic()
            for _, f in ipairs(list) do
                assert.is_true(f:cancel())
            end
            assert.is_true(http:shutdown())
            best = math.min(best, futures.monotonic() - from)
            for _, f in ipairs(list) do
                assert.is_true(f:cancelled())
            end
            seen:await(gate, 0)
        end
        assert.is_true(best < scale.seconds(0.5), best) -- 0.05 is what it takes
    end)

    it("gives back descriptors and memory", function()
        local http <close> = fetch.Session { max_connections = 50, max_per_host = 50 }
        local function round()
            local gate = seen:gate()
            local list = many(50, function()
                return http:get(seen.url .. "/wait/" .. gate)
            end)
            seen:await(gate, 50)
            for _, f in ipairs(list) do
                f:cancel()
            end
            seen:await(gate, 0)
        end
        round()
        local fds = proc.fds()
        for _ = 1, 10 do
            round()
        end
        check.eventually("the old number of descriptors", function()
            return proc.fds() <= fds + 2
        end)
    end)

    it("from a callback and from another thread works", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        local gate = seen:gate()
        local slow = fetch.submit(seen.url .. "/wait/" .. gate)
        seen:await(gate, 1)
        local fast = fetch.submit(seen.url .. "/x")
        fast:add_done_callback(function()
            slow:cancel()
        end)
        fast:result(LIMIT)
        assert.is_true(slow:cancelled())
        slow = fetch.submit(seen.url .. "/wait/" .. gate)
        seen:await(gate, 1)
        assert.is_true(ex:submit(function(f)
            return f:cancel()
        end, slow):result(LIMIT))
        assert.is_true(slow:cancelled())
    end)
end)

describe("An interrupted wait", function()
    local seen

    lazy_setup(function()
        seen = witness.start()
    end)

    lazy_teardown(function()
        seen:stop()
    end)

    it("of fetch cancels its own transfer", function()
        local gate = seen:gate()
        local child <close> = script.start(([[
            io.stdout:setvbuf("line")
            local fetch = require "futures.fetch"
            print "READY"
            print((select(2, pcall(fetch, "%s/wait/%s"))))
            print(fetch("%s/x").body)
            io.read()
        ]]):format(seen.url, gate, seen.url))
        child:expect("READY")
        seen:await(gate, 1)
        child:kill("INT")
        child:expect_match("interrupted!")
        seen:await(gate, 0)
        child:expect("ok")
        assert.equal(0, child:finish().code)
    end)

    it("of a future leaves the transfer alone", function()
        local gate = seen:gate()
        local child <close> = script.start(([[
            io.stdout:setvbuf("line")
            local fetch = require "futures.fetch"
            local f = fetch.submit "%s/wait/%s"
            print "READY"
            print((select(2, pcall(f.result, f))))
            print(f:result().body)
        ]]):format(seen.url, gate))
        child:expect("READY")
        seen:await(gate, 1)
        child:await_sleep()
        child:kill("INT")
        child:expect_match("interrupted!")
        assert.equal(1, select(3, seen:now(gate)))
        seen:open(gate)
        child:expect("ok")
        assert.equal(0, child:finish().code)
    end)
end)
