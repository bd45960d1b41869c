-- SPDX-License-Identifier: MIT
-- f:next: futures of what becomes of futures.

local futures = require "futures"
local bare = require "spec.support.bare"
local check = require "spec.support.check"
local gate = require "spec.support.gate"
local scale = require "spec.support.scale"
local script = require "spec.support.script"

local LIMIT = scale.LIMIT
local done, failed, cancelled = bare.finished, bare.failed, bare.cancelled

local function never()
    error("must not be called")
end

describe("next", function()
    before_each(function() futures.poll() end)

    it("gives a future of what the function returns", function()
        local f = futures.Future()
        local d = f:next(function(x) return x + 1 end)
        assert.equal("pending", d:state())
        f:set_result(1)
        assert.equal(2, d:result(LIMIT))
        assert.equal("finished", d:state())
        assert.is_false(rawequal(f, d))
    end)

    it("works on the result of a task", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        local d = ex:submit(math.max, 3, 4):next(function(x) return x * 10 end)
        assert.equal(40, d:result(LIMIT))
    end)

    it("gives the function all results and keeps all of its own", function()
        local got
        local d = done(nil, 2, nil):next(function(...)
            got = table.pack(...)
            return nil, "x", nil, nil
        end)
        local results = table.pack(d:result(LIMIT))
        assert.same({ n = 3, nil, 2, nil }, got)
        assert.same({ n = 4, nil, "x", nil, nil }, results)
        assert.equal(0, select("#", done():next(function() end):result(LIMIT)))
        local count = select("#", done(table.unpack({}, 1, 200)):next(function(...)
            return ...
        end):result(LIMIT))
        assert.equal(200, count)
    end)

    it("takes any callable", function()
        local plus = setmetatable({}, { __call = function(_, x) return x + 1 end })
        assert.equal(2, done(1):next(plus):result(LIMIT))
        local text = setmetatable({}, { __call = function(_, e) return "!" .. e end })
        assert.equal("!e", failed("e"):next(plus, text):result(LIMIT))
    end)

    it("must be given callables", function()
        local f = futures.Future()
        check.misuse(1, "next", function() f:next() end)
        check.misuse(1, "next", function() f:next(5) end)
        check.misuse(1, "next", function() f:next(nil, print) end)
        check.misuse(2, "next", function() f:next(print, 5) end)
        check.misuse(2, "next", function() f:next(print, {}) end)
        assert.is_false(pcall(f.next, 5, print))
        f:set_result()
        check.misuse(1, "next", function() f:next({}) end)
    end)

    it("runs the function as a done-callback: once, at a safe point, in order", function()
        local f, order = futures.Future(), {}
        f:add_done_callback(function() order[#order + 1] = "callback" end)
        f:next(function() order[#order + 1] = "next" end)
        f:add_done_callback(function() order[#order + 1] = "last" end)
        f:set_result()
        assert.same({}, order)
        futures.poll()
        futures.poll()
        assert.same({ "callback", "next", "last" }, order)
    end)

    it("runs it at once when the future is done", function()
        local ran = 0
        local d = done(1):next(function() ran = ran + 1 end)
        assert.equal(1, ran)
        assert.is_true(d:done())
    end)

    it("runs it after the running callback, when that called next", function()
        local order = {}
        local f = futures.Future()
        f:add_done_callback(function()
            done():next(function() order[#order + 1] = "inner" end)
            order[#order + 1] = "outer"
        end)
        f:set_result()
        futures.poll()
        assert.same({ "outer", "inner" }, order)
    end)

    it("runs it in the state that called next", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        local f = futures.Future()
        local there = ex:submit(function(future, ready)
            local d = future:next(function(x) return x, futures.worker().kind end)
            ready:set_result()
            return d:result(30)
        end, f, gate.new().token)
        local here = f:next(function(x) return x, futures.worker() == nil end)
        f:set_result(7)
        assert.same({ 7, "thread" }, { there:result(LIMIT) })
        assert.same({ 7, true }, { here:result(LIMIT) })
    end)

    it("runs it though nobody keeps the futures", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        local hold <close> = gate.hold(ex)
        local got
        ex:submit(math.abs, -7):next(function(x) return x end):next(function(x) got = x end)
        check.collect()
        hold:open()
        check.eventually("the result", function()
            futures.poll()
            return got
        end)
        assert.equal(7, got)
    end)

    it("keeps tables as they are", function()
        local t = {}
        local d = done(t):next(function(x) return x end):next(function(x) return x end)
        assert.is_true(rawequal(t, d:result(LIMIT)))
        assert.is_true(rawequal(t, d:result(LIMIT)))
    end)

    it("can be asked by wait, as_completed, callbacks and tasks", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        local f, called = futures.Future(), nil
        local d = f:next(function(x) return x .. "!" end)
        d:add_done_callback(function(same) called = same end)
        local there = ex:submit(function(future) return future:result(30) end, d)
        f:set_result("a")
        local finished, open = futures.wait({ d }, LIMIT)
        assert.equal(1, #finished)
        assert.equal(0, #open)
        assert.is_true(rawequal(d, futures.as_completed({ d }, LIMIT)()))
        assert.equal("a!", there:result(LIMIT))
        futures.poll()
        assert.is_true(rawequal(d, called))
    end)
end)

describe("An error", function()
    before_each(function() futures.poll() end)

    it("passes through, unchanged", function()
        for _, err in ipairs { "text", { "table" }, 5, false } do
            local d = failed(err):next(never):next(never)
            local ok, got = d:outcome(LIMIT)
            assert.is_false(ok)
            assert.is_true(rawequal(err, got))
            assert.is_true(rawequal(err, d:exception()))
        end
        assert.equal("<no error object>", failed(nil):next(never):exception(LIMIT))
    end)

    it("of a task passes through as the same value", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        local f = ex:submit(function() error { code = 5 } end)
        local d = f:next(never)
        local err = d:exception(LIMIT)
        assert.equal(5, err.code)
        assert.is_true(rawequal(f:exception(), err))
    end)

    it("goes to on_error, which gives the outcome", function()
        local d = failed("e"):next(never, function(...) return select("#", ...), ..., nil end)
        assert.same({ n = 3, 1, "e" }, table.pack(d:result(LIMIT)))
        local ok, err = failed("e"):next(never, function(e) error(e .. "2", 0) end):outcome()
        assert.same({ false, "e2" }, { ok, err })
    end)

    it("does not go to on_error when it is the function's own", function()
        local d = done():next(function() error("mine", 0) end, never)
        assert.equal("mine", d:exception(LIMIT))
    end)

    it("in the function becomes that of the new future", function()
        for _, err in ipairs { "text", { "table" }, 5, false } do
            local d = done():next(function() error(err, 0) end)
            assert.is_true(rawequal(err, d:exception(LIMIT)))
        end
        local ok, err = done():next(function() error() end):outcome(LIMIT)
        assert.same({ false, "<no error object>" }, { ok, err })
        assert.same({ false, "<no error object>" },
            { failed(1):next(never, function() error(nil) end):outcome(LIMIT) })
    end)

    it("in the function is no warning", function()
        local _, result = script.output([[
            local futures = require "futures"
            local f = futures.Future()
            local d = f:next(function() error("oops") end)
            f:set_result()
            futures.poll()
            print(d:state())
        ]], { flags = { "-W" } })
        assert.equal("finished\n", result.out)
        assert.equal("", result.err)
    end)

    it("that is a stack overflow stays in its future", function()
        local function deep() return 1 + deep() end
        local d = done():next(deep)
        assert.matches("stack overflow", d:exception(LIMIT))
        assert.equal(1, done(1):next(function(x) return x end):result(LIMIT))
    end)

    it("of too little memory stays in its future", function()
        if scale.slow then return pending("sanitizers need their address space") end
        local out = script.output([[
            local futures = require "futures"
            local f = futures.Future()
            local d = f:next(function() return ("x"):rep(2000000000) end)
            f:set_result()
            print(d:outcome())
            print(f:next(function() return "works" end):result())
        ]], { before = "ulimit -v 1000000;" })
        assert.equal("false\tnot enough memory\nworks\n", out)
    end)

    it("of yielding is clear", function()
        local co = coroutine.wrap(function()
            return done():next(function() coroutine.yield(1) end):exception(LIMIT)
        end)
        assert.matches("yield", co())
    end)
end)

describe("A cancel", function()
    before_each(function() futures.poll() end)

    it("passes through as a cancel", function()
        local f = futures.Future()
        local d = f:next(never):next(never)
        f:cancel()
        futures.poll()
        assert.is_true(d:cancelled())
        assert.equal("cancelled", d:state())
        check.raises(futures.CancelledError, function() d:result(LIMIT) end)
        assert.is_true(cancelled():next(never):cancelled())
    end)

    it("of a task passes through", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        local hold <close> = gate.hold(ex)
        local f = ex:submit(math.abs, 1)
        local d = f:next(never)
        assert.is_true(f:cancel())
        assert.is_true(d:cancelled())
        hold:open()
    end)

    it("goes to on_error as a CancelledError", function()
        local got
        local d = cancelled():next(never, function(err)
            got = err
            return "instead"
        end)
        assert.equal("instead", d:result(LIMIT))
        assert.is_true(futures.iserror(got, futures.CancelledError))
    end)

    it("of the new future keeps the function from running, and nothing else", function()
        local f = futures.Future()
        local d = f:next(never, never)
        local after = d:next(never)
        local other = f:next(function(x) return x end)
        assert.is_true(d:cancel())
        assert.is_true(d:cancel())
        assert.is_true(d:cancelled())
        assert.is_true(after:cancelled())
        assert.equal("pending", f:state())
        f:set_result(1)
        assert.equal(1, other:result(LIMIT))
        assert.is_true(d:cancelled())
    end)

    it("of the new future by another thread keeps the function from running", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        local f = futures.Future()
        local d = f:next(never)
        assert.is_true(ex:submit(function(future) return future:cancel() end, d):result(LIMIT))
        f:set_result(1)
        futures.poll()
        assert.is_true(d:cancelled())
    end)

    it("inside of the function wins over what that returns", function()
        local d
        local f = futures.Future()
        d = f:next(function()
            assert.equal("pending", d:state())
            assert.is_true(d:cancel())
            return futures.Future()
        end)
        f:set_result()
        futures.poll()
        assert.is_true(d:cancelled())
    end)

    it("while a returned future is followed does not touch that one", function()
        local f, inner = futures.Future(), futures.Future()
        local d = f:next(function() return inner end)
        f:set_result()
        futures.poll()
        assert.equal("pending", d:state())
        assert.is_true(d:cancel())
        assert.equal("pending", inner:state())
        inner:set_result(1)
        futures.poll()
        assert.is_true(d:cancelled())
    end)
end)

describe("A returned future", function()
    before_each(function() futures.poll() end)

    it("is followed, with all of its results", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        local d = ex:submit(math.abs, -2):next(function(x)
            return ex:submit(function(y) return y, nil, y * 2, nil end, x)
        end)
        assert.same({ n = 4, 2, nil, 4, nil }, table.pack(d:result(LIMIT)))
    end)

    it("is followed when it is done, fails or is cancelled", function()
        assert.equal(1, done():next(function() return done(1) end):result(LIMIT))
        local err = {}
        assert.is_true(rawequal(err,
            done():next(function() return failed(err) end):exception(LIMIT)))
        assert.is_true(done():next(cancelled):cancelled())
        local inner = futures.Future()
        local d = done():next(function() return inner end)
        assert.equal("pending", d:state())
        inner:set_exception(err)
        assert.is_true(rawequal(err, d:exception(LIMIT)))
        inner = futures.Future()
        d = done():next(function() return inner end)
        inner:cancel()
        assert.is_true(d:cancelled())
    end)

    it("of on_error is followed, too", function()
        local d = failed("x"):next(never, function() return done("instead") end)
        assert.equal("instead", d:result(LIMIT))
    end)

    it("is a value when it is not the only one", function()
        local inner = futures.Future()
        local a, b = done():next(function() return inner, 2 end):result(LIMIT)
        assert.is_true(rawequal(inner, a))
        assert.equal(2, b)
    end)

    it("is a value when it is the result of a followed one", function()
        local inner = futures.Future()
        local d = done():next(function() return done(inner) end)
        assert.is_true(rawequal(inner, d:result(LIMIT)))
    end)

    it("may not be the new future itself", function()
        local f = futures.Future()
        local d
        d = f:next(function() return d end)
        f:set_result()
        check.contains("cannot follow itself", d:exception(LIMIT))
        assert.is_true(futures.iserror(d:exception(), futures.Error))
    end)

    it("may not wait for the new future, however indirectly", function()
        local ways = {
            function(d) return d:next(never, never) end,
            function(d)
                local e = d
                for _ = 1, 1000 do e = e:next(never) end
                return e
            end,
            function(d) return futures.all { futures.Future(), d } end,
            function(d) return futures.any { d, futures.Future() }:next(never) end,
            function(d)
                return futures.all { futures.all { d:next(never) }, futures.Future() }
            end,
        }
        for i, way in ipairs(ways) do
            local f = futures.Future()
            local d
            d = f:next(function() return way(d) end)
            f:set_result()
            futures.poll()
            assert.is_true(d:done(), "way " .. i)
            check.contains("cannot follow itself", d:exception())
        end
    end)

    it("may not make a ring of two that follow each other", function()
        local fa, fb = futures.Future(), futures.Future()
        local a, b
        a = fa:next(function() return b end)
        b = fb:next(function() return a end)
        fa:set_result()
        futures.poll()
        assert.equal("pending", a:state())
        fb:set_result()
        check.contains("cannot follow itself", b:exception(LIMIT))
        assert.is_true(rawequal(b:exception(), a:exception(LIMIT)))
    end)
end)
