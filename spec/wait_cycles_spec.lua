-- SPDX-License-Identifier: MIT
-- Waits that can never end: tasks that wait for each other. Each is an error in the task that
-- closes the cycle, which names it; all others end with that.

local futures = require "futures"
local check = require "spec.support.check"
local cycles = require "spec.support.cycles"
local scale = require "spec.support.scale"

local LIMIT = scale.LIMIT
local waiter, ring = cycles.waiter, cycles.ring

describe("A task that waits for", function()
    it("itself gets an error", function()
        local ex <close> = futures.ThreadPoolExecutor(2)
        local task = waiter(ex:with { name = "me" })
        task.ahead:set_result(task.future)
        local err = task.future:exception(LIMIT)
        check.contains("the wait can never end: task 'me' waits for itself", err)
        assert.is_true(futures.iserror(err, futures.Error))
    end)

    it("one that waits for it gets an error within a second, in pools of any size", function()
        for workers = 2, 5 do
            local ex <close> = futures.ThreadPoolExecutor(workers)
            check.takes(0, 1, function()
                cycles.assert_all_fail(ring({ ex }, 2), "t1", "t2")
            end)
        end
    end)

    it("the start of a longer chain gets an error that names all of it", function()
        for n = 3, 7 do
            local ex <close> = futures.ThreadPoolExecutor(n)
            local names = {}
            for i = 1, n do names[i] = "t" .. i end
            local tasks = ring({ ex }, n)
            cycles.assert_all_fail(tasks, table.unpack(names))
            local text = tostring(tasks[1].future:exception())
            assert.matches(("waits for task '[^']*', which "):rep(n - 1)
                .. "waits for task '[^']*'$", text)
        end
    end)

    it("the start of a very long chain gets an error of bounded length", function()
        local ex <close> = futures.ThreadPoolExecutor(100)
        for _, task in ipairs(ring({ ex }, 100)) do
            local err = task.future:exception(LIMIT)
            local text = cycles.assert_error(err)
            check.contains(", and so on (93 more), which waits for task 't", text)
            assert.is_true(#text < 600)
        end
    end)

    it("a task of another pool that waits for it gets an error", function()
        local one <close> = futures.ThreadPoolExecutor(1)
        local two <close> = futures.ThreadPoolExecutor(1)
        cycles.assert_all_fail(ring({ one, two }, 2), "t1", "t2")
        local three <close> = futures.ThreadPoolExecutor(1)
        cycles.assert_all_fail(ring({ one, two, three }, 3), "t1", "t2", "t3")
    end)

    it("a task without a name sees its address", function()
        local ex <close> = futures.ThreadPoolExecutor(2)
        local tasks = { waiter(ex), waiter(ex) }
        tasks[1].ahead:set_result(tasks[2].future)
        tasks[2].ahead:set_result(tasks[1].future)
        assert.matches("task 0x%x+ waits for task 0x%x+, which waits for task 0x%x+$",
            tostring(tasks[1].future:exception(LIMIT)))
    end)

    it("what lies below it on its worker gets an error", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        local task = waiter(ex:with { name = "below" }, function(ahead)
            local me, view = ahead:result(), ex:with { name = "top" }
            return view:submit(function(f) return f:result() end, me):result()
        end)
        task.ahead:set_result(task.future)
        local ok, err = task.future:outcome(LIMIT)
        assert.is_false(ok)
        cycles.assert_error(err, "below", "top")
    end)
end)

describe("Every call that waits", function()
    local calls = {
        result = function(f) f:result() end,
        exception = function(f) f:exception() end,
        wait = function(f) require "futures".wait { f } end,
        ["wait for the first"] = function(f)
            require "futures".wait({ f }, nil, "FIRST_COMPLETED")
        end,
        ["wait for a failure"] = function(f)
            require "futures".wait({ f }, nil, "FIRST_EXCEPTION")
        end,
        as_completed = function(f)
            for _ in require "futures".as_completed { f } do end
        end,
        ["a coroutine"] = function(f) coroutine.wrap(f.result)(f) end,
        await = function(f) require "futures".await(f) end,
    }
    for name, call in pairs(calls) do
        it("raises it: " .. name, function()
            local ex <close> = futures.ThreadPoolExecutor(2)
            local tasks = {}
            for i = 1, 2 do
                tasks[i] = waiter(ex:with { name = "t" .. i }, function(ahead)
                    call(ahead:result())
                end)
            end
            tasks[1].ahead:set_result(tasks[2].future)
            tasks[2].ahead:set_result(tasks[1].future)
            local failed = 0
            for i = 1, 2 do
                local err = tasks[i].future:exception(LIMIT)
                if err then
                    cycles.assert_error(err, "t1", "t2")
                    failed = failed + 1
                end
            end
            assert.is_true(failed >= 1)
        end)
    end

    it("but outcome, which returns it", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        local task = waiter(ex, function(ahead)
            local ok, err = ahead:result():outcome()
            return ok, tostring(err)
        end)
        task.ahead:set_result(task.future)
        local ok, text = task.future:result(LIMIT)
        assert.is_false(ok)
        check.contains("waits for itself", text)
    end)

    it("ends with TimeoutError when it has a timeout", function()
        local ex <close> = futures.ThreadPoolExecutor(2)
        local tasks = ring({ ex }, 2, function(ahead)
            local ok, err = ahead:result():outcome(0.05)
            return not ok and require "futures".iserror(err, require "futures".TimeoutError)
        end)
        -- One has timed out; the other has, or has seen it return.
        local timed_out = 0
        for i = 1, 2 do
            if tasks[i].future:result(LIMIT) then timed_out = timed_out + 1 end
        end
        assert.is_true(timed_out >= 1)
    end)
end)

describe("A wait for several futures", function()
    -- The first task waits for the second and for a bare future as `how` says, the second for
    -- the first.
    local function mixed(how)
        local ex = futures.ThreadPoolExecutor(2)
        local bare = futures.Future()
        local one = waiter(ex:with { name = "t1" }, function(ahead, mode)
            local f, other = ahead:result()
            local fs = require "futures"
            local done = fs.wait({ f, other }, nil, mode)
            return #done
        end, how)
        local two = waiter(ex:with { name = "t2" })
        one.ahead:set_result(two.future, bare)
        two.ahead:set_result(one.future)
        return ex, one.future, two.future, bare
    end

    it("for all of them never ends when one never does", function()
        local ex, one, two, bare = mixed("ALL_COMPLETED")
        local done = futures.wait({ one, two }, LIMIT, futures.FIRST_COMPLETED)
        bare:set_result() -- else the first goes on waiting when the second has the error
        cycles.assert_error(done[1]:exception(), "t1", "t2")
        assert.equal(2, #futures.wait({ one, two }, LIMIT))
        ex:shutdown()
    end)

    it("for the first of them ends when another one may", function()
        local ex, one, two, bare = mixed("FIRST_COMPLETED")
        assert.is_false(pcall(one.result, one, 0.05))
        bare:set_result()
        assert.equal(1, one:result(LIMIT))
        assert.equal(1, two:result(LIMIT))
        ex:shutdown()
    end)

    it("for the first of them never ends when none does", function()
        local ex <close> = futures.ThreadPoolExecutor(3)
        local one = waiter(ex:with { name = "t1" }, function(ahead)
            require "futures".wait({ ahead:result() }, nil, "FIRST_COMPLETED")
        end)
        local two = waiter(ex:with { name = "t2" })
        local three = waiter(ex:with { name = "t3" })
        one.ahead:set_result(two.future, three.future)
        two.ahead:set_result(one.future)
        three.ahead:set_result(one.future)
        local failed = 0
        for _, task in ipairs { one, two, three } do
            local err = task.future:exception(LIMIT)
            if err then
                cycles.assert_error(err, "t1")
                failed = failed + 1
            end
        end
        assert.is_true(failed >= 1)
    end)
end)

describe("No cycle is seen", function()
    it("where two wait for the same one, again and again", function()
        local ex <close> = futures.ThreadPoolExecutor(4)
        for i = 1, scale.count(500) do
            local slow = ex:submit(function() return i end)
            local a = ex:submit(function() return slow:result() end)
            local b = ex:submit(function() return slow:result() + a:result() end)
            local c = ex:submit(function() return a:result() + b:result() + slow:result() end)
            assert.equal(4 * i, c:result(LIMIT))
        end
    end)

    it("where tasks wait for a bare future that one of them sets", function()
        local ex <close> = futures.ThreadPoolExecutor(3)
        local bare = futures.Future()
        local a = ex:submit(function() return bare:result() end)
        local b = ex:submit(function() return a:result() end)
        local c = ex:submit(function() bare:set_result(7) return b:result() end)
        assert.equal(7, c:result(LIMIT))
    end)
end)

describe("The end of an executor, waited for by a task", function()
    it("whose end the executor's tasks wait for is an error", function()
        local one <close> = futures.ThreadPoolExecutor(1)
        local two <close> = futures.ThreadPoolExecutor(1)
        local a = waiter(one:with { name = "a" }, function(ahead)
            ahead:result()
            return two:shutdown()
        end)
        local b = waiter(two:with { name = "b" })
        b.ahead:set_result(a.future)
        a.ahead:set_result()
        local err = a.future:exception(LIMIT) or b.future:exception(LIMIT)
        cycles.assert_error(err, "a", "b")
        check.contains("the end of an executor", err)
        assert.is_true(b.future:done() or b.future:exception(LIMIT) ~= nil)
    end)
end)

describe("The race of", function()
    it("waits that close a cycle: one gets the error at least, and all end", function()
        local one <close> = futures.ThreadPoolExecutor(3)
        local two <close> = futures.ThreadPoolExecutor(3)
        for i = 1, scale.races(0.2) do
            local tasks = ring({ one, two }, 2 + i % 3)
            for _, task in ipairs(tasks) do
                local ok, err = task.future:outcome(LIMIT)
                assert(not ok and tostring(err):find("can never end", 1, true), tostring(err))
            end
        end
        check.eventually("no task runs", function()
            return one:stats().running == 0 and two:stats().running == 0
        end)
    end)
end)
