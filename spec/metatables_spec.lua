-- SPDX-License-Identifier: MIT
-- A metatable travels with its table: by name if a loaded module holds it, else as a copy; one
-- that came from the other side comes home as the same table.

local futures = require "futures"
local scale = require "spec.support.scale"
local shapes = require "spec.support.fixtures.shapes"

local LIMIT = scale.LIMIT

local ex

local function there(task, ...)
    return ex:submit(task, ...):result(LIMIT)
end

local function echo(...)
    return ...
end

local Point = {}
Point.__index = Point

function Point.new(x, y)
    return setmetatable({ x = x, y = y }, Point)
end

function Point:length()
    return math.sqrt(self.x * self.x + self.y * self.y)
end

function Point.__add(a, b)
    return Point.new(a.x + b.x, a.y + b.y)
end

function Point.__eq(a, b)
    return a.x == b.x and a.y == b.y
end

function Point:__tostring()
    return ("(%g, %g)"):format(self.x, self.y)
end

function Point:__call(factor)
    return Point.new(self.x * factor, self.y * factor)
end

describe("An object", function()
    setup(function() ex = futures.ThreadPoolExecutor(1) end)
    teardown(function() ex:shutdown() end)

    it("has its methods and operators in the worker", function()
        assert.equal(5, there(function(p) return p:length() end, Point.new(3, 4)))
        assert.equal("(4, 6)", there(function(p, q) return tostring(p + q) end,
            Point.new(1, 2), Point.new(3, 4)))
        assert.is_true(there(function(p, q) return p == q end,
            Point.new(1, 2), Point.new(1, 2)))
        assert.equal("(2, 4)", there(function(p) return tostring(p(2)) end, Point.new(1, 2)))
    end)

    it("has them when its class is an upvalue as well, as one class", function()
        local same, text = there(function(p)
            local q = Point.new(1, 1)
            return rawequal(getmetatable(p), getmetatable(q)), tostring(p + q)
        end, Point.new(1, 2))
        assert.is_true(same)
        assert.equal("(2, 3)", text)
    end)

    it("comes home with our own metatable", function()
        local p = Point.new(1, 2)
        local back = there(echo, p)
        assert.is_false(rawequal(p, back))
        assert.is_true(rawequal(Point, getmetatable(back)))
        assert.equal(p, back)
    end)

    it("made there with a metatable that came from here comes home with ours", function()
        local sum = there(function(a, b) return a + b end, Point.new(1, 2), Point.new(3, 4))
        assert.is_true(rawequal(Point, getmetatable(sum)))
        assert.equal("(4, 6)", tostring(sum))
        local made = there(function(p)
            return setmetatable({ x = 0, y = 0 }, getmetatable(p))
        end, Point.new(1, 1))
        assert.is_true(rawequal(Point, getmetatable(made)))
    end)

    it("made there by an upvalue's constructor comes home with our metatable", function()
        local made = there(function() return Point.new(3, 4) end)
        assert.is_true(rawequal(Point, getmetatable(made)))
        assert.equal(5, made:length())
    end)

    it("keeps that in an error value", function()
        local err = ex:submit(function(p) error(p) end, Point.new(3, 4)):exception(LIMIT)
        assert.is_true(rawequal(Point, getmetatable(err)))
    end)

    it("keeps that over many trips and collections", function()
        local p = Point.new(1, 0)
        for _ = 1, 20 do
            collectgarbage()
            p = there(function(q)
                collectgarbage()
                return q + q
            end, p)
            assert.is_true(rawequal(Point, getmetatable(p)))
        end
        assert.equal(1 << 20, p.x)
    end)

    it("goes back under the worker's own metatable", function()
        local object = there(function()
            _G.Class = { __index = { value = function() return 5 end } }
            return setmetatable({}, _G.Class)
        end)
        assert.equal(5, object:value())
        assert.is_true(there(function(o)
            return rawequal(getmetatable(o), _G.Class)
        end, object))
    end)

    it("of a class that only the worker knows comes home with a copy", function()
        local object = there(function()
            local Class = {}
            Class.__index = Class
            function Class:double() return 2 * self.value end
            return setmetatable({ value = 21 }, Class)
        end)
        assert.equal(42, object:double())
        assert.is_true(rawequal(getmetatable(object), getmetatable(object).__index))
    end)

    it("shares its metatable with others of its class, there and back", function()
        local mt = {}
        local same, list = there(function(t)
            return rawequal(getmetatable(t[1]), getmetatable(t[2])), t
        end, { setmetatable({ 1 }, mt), setmetatable({ 2 }, mt), setmetatable({ 3 }, {}) })
        assert.is_true(same)
        assert.is_true(rawequal(mt, getmetatable(list[1])))
        assert.is_true(rawequal(mt, getmetatable(list[2])))
        assert.is_false(rawequal(mt, getmetatable(list[3])))
    end)
end)

describe("The metatable of an object", function()
    setup(function() ex = futures.ThreadPoolExecutor(1) end)
    teardown(function() ex:shutdown() end)

    it("goes by name if a loaded module holds it", function()
        local circle = shapes.circle(2)
        local same, diameter, back = there(function(c)
            local class = require("spec.support.fixtures.shapes").Circle
            return rawequal(getmetatable(c), class), c:diameter(), c
        end, circle)
        assert.is_true(same)
        assert.equal(4, diameter)
        assert.is_true(rawequal(shapes.Circle, getmetatable(back)))
        assert.equal(circle, back)
    end)

    it("of a class below another goes by name, too", function()
        local same, hole, diameter, back = there(function(r)
            local class = require("spec.support.fixtures.shapes").Ring
            return rawequal(getmetatable(r), class), r:hole(), r:diameter(), r
        end, shapes.ring(5, 2))
        assert.is_true(same)
        assert.equal(6, hole)
        assert.equal(10, diameter)
        assert.is_true(rawequal(shapes.Ring, getmetatable(back)))
    end)

    it("made there by a module is ours when it comes home", function()
        local circle = there(function(r)
            return require("spec.support.fixtures.shapes").circle(r)
        end, 3)
        assert.is_true(rawequal(shapes.Circle, getmetatable(circle)))
        assert.equal(6, circle:diameter())
    end)

    it("keeps inheritance through copies", function()
        local Base = { greet = function(self) return "I am " .. self.name end }
        Base.__index = Base
        local Derived = setmetatable({ kind = "derived" }, Base)
        Derived.__index = Derived
        local text, kind = there(function(o) return o:greet(), o.kind end,
            setmetatable({ name = "o" }, Derived))
        assert.equal("I am o", text)
        assert.equal("derived", kind)
    end)

    it("travels though it is protected, and is not run", function()
        local object = setmetatable({ 1 }, {
            __metatable = "locked",
            __index = function(_, key) return "index " .. key end,
        })
        local protected, value, back = there(function(o)
            return getmetatable(o), o.anything, o
        end, object)
        assert.equal("locked", protected)
        assert.equal("index anything", value)
        assert.equal("locked", getmetatable(back))
        assert.is_true(rawequal(debug.getmetatable(object), debug.getmetatable(back)))
    end)

    it("may be met as an ordinary value first", function()
        local mt = { __tostring = function() return "mine" end }
        local same, object, meta = there(function(m, o)
            return rawequal(getmetatable(o), m), o, m
        end, mt, setmetatable({}, mt))
        assert.is_true(same)
        assert.is_true(rawequal(mt, getmetatable(object)))
        assert.is_true(rawequal(mt, meta))
        assert.equal("mine", tostring(object))
        local list = there(function(t)
            return { t[1], t[2], rawequal(t[1], getmetatable(t[2])) }
        end, { mt, setmetatable({}, mt) })
        assert.is_true(list[3])
        assert.is_true(rawequal(mt, getmetatable(list[2])))
    end)

    it("may be the object itself", function()
        local object = { value = 5 }
        object.__index = object
        setmetatable(object, object)
        local own, back = there(function(o) return rawequal(getmetatable(o), o), o end, object)
        assert.is_true(own)
        assert.equal(5, back.value)
    end)

    it("travels with an empty table and an empty metatable", function()
        local mt = {}
        assert.is_true(rawequal(mt, getmetatable(there(echo, setmetatable({}, mt)))))
    end)

    it("has __close and __gc that work in the worker", function()
        local log = there(function(object)
            local seen = {}
            do
                local closing <close> = object
                closing.log = seen
            end
            return seen
        end, setmetatable({}, { __close = function(self) self.log[1] = "closed" end }))
        assert.same({ "closed" }, log)
        local collected = there(function(mt)
            local seen = {}
            setmetatable({ log = seen }, mt)
            collectgarbage()
            return seen
        end, { __gc = function(self) self.log[1] = "collected" end })
        assert.same({ "collected" }, collected)
    end)
end)
