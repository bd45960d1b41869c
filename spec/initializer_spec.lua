-- SPDX-License-Identifier: MIT
-- initializer and initargs, and what becomes of a pool whose initializer fails.

local futures = require "futures"
local check = require "spec.support.check"
local gate = require "spec.support.gate"
local scale = require "spec.support.scale"

local LIMIT = scale.LIMIT

local function echo(...)
    return ...
end

describe("An initializer", function()
    it("runs once in every worker", function()
        local ex <close> = futures.ThreadPoolExecutor {
            max_workers = 3,
            initializer = function() _G.runs = (_G.runs or 0) + 1 end,
        }
        local hold <close> = gate.hold(ex, 3)
        local count = function() return _G.runs end
        hold:open()
        futures.wait(hold.futures, LIMIT)
        local fs = {}
        for i = 1, 30 do
            fs[i] = ex:submit(count)
        end
        for i = 1, 30 do
            assert.equal(1, fs[i]:result(LIMIT))
        end
    end)

    it("runs only in workers that start", function()
        local ran = futures.Future()
        do
            local _ <close> = futures.ThreadPoolExecutor {
                max_workers = 1,
                initializer = function(f) f:set_result() end,
                initargs = { ran },
            }
        end
        assert.is_false(ran:done())
    end)

    it("runs in the worker, whose name it can see", function()
        local seen = futures.Future()
        local ex <close> = futures.ThreadPoolExecutor {
            max_workers = 1,
            thread_name_prefix = "init",
            initializer = function(f) f:set_result(futures.worker()) end,
            initargs = { seen },
        }
        local worker = ex:submit(futures.worker):result(LIMIT)
        assert.same(worker, seen:result(LIMIT))
    end)

    it("gets table.unpack(initargs)", function()
        local ex <close> = futures.ThreadPoolExecutor {
            max_workers = 1,
            initializer = function(...) _G.given = { ... } end,
            initargs = { 1, "two", { 3 } },
        }
        local given = ex:submit(function() return _G.given end):result(LIMIT)
        assert.same({ 1, "two", { 3 } }, given)
    end)

    it("gets as many as table.pack has counted", function()
        local ex <close> = futures.ThreadPoolExecutor {
            max_workers = 1,
            initializer = function(...) _G.given = select("#", ...) end,
            initargs = table.pack(nil, 2, nil, nil),
        }
        assert.equal(4, ex:submit(function() return _G.given end):result(LIMIT))
    end)

    it("gets copies as they were when the pool was made", function()
        local list = { "then" }
        local ex <close> = futures.ThreadPoolExecutor {
            max_workers = 1,
            initializer = function(t) _G.given = t end,
            initargs = { list },
        }
        list[1] = "later"
        assert.same({ "then" }, ex:submit(function() return _G.given end):result(LIMIT))
    end)

    it("may be a C function and a callable table", function()
        local one <close> = futures.ThreadPoolExecutor {
            max_workers = 1, initializer = math.randomseed, initargs = { 42 },
        }
        local two <close> = futures.ThreadPoolExecutor {
            max_workers = 1, initializer = math.randomseed, initargs = { 42 },
        }
        local first = one:submit(math.random, 1 << 40):result(LIMIT)
        assert.equal(first, two:submit(math.random, 1 << 40):result(LIMIT))
        local object = setmetatable({ value = 5 }, {
            __call = function(self) _G.value = self.value end,
        })
        local three <close> = futures.ThreadPoolExecutor {
            max_workers = 1, initializer = object,
        }
        assert.equal(5, three:submit(function() return _G.value end):result(LIMIT))
    end)

    it("that cannot travel is refused with TransferError", function()
        local file = io.stdout
        check.raises(futures.TransferError, function()
            local ex <close> = futures.ThreadPoolExecutor {
                max_workers = 1,
                initializer = function() return file end,
            }
            ex:submit(echo):result(LIMIT)
        end)
    end)
end)

describe("An initializer that fails", function()
    local function broken(how)
        return futures.ThreadPoolExecutor { max_workers = 1, initializer = how }
    end

    it("fails every queued future with BrokenThreadPool and quotes the error", function()
        local go = futures.Future()
        local ex <close> = futures.ThreadPoolExecutor {
            max_workers = 1,
            initializer = function(f)
                f:result(30)
                error("license expired")
            end,
            initargs = { go },
        }
        local fs = {}
        for i = 1, 10 do
            fs[i] = ex:submit(echo, i)
        end
        go:set_result()
        for i = 1, 10 do
            local err = fs[i]:exception(LIMIT)
            assert.is_true(futures.iserror(err, futures.BrokenThreadPool))
            check.contains("license expired", err.message)
        end
    end)

    it("makes later submits and maps raise BrokenThreadPool", function()
        local ex <close> = broken(function() error("license expired") end)
        ex:submit(echo):outcome(LIMIT)
        for _ = 1, 3 do
            local err = check.raises(futures.BrokenThreadPool, function() ex:submit(echo) end)
            check.contains("license expired", err.message)
        end
        check.raises(futures.BrokenThreadPool, function() ex:map(echo, { 1 }) end)
    end)

    it("is quoted whatever it raises", function()
        local speaking = { __tostring = function() return "a text" end }
        local failing = { __tostring = function() error("x") end }
        for _, raise in ipairs {
            function() error("a text", 0) end,
            function() error(setmetatable({}, speaking)) end,
        } do
            local ex <close> = broken(raise)
            check.contains("a text", ex:submit(echo):exception(LIMIT).message)
        end
        for _, raise in ipairs {
            function() error() end,
            function() error { 1 } end,
            function() error(setmetatable({}, failing)) end,
            function() error(io.stdout) end,
            function() error(false) end,
        } do
            local ex <close> = broken(raise)
            local err = ex:submit(echo):exception(LIMIT)
            assert.is_true(futures.iserror(err, futures.BrokenThreadPool))
        end
    end)

    it("because its arguments cannot be rebuilt breaks the pool as well", function()
        local name = "spec.support.fixtures.broken"
        local module = {}
        package.loaded[name] = module
        local ex <close> = futures.ThreadPoolExecutor {
            max_workers = 1, initializer = echo, initargs = { module },
        }
        local err = ex:submit(echo):exception(LIMIT)
        package.loaded[name] = nil
        assert.is_true(futures.iserror(err, futures.BrokenThreadPool))
        check.contains("this module cannot be loaded", err.message)
    end)

    it("leaves nobody waiting", function()
        local ex = broken(function() error("x") end)
        local fs = {}
        for i = 1, 5 do
            local ok, f = pcall(ex.submit, ex, echo, i)
            fs[#fs + 1] = ok and f or nil
        end
        local done, not_done = futures.wait(fs, LIMIT)
        check.same_futures(fs, done)
        assert.equal(0, #not_done)
        assert.is_true(ex:shutdown())
    end)

    it("in one worker of several breaks the pool; running tasks end as they would", function()
        local second = futures.Future()
        local ex <close> = futures.ThreadPoolExecutor {
            max_workers = 2,
            initializer = function(f)
                -- The first to come sets it; the second finds it set.
                if not pcall(f.set_result, f) then
                    error("second worker")
                end
            end,
            initargs = { second },
        }
        local hold <close> = gate.hold(ex)
        local err = ex:submit(echo):exception(LIMIT)
        assert.is_true(futures.iserror(err, futures.BrokenThreadPool))
        check.contains("second worker", err.message)
        hold:open()
        assert.equal("held", hold.futures[1]:result(LIMIT))
        check.raises(futures.BrokenThreadPool, function() ex:submit(echo) end)
    end)
end)
