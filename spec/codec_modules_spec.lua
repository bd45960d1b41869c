-- SPDX-License-Identifier: MIT
-- Modules and what loaded modules hold go by name: the other side requires it.

local futures = require "futures"
local check = require "spec.support.check"
local scale = require "spec.support.scale"
local script = require "spec.support.script"
local shapes = require "spec.support.fixtures.shapes"

local LIMIT = scale.LIMIT

describe("A module", function()
    local ex
    setup(function() ex = futures.ThreadPoolExecutor(1) end)
    teardown(function() ex:shutdown() end)

    local function there(task, ...)
        return ex:submit(task, ...):result(LIMIT)
    end

    it("goes by name as argument, upvalue and field, and comes home as itself", function()
        local is_module = function(m)
            return rawequal(m, require "spec.support.fixtures.shapes"), m
        end
        local same, back = there(is_module, shapes)
        assert.is_true(same)
        assert.is_true(rawequal(shapes, back))
        assert.is_true(there(function()
            return rawequal(shapes, require "spec.support.fixtures.shapes")
        end))
        assert.is_true(there(function(t)
            return rawequal(t[1].m, require "spec.support.fixtures.shapes")
        end, { { m = shapes } }))
    end)

    it("of the standard library goes by name", function()
        for name in ("string table math io os debug _G package"):gmatch("%g+") do
            local module = package.loaded[name]
            local same, back = there(function(m, n)
                return rawequal(m, package.loaded[n]), m
            end, module, name)
            assert.is_true(same)
            assert.is_true(rawequal(module, back))
        end
    end)

    it("that is futures goes by name", function()
        assert.is_true(there(function(m) return rawequal(m, require "futures") end, futures))
        assert.is_nil(futures.worker())
        assert.equal("thread", there(function() return futures.worker().kind end))
    end)

    it("is not copied: its state is that of the worker's own", function()
        shapes.count()
        shapes.count()
        local first = there(shapes.count)
        assert.equal(first + 1, there(shapes.count))
        local before = shapes.count()
        there(shapes.count)
        assert.equal(before + 1, shapes.count())
    end)

    it("that the other side cannot find travels as the table that it is", function()
        local invented = { answer = 42 }
        package.loaded["invented.module"] = invented
        local answer, loaded = there(function(m)
            return m.answer, package.loaded["invented.module"]
        end, invented)
        package.loaded["invented.module"] = nil
        assert.equal(42, answer)
        assert.is_nil(loaded)
    end)

    it("whose loading fails fails the task that needs it", function()
        local name = "spec.support.fixtures.broken"
        local module = {}
        package.loaded[name] = module
        local ok, err = ex:submit(function(m) return m end, module):outcome(LIMIT)
        package.loaded[name] = nil
        assert.is_false(ok)
        check.contains("this module cannot be loaded", err)
        assert.equal(1, there(math.abs, 1))
    end)

    it("whose value is a function or a string is handled like any module", function()
        local source = "return function(x) return x + 1 end"
        local out = script.output(([[
            local futures = require "futures"
            package.preload["fn.module"] = function() return load %q() end
            local fn = require "fn.module"
            local ex <close> = futures.ThreadPoolExecutor(1)
            print(ex:submit(fn, 1):result(10))
            local function same(f) return rawequal(f, require "fn.module") end
            print(ex:submit(same, fn):result(10))
        ]]):format(source))
        assert.equal("2\ntrue\n", out)
    end)

    it("is found again when it is unloaded and loaded here", function()
        local again = dofile("spec/support/fixtures/shapes.lua")
        -- A second copy of the module is no module: it travels as a table.
        local same, area = there(function(m)
            return rawequal(m, require "spec.support.fixtures.shapes"), m.area(2, 2)
        end, again)
        assert.is_false(same)
        assert.equal(4, area)
    end)
end)

describe("A function in a module", function()
    local ex
    setup(function() ex = futures.ThreadPoolExecutor(1) end)
    teardown(function() ex:shutdown() end)

    it("goes by name and comes home as itself", function()
        local same, back = ex:submit(function(f)
            return rawequal(f, require("spec.support.fixtures.shapes").area), f
        end, shapes.area):result(LIMIT)
        assert.is_true(same)
        assert.is_true(rawequal(shapes.area, back))
    end)

    it("is a task like any other", function()
        assert.equal(6, ex:submit(shapes.area, 2, 3):result(LIMIT))
    end)

    it("sees the upvalues of the worker's module", function()
        local pool <close> = futures.ThreadPoolExecutor(1)
        assert.equal(1, pool:submit(shapes.count):result(LIMIT))
        assert.equal(2, pool:submit(shapes.count):result(LIMIT))
    end)

    it("sees what the worker has set in the module", function()
        ex:submit(function() shapes.unit = 10 end):result(LIMIT)
        assert.equal(60, ex:submit(shapes.area, 2, 3):result(LIMIT))
        assert.equal(6, shapes.area(2, 3))
        ex:submit(function() shapes.unit = 1 end):result(LIMIT)
    end)

    it("that was put there only here is missed by name", function()
        shapes.added = function() return "added" end
        local ok, err = ex:submit(shapes.added):outcome(LIMIT)
        shapes.added = nil
        assert.is_false(ok)
        check.contains("added", err)
        assert.equal(6, ex:submit(shapes.area, 2, 3):result(LIMIT))
    end)

    it("of a C module goes by name", function()
        local found, lfs = pcall(require, "lfs")
        assert.is_true(found)
        assert.equal(lfs.currentdir(), ex:submit(lfs.currentdir):result(LIMIT))
        assert.is_true(ex:submit(function(f)
            return rawequal(f, require("lfs").currentdir)
        end, lfs.currentdir):result(LIMIT))
    end)
end)
