-- SPDX-License-Identifier: MIT
-- What cannot travel is refused with TransferError, and the message leads to the culprit.

local futures = require "futures"
local check = require "spec.support.check"
local scale = require "spec.support.scale"

local LIMIT = scale.LIMIT
local FILE = "userdata (FILE*) cannot travel"

local ex

-- The message with which `submit` refuses.
local function refusal(...)
    local args = table.pack(...)
    local err = check.raises(futures.TransferError, function()
        ex:submit(table.unpack(args, 1, args.n))
    end)
    assert.equal("TransferError: " .. err.message, tostring(err))
    return err.message
end

-- The message of the TransferError with which a task's future fails.
local function home_refusal(task, ...)
    local err = ex:submit(task, ...):exception(LIMIT)
    assert.is_true(futures.iserror(err, futures.TransferError), tostring(err))
    return err.message
end

describe("A refusal on the way to a worker", function()
    setup(function() ex = futures.ThreadPoolExecutor(1) end)
    teardown(function() ex:shutdown() end)
    after_each(function() assert.equal(1, ex:submit(math.abs, -1):result(LIMIT)) end)

    it("names the argument", function()
        assert.equal("argument 1: " .. FILE, refusal(print, io.stdout))
        assert.equal("argument 3: " .. FILE, refusal(print, 1, nil, io.stdout))
        assert.equal("argument 300: " .. FILE,
            refusal(print, table.unpack({ [300] = io.stdout }, 1, 300)))
    end)

    it("names fields and elements", function()
        assert.equal("argument 2.rows[7].cb: " .. FILE,
            refusal(print, 1, { rows = { [7] = { cb = io.stdout } } }))
        assert.equal("argument 1[2][3]: " .. FILE,
            refusal(print, { 1, { 1, 2, io.stdout } }))
    end)

    it("names upvalues behind fields", function()
        local sock = io.stdout
        assert.equal("argument 2.rows[7].cb, upvalue 'sock': " .. FILE,
            refusal(print, 1, { rows = { [7] = { cb = function() return sock end } } }))
    end)

    it("names fields behind upvalues", function()
        local conn = { log = { io.stdout } }
        assert.equal("argument 1, upvalue 'conn'.log[1]: " .. FILE,
            refusal(print, function() return conn end))
    end)

    it("names the function and its upvalues", function()
        local sock = io.stdout
        local function inner() return sock end
        assert.equal("function, upvalue 'sock': " .. FILE, refusal(inner))
        assert.equal("function, upvalue 'inner', upvalue 'sock': " .. FILE,
            refusal(function() return inner() end))
    end)

    it("names what a callable table holds", function()
        local callable = setmetatable({ out = io.stdout }, { __call = function() end })
        assert.equal("function.out: " .. FILE, refusal(callable))
    end)

    it("names keys that are no identifiers so that one can find them", function()
        local message = refusal(print, { ["a b"] = io.stdout })
        assert.matches("^argument 1", message)
        check.contains("a b", message)
        message = refusal(print, { [1.5] = io.stdout })
        check.contains("1.5", message)
        message = refusal(print, { [true] = io.stdout })
        check.contains("true", message)
        message = refusal(print, { [-1] = io.stdout })
        check.contains("[-1]", message)
    end)

    it("begins at the argument also for keys and metatables", function()
        assert.matches("^argument 2.*: userdata %(FILE%*%) cannot travel$",
            refusal(print, 1, { [io.stdout] = 1 }))
        assert.matches("^argument 2.*: userdata %(FILE%*%) cannot travel$",
            refusal(print, 1, setmetatable({}, { __index = { f = io.stdout } })))
    end)

    it("names upvalues by number when the function was stripped of names", function()
        local sock = io.stdout
        local function f() return sock end
        local stripped = load(string.dump(f, true), "stripped", "b")
        debug.upvaluejoin(stripped, 1, f, 1)
        assert.equal("function, upvalue 1: " .. FILE, refusal(stripped))
    end)

    it("says what it is that cannot travel", function()
        check.contains("FILE*", refusal(print, io.stdout))
        local message = refusal(print, coroutine.create(print))
        assert.matches("^argument 1: .*cannot travel$", message)
        assert.is_true(message:find("coroutine", 1, true) ~= nil
            or message:find("thread", 1, true) ~= nil)
        assert.matches("^argument 1: .*cannot travel", refusal(print, coroutine.running()))
        assert.matches("cannot travel", refusal(coroutine.wrap(print)))
    end)

    it("stays readable for a culprit very deep inside", function()
        local t = { io.stdout }
        for _ = 1, 100000 do
            t = { next = t }
        end
        local message = refusal(print, t)
        assert.matches("^argument 1%.next", message)
        assert.matches("FILE%*%) cannot travel$", message)
        assert.is_true(#message < 10000, "bytes: " .. #message)
    end)

    it("stays readable for a culprit with an enormous key", function()
        local message = refusal(print, { [("k"):rep(1000000)] = io.stdout })
        assert.matches("^argument 1", message)
        assert.is_true(#message < 10000, "bytes: " .. #message)
    end)

    it("keeps a key's zero bytes and controls out of the terminal", function()
        local message = refusal(print, { ["a\0b\27[2J"] = io.stdout })
        assert.is_nil(message:find("[%z\27]"))
    end)

    it("submits nothing", function()
        local before = ex:stats().submitted
        refusal(print, io.stdout)
        assert.equal(before, ex:stats().submitted)
    end)
end)

describe("A refusal on the way home", function()
    setup(function() ex = futures.ThreadPoolExecutor(1) end)
    teardown(function() ex:shutdown() end)
    after_each(function() assert.equal(1, ex:submit(math.abs, -1):result(LIMIT)) end)

    it("names the result", function()
        assert.equal("result 1: " .. FILE, home_refusal(function() return io.stdout end))
        assert.equal("result 3: " .. FILE,
            home_refusal(function() return 1, nil, io.stdout end))
        assert.equal("result 2.a[1]: " .. FILE,
            home_refusal(function() return 1, { a = { io.stdout } } end))
        assert.equal("result 1, upvalue 'sock': " .. FILE, home_refusal(function()
            local sock = io.stdout
            return function() return sock end
        end))
    end)

    it("names the error", function()
        -- What the error said may follow.
        assert.matches("^error: userdata %(FILE%*%) cannot travel",
            home_refusal(function() error(io.stdout) end))
        assert.matches("^error%.handle: userdata %(FILE%*%) cannot travel",
            home_refusal(function() error { handle = io.stdout } end))
    end)

    it("concerns coroutines and executors", function()
        assert.matches("^result 1: .*cannot travel$",
            home_refusal(function() return coroutine.create(print) end))
        assert.matches("^result 1: .*cannot travel", home_refusal(function(e) return e end, ex))
        assert.matches("^result 1%.pool: .*cannot travel",
            home_refusal(function(e) return { pool = e } end, ex))
    end)
end)

describe("A value that the caller cannot rebuild", function()
    setup(function() ex = futures.ThreadPoolExecutor(1) end)
    teardown(function() ex:shutdown() end)

    it("fails the future here, each time the same", function()
        local f = ex:submit(function()
            package.preload["only.over.there"] = function() return { 1 } end
            return require "only.over.there"
        end)
        local ok, err = f:outcome(LIMIT)
        assert.is_false(ok)
        check.contains("only.over.there", err)
        assert.is_true(rawequal(err, f:exception()))
        assert.equal("finished", f:state())
        assert.is_true(f:done())
        assert.equal(1, ex:submit(math.abs, -1):result(LIMIT))
    end)
end)

describe("Light userdata", function()
    setup(function() ex = futures.ThreadPoolExecutor(1) end)
    teardown(function() ex:shutdown() end)

    it("travels to a thread as it is", function()
        local id = debug.upvalueid(function() return ex end, 1)
        assert.equal("userdata", type(id))
        local kind, text = ex:submit(function(x)
            return type(x), ("%p"):format(x)
        end, id):result(LIMIT)
        assert.equal("userdata", kind)
        assert.equal(("%p"):format(id), text)
    end)
end)
