-- SPDX-License-Identifier: MIT
-- The end of a map: its timeout, close, leaving the loop.

local futures = require "futures"
local check = require "spec.support.check"
local gate = require "spec.support.gate"
local scale = require "spec.support.scale"

local LIMIT = scale.LIMIT

local function echo(...)
    return ...
end

describe("The timeout of a map", function()
    it("is for the whole iteration and counts from the call", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        local hold <close> = gate.hold(ex)
        local from = futures.monotonic()
        local step = ex:with { timeout = 0.05 }:map(echo, { 1 })
        futures.sleep(0.04)
        check.raises(futures.TimeoutError, step)
        local seconds = futures.monotonic() - from
        assert.is_true(seconds >= 0.049, "too early: " .. seconds)
        hold:open()
    end)

    it("does not concern what is finished", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        local step = ex:with { timeout = LIMIT }:map(echo, { 1, 2 })
        assert.same({ 1, 1 }, { step() })
        assert.same({ 2, 2 }, { step() })
    end)

    it("cancels what has not started", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        local hold <close> = gate.hold(ex)
        local step = ex:with { timeout = 0 }:map(echo, { 1, 2, 3 })
        check.raises(futures.TimeoutError, step)
        assert.equal(3, ex:stats().cancelled)
        hold:open()
    end)

    it("is bad if it is NaN or no number", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        for _, bad in ipairs { 0 / 0, "5", true, {} } do
            check.misuse(1, "with", function() ex:with { timeout = bad } end)
        end
    end)
end)

describe("The end of a map", function()
    local ex, hold

    before_each(function()
        ex = futures.ThreadPoolExecutor(1)
        hold = gate.hold(ex)
    end)
    after_each(function()
        hold:__close()
        ex:shutdown()
    end)

    it("by close cancels what has not started", function()
        local map = ex:map(echo, { 1, 2, 3 })
        map:close()
        assert.equal(3, ex:stats().cancelled)
        map:close()
        assert.is_nil(map())
    end)

    it("by leaving its scope cancels what has not started", function()
        do
            local _ <close> = ex:map(echo, { 1, 2, 3 })
        end
        assert.equal(3, ex:stats().cancelled)
    end)

    it("by close cancels chunks, too", function()
        local map = ex:with { chunksize = 2 }:map(echo, { 1, 2, 3, 4, 5 })
        map:close()
        hold:open()
        ex:shutdown()
        assert.equal(0, ex:stats().pending)
        assert.equal(ex:stats().submitted, ex:stats().completed + ex:stats().cancelled)
    end)
end)

describe("Leaving the loop of a map", function()
    -- The first task ends at once, the others wait: after one step the second is running or
    -- pending, the third is pending.
    local function leaves(body)
        local ex <close> = futures.ThreadPoolExecutor(1)
        local go <close> = gate.new()
        local pass, token = gate.passer(), go.token
        body(ex:with { timeout = LIMIT }, function(x)
            if x > 1 then
                pass(token)
            end
            return x
        end)
        local cancelled = ex:stats().cancelled
        assert.is_true(cancelled == 1 or cancelled == 2)
    end

    it("by break cancels what has not started", function()
        leaves(function(ex, task)
            for i in ex:map(task, { 1, 2, 3 }) do
                if i == 1 then
                    break
                end
            end
        end)
    end)

    it("by return cancels what has not started", function()
        leaves(function(ex, task)
            for i in ex:map(task, { 1, 2, 3 }) do
                if i == 1 then
                    return
                end
            end
        end)
    end)

    it("by an error cancels what has not started and keeps the error", function()
        leaves(function(ex, task)
            local ok, err = pcall(function()
                for i in ex:map(task, { 1, 2, 3 }) do
                    error(i)
                end
            end)
            assert.is_false(ok)
            assert.equal(1, err)
        end)
    end)

    it("by the error of a task cancels what has not started", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        local go <close> = gate.new()
        local pass, token = gate.passer(), go.token
        local ok, err = pcall(function()
            for _ in ex:map(function(x)
                if x == 1 then
                    error("first", 0)
                end
                pass(token)
            end, { 1, 2, 3 }) do
                error("not reached")
            end
        end)
        assert.is_false(ok)
        assert.equal("first", err)
        local cancelled = ex:stats().cancelled
        assert.is_true(cancelled == 1 or cancelled == 2)
    end)
end)
