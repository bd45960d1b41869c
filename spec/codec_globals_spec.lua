-- SPDX-License-Identifier: MIT
-- Globals that a function and the functions it calls refer to travel with it. The functions of
-- these specs are loaded, because inside busted a spec's own globals are not _G.

local futures = require "futures"
local check = require "spec.support.check"
local gate = require "spec.support.gate"
local scale = require "spec.support.scale"

local LIMIT = scale.LIMIT

-- Run `source` with the true globals; what it returns.
local function run(source, ...)
    return assert(load(source, "=globals", "t", _G))(...)
end

describe("Globals", function()
    local ex, known

    before_each(function()
        ex = futures.ThreadPoolExecutor(1)
        known = {}
        for name in next, _G do
            known[name] = true
        end
    end)
    after_each(function()
        ex:shutdown()
        for name in next, _G do
            if not known[name] then
                rawset(_G, name, nil)
            end
        end
    end)

    local function there(task, ...)
        return ex:submit(task, ...):result(LIMIT)
    end

    it("let a global function call itself", function()
        run "function fib(n) if n < 2 then return n end return fib(n - 1) + fib(n - 2) end"
        assert.equal(55, there(rawget(_G, "fib"), 10))
    end)

    it("let global functions call each other", function()
        run [[
            function is_even(n) if n == 0 then return true end return is_odd(n - 1) end
            function is_odd(n) if n == 0 then return false end return is_even(n - 1) end
        ]]
        assert.is_true(there(rawget(_G, "is_even"), 100))
        assert.is_false(there(rawget(_G, "is_odd"), 100))
    end)

    it("that are data travel as well", function()
        local f = run [[
            limit = 10
            config = { name = "c", list = { 1, 2 } }
            return function(x) return x < limit, config.name, config.list[2] end
        ]]
        assert.same({ true, "c", 2 }, { there(f, 5) })
    end)

    it("that only a called function refers to travel", function()
        local f = run [[
            base = 100
            function inner(x) return base + x end
            function middle(x) return inner(x) end
            local function helper(x) return middle(x) end
            return function(x) return helper(x) end
        ]]
        assert.equal(101, there(f, 1))
    end)

    it("that only an inner function refers to travel", function()
        local f = run [[
            factor = 3
            return function(list)
                local out = {}
                table.sort(list, function(a, b) return a * factor < b * factor end)
                for i, value in ipairs(list) do
                    out[i] = (function() return value * factor end)()
                end
                return out
            end
        ]]
        assert.same({ 3, 6, 9 }, there(f, { 3, 1, 2 }))
    end)

    it("that an argument's function refers to travel", function()
        local f = run [[
            offset = 7
            return function(x) return x + offset end
        ]]
        assert.equal(8, there(function(g) return g(1) end, f))
        assert.equal(8, there(function(t) return t.deep.g(1) end, { deep = { g = f } }))
    end)

    it("are found among very many constants", function()
        for _, count in ipairs { 300, 140000 } do
            local constants = {}
            for i = 1, count do
                constants[i] = ("'s%d'"):format(i)
            end
            rawset(_G, "late_read", 7)
            local f = run(([[
                return function()
                    local t = { %s }
                    late_written = #t
                    return late_written, late_read, (function() return late_read end)()
                end
            ]]):format(table.concat(constants, ",")))
            assert.same({ count, 7, 7 }, { there(f) })
        end
    end)

    it("that are classes travel with their methods", function()
        local f = run [[
            Account = {}
            Account.__index = Account
            function Account.new(n) return setmetatable({ balance = n }, Account) end
            function Account:deposit(n) self.balance = self.balance + n; return self end
            return function(n) return Account.new(n):deposit(5).balance end
        ]]
        assert.equal(15, there(f, 10))
    end)

    it("that are modules travel by name", function()
        local f = run [[
            shapes = require "spec.support.fixtures.shapes"
            return function()
                local loaded = require "spec.support.fixtures.shapes"
                return shapes.area(2, 3), rawequal(shapes, loaded)
            end
        ]]
        assert.same({ 6, true }, { there(f) })
    end)

    it("are set in the worker, for whoever looks there", function()
        local f = run [[
            answer = 42
            return function()
                local name = "ans" .. "wer"
                return answer, _G[name]
            end
        ]]
        assert.same({ 42, 42 }, { there(f) })
    end)

    it("follow the caller when it changes them between two tasks", function()
        local f = run "rate = 2; return function(x) return rate * x end"
        assert.equal(10, there(f, 5))
        rawset(_G, "rate", 3)
        assert.equal(15, there(f, 5))
        run "function rate_of() return 1 end"
        local g = run "return function() return rate_of() end"
        assert.equal(1, there(g))
        run "function rate_of() return 2 end"
        assert.equal(2, there(g))
    end)

    it("travel as they are at the call", function()
        local hold <close> = gate.hold(ex)
        local f = run "moment = 1; return function() return moment end"
        local one = ex:submit(f)
        rawset(_G, "moment", 2)
        hold:open()
        assert.equal(1, one:result(LIMIT))
    end)

    it("are copies: what a task assigns stays there", function()
        local f = run "tally = 1; return function() tally = tally + 1; return tally end"
        assert.equal(2, there(f))
        assert.equal(1, rawget(_G, "tally"))
        assert.equal(2, there(f))
    end)

    it("that are nil here do not travel: a worker keeps its own", function()
        there(run "return function() workers_own = 'kept' end")
        local f = run "return function() return workers_own end"
        assert.equal("kept", there(f))
        assert.is_nil(rawget(_G, "workers_own"))
    end)

    it("that a task only assigns need not exist", function()
        local f = run "return function(x) fresh = x; return fresh end"
        assert.equal(5, there(f, 5))
        assert.is_nil(rawget(_G, "fresh"))
    end)

    it("of the standard library are the worker's own", function()
        local f = run [[
            return function()
                return rawequal(string, package.loaded.string), type(print), type(_G), _VERSION
            end
        ]]
        assert.same({ true, "function", "table", _VERSION }, { there(f) })
    end)

    it("that are not referred to stay at home", function()
        local f = run [[
            unused = io.stdout
            return function() return unused_elsewhere == nil and rawget(_G, "un" .. "used") end
        ]]
        assert.is_nil(there(f))
    end)

    it("shared by two functions are one value in the worker", function()
        local f = run [[
            shared = { n = 0 }
            function bump() shared.n = shared.n + 1 end
            function look() return shared.n end
            return function() bump(); bump(); return look(), shared.n end
        ]]
        assert.same({ 2, 2 }, { there(f) })
    end)

    it("that cannot travel are refused with their name", function()
        local f = run "socket_like = io.stdout; return function() return socket_like end"
        local err = check.raises(futures.TransferError, function() ex:submit(f) end)
        assert.equal("global 'socket_like': userdata (FILE*) cannot travel", err.message)
        local g = run [[
            deep_conf = { log = { file = io.stdout } }
            return function() return deep_conf end
        ]]
        err = check.raises(futures.TransferError, function() ex:submit(g) end)
        assert.equal("global 'deep_conf'.log.file: userdata (FILE*) cannot travel", err.message)
    end)

    it("are found without running a metamethod of _G", function()
        local mt = getmetatable(_G)
        local asked = {}
        setmetatable(_G, { __index = function(_, name) asked[#asked + 1] = name end })
        local f = load("return function() return never_defined end", "=strict", "t", _G)()
        local ok, result = pcall(there, f)
        setmetatable(_G, mt)
        assert.is_true(ok)
        assert.is_nil(result)
        assert.same({}, asked)
    end)

    it("reached through _G travel as well", function()
        local f = run "field_of_g = 5; return function() return _G.field_of_g end"
        assert.equal(5, there(f))
    end)

    it("named in a function of an initializer are there in tasks", function()
        local init = run "setting = 'on'; return function() remembered = setting end"
        local pool <close> = futures.ThreadPoolExecutor { max_workers = 1, initializer = init }
        local f = run "return function() return remembered end"
        assert.equal("on", pool:submit(f):result(LIMIT))
    end)

    it("travel with the functions of a map and of its chunks", function()
        local f = run "map_factor = 4; return function(x) return x * map_factor end"
        local view = ex:with { chunksize = 2, timeout = LIMIT }
        assert.same({ 4, 8, 12, n = 3 }, view:map(f, { 1, 2, 3 }):totable())
    end)
end)
