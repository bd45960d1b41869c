-- SPDX-License-Identifier: MIT
-- Functions: bytecode with debug information, upvalues, the way there and the way home.

local futures = require "futures"
local check = require "spec.support.check"
local gate = require "spec.support.gate"
local scale = require "spec.support.scale"

local LIMIT = scale.LIMIT

local ex

local function there(task, ...)
    return ex:submit(task, ...):result(LIMIT)
end

describe("A Lua function", function()
    setup(function() ex = futures.ThreadPoolExecutor(1) end)
    teardown(function() ex:shutdown() end)

    it("travels as task, argument, field, upvalue", function()
        local function triple(x) return 3 * x end
        assert.equal(6, there(triple, 2))
        assert.equal(6, there(function(f, x) return f(x) end, triple, 2))
        assert.equal(6, there(function(t, x) return t.f(x) end, { f = triple }, 2))
        assert.equal(6, there(function(x) return triple(x) end, 2))
    end)

    it("keeps its debug information: names, lines, source", function()
        local function f(a, b)
            local c = a .. b
            return debug.getinfo(1, "Sl"), debug.getlocal(1, 3), c
        end
        local info, name, value = there(f, "x", "y")
        local here = debug.getinfo(f, "S")
        assert.equal(here.source, info.source)
        assert.equal(here.linedefined, info.linedefined)
        assert.equal(here.linedefined + 2, info.currentline)
        assert.equal("c", name)
        assert.equal("xy", value)
    end)

    it("may be vararg, and may be a generator of code", function()
        assert.equal(3, there(function(...) return select("#", ...) end, nil, nil, nil))
        assert.equal(5, there(function(text) return load(text)() end, "return 2 + 3"))
    end)

    it("loads code in the worker that sees the worker's globals", function()
        assert.equal("table", there(function() return load("return type(string)")() end))
    end)

    it("without its debug information travels as well", function()
        -- With the true globals: nothing in a stripped function says which upvalue is _ENV.
        local f = load("local x, y = ... return function() return x * y, type(string.rep) end",
            "=stripped", "t", _G)(5, 7)
        local stripped = load(string.dump(f, true), "stripped", "b")
        for i = 1, 4 do
            local name = debug.getupvalue(f, i)
            if name then
                debug.upvaluejoin(stripped, i, f, i)
            end
        end
        assert.same({ 35, "function" }, { there(stripped) })
    end)

    it("whose first upvalue is not _ENV keeps it", function()
        local first = 42
        local function f() return first end
        assert.equal("first", debug.getupvalue(f, 1))
        assert.equal(42, there(f))
        local function both() return first, type(print) end
        assert.same({ 42, "function" }, { there(both) })
    end)

    it("of 200 upvalues keeps them all", function()
        local names, values = {}, {}
        for i = 1, 190 do
            names[i], values[i] = "v" .. i, i
        end
        local list = table.concat(names, ", ")
        local f = load(("local %s = ... return function() return %s end"):format(list,
            table.concat(names, " + ")))(table.unpack(values))
        assert.equal(190 * 191 // 2, there(f))
    end)
end)

describe("Upvalues", function()
    setup(function() ex = futures.ThreadPoolExecutor(1) end)
    teardown(function() ex:shutdown() end)

    it("go by value, as they are at the call", function()
        local hold <close> = gate.hold(ex)
        local x = 1
        local function f() return x end
        local one = ex:submit(f)
        x = 2
        local two = ex:submit(f)
        x = 3
        hold:open()
        assert.equal(1, one:result(LIMIT))
        assert.equal(2, two:result(LIMIT))
        assert.equal(3, f())
    end)

    it("of every type travel", function()
        local n, b, i, x, s, t, f = nil, true, 7, 0.5, "s", { 1 }, function() return "f" end
        local m, c = string, print
        assert.same({ "nil", true, "integer", "float", "s", 1, "f", "aa", "function" }, {
            there(function()
                return type(n), b, math.type(i), math.type(x), s, t[1], f(), m.rep("a", 2),
                    type(c)
            end),
        })
    end)

    it("start every task fresh: what a task changes, the next does not see", function()
        local count, list = 0, {}
        local function f()
            count = count + 1
            list[#list + 1] = count
            return count, #list
        end
        for _ = 1, 5 do
            assert.same({ 1, 1 }, { there(f) })
        end
        assert.equal(0, count)
        assert.equal(0, #list)
    end)

    it("follow the caller when it changes them between two tasks", function()
        local scale_by = 2
        local function f(x) return x * scale_by end
        assert.equal(10, there(f, 5))
        scale_by = 3
        assert.equal(15, there(f, 5))
        scale_by = { 4 }
        local function g(x) return x * scale_by[1] end
        assert.equal(20, there(g, 5))
    end)

    it("are shared where they were shared: a counter in two closures", function()
        local count = 10
        local function increment() count = count + 1 end
        local function get() return count end
        assert.equal(12, there(function()
            increment()
            increment()
            return get()
        end))
        assert.equal(12, there(function(inc, read)
            inc()
            inc()
            return read()
        end, increment, get))
        assert.equal(12, there(function(pair)
            pair.inc()
            pair.inc()
            return pair.read()
        end, { inc = increment, read = get }))
        assert.equal(10, count)
    end)

    it("are not shared where they were not", function()
        local function counter()
            local n = 0
            return function()
                n = n + 1
                return n
            end
        end
        assert.same({ 1, 2, 1 }, { there(function(a, b)
            return a(), a(), b()
        end, counter(), counter()) })
    end)

    it("made in one loop stay apart", function()
        local fs = {}
        for i = 1, 10 do
            fs[i] = function() return i end
        end
        for i = 1, 10 do
            assert.equal(i, there(fs[i]))
        end
        assert.equal(55, there(function(list)
            local sum = 0
            for _, f in ipairs(list) do
                sum = sum + f()
            end
            return sum
        end, fs))
    end)

    it("may be the function itself", function()
        local function fib(n)
            return n < 2 and n or fib(n - 1) + fib(n - 2)
        end
        assert.equal(55, there(fib, 10))
        assert.is_true(there(function(f)
            local name, value = debug.getupvalue(f, 1)
            return name == "fib" and rawequal(f, value)
        end, fib))
    end)

    it("may be functions that call each other", function()
        local is_odd
        local function is_even(n) return n == 0 or is_odd(n - 1) end
        is_odd = function(n) return n ~= 0 and is_even(n - 1) end
        assert.is_true(there(is_even, 10))
        assert.is_false(there(is_odd, 10))
    end)

    it("may be tables that hold the function", function()
        local object = { value = 3 }
        function object.get() return object.value end
        assert.equal(3, there(object.get))
        assert.equal(3, there(function(o)
            o.value = o.value
            return o.get()
        end, object))
    end)

    it("are the same table as an argument that is the same table", function()
        local t = { 1 }
        assert.is_true(there(function(x) return rawequal(x, t) end, t))
    end)

    it("may be nil", function()
        local nothing = nil
        assert.is_true(there(function() return nothing == nil end))
    end)

    it("do not need _ENV to be theirs", function()
        -- A function with an environment of its own sees the worker's globals there.
        local f = load("return string.rep('x', 3), marker", "env", "t", { string = string })
        assert.equal("xxx", (there(f)))
    end)
end)

describe("A function that comes home", function()
    setup(function() ex = futures.ThreadPoolExecutor(1) end)
    teardown(function() ex:shutdown() end)

    it("works here, with its upvalues and our globals", function()
        local add = there(function(n)
            return function(x) return x + n, type(string) end
        end, 5)
        assert.same({ 12, "table" }, { add(7) })
    end)

    it("shares its upvalues with its sisters", function()
        local increment, get = there(function()
            local n = 0
            return function() n = n + 1 end, function() return n end
        end)
        increment()
        increment()
        assert.equal(2, get())
    end)

    it("has its debug information", function()
        local f = there(function() return function() error("at home") end end)
        local ok, err = pcall(f)
        assert.is_false(ok)
        assert.matches("^spec/codec_functions_spec%.lua:%d+: at home$", err)
    end)

    it("may go out again", function()
        local f = there(function(n) return function(x) return x * n end end, 6)
        assert.equal(42, there(f, 7))
    end)
end)

describe("A C function", function()
    setup(function() ex = futures.ThreadPoolExecutor(1) end)
    teardown(function() ex:shutdown() end)

    it("of a loaded module goes by name, there and back", function()
        for _, f in ipairs {
            print, string.rep, math.floor, table.concat, os.time, coroutine.wrap, debug.getinfo,
            utf8.char, io.open, require, package.searchpath, select, pcall,
        } do
            local same, back = there(function(g)
                for _, module in pairs(package.loaded) do
                    if type(module) == "table" then
                        for _, value in next, module do
                            if rawequal(value, g) then
                                return true, g
                            end
                        end
                    end
                end
                return false, g
            end, f)
            assert.is_true(same)
            assert.is_true(rawequal(f, back))
        end
    end)

    it("is a task like any other", function()
        assert.equal("aaa", there(string.rep, "a", 3))
        assert.equal(3, there(math.floor, 3.7))
        assert.is_true(math.abs(os.time() - there(os.time)) <= 1)
    end)

    it("without a name and without upvalues goes by address", function()
        local nameless = ipairs {} -- the iterator has no name anywhere
        local i, value = there(nameless, { "first" }, 0)
        assert.equal(1, i)
        assert.equal("first", value)
        assert.is_true(rawequal(nameless, there(function(f) return f end, nameless)))
    end)

    it("without a name but with upvalues is refused", function()
        local err = check.raises(futures.TransferError, function()
            ex:submit(print, ("a"):gmatch("a"))
        end)
        check.contains("argument 1", err.message:sub(1, 10))
        check.contains("cannot travel", err.message)
    end)
end)

describe("Many functions", function()
    setup(function() ex = futures.ThreadPoolExecutor(2) end)
    teardown(function() ex:shutdown() end)

    it("that are fresh each time all run, and memory stays bounded", function()
        local proc = require "spec.support.proc"
        -- Each chunk is another function to dump and to load, with 4 KB of constants.
        local ballast, made = ("x"):rep(4096), 0
        local function run(count)
            local fs = {}
            for i = 1, count do
                made = made + 1
                local source = ("return ... + %d, #%q"):format(made, ballast)
                fs[i] = ex:submit(load(source), 1)
            end
            for i = 1, count do
                assert(fs[i]:result(LIMIT) == made - count + i + 1)
            end
            check.collect()
        end
        run(2000)
        run(scale.count(4000))
        local before = proc.rss()
        for _ = 1, 10 do
            run(scale.count(2000))
        end
        -- All together they are 160 MB.
        local growth = proc.rss() - before
        assert.is_true(scale.slow or growth < 80 << 20, "grew by " .. growth)
    end)

    it("that are closures of one prototype each bring their own upvalues", function()
        local fs = {}
        for i = 1, 1000 do
            fs[i] = ex:submit(function() return i end)
        end
        for i = 1, 1000 do
            assert.equal(i, fs[i]:result(LIMIT))
        end
    end)

    it("that take the place of collected ones are not mistaken for them", function()
        for i = 1, scale.count(2000) do
            local f = load("return " .. i)
            assert.equal(i, there(f))
            f = nil -- luacheck: ignore 311
            if i % 50 == 0 then
                collectgarbage()
            end
        end
    end)
end)
