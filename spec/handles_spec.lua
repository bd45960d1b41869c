-- SPDX-License-Identifier: MIT
-- Futures and executors sent to tasks.

local futures = require "futures"
local check = require "spec.support.check"
local gate = require "spec.support.gate"
local scale = require "spec.support.scale"

local LIMIT = scale.LIMIT

local function echo(...)
    return ...
end

describe("A future sent to a task", function()
    local ex
    before_each(function() ex = futures.ThreadPoolExecutor(2) end)
    after_each(function() ex:shutdown() end)

    it("can be waited for, with all its values", function()
        local f = futures.Future()
        local task = ex:submit(function(g) return g:result(30) end, f)
        f:set_result(1, nil, { 3 }, nil)
        assert.same({ n = 4, 1, nil, { 3 }, nil }, table.pack(task:result(LIMIT)))
    end)

    it("may be the future of another task", function()
        local a = ex:submit(function() return "from a", { 1 } end)
        local b = ex:submit(function(f) return f:result(30) end, a)
        assert.same({ "from a", { 1 } }, { b:result(LIMIT) })
        assert.same({ "from a", { 1 } }, { a:result(LIMIT) })
    end)

    it("raises there what it raises here", function()
        local failed = ex:submit(function() error { code = 7 } end)
        local ok, err = ex:submit(function(f) return f:outcome(30) end, failed):result(LIMIT)
        assert.is_false(ok)
        assert.same({ code = 7 }, err)
        local cancelled = futures.Future()
        cancelled:cancel()
        local class = ex:submit(function(f)
            return futures.iserror(f:exception(30), futures.CancelledError)
        end, cancelled):exception(LIMIT)
        assert.is_true(futures.iserror(class, futures.CancelledError))
    end)

    it("shows its state there and can be cancelled from there", function()
        local f = futures.Future()
        local before, answer, after, here = ex:submit(function(g)
            return g:state(), g:cancel(), g:state(), g:cancelled() and g:done()
        end, f):result(LIMIT)
        assert.same({ "pending", true, "cancelled", true }, { before, answer, after, here })
        assert.is_true(f:cancelled())
    end)

    it("may be cancelled there while it is queued here", function()
        local pool <close> = futures.ThreadPoolExecutor(1)
        local hold <close> = gate.hold(pool)
        local queued = pool:submit(echo)
        assert.is_true(ex:submit(function(f) return f:cancel() end, queued):result(LIMIT))
        assert.is_true(queued:cancelled())
        assert.is_false(ex:submit(function(f) return f:cancel() end, hold.futures[1])
            :result(LIMIT))
        hold:open()
    end)

    it("may stand in a table, as a key, as an upvalue", function()
        local f, g = futures.Future(), futures.Future()
        f:set_result(1)
        g:set_result(2)
        assert.equal(3, ex:submit(function(list)
            return list[1]:result(30) + list.x.y:result(30)
        end, { f, x = { y = g } }):result(LIMIT))
        assert.equal(2, ex:submit(function(t)
            for key, value in pairs(t) do
                if key:result(30) == value then
                    return value
                end
            end
        end, { [g] = 2 }):result(LIMIT))
        assert.equal(3, ex:submit(function()
            return f:result(30) + g:result(30)
        end):result(LIMIT))
    end)

    it("is one value there: sent twice, it is the same", function()
        local f = futures.Future()
        assert.is_true(ex:submit(function(a, b, t)
            return rawequal(a, b) and rawequal(a, t[1])
        end, f, f, { f }):result(LIMIT))
    end)

    it("comes home as the same value", function()
        local f = futures.Future()
        assert.is_true(rawequal(f, ex:submit(echo, f):result(LIMIT)))
        assert.is_true(rawequal(f, ex:submit(function(g) return { g } end, f):result(LIMIT)[1]))
        local names = { [f] = "mine" }
        assert.equal("mine", names[ex:submit(echo, f):result(LIMIT)])
    end)

    it("made there comes home and works", function()
        local f = ex:submit(function()
            local g = futures.Future()
            g:set_result("made there", { 1 })
            return g
        end):result(LIMIT)
        assert.same({ "made there", { 1 } }, { f:result(LIMIT) })
        local shared = ex:submit(function()
            local g = futures.Future()
            return g
        end):result(LIMIT)
        ex:submit(function(g) g:set_result("later") end, shared)
        assert.equal("later", shared:result(LIMIT))
    end)

    it("can be waited for by many", function()
        local pool <close> = futures.ThreadPoolExecutor(8)
        local f, fs = futures.Future(), {}
        for i = 1, 8 do
            fs[i] = pool:submit(function(g, n) return g:result(30) + n end, f, i)
        end
        check.eventually("eight tasks", function() return pool:stats().running == 8 end)
        f:set_result(100)
        for i = 1, 8 do
            assert.equal(100 + i, fs[i]:result(LIMIT))
        end
    end)

    it("works in wait and as_completed there", function()
        local a, b = futures.Future(), futures.Future()
        a:set_result()
        local done, not_done, same = ex:submit(function(x, y)
            local finished, open = futures.wait({ x, y }, 0)
            return #finished, #open, rawequal(finished[1], x) and rawequal(open[1], y)
        end, a, b):result(LIMIT)
        assert.same({ 1, 1, true }, { done, not_done, same })
    end)

    it("works as an element of a map", function()
        local fs = {}
        for i = 1, 5 do
            fs[i] = futures.Future()
            fs[i]:set_result(i * i)
        end
        local view = ex:with { timeout = LIMIT, chunksize = 2 }
        local squares = view:map(function(f) return (f:result(30)) end, fs):totable()
        assert.same({ 1, 4, 9, 16, 25, n = 5 }, squares)
    end)

    it("stays usable here when the worker drops it", function()
        local f = futures.Future()
        ex:submit(function(...)
            local _ = select("#", ...)
            collectgarbage()
            collectgarbage()
        end, f):result(LIMIT)
        f:set_result(1)
        assert.equal(1, f:result())
    end)

    it("may be an initializer's argument", function()
        local f = futures.Future()
        local pool <close> = futures.ThreadPoolExecutor {
            max_workers = 1,
            initializer = function(g) _G.value = g:result(30) end,
            initargs = { f },
        }
        local task = pool:submit(function() return _G.value end)
        f:set_result("initialized")
        assert.equal("initialized", task:result(LIMIT))
    end)
end)

describe("An executor sent to a task", function()
    it("is a handle to the same executor", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        local other <close> = futures.ThreadPoolExecutor {
            max_workers = 1, thread_name_prefix = "other",
        }
        local name, before, after = ex:submit(function(pool)
            local count = pool:stats().submitted
            return pool:submit(futures.worker):result(30).name, count, pool:stats().submitted
        end, other):result(LIMIT)
        assert.matches("^other_", name)
        assert.equal(0, before)
        assert.equal(1, after)
        assert.equal(1, other:stats().submitted)
    end)

    it("has all methods there: map, with, shutdown", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        local other = futures.ThreadPoolExecutor(1)
        local sum, down = ex:submit(function(pool)
            local total = 0
            local view = pool:with { chunksize = 2, timeout = 30 }
            for _, x in view:map(math.abs, { -1, -2, -3 }) do
                total = total + x
            end
            return total, pool:shutdown()
        end, other):result(LIMIT)
        assert.equal(6, sum)
        assert.is_true(down)
        assert.has_error(function() other:submit(echo) end)
    end)

    it("is not owned: collecting the handle shuts nothing down", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        local other <close> = futures.ThreadPoolExecutor(1)
        for _ = 1, 3 do
            ex:submit(function(pool)
                pool:submit(math.abs, -1)
                pool = nil -- luacheck: ignore 311
                collectgarbage()
                collectgarbage()
            end, other):result(LIMIT)
        end
        assert.equal(5, other:submit(math.abs, -5):result(LIMIT))
    end)

    it("works as long as a handle is there, though its owner is collected", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        local go <close> = gate.new()
        local task
        do
            local other = futures.ThreadPoolExecutor(1)
            task = ex:submit(function(pool, f)
                f:result(30)
                local ok, g = pcall(pool.submit, pool, math.abs, -5)
                return ok and g:result(30) or tostring(g)
            end, other, go.token)
        end
        check.collect()
        go:open()
        -- The owner is gone: either the handle still works or it says so; nothing hangs.
        local result = task:result(LIMIT)
        if result ~= 5 then
            check.contains("cannot schedule new futures after shutdown", result)
        end
    end)

    it("may be in a table and an upvalue", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        local other <close> = futures.ThreadPoolExecutor(1)
        assert.equal(4, ex:submit(function(t)
            return t.pool:submit(math.max, 2, 3):result(30)
                + other:submit(math.abs, -1):result(30)
        end, { pool = other }):result(LIMIT))
    end)

    it("is one value there: sent twice, it is the same", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        assert.is_true(ex:submit(function(a, b)
            return rawequal(a, b) or a == b
        end, ex, ex):result(LIMIT))
    end)

    it("does not come home", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        for _, task in ipairs {
            function(pool) return pool end,
            function() return futures.ThreadPoolExecutor(1) end,
            function(pool) error(pool) end,
        } do
            local err = ex:submit(task, ex):exception(LIMIT)
            assert.is_true(futures.iserror(err, futures.TransferError))
        end
    end)

    it("as a view with options keeps them", function()
        local ex <close> = futures.ThreadPoolExecutor(2)
        local hold <close> = gate.hold(ex)
        local class = ex:submit(function(view, f)
            local step = view:map(function(g) return g:result(30) end, { f })
            local ok, err = pcall(step)
            return not ok and futures.iserror(err, futures.TimeoutError)
        end, ex:with { timeout = 0 }, hold.gate.token):result(LIMIT)
        assert.is_true(class)
        hold:open()
    end)
end)
