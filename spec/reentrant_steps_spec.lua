-- SPDX-License-Identifier: MIT
-- Iterators that are taken further, or closed, from inside of their own step: by a callback
-- that runs while the step waits, by a source, by code that runs while a result is taken apart.

local futures = require "futures"
local check = require "spec.support.check"
local gate = require "spec.support.gate"
local scale = require "spec.support.scale"
local script = require "spec.support.script"

local LIMIT = scale.LIMIT

-- What `step` gives until its end, as index → value; each index may come once.
local function take_all(step, seen)
    for index, value in step do
        assert(seen[index] == nil, "an index twice")
        seen[index] = value
    end
    return seen
end

describe("A step of a map during which a callback", function()
    local ex, helper, go
    before_each(function()
        futures.poll()
        ex, helper = futures.ThreadPoolExecutor(2), futures.ThreadPoolExecutor(1)
        go = gate.new()
    end)
    after_each(function()
        go:open()
        ex:shutdown()
        helper:shutdown()
    end)

    -- Runs `callback` while the main thread waits in the next call.
    local function when_waiting(callback)
        gate.when_asleep(helper):add_done_callback(callback)
    end

    local function waiting_map(options)
        local pass, token = gate.passer(), go.token
        options.timeout = LIMIT
        return ex:with(options):map(function(x)
            pass(token)
            return x
        end, { 1, 2, 3, 4, 5, 6 })
    end

    for name, options in pairs {
        ["in order"] = {},
        ["in order, in chunks"] = { chunksize = 2 },
        ["in order, in a buffer"] = { buffersize = 2 },
        ["in any order"] = { ordered = false },
        ["in any order, in chunks"] = { ordered = false, chunksize = 2 },
        ["in any order, in a buffer"] = { ordered = false, buffersize = 2 },
    } do
        it("closes that map ends, " .. name, function()
            local map = waiting_map(options)
            when_waiting(function()
                map:close()
                go:open() -- the step may wait for the task that is running
            end)
            assert.is_nil(map())
            assert.is_nil(map())
        end)

        it("takes the next step loses and doubles nothing, " .. name, function()
            local map, seen = waiting_map(options), {}
            when_waiting(function()
                go:open()
                for _ = 1, 2 do
                    local index, value = map()
                    assert(seen[index] == nil)
                    seen[index] = value
                end
            end)
            take_all(map, seen)
            assert.same({ 1, 2, 3, 4, 5, 6 }, seen)
        end)

        it("takes all the steps leaves the end to it, " .. name, function()
            local map, seen = waiting_map(options), {}
            when_waiting(function()
                go:open()
                take_all(map, seen)
            end)
            -- Its own item it may have been given before.
            take_all(map, seen)
            assert.same({ 1, 2, 3, 4, 5, 6 }, seen)
        end)
    end
end)

describe("A source of a map that", function()
    local ex
    setup(function() ex = futures.ThreadPoolExecutor(2):with { timeout = LIMIT } end)
    teardown(function() ex:shutdown() end)

    for name, options in pairs {
        ["in order"] = { buffersize = 2 },
        ["in any order"] = { buffersize = 2, ordered = false },
        ["in chunks"] = { buffersize = 2, chunksize = 2 },
    } do
        it("closes the map ends it, " .. name, function()
            local map
            local count = 0
            map = ex:with(options):map(math.abs, function()
                count = count + 1
                if count > 6 then
                    map:close()
                end
                return count
            end)
            local steps = 0
            for _ in map do
                steps = steps + 1
            end
            assert.is_true(steps < 8)
            assert.is_nil(map())
        end)

        it("takes a step is refused or served, nothing is lost or doubled, " .. name, function()
            local map, seen, count = nil, {}, 0
            map = ex:with(options):map(math.abs, function()
                count = count + 1
                if count == 6 then
                    local ok, index, value = pcall(map)
                    assert(ok or futures.iserror(index, futures.Error))
                    if ok then
                        seen[index] = value
                    end
                end
                return count <= 12 and count or nil
            end)
            take_all(map, seen)
            for i = 1, 12 do
                assert.equal(i, seen[i])
            end
        end)
    end
end)

describe("A result of a chunk", function()
    it("whose rebuilding closes the map does no harm", function()
        local result = script.run [[
            local futures = require "futures"
            local ex <close> = futures.ThreadPoolExecutor(1)
            local it
            function back(v)
                it:close()
                collectgarbage()
                collectgarbage()
                return { v }
            end
            it = ex:with { chunksize = 4 }:map(function(x)
                return setmetatable({ x }, { __persist = function(o)
                    local v = o[1]
                    return function() return back(v) end
                end })
            end, { 1, 2, 3, 4, 5, 6, 7, 8 })
            for _ = 1, 10 do
                pcall(it)
            end
            print(it(), ex:submit(math.abs, -1):result(20))
        ]]
        assert.equal(0, result.code, result.err)
        assert.equal("nil\t1\n", result.out)
    end)

    it("whose rebuilding takes a step loses and doubles nothing, refused or served", function()
        local out = script.output [[
            local futures = require "futures"
            local ex <close> = futures.ThreadPoolExecutor(1)
            local it
            local seen, nested = {}, false
            function back(v)
                if v == 2 and not nested then
                    nested = true
                    local ok, index, value = pcall(it)
                    if ok then
                        seen[index] = (seen[index] or 0) + value[1]
                    end
                end
                return { v }
            end
            it = ex:with { chunksize = 4 }:map(function(x)
                return setmetatable({ x }, { __persist = function(o)
                    local v = o[1]
                    return function() return back(v) end
                end })
            end, { 1, 2, 3, 4, 5, 6, 7, 8 })
            for index, value in it do
                seen[index] = (seen[index] or 0) + value[1]
            end
            print(table.concat(seen, " "))
        ]]
        assert.equal("1 2 3 4 5 6 7 8\n", out)
    end)
end)

describe("A step of as_completed during which a callback", function()
    local helper
    before_each(function()
        futures.poll()
        helper = futures.ThreadPoolExecutor(1)
    end)
    after_each(function() helper:shutdown() end)

    it("takes the next step waits on for its own", function()
        local fs, seen = { futures.Future(), futures.Future(), futures.Future() }, {}
        local step = futures.as_completed(fs, LIMIT)
        gate.when_asleep(helper):add_done_callback(function()
            fs[2]:set_result()
            seen[#seen + 1] = step()
            gate.when_asleep(helper):add_done_callback(function()
                fs[1]:set_result()
                fs[3]:set_result()
            end)
        end)
        for f in step do
            seen[#seen + 1] = f
        end
        check.same_futures(fs, seen)
        assert.is_true(rawequal(fs[2], seen[1]))
    end)

    it("takes all the steps ends with the last one", function()
        local fs, seen = { futures.Future(), futures.Future() }, {}
        local step = futures.as_completed(fs, LIMIT)
        gate.when_asleep(helper):add_done_callback(function()
            fs[1]:set_result()
            fs[2]:set_result()
            for f in step do
                seen[#seen + 1] = f
            end
        end)
        for f in step do
            seen[#seen + 1] = f
        end
        check.same_futures(fs, seen)
    end)
end)

describe("A wait during which a callback", function()
    local helper
    before_each(function()
        futures.poll()
        helper = futures.ThreadPoolExecutor(1)
    end)
    after_each(function() helper:shutdown() end)

    it("waits for the same futures sees them done", function()
        local f, inner = futures.Future(), nil
        gate.when_asleep(helper):add_done_callback(function()
            f:set_result("value")
            inner = #futures.wait({ f }, LIMIT)
        end)
        local done, not_done = futures.wait({ f }, LIMIT)
        assert.equal(1, inner)
        assert.equal(1, #done)
        assert.equal(0, #not_done)
    end)

    it("shuts the executor down ends like any other", function()
        local ex = futures.ThreadPoolExecutor(1)
        local hold <close> = gate.hold(ex)
        local queued = ex:submit(math.abs, -1)
        local down
        gate.when_asleep(helper):add_done_callback(function()
            ex:shutdown { wait = false, cancel_futures = true }
            hold:open()
            down = ex:shutdown()
        end)
        check.raises(futures.CancelledError, function() queued:result(LIMIT) end)
        assert.is_true(down)
    end)

    it("raises stays what it is, whatever the text says", function()
        local out, result = script.output([[
            local futures = require "futures"
            local f = futures.Future()
            f:add_done_callback(function() error("the download was interrupted!") end)
            f:add_done_callback(function() error("interrupted!", 0) end)
            f:set_result(1)
            print(pcall(f.result, f))
        ]], { flags = { "-W" } })
        assert.equal("true\t1\n", out)
        check.contains("the download was interrupted!", result.err)
        local _, warnings = result.err:gsub("Lua warning:", "")
        assert.equal(2, warnings)
    end)
end)
