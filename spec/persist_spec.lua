-- SPDX-License-Identifier: MIT
-- __persist: false refuses; a function returns a closure that rebuilds the object over there.

local futures = require "futures"
local check = require "spec.support.check"
local scale = require "spec.support.scale"

local LIMIT = scale.LIMIT

local ex

local function there(task, ...)
    return ex:submit(task, ...):result(LIMIT)
end

-- A handle that only makes sense in one state, made anew in another.
local Handle = {}
Handle.__index = Handle

function Handle.open(path)
    return setmetatable({ path = path, open = coroutine.create(print) }, Handle)
end

function Handle:__persist()
    local path = self.path
    return function()
        return setmetatable({ path = path, rebuilt = true }, { __index = { kind = "rebuilt" } })
    end
end

describe("__persist of a table", function()
    setup(function() ex = futures.ThreadPoolExecutor(1) end)
    teardown(function() ex:shutdown() end)

    it("that is a function gives the closure that rebuilds it", function()
        local path, rebuilt, kind = there(function(h)
            return h.path, h.rebuilt, h.kind
        end, Handle.open "/dev/null")
        assert.equal("/dev/null", path)
        assert.is_true(rebuilt)
        assert.equal("rebuilt", kind)
    end)

    it("gets the object", function()
        local got
        local object = setmetatable({}, {
            __persist = function(self, ...)
                got = { self, select("#", ...) }
                return function() return 1 end
            end,
        })
        assert.equal(1, there(function(x) return x end, object))
        assert.is_true(rawequal(object, got[1]))
    end)

    it("works wherever the object stands", function()
        local h = Handle.open "p"
        assert.is_true(there(function(t) return t.a[1].rebuilt end, { a = { h } }))
        assert.is_true(there(function() return h.rebuilt end))
        assert.is_true(there(function(t) return (next(t)).rebuilt end, { [h] = true }))
    end)

    it("rebuilds an object once, however often it is referred to", function()
        local h = Handle.open "p"
        local same = there(function(a, b, t)
            return rawequal(a, b) and rawequal(a, t.x)
        end, h, h, { x = h })
        assert.is_true(same)
    end)

    it("may rebuild to any value", function()
        for _, value in ipairs { 42, "text", false } do
            local object = setmetatable({}, {
                __persist = function() return function() return value end end,
            })
            local a, list = there(function(x, t) return x, t end, object, { object })
            assert.equal(value, a)
            assert.equal(value, list[1])
        end
    end)

    it("may use modules in the worker", function()
        local object = setmetatable({ 3 }, {
            __persist = function(self)
                local r = self[1]
                return function() return require("spec.support.fixtures.shapes").circle(r) end
            end,
        })
        assert.equal(6, there(function(c) return c:diameter() end, object))
    end)

    it("works on the way home, too", function()
        local object = there(function()
            return setmetatable({ co = coroutine.create(print) }, {
                __persist = function() return function() return { "made at home" } end end,
            })
        end)
        assert.same({ "made at home" }, object)
    end)

    it("that is false refuses", function()
        local object = setmetatable({}, { __persist = false })
        local err = check.raises(futures.TransferError, function()
            ex:submit(print, 1, { key = object })
        end)
        assert.matches("^argument 2%.key: ", err.message)
        local home = ex:submit(function()
            return setmetatable({}, { __persist = false })
        end):exception(LIMIT)
        assert.is_true(futures.iserror(home, futures.TransferError))
        assert.matches("^result 1: ", home.message)
    end)

    it("passes on what it raises, at the call", function()
        local boom = { "boom" }
        local object = setmetatable({}, { __persist = function() error(boom) end })
        local ok, err = pcall(function() ex:submit(print, object) end)
        assert.is_false(ok)
        if futures.iserror(err) then
            assert.is_true(futures.iserror(err, futures.TransferError))
            check.contains("argument 1", err.message)
        else
            assert.is_true(rawequal(boom, err))
        end
        assert.equal(1, there(math.abs, -1))
    end)

    it("must return a closure", function()
        for _, bad in ipairs { 5, "x", {}, print } do
            local object = setmetatable({}, { __persist = function() return bad end })
            local err = check.raises(futures.TransferError, function()
                ex:submit(print, { x = object })
            end)
            assert.matches("^argument 1%.x.*__persist must return", err.message)
        end
        assert.equal(1, there(math.abs, -1))
    end)

    it("must be a function or a boolean; true is a plain copy, as in Eris", function()
        for _, bad in ipairs { 5, "x", {} } do
            local object = setmetatable({}, { __persist = bad })
            local err = check.raises(futures.TransferError, function()
                ex:submit(print, object)
            end)
            assert.matches("^argument 1: __persist must be", err.message)
        end
        local copy = there(function(x) return x end, setmetatable({ 1 }, { __persist = true }))
        assert.same({ 1 }, copy)
    end)

    it("may rebuild to nil", function()
        local object = setmetatable({}, {
            __persist = function() return function() return nil end end,
        })
        local values = table.pack(there(function(...) return ... end, object, 2))
        assert.same({ n = 2, nil, 2 }, values)
    end)

    it("may not rebuild a key to nil or NaN", function()
        for _, source in ipairs { "return nil", "return 0/0" } do
            local object = setmetatable({ source }, {
                __persist = function(self)
                    local code = self[1]
                    return function() return load(code)() end
                end,
            })
            for _, args in ipairs { { { [object] = 1 } }, { object, { [object] = 1 } } } do
                local err = ex:submit(print, table.unpack(args)):exception(LIMIT)
                assert.is_true(futures.iserror(err, futures.TransferError), tostring(err))
                check.contains("nil or NaN", err)
            end
        end
        assert.equal(1, there(math.abs, -1))
    end)

    it("whose closure needs the object itself is refused", function()
        local object = setmetatable({}, {
            __persist = function(self) return function() return self end end,
        })
        local err = check.raises(futures.TransferError, function() ex:submit(print, object) end)
        assert.matches("^argument 1, __persist, upvalue 'self': ", err.message)
    end)

    it("whose closure cannot travel refuses with the path to it", function()
        local object = setmetatable({}, {
            __persist = function()
                local file = io.stdout
                return function() return file end
            end,
        })
        local err = check.raises(futures.TransferError, function()
            ex:submit(print, { inner = object })
        end)
        assert.matches("^argument 1%.inner", err.message)
        check.contains("upvalue 'file': userdata (FILE*) cannot travel", err.message)
    end)

    it("whose closure fails over there fails the task", function()
        local object = setmetatable({}, {
            __persist = function() return function() error("cannot rebuild") end end,
        })
        local ran = futures.Future()
        local err = ex:submit(function(_, f) f:set_result() end, object, ran):exception(LIMIT)
        check.contains("cannot rebuild", err)
        assert.is_false(ran:done())
        assert.equal(1, there(math.abs, -1))
    end)
end)

describe("__persist of userdata", function()
    local files = debug.getmetatable(io.stdout)

    setup(function() ex = futures.ThreadPoolExecutor(1) end)
    teardown(function()
        files.__persist = nil
        ex:shutdown()
    end)
    after_each(function() files.__persist = nil end)

    it("that is a function gives the closure that rebuilds it", function()
        local path = os.tmpname()
        local file <close> = assert(io.open(path, "w+"))
        file:write("from the file")
        file:flush()
        files.__persist = function()
            return function() return io.open(path) end
        end
        local text = there(function(f)
            local all = f:read("a")
            f:close()
            return all
        end, file)
        os.remove(path)
        assert.equal("from the file", text)
    end)

    it("that is false refuses", function()
        files.__persist = false
        local err = check.raises(futures.TransferError, function()
            ex:submit(print, io.stdout)
        end)
        assert.matches("^argument 1: ", err.message)
    end)
end)
