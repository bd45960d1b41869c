-- SPDX-License-Identifier: MIT
-- submit and with{}: what the contract does not say for every executor already.

local futures = require "futures"
local check = require "spec.support.check"
local gate = require "spec.support.gate"
local scale = require "spec.support.scale"

local LIMIT = scale.LIMIT

local function echo(...)
    return ...
end

describe("submit", function()
    it("returns at once, whatever the task does", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        local go <close> = gate.new()
        local f = ex:submit(gate.passer(), go.token)
        assert.is_false(f:done())
        go:open()
        f:result(LIMIT)
    end)

    it("takes arguments of every type that can travel", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        local kinds = ex:submit(function(...)
            local names = {}
            for i = 1, select("#", ...) do
                local value = select(i, ...)
                names[i] = math.type(value) or type(value)
            end
            return table.concat(names, " ")
        end, nil, true, 1, 1.5, "s", {}, echo, print, string, futures.Future()):result(LIMIT)
        assert.matches("^nil boolean integer float string table function function table ",
            kinds)
    end)

    it("and all other methods are called on an executor or a view", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        local view = ex:with {}
        for _, name in ipairs { "submit", "map", "with", "shutdown", "stats" } do
            local ok, err = pcall(function() view[name]({}, print, { 1 }) end)
            assert.is_false(ok)
            check.contains(("bad argument #1 to '%s' (executor expected, got table)")
                :format(name), err)
        end
    end)

    it("takes 300 nils for 300 nils", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        local nils = table.pack(ex:submit(echo, table.unpack({}, 1, 300)):result(LIMIT))
        assert.equal(300, nils.n)
        assert.is_nil(next(nils, next(nils)))
    end)

    it("copies the arguments when it is called", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        local hold <close> = gate.hold(ex)
        local list = { 1, 2, 3 }
        local f = ex:submit(echo, list)
        list[2] = "changed"
        hold:open()
        assert.same({ 1, 2, 3 }, f:result(LIMIT))
    end)

    it("gives the task copies: what it changes stays with it", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        local list = { 1 }
        assert.equal(2, ex:submit(function(t) t[1] = 2; return t[1] end, list):result(LIMIT))
        assert.same({ 1 }, list)
    end)

    it("calls a callable table with itself first, as Lua does", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        local object = setmetatable({ name = "o" }, {
            __call = function(self, ...) return self.name, select("#", ...), ... end,
        })
        assert.same({ "o", 2, "a", "b" }, { ex:submit(object, "a", "b"):result(LIMIT) })
    end)

    it("takes a function made by load", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        assert.equal(12, ex:submit(load("local a, b = ... return a * b"), 3, 4):result(LIMIT))
    end)

    it("refuses a function that cannot travel, at the call", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        local err = check.raises(futures.TransferError, function()
            ex:submit(coroutine.wrap(echo))
        end)
        check.contains("function", err.message:sub(1, 8))
        local file = io.stdout
        err = check.raises(futures.TransferError, function()
            ex:submit(function() file:write("x") end)
        end)
        assert.equal("function, upvalue 'file': userdata (FILE*) cannot travel", err.message)
        assert.equal(0, ex:stats().submitted)
    end)

    it("refuses to be called on something else", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        assert.has_error(function() ex.submit(echo, 1) end)
        assert.has_error(function() ex.submit() end)
    end)

    it("raises after shutdown at its caller", function()
        local ex = futures.ThreadPoolExecutor(1)
        ex:shutdown()
        for _ = 1, 2 do
            local ok, err = pcall(function() ex:submit(echo) end)
            assert.is_false(ok)
            check.contains("cannot schedule new futures after shutdown", err)
        end
    end)

    it("makes each future a value of its own, usable as a key", function()
        local ex <close> = futures.ThreadPoolExecutor(2)
        local urls, fs = {}, {}
        for i = 1, 50 do
            fs[i] = ex:submit(echo, i)
            urls[fs[i]] = i
        end
        local seen = 0
        for f in futures.as_completed(fs, LIMIT) do
            assert.equal(urls[f], f:result())
            seen = seen + 1
        end
        assert.equal(50, seen)
    end)
end)
