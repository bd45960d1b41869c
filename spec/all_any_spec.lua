-- SPDX-License-Identifier: MIT
-- futures.all and futures.any.

local futures = require "futures"
local bare = require "spec.support.bare"
local check = require "spec.support.check"
local gate = require "spec.support.gate"
local scale = require "spec.support.scale"

local LIMIT = scale.LIMIT
local done, failed = bare.finished, bare.failed

local function pending(n)
    local fs = {}
    for i = 1, n do fs[i] = futures.Future() end
    return fs
end

local function each_once(fs)
    local i = 0
    return function()
        i = i + 1
        return fs[i]
    end
end

for _, name in ipairs { "all", "any" } do
    describe(name, function()
        local join = futures[name]

        it("takes an array, an iterator and a table whose keys are futures", function()
            local function first(d)
                local value = d:result(LIMIT)
                return name == "all" and value[1] or value
            end
            assert.equal(5, first(join { done(5) }))
            assert.equal(5, first(join(each_once { done(5) })))
            assert.equal(5, first(join { [done(5)] = "five" }))
            local callable = setmetatable({}, { __call = each_once { done(5) } })
            assert.equal(5, first(join(callable)))
        end)

        it("takes nothing else", function()
            local f = futures.Future()
            check.misuse(1, name, function() join() end)
            check.misuse(1, name, function() join(5) end)
            check.misuse(1, name, function() join(f) end)
            check.misuse(1, name, function() join { f, 5 } end)
            check.misuse(1, name, function() join { 5, f } end)
            check.misuse(1, name, function() join { f, nil, f } end)
            check.misuse(1, name, function() join { x = f } end)
            check.misuse(1, name, function() join(each_once { f, 5 }) end)
            check.contains("at [2]", check.misuse(1, name, function() join { f, 5 } end))
        end)

        it("passes on what the iterator raises", function()
            local ok, err = pcall(join, function() error("source", 0) end)
            assert.same({ false, "source" }, { ok, err })
        end)

        it("does not run callbacks at the call", function()
            local ran = 0
            local f = futures.Future()
            f:add_done_callback(function() ran = ran + 1 end)
            f:set_result()
            assert.is_true(join { f }:done())
            assert.equal(0, ran)
            assert.equal(1, futures.poll())
        end)

        it("does not change what it is given", function()
            local fs = pending(3)
            local copy = { table.unpack(fs) }
            local d = join(fs)
            assert.same(copy, fs)
            fs[1], fs[2] = nil, nil
            for i = 1, 3 do copy[i]:set_result(i) end
            d:result(LIMIT)
        end)

        it("is settled at a safe point, and tells callbacks", function()
            local fs = pending(2)
            local d, got = join(fs), nil
            d:add_done_callback(function(same) got = same end)
            fs[1]:set_result(1)
            fs[2]:set_result(2)
            assert.is_false(d:done())
            futures.poll()
            assert.is_true(d:done())
            assert.is_true(rawequal(d, got))
        end)

        it("can be cancelled, which does not touch the others", function()
            local fs = pending(2)
            local d = join(fs)
            assert.is_true(d:cancel())
            fs[1]:set_result(1)
            fs[2]:set_result(2)
            assert.equal(0, futures.poll())
            assert.is_true(d:cancelled())
        end)

        it("can be cancelled by another thread", function()
            local ex <close> = futures.ThreadPoolExecutor(1)
            local fs = pending(2)
            local d = join(fs)
            assert.is_true(ex:submit(function(f) return f:cancel() end, d):result(LIMIT))
            fs[1]:set_result(1)
            fs[2]:set_exception(2)
            futures.poll()
            assert.is_true(d:cancelled())
        end)

        it("nests", function()
            local fs = pending(4)
            local d = join { join { fs[1], fs[2] }, join { fs[3], fs[4] } }
            for i = 4, 1, -1 do fs[i]:set_result(i) end
            local value = d:result(LIMIT)
            if name == "all" then
                assert.same({ n = 2, { n = 2, 1, 2 }, { n = 2, 3, 4 } }, value)
            else
                assert.equal(4, value)
            end
        end)

        it("works while nobody keeps anything", function()
            local ex <close> = futures.ThreadPoolExecutor(1)
            local hold <close> = gate.hold(ex)
            local got
            join { ex:submit(math.abs, -1), ex:submit(math.abs, -2) }
                :next(function(x) got = x end)
            check.collect()
            hold:open()
            check.eventually("the outcome", function()
                futures.poll()
                return got
            end)
        end)

        it("is linear work, done futures and others", function()
            check.linear(function(n)
                local fs = pending(n)
                for i = 1, n // 2 do fs[i]:set_exception(i) end
                if name == "all" then fs = { table.unpack(fs, n // 2 + 1) } end
                local d = join(fs)
                for _, f in ipairs(fs) do
                    if not f:done() then f:set_result(1) end
                end
                d:result(LIMIT)
            end, scale.count(2000))
        end)
    end)
end

describe("all", function()
    before_each(function() futures.poll() end)

    it("gives the first results in order, and their number", function()
        local fs = pending(4)
        local d = futures.all(fs)
        fs[3]:set_result("c", "more")
        fs[1]:set_result("a")
        fs[4]:set_result()
        fs[2]:set_result(nil, "b")
        local results = d:result(LIMIT)
        assert.equal(4, results.n)
        assert.same({ n = 4, "a", nil, "c", nil }, results)
        assert.equal(1, select("#", d:result()))
    end)

    it("works on tasks", function()
        local ex <close> = futures.ThreadPoolExecutor(2)
        local fs = {}
        for i = 1, 100 do fs[i] = ex:submit(math.abs, -i) end
        local results = futures.all(fs):result(LIMIT)
        assert.equal(100, results.n)
        for i = 1, 100 do assert.equal(i, results[i]) end
    end)

    it("counts a future as often as it is there", function()
        local f, g = futures.Future(), futures.Future()
        local d = futures.all { f, g, f }
        f:set_result(1)
        g:set_result(2)
        assert.same({ n = 3, 1, 2, 1 }, d:result(LIMIT))
    end)

    it("of nothing is done at once", function()
        for _, nothing in ipairs { {}, function() end } do
            local d = futures.all(nothing)
            assert.is_true(d:done())
            assert.same({ n = 0 }, d:result())
        end
    end)

    it("of done futures is done at once", function()
        local d = futures.all { done(1), done(2) }
        assert.is_true(d:done())
        assert.same({ n = 2, 1, 2 }, d:result())
    end)

    it("fails with the first error in time, and does not wait for the others", function()
        local fs = pending(4)
        local d = futures.all(fs)
        local err = {}
        fs[1]:set_result(1)
        fs[3]:set_exception(err)
        fs[2]:set_exception("later")
        assert.is_true(rawequal(err, d:exception(LIMIT)))
        fs[4]:set_result()
        futures.poll()
        assert.is_true(rawequal(err, d:exception()))
    end)

    it("fails with the first error in time among those that failed before the call", function()
        local fs = pending(3)
        fs[3]:set_exception("first")
        local now = futures.monotonic()
        while futures.monotonic() == now do end -- another moment
        fs[1]:set_exception("second")
        local d = futures.all(fs)
        assert.is_true(d:done())
        assert.equal("first", d:exception())
    end)

    it("fails with a CancelledError when one is cancelled", function()
        local fs = pending(2)
        local d = futures.all(fs)
        fs[2]:cancel()
        futures.poll()
        assert.equal("finished", d:state())
        assert.is_true(futures.iserror(d:exception(LIMIT), futures.CancelledError))
    end)
end)

describe("any", function()
    before_each(function() futures.poll() end)

    it("gives all results of the first success in time", function()
        local fs = pending(3)
        local d = futures.any(fs)
        fs[3]:set_exception("x")
        fs[2]:set_result(nil, 2, nil)
        fs[1]:set_result("later")
        assert.same({ n = 3, nil, 2, nil }, table.pack(d:result(LIMIT)))
    end)

    it("gives the first success in time among those that were done before the call", function()
        local fs = pending(3)
        fs[3]:set_result("first")
        local now = futures.monotonic()
        while futures.monotonic() == now do end
        fs[1]:set_result("second")
        local d = futures.any(fs)
        assert.is_true(d:done())
        assert.equal("first", d:result())
    end)

    it("works on tasks and leaves the others alone", function()
        local ex <close> = futures.ThreadPoolExecutor(2)
        local hold <close> = gate.hold(ex)
        local fails, works = ex:submit(error, "x"), ex:submit(math.abs, -2)
        local d = futures.any { hold.futures[1], fails, works }
        assert.equal(2, d:result(LIMIT))
        hold:open()
        assert.equal("held", hold.futures[1]:result(LIMIT))
    end)

    it("fails when all have failed, and has their errors", function()
        local fs = pending(3)
        local d = futures.any(fs)
        local err = setmetatable({}, { __tostring = function() return "second one" end })
        fs[2]:set_exception(err)
        fs[3]:cancel()
        futures.poll()
        assert.is_false(d:done())
        fs[1]:set_exception("first one")
        local problem = d:exception(LIMIT)
        assert.equal(futures.Error, getmetatable(problem))
        check.contains("3", problem)
        check.contains("first one", problem)
        check.contains("second one", problem)
        assert.equal(3, problem.errors.n)
        assert.equal("first one", problem.errors[1])
        assert.is_true(rawequal(err, problem.errors[2]))
        assert.is_true(futures.iserror(problem.errors[3], futures.CancelledError))
    end)

    it("quotes a few errors of many, whatever their texts are", function()
        local fs = {}
        for i = 1, 100 do fs[i] = failed(("x"):rep(10) .. i) end
        fs[1] = failed(setmetatable({}, { __tostring = function() error("no text") end }))
        local text = tostring(futures.any(fs):exception(LIMIT))
        check.contains("100", text)
        check.contains("xxx2", text)
        assert.is_true(#text < 200)
    end)

    it("of nothing fails at once", function()
        local d = futures.any {}
        assert.is_true(d:done())
        assert.is_true(futures.iserror(d:exception(), futures.Error))
        assert.equal(0, d:exception().errors.n)
    end)
end)
