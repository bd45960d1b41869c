-- SPDX-License-Identifier: MIT
-- futures.Future(): bare futures, for tests and for executors of one's own.

local futures = require "futures"
local check = require "spec.support.check"
local scale = require "spec.support.scale"

local LIMIT = scale.LIMIT

describe("A bare future", function()
    it("starts pending", function()
        local f = futures.Future()
        assert.equal("pending", f:state())
        assert.is_false(f:done())
        assert.is_false(f:running())
        assert.is_false(f:cancelled())
        assert.is_nil(f:traceback())
    end)

    it("gives all values that were set, nils included", function()
        local f = futures.Future()
        f:set_result(nil, 2, nil)
        assert.equal("finished", f:state())
        assert.same({ n = 3, nil, 2, nil }, table.pack(f:result()))
        assert.same({ n = 4, true, nil, 2, nil }, table.pack(f:outcome()))
        assert.is_nil(f:exception())
    end)

    it("may be set to nothing", function()
        local f = futures.Future()
        f:set_result()
        assert.equal(0, select("#", f:result()))
        assert.equal(1, select("#", f:outcome()))
    end)

    it("holds 1, 60 and 300 values", function()
        for _, count in ipairs { 1, 60, 300 } do
            local values = {}
            for i = 1, count do
                values[i] = i
            end
            local f = futures.Future()
            f:set_result(table.unpack(values))
            assert.same(values, { f:result() })
        end
    end)

    it("gives the very values that were set, uncopied, whatever they are", function()
        local values = {
            {}, print, function() end, coroutine.create(print), io.stdout, futures.Future(),
            setmetatable({}, { __persist = false }),
        }
        for _, value in ipairs(values) do
            local f = futures.Future()
            f:set_result(value)
            assert.is_true(rawequal(value, f:result()))
            local g = futures.Future()
            g:set_exception(value)
            assert.is_true(rawequal(value, g:exception()))
            local ok, err = pcall(g.result, g)
            assert.is_false(ok)
            assert.is_true(rawequal(value, err))
        end
    end)

    it("fails with the exception that was set, false and nil too", function()
        local f = futures.Future()
        f:set_exception(false)
        assert.is_false(f:exception())
        assert.same({ n = 2, false, false }, table.pack(f:outcome()))
        local g = futures.Future()
        g:set_exception(nil)
        assert.equal("<no error object>", g:exception())
        assert.has_error(function() g:result() end, "<no error object>")
    end)

    it("refuses a second set and keeps the first value", function()
        local f = futures.Future()
        f:set_result("first")
        check.raises(futures.InvalidStateError, function() f:set_result("second") end)
        check.raises(futures.InvalidStateError, function() f:set_exception("third") end)
        assert.equal("first", f:result())
        local g = futures.Future()
        g:set_exception("first")
        check.raises(futures.InvalidStateError, function() g:set_exception("second") end)
        check.raises(futures.InvalidStateError, function() g:set_result("third") end)
        assert.equal("first", g:exception())
    end)

    it("refuses a set after cancel", function()
        local f = futures.Future()
        assert.is_true(f:cancel())
        check.raises(futures.InvalidStateError, function() f:set_result("late") end)
        check.raises(futures.InvalidStateError, function() f:set_exception("late") end)
        assert.is_true(f:cancelled())
        check.raises(futures.CancelledError, function() f:result() end)
    end)

    it("runs from set_running_or_notify_cancel on and then cannot be cancelled", function()
        local f = futures.Future()
        assert.is_true(f:set_running_or_notify_cancel())
        assert.equal("running", f:state())
        assert.is_true(f:running())
        assert.is_false(f:cancel())
        f:set_result(1)
        assert.equal("finished", f:state())
        assert.equal(1, f:result())
    end)

    it("says false to set_running_or_notify_cancel when it was cancelled", function()
        local f = futures.Future()
        f:cancel()
        assert.is_false(f:set_running_or_notify_cancel())
        assert.equal("cancelled", f:state())
    end)

    it("refuses to start twice or after its end", function()
        local f = futures.Future()
        f:set_running_or_notify_cancel()
        check.raises(futures.InvalidStateError, function() f:set_running_or_notify_cancel() end)
        f:set_result(1)
        check.raises(futures.InvalidStateError, function() f:set_running_or_notify_cancel() end)
        assert.equal(1, f:result())
    end)

    it("is cancelled once, then cancel stays true", function()
        local f = futures.Future()
        assert.is_true(f:cancel())
        assert.is_true(f:cancel())
        assert.is_true(f:cancelled())
        assert.is_true(f:done())
        assert.is_false(f:running())
    end)

    it("says false to cancel when it is finished", function()
        local f, g = futures.Future(), futures.Future()
        f:set_result(1)
        g:set_exception(1)
        assert.is_false(f:cancel())
        assert.is_false(g:cancel())
        assert.is_false(f:cancelled() or g:cancelled())
    end)

    it("gives another state a copy of its values", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        local f, value = futures.Future(), { 1, { 2 } }
        f:set_result(value, nil)
        local count, copy = ex:submit(function(future)
            return select("#", future:result()), future:result()
        end, f):result(LIMIT)
        assert.equal(2, count)
        assert.same(value, copy)
        assert.is_true(rawequal(value, f:result()))
    end)

    it("gives another state a TransferError for what cannot travel", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        local f = futures.Future()
        f:set_result(io.stdout)
        local task = ex:submit(function(future) return future:outcome(30) end, f)
        local ok, err = task:result(LIMIT)
        assert.is_false(ok)
        assert.is_true(futures.iserror(err, futures.TransferError))
        assert.equal("result 1: userdata (FILE*) cannot travel", err.message)
        assert.equal(io.stdout, f:result())
    end)

    it("may be completed by a task", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        local f, g = futures.Future(), futures.Future()
        ex:submit(function(a, b)
            a:set_result({ "theirs" }, 2)
            b:set_exception { "theirs" }
        end, f, g)
        local value, two = f:result(LIMIT)
        assert.same({ "theirs" }, value)
        assert.equal(2, two)
        assert.is_true(rawequal(value, f:result()))
        assert.same({ "theirs" }, g:exception(LIMIT))
    end)

    it("is set by one of many who try", function()
        local ex <close> = futures.ThreadPoolExecutor(4)
        for _ = 1, scale.count(200) do
            local f, fs, winners, value = futures.Future(), {}, 0, nil
            for i = 1, 4 do
                fs[i] = ex:submit(function(future, number)
                    return pcall(future.set_result, future, number)
                end, f, i)
            end
            for i = 1, 4 do
                if fs[i]:result(LIMIT) then
                    winners, value = winners + 1, i
                end
            end
            assert.equal(1, winners)
            assert.equal(value, f:result())
        end
    end)

    it("has an executor of its own: a task's future cannot be set again", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        local f = ex:submit(math.abs, -1)
        f:result(LIMIT)
        check.raises(futures.InvalidStateError, function() f:set_result(5) end)
        assert.equal(1, f:result())
    end)

    it("is a future, and says so with its state", function()
        local f = futures.Future()
        assert.matches("^Future: .*pending", tostring(f))
        f:set_result()
        assert.matches("^Future: .*finished", tostring(f))
    end)

    it("takes no arguments that it does not know", function()
        local f = futures.Future()
        assert.has_error(function() f.result(5) end)
        assert.has_error(function() f.done() end)
        assert.equal("pending", f:state())
    end)
end)
