-- SPDX-License-Identifier: MIT
-- The contract again, under a collector that works in another way and far more often; and a
-- collector that cannot do its work.

local futures = require "futures"
local check = require "spec.support.check"
local scale = require "spec.support.scale"
local script = require "spec.support.script"
local run_contract = require "spec.executor_contract"

local function thread_pool(name)
    return {
        name = "ThreadPoolExecutor under " .. name,
        kind = "thread",
        new = function(options) return futures.ThreadPoolExecutor(options) end,
    }
end

describe("With the generational collector:", function()
    setup(function() collectgarbage("generational") end)
    teardown(function() collectgarbage("incremental") end)
    run_contract(thread_pool "the generational collector")
end)

describe("With an aggressive collector:", function()
    local pause, multiplier
    setup(function()
        pause = collectgarbage("setpause", 0)
        multiplier = collectgarbage("setstepmul", 400)
    end)
    teardown(function()
        collectgarbage("setpause", pause)
        collectgarbage("setstepmul", multiplier)
    end)
    run_contract(thread_pool "an aggressive collector")
end)

describe("With a full collection", function()
    local LIMIT = scale.LIMIT

    -- A hook that collects garbage every few instructions finds whatever hangs on a stack slot
    -- only by chance.
    local function collecting(body)
        return function()
            debug.sethook(function() collectgarbage() end, "", 50)
            local ok, err = pcall(body)
            debug.sethook()
            if not ok then
                error(err, 0)
            end
        end
    end

    it("every 50 instructions futures and executors work", collecting(function()
        local ex <close> = futures.ThreadPoolExecutor(2)
        local fs, ran = {}, 0
        for i = 1, 20 do
            fs[i] = ex:submit(function(t) return { t[1] + 1 } end, { i })
            fs[i]:add_done_callback(function() ran = ran + 1 end)
        end
        for i = 1, 20 do
            assert.equal(i + 1, fs[i]:result(LIMIT)[1])
        end
        futures.wait(fs, LIMIT)
        assert.equal(20, ran)
        local sum = 0
        for f in futures.as_completed(fs, LIMIT) do
            sum = sum + f:result()[1]
        end
        assert.equal(230, sum)
    end))

    it("every 50 instructions map works", collecting(function()
        local ex <close> = futures.ThreadPoolExecutor(2)
        local view = ex:with { chunksize = 3, buffersize = 2, timeout = LIMIT }
        local all = view:map(function(x) return { x } end, { 1, 2, 3, 4, 5, 6, 7 }):totable()
        assert.equal(7, all.n)
        assert.equal(7, all[7][1])
    end))

    it("every 50 instructions a worker runs functions and objects", collecting(function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        local class = { __index = { double = function(self) return 2 * self.x end } }
        for i = 1, 10 do
            local object = setmetatable({ x = i }, class)
            local f = ex:submit(function(o)
                debug.sethook(function() collectgarbage() end, "", 50)
                local copy = setmetatable({ x = o:double() }, getmetatable(o))
                debug.sethook()
                return copy
            end, object)
            assert.equal(4 * i, f:result(LIMIT):double())
        end
    end))
end)

-- Lua gives a finalizer up that finds no stack: after a recursion without end, for example.
-- What it would have freed is lost, of which LeakSanitizer is not to tell.
local NO_LEAK_CHECK = 'export ASAN_OPTIONS="$ASAN_OPTIONS:detect_leaks=0";'

describe("A finalizer that fails", function()
    it("leaves futures that nobody else finds", function()
        local out, result = script.output([[
            warn "@on"
            local futures = require "futures"
            local depth, target
            local function deep(n)
                depth = n
                if n == target then
                    collectgarbage()
                    return 0
                end
                return deep(n + 1) + 1
            end
            print(pcall(deep, 1))
            local most = depth
            local kept = futures.Future()
            local watched = futures.Future()
            for k = 0, 12 do -- frames below the end: in some of them only finalizers fail
                collectgarbage("stop") -- no sooner than there
                target = most - k
                futures.Future():next(print)
                kept:next(print)
                futures.as_completed({ watched, futures.Future() }, 0)
                pcall(deep, 1)
                collectgarbage("restart")
                collectgarbage()
                collectgarbage()
            end
            local over = {}
            for i = 1, 1000 do over[i] = futures.Future() end
            kept:set_result "kept"
            watched:set_result()
            print(futures.poll())
        ]], { before = NO_LEAK_CHECK })
        check.contains("error in __gc", result.err)
        check.contains("stack overflow", out)
        assert.equal(13, select(2, out:gsub("kept", "")))
    end)
end)
