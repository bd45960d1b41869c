-- SPDX-License-Identifier: MIT
-- Error classes and objects, errors of tasks, tracebacks.

local futures = require "futures"
local check = require "spec.support.check"
local gate = require "spec.support.gate"
local scale = require "spec.support.scale"

local LIMIT = scale.LIMIT

local parents = {
    CancelledError = "Error",
    TimeoutError = "Error",
    InvalidStateError = "Error",
    TransferError = "Error",
    WorkerLostError = "Error",
    QueueFullError = "Error",
    BrokenExecutor = "Error",
    BrokenThreadPool = "BrokenExecutor",
    BrokenProcessPool = "BrokenExecutor",
}

-- An error object of ours, made by a wait that is over at once.
local function timeout_error()
    return select(2, futures.Future():outcome(0))
end

describe("Error classes", function()
    it("are all there, each a value of its own", function()
        local seen = { [futures.Error] = true }
        for name in pairs(parents) do
            local class = futures[name]
            assert.is_not_nil(class, name)
            assert.is_nil(seen[class])
            seen[class] = true
        end
    end)

    it("stand in the order that the contract draws", function()
        local made = {
            TimeoutError = timeout_error(),
            CancelledError = (function()
                local f = futures.Future()
                f:cancel()
                return select(2, f:outcome())
            end)(),
            InvalidStateError = (function()
                local f = futures.Future()
                f:set_result()
                return select(2, pcall(f.set_result, f))
            end)(),
        }
        for name, object in pairs(made) do
            for other in pairs(parents) do
                assert.equal(other == name, futures.iserror(object, futures[other]), other)
            end
            assert.is_true(futures.iserror(object, futures.Error))
            assert.is_true(futures.iserror(object))
        end
    end)

    it("put a broken thread pool below BrokenExecutor", function()
        local ex <close> = futures.ThreadPoolExecutor {
            max_workers = 1,
            initializer = function() error("no") end,
        }
        local err = ex:submit(print):exception(LIMIT)
        for _, name in ipairs { "BrokenThreadPool", "BrokenExecutor", "Error" } do
            assert.is_true(futures.iserror(err, futures[name]))
        end
        assert.is_false(futures.iserror(err, futures.BrokenProcessPool))
        assert.is_false(futures.iserror(err, futures.TimeoutError))
    end)
end)

describe("iserror", function()
    it("says no to every other value", function()
        local others = { 1, "TimeoutError: x", true, {}, print, { name = "TimeoutError" },
            setmetatable({}, {}), io.stdout, futures.Future(), coroutine.create(print), false }
        for _, value in ipairs(others) do
            assert.is_false(futures.iserror(value))
            assert.is_false(futures.iserror(value, futures.Error))
        end
        assert.is_false(futures.iserror(nil))
        assert.is_false(futures.iserror(nil, futures.Error))
    end)

    it("refuses a class that is none", function()
        for _, bad in ipairs { 5, "TimeoutError", {}, print } do
            check.misuse(2, "iserror", function()
                local _ = futures.iserror(timeout_error(), bad)
            end)
        end
    end)

    it("looks through no metamethod", function()
        local trap = setmetatable({}, { __index = error, __eq = error, __tostring = error })
        assert.is_false(futures.iserror(trap, futures.Error))
    end)
end)

describe("An error object", function()
    it("is a table with name, message and a __tostring", function()
        local f = futures.Future()
        local err = check.raises(futures.TimeoutError, futures.as_completed({ f }, 0))
        assert.equal("table", type(err))
        assert.equal("TimeoutError", err.name)
        assert.equal("1 (of 1) futures unfinished", err.message)
        assert.equal("TimeoutError: 1 (of 1) futures unfinished", tostring(err))
    end)

    it("says its name and a message for every class that one can meet", function()
        local cancelled = futures.Future()
        cancelled:cancel()
        local ex <close> = futures.ThreadPoolExecutor(1)
        local met = {
            TimeoutError = timeout_error(),
            CancelledError = select(2, cancelled:outcome()),
            InvalidStateError = select(2, pcall(cancelled.set_result, cancelled)),
            TransferError = select(2, pcall(ex.submit, ex, print, io.stdout)),
        }
        for name, err in pairs(met) do
            assert.equal(name, err.name)
            assert.equal("string", type(err.message))
            assert.is_true(#err.message > 0)
            assert.equal(name .. ": " .. err.message, tostring(err))
        end
    end)

    it("is one of its own for each failure", function()
        assert.is_false(rawequal(timeout_error(), timeout_error()))
        local ex <close> = futures.ThreadPoolExecutor(1)
        local function refuse() return select(2, pcall(ex.submit, ex, print, io.stdout)) end
        assert.is_false(rawequal(refuse(), refuse()))
        local a, b = futures.Future(), futures.Future()
        a:cancel()
        b:cancel()
        assert.is_false(rawequal(select(2, a:outcome()), select(2, b:outcome())))
    end)

    it("keeps its class and message when it travels", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        local err = ex:submit(function(f) f:result(0) end, futures.Future()):exception(LIMIT)
        assert.is_true(futures.iserror(err, futures.TimeoutError))
        assert.equal("TimeoutError", err.name)
        assert.equal("TimeoutError: " .. err.message, tostring(err))
        local known, text = ex:submit(function(object)
            return futures.iserror(object, futures.TimeoutError), tostring(object)
        end, err):result(LIMIT)
        assert.is_true(known)
        assert.equal(tostring(err), text)
    end)
end)

describe("The error of a task", function()
    local ex
    setup(function() ex = futures.ThreadPoolExecutor(1) end)
    teardown(function() ex:shutdown() end)
    -- Every test ends in a sound worker.
    after_each(function()
        assert.equal("sound", ex:submit(string.lower, "SOUND"):result(LIMIT))
    end)

    it("has the position in the task's source", function()
        local err = ex:submit(function() error("here") end):exception(LIMIT)
        assert.matches("^spec/errors_spec%.lua:%d+: here$", err)
    end)

    it("may be a string, a number, a boolean, nil, a table, a function", function()
        local function raise(value) error(value) end
        assert.equal(42, ex:submit(raise, 42):exception(LIMIT))
        assert.equal(2.5, ex:submit(raise, 2.5):exception(LIMIT))
        assert.is_false(ex:submit(raise, false):exception(LIMIT))
        assert.is_true(ex:submit(raise, true):exception(LIMIT))
        assert.equal("<no error object>", ex:submit(raise, nil):exception(LIMIT))
        assert.equal("<no error object>", ex:submit(error):exception(LIMIT))
        assert.same({ a = { 1 } }, ex:submit(raise, { a = { 1 } }):exception(LIMIT))
        assert.equal(7, ex:submit(raise, function() return 7 end):exception(LIMIT)())
    end)

    it("may be a cyclic table", function()
        local err = ex:submit(function()
            local t = {}
            t.self = t
            error(t)
        end):exception(LIMIT)
        assert.is_true(rawequal(err, err.self))
    end)

    it("may be a table with __tostring, which works at home as well", function()
        local err = ex:submit(function()
            error(setmetatable({ code = 7 }, {
                __tostring = function(self) return "code " .. self.code end,
            }))
        end):exception(LIMIT)
        assert.equal(7, err.code)
        assert.equal("code 7", tostring(err))
    end)

    it("may have a __tostring that fails", function()
        local err = ex:submit(function()
            error(setmetatable({ code = 7 }, { __tostring = function() error("no") end }))
        end):exception(LIMIT)
        assert.equal(7, err.code)
    end)

    it("that is userdata is refused on the future", function()
        local err = ex:submit(function() error(io.stdout) end):exception(LIMIT)
        assert.is_true(futures.iserror(err, futures.TransferError))
        assert.matches("^error: userdata %(FILE%*%) cannot travel", err.message)
        err = ex:submit(function() error { inner = { io.stdout } } end):exception(LIMIT)
        assert.is_true(futures.iserror(err, futures.TransferError))
        assert.matches("^error%.inner%[1%]: userdata %(FILE%*%) cannot travel", err.message)
    end)

    it("may come from the interpreter", function()
        local function index(x) return x.y end
        local function add(x) return x + 1 end
        check.contains("attempt to index", ex:submit(index):exception(LIMIT))
        check.contains("attempt to perform arithmetic", ex:submit(add, {}):exception(LIMIT))
        check.contains("bad argument #1 to 'floor'",
            ex:submit(function() return math.floor({}) end):exception(LIMIT))
    end)

    it("may be an overflow of the C stack", function()
        local function down() return (string.gsub("a", "a", down)) end
        check.contains("C stack overflow", ex:submit(down):exception(LIMIT))
        local nested = ("("):rep(1000) .. "1" .. (")"):rep(1000)
        local function parse(text) error((select(2, load("return " .. text)))) end
        local f = ex:submit(parse, nested)
        check.contains("overflow", f:exception(LIMIT))
    end)

    it("may be an error in a message handler", function()
        local ok = ex:submit(function()
            return xpcall(error, function() error("again") end, "first")
        end):result(LIMIT)
        assert.is_false(ok)
    end)

    it("may be a lack of memory", function()
        if scale.slow then
            return -- a sanitizer's allocator ends the process instead
        end
        local err = ex:submit(function() return io.open("/dev/zero"):read(1 << 46) end)
        check.contains("memory", err:exception(LIMIT))
    end)

    it("may come from a __close, and that wins as in Lua", function()
        local f = ex:submit(function()
            local _ <close> = setmetatable({}, { __close = function() error("close", 0) end })
            error("body", 0)
        end)
        assert.equal("close", f:exception(LIMIT))
        assert.matches("^close\nstack traceback:", f:traceback())
    end)

    it("does not come from a __gc", function()
        local result = ex:submit(function()
            setmetatable({}, { __gc = function() error("gc") end })
            collectgarbage()
            return "fine"
        end):result(LIMIT)
        assert.equal("fine", result)
    end)

    it("is not caught by another task", function()
        local bad, good = ex:submit(error, "bad"), ex:submit(string.upper, "good")
        assert.equal("GOOD", good:result(LIMIT))
        assert.equal("bad", bad:exception(LIMIT))
    end)
end)

describe("exception", function()
    it("is nil for a task without an error", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        local f = ex:submit(string.upper, "x")
        assert.is_nil(f:exception(LIMIT))
        assert.equal(1, select("#", f:exception()))
    end)

    it("raises on cancel and on timeout like result", function()
        local f = futures.Future()
        check.raises(futures.TimeoutError, function() f:exception(0) end)
        f:cancel()
        check.raises(futures.CancelledError, function() f:exception() end)
    end)
end)

describe("outcome", function()
    it("is true and all results, or false and the error", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        local good = ex:submit(function() return 1, nil, 3, nil end)
        assert.same({ n = 5, true, 1, nil, 3, nil }, table.pack(good:outcome(LIMIT)))
        assert.same({ false, "x" }, { ex:submit(error, "x"):outcome(LIMIT) })
        assert.same({ n = 2, false, false }, table.pack(ex:submit(error, false):outcome(LIMIT)))
    end)

    it("raises nothing on cancel and on timeout", function()
        local f = futures.Future()
        local ok, err = f:outcome(0)
        assert.is_false(ok)
        assert.is_true(futures.iserror(err, futures.TimeoutError))
        f:cancel()
        ok, err = f:outcome()
        assert.is_false(ok)
        assert.is_true(futures.iserror(err, futures.CancelledError))
    end)

    it("raises misuse", function()
        local f = futures.Future()
        check.misuse(1, "outcome", function() local _ = f:outcome("soon") end)
    end)
end)

describe("traceback", function()
    local ex
    setup(function() ex = futures.ThreadPoolExecutor(1) end)
    teardown(function() ex:shutdown() end)
    after_each(function() assert.equal(1, ex:submit(math.abs, -1):result(LIMIT)) end)

    it("is what stood on the stack of the worker", function()
        local function innermost() error("deep") end
        local function middle()
            innermost()
            return 1
        end
        local f = ex:submit(function()
            middle()
            return 2
        end)
        f:outcome(LIMIT)
        local text = f:traceback()
        check.contains("innermost", text)
        check.contains("middle", text)
        check.contains("spec/errors_spec.lua", text)
    end)

    it("is there for an error value that is no string", function()
        local function thrower() error { 1 } end
        local f = ex:submit(function()
            thrower()
            return 1
        end)
        f:outcome(LIMIT)
        check.contains("thrower", f:traceback())
    end)

    it("is nil for what did not fail in a worker", function()
        local good = ex:submit(string.upper, "x")
        good:result(LIMIT)
        assert.is_nil(good:traceback())
        local bare = futures.Future()
        assert.is_nil(bare:traceback())
        bare:set_exception("x")
        assert.is_nil(bare:traceback())
        local cancelled = futures.Future()
        cancelled:cancel()
        assert.is_nil(cancelled:traceback())
    end)

    it("does not wait", function()
        local hold <close> = gate.hold(ex)
        assert.is_nil(hold.futures[1]:traceback())
        hold:open()
    end)

    it("of a stack overflow is bounded", function()
        local function down(n) return 1 + down(n + 1) end
        local f = ex:submit(down, 1)
        check.contains("stack overflow", f:exception(LIMIT))
        local text = f:traceback()
        assert.is_string(text)
        assert.is_true(#text < 16 * 1024, "bytes: " .. #text)
    end)
end)
