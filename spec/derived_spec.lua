-- SPDX-License-Identifier: MIT
-- Derived futures: long chains, what they keep, how others see them; and attempts.

local futures = require "futures"
local bare = require "spec.support.bare"
local check = require "spec.support.check"
local gate = require "spec.support.gate"
local scale = require "spec.support.scale"

local LIMIT = scale.LIMIT
local done, failed, cancelled = bare.finished, bare.failed, bare.cancelled

local function never()
    error("must not be called")
end

describe("A chain", function()
    local N = scale.count(100000)

    local function chain(f, n)
        for _ = 1, n do
            f = f:next(function(x) return x + 1 end)
        end
        return f
    end

    it("of 100,000 links works", function()
        local f = futures.Future()
        local last = chain(f, N)
        f:set_result(0)
        assert.equal(N, last:result(LIMIT))
        assert.equal(N, chain(done(0), N):result(LIMIT))
    end)

    it("of 100,000 links passes errors and cancels on", function()
        local f, g = futures.Future(), futures.Future()
        local last, other = chain(f, N), chain(g, N)
        f:set_exception("e")
        g:cancel()
        assert.equal("e", last:exception(LIMIT))
        futures.poll()
        assert.is_true(other:cancelled())
    end)

    it("of 100,000 futures that follow one another works", function()
        local left = N
        local function step(x)
            left = left - 1
            if left == 0 then return x end
            return done(x + 1):next(step)
        end
        assert.equal(N - 1, done(0):next(step):result(LIMIT))
    end)

    it("is linear work", function()
        check.linear(function(n)
            local f = futures.Future()
            local last = chain(f, n)
            f:set_result(0)
            assert.equal(n, last:result(LIMIT))
        end, scale.count(5000))
    end)

    it("grown while it runs is linear work", function()
        check.linear(function(n)
            local f = done(0)
            for _ = 1, n do
                f = f:next(function(x) return done(x + 1) end)
            end
            assert.equal(n, f:result(LIMIT))
        end, scale.count(5000))
    end)

    it("of 100,000 links that is dropped in the middle is freed", function()
        local f = futures.Future()
        chain(f, N):cancel()
        check.collect()
        f:set_result(0)
        futures.poll()
        check.collect()
    end)
end)

describe("A derived future", function()
    before_each(function() futures.poll() end)

    it("is not to be waited for in a callback, where no other callback runs", function()
        local f, never_done = futures.Future(), futures.Future()
        local waits = {
            function(d) return d:result() end,
            function(d) return d:exception() end,
            function(d)
                local ok, err = d:outcome()
                if not ok then error(err, 0) end
            end,
            function(d) return futures.await(d) end,
            function(d) return d:result(math.huge) end,
            function(d) return futures.wait { d, futures.Future() } end,
            function(d) return futures.wait({ d }, nil, futures.FIRST_COMPLETED) end,
            function(d) return futures.as_completed { d } () end,
        }
        local ds = {}
        for i, wait in ipairs(waits) do
            ds[i] = f:next(function() return wait(futures.all { never_done }) end)
        end
        local timeout = f:next(function() return futures.all({ never_done }):result(0.001) end)
        local first = f:next(function()
            local ended = done()
            local finished = futures.wait({ futures.all { never_done }, ended }, nil,
                futures.FIRST_COMPLETED)
            return #finished == 1 and rawequal(finished[1], ended)
        end)
        local task = f:next(function()
            local ex <close> = futures.ThreadPoolExecutor(1)
            return ex:submit(math.abs, -1):result(30)
        end)
        f:set_result()
        for _, d in ipairs(ds) do
            check.contains("a callback waits for what another callback", d:exception(LIMIT))
            assert.is_true(futures.iserror(d:exception(), futures.Error))
        end
        assert.is_true(first:result(LIMIT))
        assert.is_true(futures.iserror(timeout:exception(LIMIT), futures.TimeoutError))
        assert.equal(1, task:result(LIMIT))
    end)

    it("is not to be set by others", function()
        local f = futures.Future()
        for _, d in ipairs { f:next(never), futures.all { f }, futures.any { f } } do
            check.raises(futures.InvalidStateError, function() d:set_result(1) end)
            check.raises(futures.InvalidStateError, function() d:set_exception(1) end)
            check.raises(futures.InvalidStateError, function()
                d:set_running_or_notify_cancel()
            end)
            assert.equal("pending", d:state())
            d:cancel()
            assert.is_false(d:set_running_or_notify_cancel())
        end
        local d = done(1):next(function(x) return x end)
        check.raises(futures.InvalidStateError, function() d:set_result(2) end)
        assert.equal(1, d:result())
    end)

    it("that was sent to a task has its outcome there, too", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        local f = futures.Future()
        local d, e = f:next(function(x) return { x } end), f:next(function(x) error { x } end)
        local there = ex:submit(function(one, two)
            return one:result(30)[1], two:exception(30)[1]
        end, d, e)
        f:set_result("v")
        futures.poll()
        assert.same({ "v", "v" }, { there:result(LIMIT) })
    end)

    it("whose value cannot travel says so to others, and is whole at home", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        local f = futures.Future()
        local co = coroutine.create(never)
        local d = f:next(function() return co end)
        local there = ex:submit(function(future)
            local ok, err = future:outcome(30)
            return ok, tostring(err)
        end, d)
        f:set_result()
        assert.is_true(rawequal(co, d:result(LIMIT)))
        local ok, err = there:result(LIMIT)
        assert.is_false(ok)
        check.contains("TransferError", err)
    end)

    it("may be made in a task and come home", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        local go = futures.Future()
        local d = ex:submit(function(f)
            local d = f:next(function(x) return x * 2 end)
            f:result(30)
            return d
        end, go)
        go:set_result(21)
        assert.equal(42, d:result(LIMIT):result(LIMIT))
    end)

    it("leaves nothing on what it waited for when it is cancelled", function()
        local long = futures.Future()
        local kept = setmetatable({}, { __mode = "k" })
        local function count()
            check.collect()
            local n = 0
            for _ in pairs(kept) do n = n + 1 end
            return n
        end
        for _ = 1, 100 do
            local d = long:next(never)
            kept[d] = true
            d:cancel()
        end
        assert.equal(0, count())
        for i = 1, 100 do
            local d = futures.any { long, done() }
            kept[d] = true
            kept[futures.all { long, failed() }] = true
            local other = futures.Future()
            local e, g = futures.any { long, other }, futures.all { long, other }
            kept[e], kept[g], kept[other] = true, true, true
            if i % 2 == 0 then other:set_result() else other:set_exception("x") end
            e:cancel()
            g:cancel()
        end
        futures.poll()
        assert.equal(0, count())
        long:set_result()
        assert.equal(0, futures.poll())
    end)

    it("keeps nothing of its past", function()
        local kept = setmetatable({}, { __mode = "k" })
        local f = futures.Future()
        local g = f:next(function() return 1 end)
        local d = g:next(function(x) return x end)
        kept[f], kept[g] = true, true
        f:set_result()
        assert.equal(1, d:result(LIMIT))
        f, g = nil, nil -- luacheck: ignore
        check.collect()
        assert.is_nil(next(kept))
    end)
end)

describe("attempts", function()
    it("tells how many times a future was started", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        local hold <close> = gate.hold(ex)
        local f, g = ex:submit(math.abs, 1), ex:submit(math.abs, 1)
        assert.equal(1, hold.futures[1]:attempts())
        assert.equal(0, f:attempts())
        g:cancel()
        hold:open()
        f:result(LIMIT)
        assert.equal(1, f:attempts())
        assert.equal(0, g:attempts())
        local failing = ex:submit(error, "x")
        failing:outcome(LIMIT)
        assert.equal(1, failing:attempts())
    end)

    it("is 0 for what a broken pool never started", function()
        local ex <close> = futures.ThreadPoolExecutor {
            max_workers = 1, initializer = error, initargs = { "no" },
        }
        local f = ex:submit(math.abs, 1)
        assert.is_false((f:outcome(LIMIT)))
        assert.equal(0, f:attempts())
    end)

    it("is 1 for what next, all and any have made once it is finished, 0 before", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        local function make(f)
            local inner
            return {
                next = f:next(function(x) return x end), handled = f:next(never, math.abs),
                followed = f:next(function()
                    inner = ex:with { retries = 2, retry_on = function() return true end }
                        :submit(error, "x")
                    return inner
                end),
                all = futures.all { f, f }, any = futures.any { f },
            }, function() return inner end
        end
        local function expect(n, ds)
            for what, d in pairs(ds) do assert.equal(n, d:attempts(), what) end
        end
        local f = futures.Future()
        local ds, inner = make(f)
        expect(0, ds)
        f:set_result(1)
        expect(0, ds)
        for _, d in pairs(ds) do d:exception(LIMIT) end
        expect(1, ds)
        assert.equal(3, inner():attempts())
        ds = make(failed(1)) -- also where no function was called
        expect(1, ds)
        ds = make(futures.Future())
        for _, d in pairs(ds) do d:cancel() end
        expect(0, ds)
        ds = make(cancelled())
        assert.equal(0, ds.next:attempts())
        assert.equal(1, ds.all:attempts()) -- it has failed
    end)

    it("is the same where the future was sent", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        local f = ex:with { retries = 2, retry_on = function() return true end }
            :submit(error, "x")
        f:outcome(LIMIT)
        local d = f:next(never, never)
        d:outcome(LIMIT)
        assert.same({ 3, 1, 0 }, { ex:submit(function(a, b, c)
            return a:attempts(), b:attempts(), c:attempts()
        end, f, d, futures.Future()):result(LIMIT) })
    end)

    it("knows bare futures", function()
        local f = futures.Future()
        assert.equal(0, f:attempts())
        f:set_running_or_notify_cancel()
        assert.equal(1, f:attempts())
        f:set_result()
        assert.equal(1, f:attempts())
        assert.equal(1, done():attempts())
        assert.equal(1, failed("x"):attempts())
        assert.equal(0, cancelled():attempts())
        assert.is_false(pcall(f.attempts))
    end)
end)

describe("A bare future that nobody can set any more", function()
    -- How many of the futures that `make` gives are still there?
    local function left(n, make)
        local weak = setmetatable({}, { __mode = "k" })
        for i = 1, n do
            for _, f in ipairs { make(i) } do weak[f] = true end
        end
        for _ = 1, 3 do check.collect() end
        local count = 0
        for _ in pairs(weak) do count = count + 1 end
        return count
    end

    it("is freed with all that waits for it", function()
        assert.equal(0, left(10, function()
            local f, g = futures.Future(), futures.Future()
            f:add_done_callback(print)
            f:add_done_callback(print)
            local a, b = f:next(print):next(print), futures.all { f, g }
            return f, g, a, b, futures.any { a, b }:next(print, print), b:next(print)
        end))
        assert.equal(0, futures.poll())
    end)

    it("is freed when a future follows it", function()
        assert.equal(0, left(10, function()
            local inner = futures.Future()
            return inner, done():next(function() return inner end):next(print)
        end))
    end)

    it("is freed with a chain of 100,000 links", function()
        local n = scale.count(100000)
        assert.equal(0, left(1, function()
            local f = futures.Future()
            local all = { f }
            for i = 1, n do
                f = f:next(print)
                if i % 1000 == 0 then all[#all + 1] = f end
            end
            return table.unpack(all)
        end))
    end)

    it("is freed in every mode of the collector, and at the end of the state", function()
        local script = require "spec.support.script"
        local out = script.output [[
            local futures = require "futures"
            for _, mode in ipairs { "generational", "incremental" } do
                collectgarbage(mode)
                local weak = setmetatable({}, { __mode = "k" })
                for i = 1, 10000 do
                    local f = futures.Future()
                    weak[futures.all { f:next(print), f }] = true
                end
                for _ = 1, 3 do collectgarbage() end
                print(next(weak))
            end
            local kept = futures.Future():next(print)
            futures.Future():next(print)
            local ring = futures.Future()
            setmetatable({ ring }, { __gc = function(t) t[1]:next(print) end })
        ]]
        assert.equal("nil\nnil\n", out)
    end)

    it("stays while what waits for it is there, or its callbacks are due", function()
        local weak = setmetatable({}, { __mode = "k" })
        local ran = 0
        local d
        do
            local f, g = futures.Future(), futures.Future()
            weak[f] = "f"
            d = f:next(print)
            g:add_done_callback(function() ran = ran + 1 end)
            g:set_result()
        end
        for _ = 1, 3 do check.collect() end
        assert.equal("f", select(2, next(weak)))
        assert.equal(1, futures.poll())
        assert.equal(1, ran)
        d:cancel()
        for _ = 1, 3 do check.collect() end
        assert.is_nil(next(weak))
    end)

    it("stays while another state may set it", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        local hold <close> = gate.hold(ex)
        local got
        do
            local f = futures.Future()
            f:next(function(x) got = x end)
            ex:submit(function(there) there:set_result("from there") end, f)
        end
        for _ = 1, 3 do check.collect() end
        hold:open()
        check.eventually("the callback", function()
            futures.poll()
            return got
        end)
        assert.equal("from there", got)
    end)

    it("may still be set by a finalizer of the same round", function()
        local got = {}
        for i = 1, 10 do
            local function break_it(promise) promise.f:set_exception("broken") end
            local promise = setmetatable({}, { __gc = break_it })
            promise.f = futures.Future()
            promise.f:add_done_callback(function(f) got[#got + 1] = f:exception() end)
            promise.f:next(print):next(print, function(err) got[#got + 1] = err .. i end)
        end
        for _ = 1, 3 do check.collect() end
        futures.poll()
        assert.equal(20, #got)
        assert.equal("broken", got[1])
    end)
end)

describe("An error that is passed through", function()
    it("keeps its traceback", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        local function thrower() error("thrown") end
        local function nothing() end
        local source = ex:submit(thrower)
        local text = source:exception(LIMIT) and source:traceback()
        assert.matches("derived_spec.lua:%d+: thrown\nstack traceback:", text)
        local function look()
            for what, f in pairs {
                next = source:next(nothing),
                chain = source:next(nothing):next(nothing),
                followed = ex:submit(nothing):next(function() return source end),
                all = futures.all { ex:submit(nothing), source },
            } do
                assert.equal(source:exception(LIMIT), f:exception(LIMIT), what)
                assert.equal(text, f:traceback(), what)
            end
        end
        look()
        local hold <close> = gate.hold(ex) -- the source is not done when it is asked
        source = ex:submit(thrower)
        source:add_done_callback(function(f) text = f:traceback() end)
        local later, both = source:next(nothing), futures.all { source }
        assert.is_nil(later:traceback())
        hold:open()
        later:exception(LIMIT)
        both:exception(LIMIT)
        assert.equal(text, later:traceback())
        assert.equal(text, both:traceback())
        look()
    end)

    it("has none when it is handled, or raised by the function itself", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        local f = ex:submit(error, "thrown")
        local handled = f:next(print, function() return 1 end)
        local raised = f:next(print, function() error "another" end)
        assert.equal(1, handled:result(LIMIT))
        assert.is_nil(handled:traceback())
        assert.matches("another", raised:exception(LIMIT))
        assert.is_nil(raised:traceback())
        local given_up = futures.Future()
        given_up:cancel()
        assert.is_nil(given_up:next(print):traceback())
    end)
end)
