-- SPDX-License-Identifier: MIT
-- include/futures.h, by way of examples/native.c: a C module that knows nothing else of us.

require "spec.support.watchdog"
local futures = require "futures"
local check = require "spec.support.check"
local native = require "native"
local scale = require "spec.support.scale"

local LIMIT = scale.LIMIT

describe("A C function in a pool", function()
    it("runs there, and its result comes home", function()
        local ex <close> = futures.ThreadPoolExecutor(2)
        local f = native.sum(ex, 1, 1000)
        assert.equal(getmetatable(futures.Future()), getmetatable(f))
        assert.equal(500500, f:result(LIMIT))
        assert.equal("integer", math.type(f:result()))
        assert.equal(1, ex:stats().completed)
    end)

    it("may be cancelled while it waits", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        local go = futures.Future()
        local held = ex:submit(function(gate) return gate:result(20) end, go)
        local f = native.sum(ex, 1, 2)
        assert.is_true(f:cancel())
        go:set_result(true)
        held:result(LIMIT)
        check.raises(futures.CancelledError, function()
            f:result(LIMIT)
        end)
    end)

    it("is refused by what is closed, by processes, by what is no pool", function()
        local ex = futures.ThreadPoolExecutor(1)
        ex:shutdown()
        check.raises(futures.Error, function()
            native.sum(ex, 1, 2)
        end)
        local processes <close> = futures.ProcessPoolExecutor(1)
        check.raises(futures.TransferError, function()
            native.sum(processes, 1, 2)
        end)
        assert.is_false((pcall(native.sum, 3, 1, 2)))
    end)
end)

describe("A future of a C module", function()
    it("is completed from its thread", function()
        local f = native.after(0.01, "late")
        assert.matches("'after'", tostring(f))
        assert.equal("late", f:result(LIMIT))
        assert.equal("finished", f:state())
        local fs = { native.after(0.02, "b"), native.after(0, "a") }
        local seen = {}
        for one in futures.as_completed(fs, LIMIT) do
            seen[one:result()] = true
        end
        assert.same({ a = true, b = true }, seen)
    end)

    it("is nobody else's to set, but may be cancelled", function()
        local f = native.after(0.05, "x")
        check.raises(futures.InvalidStateError, function()
            f:set_result(1)
        end)
        assert.is_true(f:cancel())
        assert.equal("cancelled", f:state())
        assert.is_nil(f:progress())
    end)

    it("may be sent to a task, and derived from", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        local f = native.after(0.01, "sent")
        assert.equal("sent", ex:submit(function(one)
            return one:result(20)
        end, f):result(LIMIT))
        assert.equal("sent!", f:next(function(text) return text .. "!" end):result(LIMIT))
    end)
end)
