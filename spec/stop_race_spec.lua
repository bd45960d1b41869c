-- SPDX-License-Identifier: MIT
-- Random tasks, ended at random moments. FUTURES_STOP_RUNS says how many; 20,000 is the number
-- for a long run.

local futures = require "futures"
require "spec.support.watchdog"
local scale = require "spec.support.scale"

local LIMIT = scale.LIMIT

local RUNS = tonumber(os.getenv("FUTURES_STOP_RUNS")) or scale.count(1500)

-- What tasks do, again and again until they are ended, or not. All of them are sent.
local work = {
    function() -- a loop
        local n = 0
        for i = 1, 20000 do n = n + i end
        return n
    end,
    function() -- strings
        local s = {}
        for i = 1, 200 do s[i] = ("%d"):format(i):rep(3):gsub("1", "one") end
        return table.concat(s)
    end,
    function() -- sleep
        require "futures".sleep(0.002)
    end,
    function() -- waits
        local there = require "futures"
        local f = there.Future()
        f:outcome(0.001)
        there.wait({ f }, 0.001)
        pcall(f.result, f, 0)
    end,
    function() -- coroutines
        local gen = coroutine.wrap(function()
            for i = 1, 200 do coroutine.yield(i) end
        end)
        for _ = 1, 200 do gen() end
        local co = coroutine.create(function()
            local _ <close> = setmetatable({}, { __close = function() end })
            pcall(coroutine.yield, pcall(error, "x"))
            error "y"
        end)
        coroutine.resume(co)
        coroutine.resume(co)
        coroutine.close(co)
    end,
    function() -- errors
        for i = 1, 100 do
            pcall(error, i)
            xpcall(error, function(e) return e end, {})
            pcall(function()
                local _ <close> = setmetatable({}, { __close = function() error "z" end })
                error "y"
            end)
        end
    end,
    function() -- garbage with finalizers
        for _ = 1, 200 do setmetatable({}, { __gc = function() local _ = {} end }) end
        collectgarbage "step"
    end,
    function() -- callbacks, sort, load
        table.sort({ 3, 1, 2, 5, 4 }, function(a, b) return a < b end)
        local parts = { "return ", "1", "+1" }
        local i = 0
        load(function() i = i + 1 return parts[i] end)()
        local f = require "futures".Future()
        f:add_done_callback(function() local _ = ("x"):rep(10) end)
        f:set_result({})
        require "futures".poll()
    end,
}

local function run(work_of_task, rounds, closed)
    local _ <close> = setmetatable({}, {
        __close = function() if closed then closed:set_result() end end,
    })
    for _ = 1, rounds do
        for _, step in ipairs(work_of_task) do step() end
    end
    return rounds
end

-- The same in a coroutine, in a pool of its own, or waiting for another task of the pool.
local function in_coroutine(...)
    return coroutine.wrap(run)(...)
end

local function in_inner_pool(...)
    local inner <close> = require "futures".ThreadPoolExecutor(1)
    return inner:submit(run, ...):result()
end

local function nested(ex, ...)
    return ex:submit(run, ...):result()
end

-- Starts one and says when it is to be ended: seconds from now; how: false for its own time.
local function start(ex, random)
    local steps = {}
    for i = 1, random(3) do steps[i] = work[random(#work)] end
    local rounds, delay = random(40), random() ^ 3 * 0.02
    local how, kind = random(2) == 1, random(10)
    local view = how and ex or ex:with { task_timeout = delay }
    local f
    if kind == 1 then
        f = view:submit(in_inner_pool, steps, rounds)
    elseif kind <= 3 then
        f = view:submit(nested, ex, steps, rounds)
    elseif kind <= 6 then
        f = view:submit(in_coroutine, steps, rounds)
    else
        f = view:submit(run, steps, rounds)
    end
    return f, how and futures.monotonic() + delay
end

local function expect_end(f, asked, seed)
    local ok, err = f:outcome(LIMIT)
    if f:cancelled() then
        assert.is_true(asked)
        return "cancelled"
    elseif ok then
        assert.equal("integer", math.type(err), "seed " .. seed)
        return "completed"
    end
    assert.is_true(futures.iserror(err, futures.TimeoutError), tostring(err))
    return "failed"
end

-- So many in one test: the watchdog has its eye on each.
local BATCH = 500

local function run_batch(runs, seed)
    local counts = { cancelled = 0, completed = 0, failed = 0 }
    local ex <close> = futures.ThreadPoolExecutor(3)
    local open, ahead = {}, 6
    for i = 1, runs + ahead do
        if i <= runs then
            local f, at = start(ex, math.random)
            open[#open + 1] = { f = f, at = at }
        end
        local task = i > ahead and table.remove(open, 1)
        if task then
            local asked = false
            if task.at then
                futures.sleep(task.at - futures.monotonic())
                asked = task.f:cancel(true)
            end
            local how = expect_end(task.f, asked, seed)
            counts[how] = counts[how] + 1
        end
    end
    assert.equal(runs, counts.cancelled + counts.completed + counts.failed)
    for _ = 1, 10 do
        assert.equal(4, ex:submit(function()
            return (pcall(coroutine.wrap(error))) and 0 or select(2, pcall(math.max, 4, 2))
        end):result(LIMIT))
    end
    ex:shutdown() -- what ended tasks have submitted may run until then
    local s = ex:stats()
    assert.equal(s.submitted, s.completed + s.failed + s.cancelled)
    return counts
end

describe("Ended at random moments", function()
    for first = 1, RUNS, BATCH do
        local runs = math.min(BATCH, RUNS - first + 1)
        it(("tasks %d to %d end, and the workers are sound"):format(first, first + runs - 1),
            function()
                local seed = tonumber(os.getenv("FUTURES_SEED")) or os.time() + first
                math.randomseed(seed)
                local counts = run_batch(runs, seed)
                if os.getenv("FUTURES_STOP_RUNS") then
                    io.stderr:write(("%d cancelled, %d timed out, %d completed, seed %d\n")
                        :format(counts.cancelled, counts.failed, counts.completed, seed))
                end
            end)
    end
end)

-- Its worker begins a task before the pool has read the result of the one before.
describe("cancel(true) of a task of a process that has just begun", function()
    local function begun(ex, fn)
        ex:submit(math.abs, 1)
        local f = ex:submit(fn)
        while f:state() ~= "running" do end
        return f
    end

    it("is never refused", function()
        local ex <close> = futures.ProcessPoolExecutor(1)
        for _ = 1, scale.count(300) do
            local f = begun(ex, function() while true do end end)
            assert.is_true(f:cancel(true))
            assert.is_false((f:outcome(LIMIT)))
            assert.is_true(f:cancelled())
        end
        assert.equal(0, ex:stats().lost)
    end)

    it("ends one that hears nothing with its process, whatever else was cancelled", function()
        local ex <close> = futures.ProcessPoolExecutor(1)
        local first = ex:submit(function() while true do end end)
        -- In C for minutes, without any instruction of Lua.
        local second = ex:submit(string.find, ("a"):rep(3e4), (".-"):rep(20) .. "b")
        while first:state() ~= "running" do end
        assert.is_true(first:cancel(true))
        while second:state() ~= "running" do end
        assert.is_true(second:cancel(true))
        for _, f in ipairs { first, second } do
            assert.is_false((f:outcome(LIMIT)))
            assert.is_true(f:cancelled())
        end
        assert.equal(3, ex:submit(math.abs, -3):result(LIMIT))
    end)
end)
