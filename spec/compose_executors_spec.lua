-- SPDX-License-Identifier: MIT
-- next, all, any, await, pollfd and attempts with the futures of every executor, and inside of
-- its tasks.

local futures = require "futures"
local check = require "spec.support.check"
local gate = require "spec.support.gate"
local scale = require "spec.support.scale"

local LIMIT = scale.LIMIT

for kind, name in pairs { thread = "ThreadPoolExecutor", process = "ProcessPoolExecutor" } do
    describe("With a " .. name, function()
        local ex

        before_each(function() ex = futures[name](2) end)
        after_each(function() ex:shutdown { cancel_futures = true } end)

        it("a chain goes from task to task", function()
            local function add(x) return x + 1, "more" end
            local d = ex:submit(math.abs, -1)
            for _ = 1, 20 do
                d = d:next(function(x) return ex:submit(add, x) end)
            end
            assert.same({ 21, "more" }, { d:result(LIMIT) })
        end)

        it("errors go on as the values that they are", function()
            local f = ex:submit(function() error { code = 7 } end)
            local d = f:next(error):next(error)
            assert.equal(7, d:exception(LIMIT).code)
            assert.is_true(rawequal(f:exception(), d:exception()))
            assert.equal(7, f:next(error, function(err) return err.code end):result(LIMIT))
        end)

        it("all and any take its futures", function()
            local fs = {}
            for i = 1, 50 do fs[i] = ex:submit(function(x) return { x } end, i) end
            local results = futures.all(fs):result(LIMIT)
            assert.equal(50, results.n)
            for i = 1, 50 do
                assert.equal(i, results[i][1])
                assert.is_true(rawequal(fs[i]:result(), results[i]))
            end
            fs = { ex:submit(error, "no"), ex:submit(function() return 5 end) }
            assert.equal(5, futures.any(fs):result(LIMIT))
        end)

        it("await and pollfd work here and in a task", function()
            local function work()
                local mine = futures.Future()
                local d = mine:next(function(x) return x * 2 end)
                local co = coroutine.wrap(function() return futures.await(d) end)
                local yielded = co()
                mine:set_result(4)
                return yielded == d and futures.pollfd() > 2 and futures.poll() == 1 and co()
            end
            assert.equal(8, work())
            assert.equal(8, ex:submit(work):result(LIMIT))
        end)

        it("attempts counts the start of a task", function()
            local f = ex:submit(math.abs, -1)
            f:result(LIMIT)
            assert.equal(1, f:attempts())
            local running = ex:submit(futures.sleep, 0.2)
            check.eventually("the start", function() return running:running() end)
            assert.equal(1, running:attempts())
            local failing = ex:submit(error, "x")
            failing:outcome(LIMIT)
            assert.equal(1, failing:attempts())
        end)

        it("what is cancelled with the executor is cancelled in the chain", function()
            local hold <close> = gate.hold(ex, 2, kind)
            local fs, ds = {}, {}
            for i = 1, 20 do
                fs[i] = ex:submit(math.abs, i)
                ds[i] = fs[i]:next(function(x) return x end)
            end
            ex:shutdown { cancel_futures = true, wait = false }
            hold:open()
            ex:shutdown()
            for i = 1, 20 do
                assert.equal(fs[i]:cancelled(), ds[i]:cancelled())
                assert.is_true(ds[i]:done())
            end
            assert.is_true(ds[20]:cancelled())
            assert.equal(0, fs[20]:attempts())
        end)
    end)
end

describe("A process that dies", function()
    it("is an error that on_error gets", function()
        local ex <close> = futures.ProcessPoolExecutor(1)
        local d = ex:submit(os.exit, 3):next(error, function(err)
            return futures.iserror(err, futures.WorkerLostError), err.exitcode
        end)
        assert.same({ true, 3 }, { d:result(LIMIT) })
        local f = ex:submit(os.exit, 3)
        f:outcome(LIMIT)
        assert.equal(1, f:attempts())
    end)
end)
