-- SPDX-License-Identifier: MIT
-- Executors inside of tasks; what a worker may do with the executor that runs it.

local futures = require "futures"
local check = require "spec.support.check"
local gate = require "spec.support.gate"
local scale = require "spec.support.scale"
local script = require "spec.support.script"

local LIMIT = scale.LIMIT

describe("A task", function()
    it("may make and use an executor of its own", function()
        local ex <close> = futures.ThreadPoolExecutor(2)
        local sum = ex:submit(function(n)
            local inner <close> = futures.ThreadPoolExecutor(2)
            local total = 0
            local input = {}
            for i = 1, n do
                input[i] = i
            end
            for _, square in inner:map(function(x) return x * x end, input) do
                total = total + square
            end
            return total
        end, 10):result(LIMIT)
        assert.equal(385, sum)
    end)

    it("may nest executors three deep", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        local function nest(levels, self)
            if levels == 0 then
                return 1
            end
            local inner <close> = futures.ThreadPoolExecutor(1)
            return 1 + inner:submit(self, levels - 1, self):result(30)
        end
        assert.equal(4, ex:submit(nest, 3, nest):result(LIMIT))
    end)

    it("may leave an executor behind, which finishes its queue", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        local go, results = futures.Future(), {}
        for i = 1, 3 do
            results[i] = futures.Future()
        end
        ex:submit(function(g, list)
            local inner = futures.ThreadPoolExecutor(1)
            for i = 1, 3 do
                inner:submit(function(f, value)
                    g:result(30)
                    f:set_result(value)
                end, list[i], i)
            end
        end, go, results):result(LIMIT)
        go:set_result()
        for i = 1, 3 do
            assert.equal(i, results[i]:result(LIMIT))
        end
    end)

    it("may send home the future of its own executor's task", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        local inner = ex:submit(function()
            local pool = futures.ThreadPoolExecutor(1)
            return pool:submit(function() return { "from inside" } end)
        end):result(LIMIT)
        assert.same({ "from inside" }, inner:result(LIMIT))
    end)

    it("sees the worker of the inner pool as worker()", function()
        local ex <close> = futures.ThreadPoolExecutor {
            max_workers = 1, thread_name_prefix = "o",
        }
        local outer, inner = ex:submit(function()
            local pool <close> = futures.ThreadPoolExecutor {
                max_workers = 1, thread_name_prefix = "i",
            }
            return futures.worker().name, pool:submit(futures.worker):result(30).name
        end):result(LIMIT)
        assert.matches("^o_", outer)
        assert.matches("^i_", inner)
    end)

    it("may submit to the executor that runs it", function()
        local ex <close> = futures.ThreadPoolExecutor(2)
        local inner = ex:submit(function(pool)
            return pool:submit(function() return 42 end)
        end, ex):result(LIMIT)
        assert.equal(42, inner:result(LIMIT))
        local as_upvalue = ex:submit(function()
            return ex:submit(function() return 43 end)
        end):result(LIMIT)
        assert.equal(43, as_upvalue:result(LIMIT))
    end)

    it("may wait for another worker of its own pool", function()
        local ex <close> = futures.ThreadPoolExecutor(2)
        assert.equal(42, ex:submit(function()
            return ex:submit(function() return 42 end):result(30)
        end):result(LIMIT))
    end)
end)

describe("shutdown from a worker of the same pool", function()
    local TEXT = "Error: cannot wait for the shutdown of an executor in a task of its own: "
        .. "it would wait for itself"

    local function is_refused(f)
        local err = f:exception(LIMIT)
        assert.is_true(futures.iserror(err, futures.Error))
        assert.equal(TEXT, tostring(err))
    end

    it("with wait is an error, not a hang, and the pool goes on", function()
        local ex <close> = futures.ThreadPoolExecutor(2)
        local function shut_down(pool, options) return pool:shutdown(options) end
        for _, options in ipairs {
            {}, { wait = true }, { timeout = 25 }, { timeout = 0 }, { cancel_futures = true },
        } do
            is_refused(ex:submit(shut_down, ex, options))
            is_refused(ex:submit(shut_down, ex:with { name = "view" }, options))
        end
        is_refused(ex:submit(shut_down, ex))
        assert.equal(5, ex:submit(math.abs, -5):result(LIMIT))
    end)

    it("with wait cancels nothing", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        local go <close> = gate.new()
        local first = ex:submit(function(f)
            f:result(30)
            return ex:shutdown { cancel_futures = true }
        end, go.token)
        local queued = ex:submit(math.abs, -5)
        go:open()
        is_refused(first)
        assert.equal(5, queued:result(LIMIT))
    end)

    it("with wait is an error also in a coroutine, a callback and on top of another task",
        function()
            local ex <close> = futures.ThreadPoolExecutor(1)
            is_refused(ex:submit(function()
                return coroutine.wrap(function() return ex:shutdown() end)()
            end))
            is_refused(ex:submit(function()
                local f, problem = require "futures".Future(), nil
                f:add_done_callback(function() problem = select(2, pcall(ex.shutdown, ex)) end)
                f:set_result()
                f:result()
                error(problem)
            end))
            is_refused(ex:submit(function()
                return ex:submit(function() return ex:shutdown() end):result()
            end))
        end)

    it("by <close> is the same error, whatever the block is left by", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        local function leave(how)
            local reached = require "futures".Future()
            local f = ex:submit(function(pool, done, fn)
                do
                    local mine <close> = pool
                    assert(mine:submit(math.abs, -5):result() == 5)
                    done:set_result()
                    fn()
                end
                error("not reached")
            end, ex, reached, how)
            reached:result(LIMIT)
            return f
        end
        is_refused(leave(function() end))
        is_refused(leave(function() error("mine") end))
        is_refused(ex:submit(function(view)
            local mine <close> = view
            return mine:submit(math.abs, -5):result()
        end, ex:with { name = "view" }))
        local caught = ex:submit(function(pool)
            local ok, err = pcall(function()
                local _ <close> = pool
            end)
            return not ok and tostring(err)
        end, ex)
        assert.equal(TEXT, caught:result(LIMIT))
        assert.equal(5, ex:submit(math.abs, -5):result(LIMIT))
    end)

    it("without wait is a shutdown", function()
        local ex = futures.ThreadPoolExecutor(1)
        assert.is_true(ex:submit(function(pool)
            return pool:shutdown { wait = false }
        end, ex):result(LIMIT))
        local ok, err = pcall(function() ex:submit(print) end)
        assert.is_false(ok)
        check.contains("cannot schedule new futures after shutdown", err)
        assert.is_true(ex:shutdown { timeout = LIMIT })
    end)

    it("may cancel what has not started", function()
        local ex = futures.ThreadPoolExecutor(1)
        local go <close> = gate.new()
        local first = ex:submit(function(f)
            f:result(30)
            return ex:shutdown { wait = false, cancel_futures = true }
        end, go.token)
        local queued = ex:submit(print)
        go:open()
        assert.is_true(first:result(LIMIT))
        assert.is_true(queued:cancelled())
        assert.is_true(ex:shutdown { timeout = LIMIT })
    end)

    it("of another pool waits as everywhere", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        local other = futures.ThreadPoolExecutor(1)
        local f = other:submit(math.abs, -5)
        assert.is_true(ex:submit(function() return other:shutdown() end):result(LIMIT))
        assert.is_true(f:done())
        assert.equal(5, f:result())
    end)
end)

describe("At the end of a script", function()
    it("executors inside of tasks are joined as well", function()
        local out = script.output [[
            local futures = require "futures"
            local ex = futures.ThreadPoolExecutor(1)
            ex:submit(function()
                local inner = futures.ThreadPoolExecutor(1)
                inner:submit(print, "inner")
            end)
        ]]
        assert.equal("inner\n", out)
    end)
end)
