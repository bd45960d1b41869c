-- SPDX-License-Identifier: MIT
-- max_buffered: how much a session fetches that nobody takes. It never keeps anybody waiting:
-- what is waited for starts all the same.

local futures = require "futures"
local fetch = require "futures.fetch"
local check = require "spec.support.check"
local demo = require "spec.support.demo"
local fetch_check = require "spec.support.fetch_check"
local scale = require "spec.support.scale"
local witness = require "spec.support.witness"

local LIMIT = scale.LIMIT
local many = fetch_check.many

describe("The limit max_buffered", function()
    local good, seen

    lazy_setup(function()
        good, seen = demo.start(), witness.start()
    end)

    lazy_teardown(function()
        good:stop()
        seen:stop()
    end)

    it("starts no transfer while too much is not taken", function()
        local http <close> = fetch.Session { max_buffered = 100000, max_connections = 1 }
        local list = many(10, function()
            return http:get(good.url .. "/bytes/60000")
        end)
        list[2]:exception(LIMIT) -- done, but not taken
        local last = http:get(seen.url .. "/last")
        futures.sleep(0.1)
        assert.is_false(last:done())
        assert.is_true(http:stats().pending > 0)
        assert.equal(0, #seen:seen())
        for _, f in ipairs(list) do
            assert.equal(60000, #f:result(LIMIT).body)
        end
        assert.equal("ok", last:result(LIMIT).body)
    end)

    it("counts no more what is collected unseen", function()
        local http <close> = fetch.Session { max_buffered = 100000, max_connections = 2 }
        for _ = 1, 5 do
            local list = many(4, function()
                return http:get(good.url .. "/bytes/90000")
            end)
            futures.wait(list, LIMIT, futures.FIRST_COMPLETED)
            for _, f in ipairs(list) do
                f:cancel()
            end
            list = many(0, tostring) -- the others are garbage
            check.collect()
            assert.equal(0, #list)
        end
        assert.equal("ok", http:get(seen.url .. "/x"):result(LIMIT).body)
    end)

    it("lets a map go on that takes what it gets", function()
        local http <close> = fetch.Session { max_buffered = 50000 }
        local urls = {}
        for i = 1, 50 do
            urls[i] = good.url .. "/bytes/30000"
        end
        local size = 0
        for _, r in http:map(urls) do
            size = size + #r.body
        end
        assert.equal(1500000, size)
    end)
end)

-- The witness answers with two bytes each time, so two are too much for this limit.
describe("Under max_buffered", function()
    local TWO = 3
    local seen

    lazy_setup(function()
        seen = witness.start()
    end)

    lazy_teardown(function()
        seen:stop()
    end)

    before_each(function()
        seen:forget()
    end)

    -- `count` requests, most of them held back, for nothing is taken.
    local function held(http, count)
        local list = many(count, function(i)
            return http:get(seen.url .. "/n" .. i)
        end)
        list[1]:exception(LIMIT)
        list[2]:exception(LIMIT)
        return list
    end

    local function session(opts)
        opts = opts or {}
        opts.max_buffered, opts.max_connections = TWO, opts.max_connections or 1
        return fetch.Session(opts)
    end

    it("a wait for one fetches that one, before others and not them", function()
        local http <close> = session()
        local list = held(http, 20)
        assert.equal(200, list[20]:result(LIMIT).status)
        assert.equal(200, list[10]:result(LIMIT).status)
        futures.sleep(0.1)
        assert.same({ "/n1", "/n2", "/n20", "/n10" }, (function()
            local targets = {}
            for i, sight in ipairs(seen:seen()) do
                targets[i] = sight.target
            end
            return targets
        end)())
        assert.equal(16, http:stats().pending)
    end)

    it("a wait for all ends, though nothing is taken", function()
        for _, mode in ipairs { futures.ALL_COMPLETED, futures.FIRST_EXCEPTION } do
            local http <close> = session { max_connections = 5 }
            local list = held(http, 50)
            local done, not_done = futures.wait(list, LIMIT, mode)
            assert.same({ 50, 0 }, { #done, #not_done })
        end
    end)

    it("a wait that began before anything was held back ends", function()
        local http <close> = session()
        local gate = seen:gate()
        local list = many(30, function(i)
            return http:get(seen.url .. (i == 1 and "/wait/" .. gate or "/x"))
        end)
        seen:await(gate, 1)
        seen:open(gate)
        assert.equal(0, #select(2, futures.wait(list, LIMIT)))
    end)

    it("many short waits end", function()
        local http <close> = session()
        local list, rounds, left = held(http, 20), 0
        repeat
            left = select(2, futures.wait(list, 0))
            rounds = rounds + 1
            futures.sleep(0.001)
        until #left == 0 or rounds > 100000
        assert.equal(0, #left)
    end)

    it("as_completed gets one more for each that it waits for", function()
        local http <close> = session()
        local list, kept = held(http, 30), {}
        for f in futures.as_completed(list, LIMIT) do
            kept[#kept + 1] = f:result() -- whose body is not taken
            if #kept == 10 then
                futures.sleep(0.2)
                assert.is_true(#seen:seen() < 20, #seen:seen()) -- not all of them
            end
        end
        assert.equal(30, #kept)
    end)

    it("maps of either order end, though nothing is taken", function()
        for _, ordered in ipairs { true, false } do
            local http <close> = session()
            local urls, kept = {}, {}
            for i = 1, 30 do
                urls[i] = seen.url .. "/m" .. i
            end
            for _, r in http:map(urls, { ordered = ordered }) do
                kept[#kept + 1] = r
            end
            assert.equal(30, #kept)
        end
    end)

    it("one that is tried again is not held back for those behind it", function()
        local http <close> = session { retries = { max = 2, backoff = 0.05, jitter = false } }
        local urls, kept = { seen.url .. "/sequence/again/503,503,200" }, {}
        for i = 2, 20 do
            urls[i] = seen.url .. "/r" .. i
        end
        for _, r in http:map(urls) do
            kept[#kept + 1] = r
        end
        assert.same({ 20, 3 }, { #kept, kept[1].attempts })
    end)

    it("callbacks and what is made of them wait, too", function()
        local http <close> = session()
        local list, called = held(http, 10), 0
        for _, f in ipairs(list) do
            f:add_done_callback(function()
                called = called + 1
            end)
        end
        local deadline = futures.monotonic() + LIMIT
        while called < 10 and futures.monotonic() < deadline do
            futures.poll(1)
        end
        assert.equal(10, called)

        assert.equal(10, futures.all(held(http, 10)):result(LIMIT).n)
        local statuses = {}
        for i, f in ipairs(held(http, 10)) do
            statuses[i] = f:next(function(r) return r.status end)
        end
        assert.equal(0, #select(2, futures.wait(statuses, LIMIT)))
    end)

    it("a coroutine that awaits waits", function()
        local http <close> = session()
        local last = held(http, 10)[10]
        local status
        local co = coroutine.wrap(function()
            status = futures.await(last).status
        end)
        local deadline = futures.monotonic() + LIMIT
        co()
        while not last:done() and futures.monotonic() < deadline do
            futures.sleep(0.001)
        end
        co()
        assert.equal(200, status)
    end)

    it("the end of a session waits", function()
        local http = session()
        local list = held(http, 20)
        assert.is_true(http:shutdown { timeout = LIMIT })
        for _, f in ipairs(list) do
            assert.equal(200, f:result(0).status)
        end
        do
            local other <close> = session()
            list = held(other, 20)
        end
        assert.is_true(list[20]:done())
    end)

    it("a session that is closed without waiting does not fetch what nobody wants", function()
        local http = session()
        local list = held(http, 20)
        http:shutdown { wait = false }
        futures.sleep(0.1)
        assert.equal(2, #seen:seen())
        assert.equal(200, list[20]:result(LIMIT).status)
        assert.equal(3, #seen:seen())
        assert.is_true(http:shutdown { timeout = LIMIT })
    end)

    it("who waits to submit waits", function()
        local http <close> = session { max_pending = 2 }
        local list = many(20, function()
            return http:get(seen.url .. "/x")
        end)
        assert.is_true(#seen:seen() >= 17) -- all but those that are pending
        assert.equal(0, #select(2, futures.wait(list, LIMIT)))
    end)

    it("tasks of a pool wait, also while they run others", function()
        local http <close> = session()
        local ex <close> = futures.ThreadPoolExecutor(1)
        local f = ex:submit(function(s, url, pool)
            local inner = require "futures"
            local list = {}
            for i = 1, 10 do
                list[i] = s:get(url .. i)
            end
            list[11] = pool:submit(string.rep, "x", 3)
            local done = inner.wait(list)
            return #done
        end, http, seen.url .. "/t", ex)
        assert.equal(11, f:result(LIMIT))
    end)
end)
