-- SPDX-License-Identifier: MIT
-- Tasks that end early: `task_timeout` and `cancel(true)`.

local futures = require "futures"
require "spec.support.watchdog"
local check = require "spec.support.check"
local gate = require "spec.support.gate"
local scale = require "spec.support.scale"
local tally = require "spec.support.tally"

local LIMIT = scale.LIMIT

-- Tasks that never end by themselves.
local endless = {
    ["a loop"] = function()
        while true do end
    end,
    ["a numeric loop"] = function()
        for _ = 1, math.maxinteger do end
    end,
    ["recursion without end"] = function()
        local function f() return f() end
        return f()
    end,
    ["calls of C functions"] = function()
        while true do math.abs(-1) end
    end,
    ["strings"] = function()
        while true do ("x"):rep(100):gsub("x", "yz"):upper() end
    end,
    ["a callback of gsub"] = function()
        string.gsub("x", "x", function() while true do end end)
    end,
    ["a comparison of sort"] = function()
        table.sort({ 1, 2, 3 }, function() while true do end end)
    end,
    ["a metamethod"] = function()
        local t = setmetatable({}, { __index = function() while true do end end })
        return t.x
    end,
    ["an iterator"] = function()
        for _ in function() return 1 end do end
    end,
    ["a chunk that was loaded"] = function()
        load("while true do end")()
    end,
    ["the reader of a chunk"] = function()
        while true do load(function() while true do end end) end
    end,
    ["a coroutine"] = function()
        coroutine.wrap(function() while true do end end)()
    end,
    ["coroutines in coroutines"] = function()
        local function nest(depth)
            if depth == 0 then while true do end end
            while true do coroutine.resume(coroutine.create(nest), depth - 1) end
        end
        nest(20)
    end,
    ["coroutines that come and go"] = function()
        local function generate() while true do coroutine.yield(1) end end
        local next_one = coroutine.wrap(generate)
        while true do next_one() end
    end,
    ["a loop of pcall"] = function()
        while true do pcall(function() while true do end end) end
    end,
    ["a loop of pcall of error"] = function()
        while true do pcall(error, "x") end
    end,
    ["a loop of xpcall"] = function()
        while true do
            xpcall(function() while true do end end, function(e) return e end)
        end
    end,
    ["pcall in coroutines in pcall"] = function()
        while true do
            pcall(coroutine.wrap(function()
                while true do pcall(coroutine.yield, pcall(error)) end
            end))
        end
    end,
    ["a message handler"] = function()
        xpcall(error, function() while true do end end)
    end,
    ["garbage"] = function()
        while true do setmetatable({}, { __gc = function() end }) end
    end,
    ["a hook of its own"] = function()
        while true do
            debug.sethook(function() end, "l", 3)
            debug.sethook()
        end
    end,
    ["an error value that is shown for ever"] = function()
        error(setmetatable({ io.stdout }, { __tostring = function() while true do end end }))
    end,
    ["sleep"] = function()
        require "futures".sleep(1000)
    end,
    ["short sleeps"] = function()
        while true do require "futures".sleep(0.0001) end
    end,
    ["sleep in a coroutine"] = function()
        local sleep = require "futures".sleep
        while true do pcall(coroutine.wrap(sleep), 1000) end
    end,
    ["result"] = function()
        local never = require "futures".Future()
        while true do pcall(never.result, never) end
    end,
    ["outcome"] = function()
        local never = require "futures".Future()
        while true do never:outcome(0.5) end
    end,
    ["wait"] = function()
        local there = require "futures"
        local never = there.Future()
        there.wait { never }
    end,
    ["as_completed"] = function()
        local there = require "futures"
        local never = there.Future()
        for _ in there.as_completed { never } do end
    end,
    ["poll"] = function()
        local there = require "futures"
        there.poll(1000)
    end,
    ["a callback"] = function()
        local there = require "futures"
        local f = there.Future()
        f:add_done_callback(function() while true do end end)
        f:set_result()
        while true do there.poll() end
    end,
    ["a step of a map"] = function()
        local there = require "futures"
        local inner = there.ThreadPoolExecutor(1)
        local never = there.Future()
        inner:submit(function(f) return f:outcome(0.5) end, never)
        while true do inner:map(function(f) return f:outcome(0.5) end, { never }):totable() end
    end,
    ["shutdown"] = function()
        local there = require "futures"
        local inner = there.ThreadPoolExecutor(1)
        inner:submit(there.sleep, 1)
        while true do inner:shutdown() end
    end,
    ["a submit that waits for room"] = function()
        local there = require "futures"
        local inner = there.ThreadPoolExecutor { max_workers = 1, max_pending = 1 }
        while true do inner:submit(there.sleep, 0.2) end
    end,
    ["a map that waits for room"] = function()
        local there = require "futures"
        local inner = there.ThreadPoolExecutor { max_workers = 1, max_pending = 1 }
        while true do inner:map(there.sleep, function() return 0.2 end) end
    end,
}

-- What each of them looks like from outside, on an executor of one worker.
local ways = {
    ["cancel(true)"] = function(ex, task)
        local f = ex:submit(task)
        check.eventually("running", function() return f:running() end)
        futures.sleep(0.005) -- most are where they want to be by then; all must end anyway
        assert.is_false(f:cancel())
        assert.equal("running", f:state())
        assert.is_true(f:cancel(true))
        local ok, err = f:outcome(LIMIT)
        assert.is_false(ok)
        assert.is_true(futures.iserror(err, futures.CancelledError))
        assert.equal("cancelled", f:state())
        assert.is_true(f:cancelled())
        assert.is_true(f:cancel())
        assert.is_true(f:cancel(true))
        return "cancelled"
    end,
    ["task_timeout"] = function(ex, task)
        local f = ex:with { task_timeout = 0.05 }:submit(task)
        local ok, err = f:outcome(LIMIT)
        assert.is_false(ok)
        assert.is_true(futures.iserror(err, futures.TimeoutError), tostring(err))
        assert.equal("finished", f:state())
        assert.is_false(f:cancel(true))
        return "failed"
    end,
}

local pools = {
    threads = futures.ThreadPoolExecutor,
    processes = futures.ProcessPoolExecutor,
}

-- What shows that the worker is sound.
local function probe()
    local function fib(n) return n < 2 and n or fib(n - 1) + fib(n - 2) end
    local ok, value = pcall(coroutine.wrap(fib), 20)
    return ok and value, debug.gethook()
end

-- These start threads, which ThreadSanitizer cannot run in a forked process.
local starts_threads = {
    ["a step of a map"] = true, ["shutdown"] = true, ["a submit that waits for room"] = true,
    ["a map that waits for room"] = true,
}

for way, look in pairs(ways) do
    for pool, new in pairs(pools) do
        describe(way .. " ends in " .. pool, function()
            for what, task in pairs(endless) do
                local hard = scale.tsan and pool == "processes" and starts_threads[what]
                local test = hard and pending or it
                test(what, function()
                    local ex <close> = new(1)
                    local worker = function() return require "futures".worker() end
                    local before = ex:submit(worker):result(LIMIT)
                    local counter = look(ex, task)
                    local sound = table.pack(ex:submit(probe):result(LIMIT))
                    assert.same(table.pack(6765, nil), sound)
                    assert.same(before, ex:submit(worker):result(LIMIT))
                    local stats = ex:stats()
                    assert.equal(1, stats[counter])
                    assert.equal(3, stats.completed)
                    assert.equal(1, stats.workers)
                    assert.equal(1, stats.idle)
                    assert.equal(0, stats.lost)
                end)
            end
        end)
    end
end

for pool, new in pairs(pools) do
    describe("task_timeout in " .. pool, function()
        it("says the limit and the name of the task", function()
            local ex <close> = new(1)
            local function loop() while true do end end
            local f = ex:with { task_timeout = 0.05, name = "spin" }:submit(loop)
            assert.equal("TimeoutError: the task 'spin' ran longer than its limit of 0.05 s",
                tostring(f:exception(LIMIT)))
            f = ex:with { task_timeout = 0.05 }:submit(loop)
            assert.equal("the task ran longer than its limit of 0.05 s",
                f:exception(LIMIT).message)
        end)

        it("counts from the start of the task, not from the submit", function()
            local ex <close> = new(1)
            local limited = ex:with { task_timeout = LIMIT / 2 }
            local first = ex:submit(futures.sleep, 0.3)
            local second = ex:with { task_timeout = 0.2 }:submit(math.abs, -1)
            local third = limited:submit(math.abs, -2)
            assert.equal(1, second:result(LIMIT))
            assert.equal(2, third:result(LIMIT))
            assert.is_true(first:done())
        end)

        it("of 0 and below does not run the task", function()
            local ex <close> = new(1)
            local runs <close> = tally.new()
            for _, limit in ipairs { 0, -1, -math.huge } do
                local f = ex:with {
                    task_timeout = limit, retries = 1, retry_on = function() return true end,
                }:submit(tally.count, runs.token)
                assert.is_true(futures.iserror(f:exception(LIMIT), futures.TimeoutError))
                assert.equal(0, f:attempts())
            end
            assert.equal(0, runs:runs())
            assert.equal(3, ex:stats().failed)
        end)

        it("of a very small time ends the task", function()
            local ex <close> = new(1)
            local f = ex:with { task_timeout = 1e-12 }:submit(function() while true do end end)
            assert.is_true(futures.iserror(f:exception(LIMIT), futures.TimeoutError))
        end)

        it("of infinity is none, and a view can take it back", function()
            local ex <close> = new(1)
            for _, limit in ipairs { math.huge, 1e300, 1e18, 1000 } do
                local view = ex:with { task_timeout = limit }
                assert.equal(3, view:submit(math.abs, -3):result(LIMIT))
            end
            local short = ex:with { task_timeout = 1e-9 }
            local long = short:with { task_timeout = math.huge }
            assert.equal(3, long:submit(math.abs, -3):result(LIMIT))
        end)

        it("must be a number", function()
            local ex <close> = new(1)
            for _, wrong in ipairs { "1", true, {}, 0 / 0 } do
                check.misuse(1, "with", function()
                    ex:with { task_timeout = wrong }
                end)
            end
        end)

        it("holds for each task of a map, and for each chunk", function()
            local ex <close> = new(2)
            local function work(i)
                while i == 2 do end
                return i
            end
            local map = ex:with { task_timeout = 0.1 }:map(work, { 1, 2, 3 })
            local results = {}
            for i = 1, 3 do
                results[i] = table.pack(pcall(map))
            end
            assert.same({ true, 1, 1, n = 3 }, results[1])
            assert.is_false(results[2][1])
            assert.is_true(futures.iserror(results[2][2], futures.TimeoutError))
            assert.same({ true, 3, 3, n = 3 }, results[3])

            map = ex:with { task_timeout = 0.1, chunksize = 2 }:map(work, { 1, 2, 3, 4 })
            for i = 1, 4 do
                results[i] = table.pack(pcall(map))
            end
            assert.is_true(futures.iserror(results[1][2], futures.TimeoutError))
            assert.is_true(futures.iserror(results[2][2], futures.TimeoutError))
            assert.same({ true, 3, 3, n = 3 }, results[3])
            assert.same({ true, 4, 4, n = 3 }, results[4])
        end)
    end)
end

describe("cancel", function()
    it("takes a boolean", function()
        local f = futures.Future()
        for _, wrong in ipairs { 1, "true", {} } do
            check.misuse(1, "cancel", function() f:cancel(wrong) end)
        end
        assert.is_true(f:cancel(nil))
    end)

    it("with true cancels what is pending, and no bare future that runs", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        local hold <close> = gate.hold(ex)
        local f = ex:submit(math.abs, -1)
        assert.is_true(f:cancel(true))
        assert.equal("cancelled", f:state())
        hold:open()
        local bare = futures.Future()
        bare:set_running_or_notify_cancel()
        assert.is_false(bare:cancel(true))
        bare:set_result(1)
        assert.is_false(bare:cancel(true))
        assert.is_true(futures.Future():cancel(true))
    end)

    it("with true does not change what is finished", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        local f = ex:submit(math.abs, -1)
        assert.equal(1, f:result(LIMIT))
        assert.is_false(f:cancel(true))
        assert.equal(1, f:result(LIMIT))
    end)

    it("with true by the task itself ends it at once", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        local mine, after = futures.Future(), futures.Future()
        local f = ex:submit(function(me, never)
            local itself = me:result()
            itself:cancel(true)
            never:set_result()
        end, mine, after)
        mine:set_result(f)
        f:outcome(LIMIT)
        assert.equal("cancelled", f:state())
        assert.is_false(after:done())
    end)

    it("with true tells those who wait", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        local f = ex:submit(function() while true do end end)
        local called
        f:add_done_callback(function(g) called = g:state() end)
        check.eventually("running", function() return f:running() end)
        assert.is_true(f:cancel(true))
        local done, not_done = futures.wait({ f }, LIMIT)
        assert.equal(f, done[1])
        assert.same({}, not_done)
        futures.poll()
        assert.equal("cancelled", called)
    end)
end)
