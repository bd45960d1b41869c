-- SPDX-License-Identifier: MIT
-- What travels to processes and home from them.

local futures = require "futures"
local check = require "spec.support.check"
local scale = require "spec.support.scale"
local shapes = require "spec.support.fixtures.shapes"

local LIMIT = scale.LIMIT
local ex

local function echo(...)
    return ...
end

local function back(...)
    return ex:submit(echo, ...):result(LIMIT)
end

local function refused_home(message, fn, ...)
    local err = ex:submit(fn, ...):exception(LIMIT)
    assert.is_true(futures.iserror(err, futures.TransferError), tostring(err))
    assert.equal(message, err.message)
end

local function refused_there(message, ...)
    local values = table.pack(...)
    local err = check.raises(futures.TransferError, function()
        ex:submit(table.unpack(values, 1, values.n))
    end)
    assert.equal(message, err.message)
end

describe("To a process and back", function()
    lazy_setup(function() ex = futures.ProcessPoolExecutor(1) end)
    lazy_teardown(function() ex:shutdown() end)

    it("scalars stay what they are", function()
        local values = { 3, 3.0, -0.0, math.huge, -math.huge, math.maxinteger, math.mininteger,
            true, false, "", "a\0b", ("x"):rep(100), 1e300, 5e-324 }
        for _, value in ipairs(values) do
            local got = back(value)
            assert.equal(value, got)
            assert.equal(math.type(value), math.type(got))
        end
        assert.equal("-inf", tostring(1 / back(-0.0)))
        local nan = back(0 / 0)
        assert.is_true(nan ~= nan)
        assert.equal(3, select("#", back(nil, nil, nil)))
    end)

    it("strings of any length do", function()
        for _, n in ipairs { 31, 32, 4095, 4096, 16383, 16384, 16385, 262143, 262144, 262145,
            (4 << 20) - 1, 4 << 20, (4 << 20) + 1, 20 << 20 } do
            local text = ("abcdefg"):rep(n // 7 + 1):sub(1, n)
            assert.is_true(text == back(text), tostring(n))
        end
    end)

    it("a string of 64 MB does", function()
        local text = ("0123456789abcdef"):rep(4 << 20)
        assert.is_true(text == back(text))
    end)

    it("tables keep cycles, shared references and holes", function()
        local t = { 1, nil, 3, [10.5] = "x", [true] = { "y" } }
        t.self, t.again = t, t[true]
        local got = back(t)
        assert.is_true(rawequal(got, got.self))
        assert.is_true(rawequal(got.again, got[true]))
        assert.equal(3, got[3])
        assert.is_nil(got[2])
        assert.equal("x", got[10.5])
    end)

    it("deep and wide tables do", function()
        local deep = {}
        for _ = 1, 100000 do
            deep = { deep }
        end
        local got, depth = back(deep), 0
        while got[1] do
            got, depth = got[1], depth + 1
        end
        assert.equal(100000, depth)
        local wide = {}
        for i = 1, 50000 do
            wide[i] = { id = i, name = "name " .. i }
        end
        assert.same(wide, back(wide))
    end)

    it("metatables of modules go by name, own ones come home as themselves", function()
        local circle = back(shapes.circle(3))
        assert.is_true(rawequal(shapes.Circle, getmetatable(circle)))
        assert.equal(6, circle:diameter())
        local Point = {}
        Point.__index = Point
        local p = back(setmetatable({ x = 1 }, Point))
        assert.is_true(rawequal(Point, getmetatable(p)))
        local other = ex:submit(function(like)
            return setmetatable({ x = like.x + 1 }, getmetatable(like))
        end, p):result(LIMIT)
        assert.is_true(rawequal(Point, getmetatable(other)))
        assert.equal(2, other.x)
        local made = ex:submit(function()
            return setmetatable({}, { __name = "made there" })
        end):result(LIMIT)
        assert.equal("made there", getmetatable(made).__name)
    end)

    it("modules and their functions go by name", function()
        assert.is_true(rawequal(string, back(string)))
        assert.is_true(rawequal(math.floor, back(math.floor)))
        assert.is_true(rawequal(shapes, back(shapes)))
    end)

    it("functions go there with upvalues, globals and recursion", function()
        local step, calls = 3, 0
        local function count(n)
            calls = calls + 1
            return n <= 0 and calls or count(n - step)
        end
        assert.equal(5, ex:submit(count, 12):result(LIMIT))
        assert.equal(0, calls)
        rawset(_G, "process_fib", load [[
            function process_fib(n)
                return n < 2 and n or process_fib(n - 1) + process_fib(n - 2)
            end
            return process_fib
        ]]())
        local fib = rawget(_G, "process_fib")
        assert.equal(55, ex:submit(fib, 10):result(LIMIT))
        rawset(_G, "process_fib", nil)
    end)

    it("many different functions go, more than a worker keeps", function()
        local fs = {}
        for i = 1, scale.count(3000) do
            local f = load(("local a = ... return a + %d"):format(i))
            fs[i] = ex:submit(f, i)
        end
        for i, f in ipairs(fs) do
            assert.equal(2 * i, f:result(LIMIT))
        end
    end)

    it("__persist rebuilds there", function()
        local Log = {}
        function Log.__persist(log)
            local path = log.path
            return function() return { path = path, rebuilt = true } end
        end
        local path, rebuilt = ex:submit(function(log)
            return log.path, log.rebuilt
        end, setmetatable({ path = "a.log" }, Log)):result(LIMIT)
        assert.equal("a.log", path)
        assert.is_true(rebuilt)
    end)

    it("error values, tracebacks and error objects come home", function()
        local f = ex:submit(function() error { code = 7, deep = { 1, 2 } } end)
        assert.same({ code = 7, deep = { 1, 2 } }, f:exception(LIMIT))
        check.contains("process_codec_spec.lua", f:traceback())
        local err = ex:submit(function()
            local errors = require "futures.errors"
            error(errors.new(errors.TimeoutError, "mine"))
        end):exception(LIMIT)
        assert.is_true(futures.iserror(err, futures.TimeoutError))
        assert.equal("TimeoutError: mine", tostring(err))
    end)

    local it_unless_tsan = scale.tsan and pending or it

    it_unless_tsan("the loss of a worker's own worker comes home", function()
        local _, nested = ex:submit(function()
            local inner <close> = require "futures".ProcessPoolExecutor(1)
            inner:submit(os.exit, 9):result()
        end):outcome(LIMIT)
        assert.is_true(futures.iserror(nested, futures.WorkerLostError))
        assert.equal(9, nested.exitcode)
    end)
end)

describe("With a process are refused", function()
    lazy_setup(function() ex = futures.ProcessPoolExecutor(1) end)
    lazy_teardown(function() ex:shutdown() end)

    it("Lua functions on the way home, with their path", function()
        refused_home("result 1: function cannot travel home from a process", function()
            return function() end
        end)
        refused_home("result 2.a[1]: function cannot travel home from a process", function()
            return 1, { a = { function() end } }
        end)
        refused_home("error.cb: function cannot travel home from a process", function()
            error { cb = function() end }
        end)
    end)

    it("__persist on the way home: it is a function", function()
        local err = ex:submit(function()
            return setmetatable({}, { __persist = function() return function() end end })
        end):exception(LIMIT)
        assert.is_true(futures.iserror(err, futures.TransferError))
        check.contains("result 1", err.message)
    end)

    it("futures and executors, both ways", function()
        refused_there("argument 1: future cannot travel to a process", echo, futures.Future())
        refused_there("argument 2.f: future cannot travel to a process", echo, 1,
            { f = ex:submit(echo) })
        refused_there("argument 1: executor cannot travel to a process", echo, ex)
        local threads <close> = futures.ThreadPoolExecutor(1)
        refused_there("function, upvalue 'threads': executor cannot travel to a process",
            function() return threads end)
        refused_home("result 1: future cannot travel home from a process", function()
            return require "futures".Future()
        end)
        refused_home("result 1[1]: executor cannot travel home from a process", function()
            return { require "futures".ThreadPoolExecutor(1) }
        end)
    end)

    it("light userdata, C functions without a name, files, coroutines", function()
        refused_there("argument 1.f: userdata (FILE*) cannot travel", echo, { f = io.stdout })
        refused_there("argument 1: coroutine cannot travel", echo, coroutine.create(echo))
        refused_home("result 1: userdata (FILE*) cannot travel", function()
            return io.stdout
        end)
        local err = check.raises(futures.TransferError, function()
            ex:submit(echo, (string.gmatch("a", "a")))
        end)
        check.contains("argument 1: C function", err.message)
        err = ex:submit(function() return (string.gmatch("a", "a")) end):exception(LIMIT)
        check.contains("result 1: C function", err.message)
    end)

    it("and the worker goes on", function()
        assert.equal(1, back(1))
        assert.equal(0, ex:stats().lost)
    end)
end)
