-- SPDX-License-Identifier: MIT
-- Waits that can never end by way of a derived future: it depends on a task, which waits for
-- the one that waits for it. What else could settle it is waited for.

local futures = require "futures"
local check = require "spec.support.check"
local cycles = require "spec.support.cycles"
local scale = require "spec.support.scale"

local LIMIT = scale.LIMIT

-- Futures that depend on f.
local ways = {
    next = function(f) return f:next(function(...) return ... end) end,
    ["a chain"] = function(f)
        for _ = 1, 50 do f = f:next(function(...) return ... end) end
        return f
    end,
    all = function(f) return require "futures".all { f } end,
    any = function(f) return require "futures".any { f } end,
    ["all of derived ones"] = function(f)
        return require "futures".all { f:next(function() end), f:next(function() end) }
    end,
    ["a future that is followed"] = function(f)
        local first = require "futures".Future()
        local derived = first:next(function() return f end)
        first:set_result()
        return derived
    end,
    ["a future that a callback sets"] = function(f)
        local bare = require "futures".Future()
        f:add_done_callback(function() bare:set_result() end)
        return bare
    end,
}

-- Waits that raise.
local calls = {
    result = function(f) f:result() end,
    exception = function(f) f:exception() end,
    outcome = function(f)
        local _, err = f:outcome()
        error(err, 0)
    end,
    await = function(f) require "futures".await(f) end,
    ["await in a coroutine"] = function(f)
        local co = coroutine.wrap(function() require "futures".await(f) end)
        co()
        f:exception()
    end,
    wait = function(f) require "futures".wait { f } end,
    ["wait for the first"] = function(f)
        require "futures".wait({ f }, nil, "FIRST_COMPLETED")
    end,
    as_completed = function(f)
        for _ in require "futures".as_completed { f } do end
    end,
    poll = function(f)
        repeat require "futures".poll(math.huge) until f:done()
    end,
}

-- One at least must get the error; some of the others have its end as their result.
local function assert_some_fail(tasks)
    local failed = 0
    for _, task in ipairs(tasks) do
        local err = task.future:exception(LIMIT)
        if err then
            check.contains("the wait can never end: task 't", err)
            failed = failed + 1
        end
    end
    assert.is_true(failed >= 1)
end

describe("A task that waits for a future derived from one that waits for it", function()
    for way, derive in pairs(ways) do
        it("gets an error: " .. way, function()
            local one <close> = futures.ThreadPoolExecutor(2)
            local two <close> = futures.ThreadPoolExecutor(2)
            for n = 1, 3 do
                assert_some_fail(cycles.ring({ one, two }, n, function(ahead)
                    return derive(ahead:result()):result()
                end))
            end
        end)
    end

    for name, call in pairs(calls) do
        it("gets it from each call that waits: " .. name, function()
            local ex <close> = futures.ThreadPoolExecutor(2)
            for n = 1, 2 do
                assert_some_fail(cycles.ring({ ex }, n, function(ahead)
                    local f = ahead:result()
                    f:add_done_callback(function() end) -- for poll
                    call(f:next(function() end))
                end))
            end
        end)
    end

    it("gets a text that names the tasks", function()
        local ex <close> = futures.ThreadPoolExecutor(2)
        local tasks = cycles.ring({ ex }, 2, function(ahead)
            return ahead:result():next(function() end):result()
        end)
        for _, task in ipairs(tasks) do
            cycles.assert_error(task.future:exception(LIMIT), "t1", "t2")
        end
    end)

    it("gets it where only one of the two waits for a derived one", function()
        local ex <close> = futures.ThreadPoolExecutor(2)
        local one = cycles.waiter(ex:with { name = "t1" }, function(ahead)
            return ahead:result():next(function() end):result()
        end)
        local two = cycles.waiter(ex:with { name = "t2" })
        one.ahead:set_result(two.future)
        two.ahead:set_result(one.future)
        cycles.assert_all_fail({ one, two }, "t1", "t2")
    end)

    it("gets it once nothing else is due there any more", function()
        local ex <close> = futures.ThreadPoolExecutor(3)
        local gate = futures.Future()
        local slow = ex:submit(function() return gate:result() end)
        local tasks = cycles.ring({ ex }, 2, function(ahead, other)
            other:add_done_callback(function() end)
            return ahead:result():next(function() end):result()
        end, slow)
        assert.is_false(pcall(tasks[1].future.result, tasks[1].future, 0.2))
        gate:set_result()
        assert_some_fail(tasks)
    end)

    it("ends with TimeoutError when it has a timeout", function()
        local ex <close> = futures.ThreadPoolExecutor(2)
        local tasks = cycles.ring({ ex }, 2, function(ahead)
            local ok, err = ahead:result():next(function() end):outcome(0.2)
            return ok or require "futures".iserror(err, require "futures".TimeoutError)
        end)
        for _, task in ipairs(tasks) do assert.is_true(task.future:result(LIMIT)) end
    end)
end)

describe("No cycle is seen where a derived future", function()
    it("can be settled by a callback on what goes on", function()
        local ex <close> = futures.ThreadPoolExecutor(3)
        local gate = futures.Future()
        local slow = ex:submit(function() return gate:result() end)
        local me = cycles.waiter(ex, function(ahead, other)
            local derived = ahead:result():next(function() end)
            other:add_done_callback(function() derived:cancel() end)
            return derived:outcome()
        end, slow)
        me.ahead:set_result(me.future)
        assert.is_false(pcall(me.future.result, me.future, 0.2))
        gate:set_result()
        local ok, err = me.future:result(LIMIT)
        assert.is_false(ok)
        assert.is_true(futures.iserror(err, futures.CancelledError))
    end)

    it("comes from a bare one that another task sets", function()
        local ex <close> = futures.ThreadPoolExecutor(3)
        local bare = futures.Future()
        local a = ex:submit(function()
            return bare:next(function(v) return v + 1 end):result()
        end)
        local b = ex:submit(function()
            return require "futures".all { a, a:next(function(v) return v end) }:result()
        end)
        assert.is_false(pcall(b.result, b, 0.2))
        ex:submit(function() bare:set_result(1) end)
        assert.same({ 2, 2, n = 2 }, b:result(LIMIT))
    end)

    it("is of another state, which runs its callbacks", function()
        local ex <close> = futures.ThreadPoolExecutor(2)
        local ready = futures.Future()
        local derived = ready:next(function(v) return v * 2 end)
        local a = ex:submit(function() return derived:result() end)
        local b = ex:submit(function() return a:next(function(v) return v + 1 end):result() end)
        assert.is_false(pcall(b.result, b, 0.2))
        ready:set_result(21)
        assert.equal(43, b:result(LIMIT))
    end)

    it("is one of very many", function()
        local ex <close> = futures.ThreadPoolExecutor(2)
        local n = scale.count(2000)
        local sum = ex:submit(function(pool, count)
            local fs, total = {}, 0
            for i = 1, count do
                fs[i] = pool:submit(function() return i end):next(function(v) return v + 1 end)
            end
            for f in require "futures".as_completed(fs) do total = total + f:result() end
            return total
        end, ex, n):result(LIMIT)
        assert.equal(n * (n + 3) // 2, sum)
    end)
end)

describe("A task that polls", function()
    -- A pool of one worker: somebody else has to run what the callbacks wait for.
    for _, timeout in ipairs { 0.05, math.huge } do
        it("lets the tasks of its pool run meanwhile: poll(" .. timeout .. ")", function()
            local ex <close> = futures.ThreadPoolExecutor(1)
            local got, ran = ex:submit(function(pool, seconds)
                local fs = require "futures"
                local sum, count = 0, 0
                for i = 1, 5 do
                    pool:submit(function() return i end):add_done_callback(function(f)
                        sum = sum + f:result()
                    end)
                end
                while sum < 15 do count = count + fs.poll(seconds) end
                return sum, count
            end, ex, timeout):result(LIMIT)
            assert.equal(15, got)
            assert.equal(5, ran)
        end)
    end

    it("keeps its worker while its callbacks wait for no task of a pool", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        local gate, started = futures.Future(), futures.Future()
        local first = ex:submit(function()
            gate:add_done_callback(function() end)
            started:set_result()
            return require "futures".poll(math.huge)
        end)
        local second = ex:submit(function() return "second" end)
        started:result(LIMIT)
        assert.is_false(pcall(second.result, second, 0.2))
        gate:set_result()
        assert.equal(1, first:result(LIMIT))
        assert.equal("second", second:result(LIMIT))
    end)
end)
