-- SPDX-License-Identifier: MIT
-- Plain values and tables: what goes to a worker and comes back is the same.

local futures = require "futures"
local check = require "spec.support.check"
local scale = require "spec.support.scale"

local LIMIT = scale.LIMIT

local ex

local function echo(...)
    return ...
end

-- There and back.
local function trip(...)
    return ex:submit(echo, ...):result(LIMIT)
end

-- What `task` says of the values, in the worker.
local function there(task, ...)
    return ex:submit(task, ...):result(LIMIT)
end

describe("Simple values", function()
    setup(function() ex = futures.ThreadPoolExecutor(1) end)
    teardown(function() ex:shutdown() end)

    it("travel: nil and booleans", function()
        assert.same({ n = 4, nil, true, false, nil }, table.pack(trip(nil, true, false, nil)))
    end)

    it("travel: integers, to the ends of their range", function()
        for _, i in ipairs {
            0, 1, -1, 127, 128, 255, 256, -128, -129, 65535, 65536, 1 << 31, -(1 << 31),
            1 << 32, (1 << 53) + 1, math.maxinteger, math.mininteger,
        } do
            local back = trip(i)
            assert.equal(i, back)
            assert.equal("integer", math.type(back))
        end
    end)

    it("travel: floats, infinite ones, the smallest and the largest", function()
        for _, x in ipairs {
            0.5, 1e300, -1e-300, 0x1p-1074, 0x1.fffffffffffffp1023, math.pi, math.huge,
            -math.huge,
        } do
            local back = trip(x)
            assert.equal(x, back)
            assert.equal("float", math.type(back))
        end
    end)

    it("keep 3 an integer and 3.0 a float, alone, in tables and as keys", function()
        local i, x, t = trip(3, 3.0, { 3, 3.0, key = -0.0 })
        assert.equal("integer", math.type(i))
        assert.equal("float", math.type(x))
        assert.equal("integer", math.type(t[1]))
        assert.equal("float", math.type(t[2]))
        assert.equal("float", math.type(t.key))
    end)

    it("keep -0.0 and NaN", function()
        local zero, nan, t = trip(-0.0, 0 / 0, { -0.0, 0 / 0 })
        assert.equal(-math.huge, 1 / zero)
        assert.is_true(nan ~= nan)
        assert.equal(-math.huge, 1 / t[1])
        assert.is_true(t[2] ~= t[2])
    end)

    it("travel: strings of any bytes, empty ones too", function()
        local bytes = {}
        for i = 0, 255 do
            bytes[#bytes + 1] = string.char(i)
        end
        local all = table.concat(bytes)
        for _, s in ipairs { "", "\0", "a\0b", "\0\0", "ä€", "\xff\xfe", all, all:rep(100) } do
            assert.equal(s, trip(s))
        end
    end)

    it("travel: strings around the lengths at which formats change", function()
        for _, length in ipairs {
            1, 15, 16, 31, 32, 39, 40, 41, 63, 64, 127, 128, 255, 256, 257, 4095, 4096, 65535,
            65536,
        } do
            local s = ("x"):rep(length - 1) .. "y"
            assert.equal(s, trip(s))
            assert.same({ s, [s] = s }, trip { s, [s] = s })
        end
    end)

    it("travel: a string of 64 MB", function()
        local mb = scale.slow and 4 or 64
        local s = ("0123456789abcdef"):rep(mb << 16)
        assert.equal(mb << 20, #s)
        assert.is_true(trip(s) == s)
    end)
end)

describe("Tables", function()
    setup(function() ex = futures.ThreadPoolExecutor(1) end)
    teardown(function() ex:shutdown() end)

    it("are copied deeply", function()
        local t = { 1, "two", { 3, { four = { 5 } } }, x = { y = { z = true } } }
        local back = trip(t)
        assert.same(t, back)
        assert.is_false(rawequal(t, back))
        assert.is_false(rawequal(t[3], back[3]))
    end)

    it("may be empty", function()
        assert.same({}, trip {})
        assert.same({ {}, { {} } }, trip { {}, { {} } })
    end)

    it("keep any key that can travel", function()
        local key_table, key_function = { "key" }, function() return "key" end
        local t = {
            [1] = 1, [-1] = 2, [0] = 3, [1.5] = 4, [true] = 5, [false] = 6, [""] = 7,
            ["a b"] = 8,
            [math.maxinteger] = 9, [math.mininteger] = 10, [math.huge] = 11, [-math.huge] = 12,
            [2 ^ 53] = 13, [print] = 14, [string] = 15,
        }
        local back = trip(t)
        for key, value in pairs(t) do
            assert.equal(value, back[key])
        end
        for key, value in pairs(back) do
            assert.equal(value, t[key])
        end
        local strange = trip { [key_table] = "table", [key_function] = "function" }
        for key, value in pairs(strange) do
            assert.equal(type(key), value)
            assert.equal("key", value == "table" and key[1] or key())
        end
    end)

    it("keep holes", function()
        local t = { 1, nil, 3, nil, nil, 6, [100] = 7, [1000000] = 8 }
        assert.same(t, trip(t))
        assert.same({ nil, nil, 3 }, trip { nil, nil, 3 })
        assert.same({ n = 0 }, trip(table.pack()))
        assert.same({ n = 3 }, trip(table.pack(nil, nil, nil)))
    end)

    it("keep false as a value", function()
        local t = { false, a = false, [false] = false }
        assert.same(t, trip(t))
    end)

    it("keep cycles", function()
        local t = { name = "loop" }
        t.self, t[t], t.list = t, t, { t }
        local back = trip(t)
        assert.is_true(rawequal(back, back.self))
        assert.is_true(rawequal(back, back[back]))
        assert.is_true(rawequal(back, back.list[1]))
        assert.equal("loop", back.name)
        local a, b = {}, {}
        a.b, b.a = b, a
        back = trip(a)
        assert.is_true(rawequal(back, back.b.a))
        assert.is_false(rawequal(back, back.b))
    end)

    it("keep shared references within and between arguments and results", function()
        local shared = { 1 }
        local same_there, x, y, list = there(function(a, b, c)
            return rawequal(a, b) and rawequal(a, c[1]) and rawequal(a, c[2].deep), a, b, c
        end, shared, shared, { shared, { deep = shared } })
        assert.is_true(same_there)
        assert.is_true(rawequal(x, y))
        assert.is_true(rawequal(x, list[1]))
        assert.is_true(rawequal(x, list[2].deep))
    end)

    it("keep equal tables apart", function()
        local same = there(function(a, b) return rawequal(a, b) end, { 1 }, { 1 })
        assert.is_false(same)
        local back = trip { {}, {} }
        assert.is_false(rawequal(back[1], back[2]))
    end)

    it("have the length and the order of arrays of every size", function()
        for _, count in ipairs { 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 255, 256, 257, 65537 } do
            local t = {}
            for i = 1, count do
                t[i] = i
            end
            local back = trip(t)
            assert.equal(count, #back)
            for i = 1, count do
                if back[i] ~= i then
                    error("element " .. i)
                end
            end
        end
    end)

    it("may have many string keys", function()
        local t = {}
        for i = 1, 5000 do
            t["key " .. i] = i
        end
        assert.same(t, trip(t))
    end)

    it("may be 100,000 records", function()
        local records, count = {}, scale.count(100000)
        for i = 1, count do
            records[i] = { id = i, name = "record " .. i, v = i / 2 }
        end
        local back = trip(records)
        assert.equal(count, #back)
        for i = 1, count, 997 do
            assert.same(records[i], back[i])
        end
    end)

    it("are taken raw: no metamethod runs", function()
        local ran = {}
        local trap = {}
        for _, event in ipairs {
            "__index", "__newindex", "__pairs", "__ipairs", "__len", "__eq", "__call",
            "__tostring", "__concat", "__unm", "__lt", "__le", "__add",
        } do
            trap[event] = function() ran[#ran + 1] = event; return nil end
        end
        local t = setmetatable({ 1, 2, x = { 3 } }, trap)
        local f = ex:submit(function(copy)
            return rawlen(copy), rawget(copy, 1), rawget(copy, "x")[1], rawget(copy, "none")
        end, t)
        assert.same({ 2, 1, 3 }, { f:result(LIMIT) })
        assert.same({}, ran)
    end)

    it("do not run metamethods on the other side either", function()
        local guarded = setmetatable({ 1, x = { 2 } }, {
            __newindex = function() error("__newindex ran") end,
        })
        local back = trip(guarded)
        assert.equal(1, rawget(back, 1))
        assert.equal(2, rawget(back, "x")[1])
    end)
end)

describe("Depth", function()
    setup(function() ex = futures.ThreadPoolExecutor(1) end)
    teardown(function() ex:shutdown() end)

    local function nest(levels, wrap)
        local t = {}
        for _ = 1, levels do
            t = wrap(t)
        end
        return t
    end

    local function depth(t, unwrap)
        local levels = 0
        t = unwrap(t)
        while t do
            t, levels = unwrap(t), levels + 1
        end
        return levels
    end

    local shapes = {
        arrays = { function(t) return { t } end, function(t) return t[1] end },
        fields = { function(t) return { x = 1, y = t } end, function(t) return t.y end },
        keys = { function(t) return { [t] = true } end, function(t) return (next(t)) end },
    }
    for name, shape in pairs(shapes) do
        local wrap, unwrap = table.unpack(shape)
        it("of 100,000 tables travels: in " .. name, function()
            local levels, back = ex:submit(function(t)
                local count, inner = 0, unwrap(t)
                while inner do
                    count, inner = count + 1, unwrap(inner)
                end
                return count, t
            end, nest(100000, wrap)):result(LIMIT)
            assert.equal(100000, levels)
            assert.equal(100000, depth(back, unwrap))
        end)
    end

    it("of a million tables travels or is refused with a clear error", function()
        local levels = scale.count(1000000)
        local t = nest(levels, shapes.arrays[1])
        local ok, f = pcall(ex.submit, ex, echo, t)
        if ok then
            local fine, back = f:outcome(LIMIT)
            if fine then
                assert.equal(levels, depth(back, shapes.arrays[2]))
                return
            end
            f = back
        end
        assert.is_true(futures.iserror(f, futures.TransferError))
        check.contains("deep", f.message)
    end)

    it("of 20,000 metatables travels", function()
        local t = nest(20000, function(inner) return setmetatable({}, inner) end)
        local levels = there(function(x)
            local count = 0
            x = getmetatable(x)
            while x do
                count, x = count + 1, getmetatable(x)
            end
            return count
        end, t)
        assert.equal(20000, levels)
    end)

    it("of 10,000 closures travels", function()
        local f = function() return 0 end
        for _ = 1, 10000 do
            local inner = f
            f = function() return inner end
        end
        local levels, back = there(function(g)
            local count, inner = 0, g
            while type(inner) == "function" do
                count, inner = count + 1, inner()
            end
            return count, g
        end, f)
        assert.equal(10001, levels)
        assert.equal("function", type(back))
    end)
end)
