-- SPDX-License-Identifier: MIT
-- map: sources, order, chunks, buffers. Its ends are in map_end_spec.lua.

local futures = require "futures"
local check = require "spec.support.check"
local gate = require "spec.support.gate"
local scale = require "spec.support.scale"

local LIMIT = scale.LIMIT

local function echo(...)
    return ...
end

-- A callable source of 1 to `last`, and a table that counts how often it was asked.
local function counting(last)
    local asked = { count = 0 }
    return function()
        asked.count = asked.count + 1
        return asked.count <= last and asked.count or nil
    end, asked
end

-- An error value from a step, which must fail.
local function step_error(step)
    local ok, err = pcall(step)
    assert.is_false(ok)
    return err
end

describe("The sources of a map", function()
    local ex
    setup(function() ex = futures.ThreadPoolExecutor(2):with { timeout = LIMIT } end)
    teardown(function() ex:shutdown() end)

    it("are arrays", function()
        assert.same({ "a", "b", "c", n = 3 }, ex:map(echo, { "a", "b", "c" }):totable())
    end)

    it("are callables that yield a value a call until nil", function()
        local source, asked = counting(3)
        assert.same({ 1, 2, 3, n = 3 }, ex:map(echo, source):totable())
        assert.equal(4, asked.count)
        local object = setmetatable({ left = 2 }, {
            __call = function(self)
                self.left = self.left - 1
                return self.left >= 0 and self.left or nil
            end,
        })
        assert.same({ 1, 0, n = 2 }, ex:map(echo, object):totable())
        assert.same({ "x", "y", n = 2 }, ex:map(echo, ("x y"):gmatch("%a")):totable())
    end)

    it("yield false without ending the map", function()
        assert.same({ false, 1, false, n = 3 }, ex:map(echo, { false, 1, false }):totable())
        local values, i = { false, 2 }, 0
        local source = function() i = i + 1; return values[i] end
        assert.same({ false, 2, n = 2 }, ex:map(echo, source):totable())
    end)

    it("may be several, each one an argument, and the shortest ends the map", function()
        local seen = {}
        for i, a, b, c in ex:map(echo, { 1, 2, 3 }, { "a", "b" }, (counting(5))) do
            seen[i] = { a, b, c }
        end
        assert.same({ { 1, "a", 1 }, { 2, "b", 2 } }, seen)
    end)

    it("are called in the caller", function()
        local worker, asked = nil, 0
        ex:map(echo, function()
            asked, worker = asked + 1, worker or futures.worker()
            return asked < 3 and asked or nil
        end):totable()
        assert.equal(3, asked)
        assert.is_nil(worker)
    end)

    it("may be empty: then there is no step", function()
        assert.same({ n = 0 }, ex:map(echo, {}):totable())
        assert.is_nil(ex:map(echo, {})())
        assert.is_nil(ex:map(echo, { 1 }, function() end)())
    end)

    it("are not to be left out", function()
        check.misuse(2, "map", function() ex:map(echo) end)
    end)

    it("are nothing but arrays and callables", function()
        check.misuse(2, "map", function() ex:map(echo, nil) end)
        check.misuse(2, "map", function() ex:map(echo, 5) end)
        check.misuse(2, "map", function() ex:map(echo, "abc") end)
        check.misuse(3, "map", function() ex:map(echo, { 1 }, true) end)
        local err = check.misuse(3, "map", function() ex:map(echo, { 1 }, { timeout = 1 }) end)
        check.contains("got a table without [1] (options go to 'with')", err)
        check.misuse(1, "map", function() ex:map(5, { 1 }) end)
        check.misuse(1, "map", function() ex:map(nil, { 1 }) end)
    end)

    it("pass on their own errors unchanged", function()
        local boom = {}
        local ok, err = pcall(function()
            return ex:map(echo, function() error(boom) end)
        end)
        assert.is_false(ok)
        assert.is_true(rawequal(boom, err))
    end)

    it("that fail at the call cancel what was submitted before", function()
        local pool <close> = futures.ThreadPoolExecutor(1)
        local hold <close> = gate.hold(pool)
        local source, asked = counting(10)
        local ok = pcall(function()
            return pool:map(echo, function()
                local value = source()
                return asked.count < 5 and value or error("fifth")
            end)
        end)
        assert.is_false(ok)
        assert.equal(4, pool:stats().cancelled)
        assert.equal(0, pool:stats().pending)
        hold:open()
    end)

    it("must yield what can travel; the refusal names the task's own argument", function()
        local err = check.raises(futures.TransferError, function()
            ex:map(echo, { 1, 2 }, { 1, { f = io.stdout } })
        end)
        assert.equal("argument 2.f: userdata (FILE*) cannot travel", err.message)
        err = check.raises(futures.TransferError, function()
            ex:with { chunksize = 10 }:map(echo, { 1, 2 }, { 1, { f = io.stdout } })
        end)
        assert.equal("argument 2.f: userdata (FILE*) cannot travel", err.message)
    end)

    it("are read at the call", function()
        local source = { 1, 2, 3 }
        local map = ex:map(echo, source)
        source[1], source[3] = "changed", nil
        assert.same({ 1, 2, 3, n = 3 }, map:totable())
    end)
end)

describe("The steps of a map", function()
    local ex
    setup(function() ex = futures.ThreadPoolExecutor(3):with { timeout = LIMIT } end)
    teardown(function() ex:shutdown() end)

    it("give the index and then all results, also none and nils", function()
        local step = ex:map(function(n) return table.unpack({}, 1, n) end, { 0, 1, 3 })
        assert.equal(1, select("#", step()))
        assert.equal(2, select("#", step()))
        assert.equal(4, select("#", step()))
        assert.is_nil(step())
    end)

    it("go on when results are nil or false", function()
        local count = 0
        for i, value in ex:map(function(x) if x == 2 then return false end end, { 1, 2, 3 }) do
            count = count + 1
            assert.equal(count, i)
            if i == 2 then
                assert.is_false(value)
            else
                assert.is_nil(value)
            end
        end
        assert.equal(3, count)
    end)

    it("come in input order though the tasks end in another", function()
        local first <close> = gate.new()
        local pass, token = gate.passer(), first.token
        local task = function(x)
            if x == 1 then
                pass(token)
            end
            return x
        end
        local step = ex:map(task, { 1, 2, 3 })
        check.eventually("two tasks", function() return ex:stats().running == 1 end)
        first:open()
        assert.same({ 1, 1 }, { step() })
        assert.same({ 2, 2 }, { step() })
        assert.same({ 3, 3 }, { step() })
    end)

    it("come in completion order under ordered = false, and the index says which", function()
        local g1 <close> = gate.new()
        local g2 <close> = gate.new()
        local g3 <close> = gate.new()
        local pass = gate.passer()
        local gates = { g1, g2, g3 }
        local step = ex:with { ordered = false }:map(function(token, name)
            pass(token)
            return name
        end, { g1.token, g2.token, g3.token }, { "a", "b", "c" })
        for _, i in ipairs { 3, 1, 2 } do
            gates[i]:open()
            assert.same({ i, ("abc"):sub(i, i) }, { step() })
        end
        assert.is_nil(step())
    end)

    it("give every index once under ordered = false with chunks", function()
        local seen, count = {}, 0
        local input = {}
        for i = 1, 100 do
            input[i] = i
        end
        local view = ex:with { ordered = false, chunksize = 7 }
        for i, value in view:map(echo, input) do
            assert.is_nil(seen[i])
            assert.equal(i, value)
            seen[i], count = true, count + 1
        end
        assert.equal(100, count)
    end)

    it("stay at the end once there", function()
        local step = ex:map(echo, { 1 })
        step()
        for _ = 1, 3 do
            assert.is_nil(step())
        end
    end)

    it("raise the error of a task at its position, first and last one too", function()
        local step = ex:map(function(x) error({ x }) end, { "a", "b" })
        assert.same({ "a" }, step_error(step))
        assert.same({ "b" }, step_error(step))
        assert.is_nil(step())
    end)

    it("raise within a chunk only at the position of the error", function()
        local step = ex:with { chunksize = 3 }:map(function(x)
            if x % 4 == 0 then
                error(x)
            end
            return x
        end, { 1, 2, 3, 4, 5, 6, 7, 8 })
        for i = 1, 8 do
            if i % 4 == 0 then
                assert.equal(i, step_error(step))
            else
                assert.same({ i, i }, { step() })
            end
        end
        assert.is_nil(step())
    end)

    it("refuse within a chunk only the result that cannot travel", function()
        local step = ex:with { chunksize = 3 }:map(function(x)
            return x == 2 and io.stdout or x
        end, { 1, 2, 3 })
        assert.same({ 1, 1 }, { step() })
        local err = step_error(step)
        assert.is_true(futures.iserror(err, futures.TransferError))
        assert.equal("result 1: userdata (FILE*) cannot travel", err.message)
        assert.same({ 3, 3 }, { step() })
    end)
end)

describe("totable of a map", function()
    local ex
    setup(function() ex = futures.ThreadPoolExecutor(2):with { timeout = LIMIT } end)
    teardown(function() ex:shutdown() end)

    it("is the array of first results with n", function()
        local all = ex:map(function(x) return 2 * x, "second" end, { 1, 2, 3 }):totable()
        assert.same({ 2, 4, 6, n = 3 }, all)
    end)

    it("keeps nil results as holes and counts them", function()
        local task = function(x) if x ~= 2 then return x end end
        local all = ex:map(task, { 1, 2, 3, 2 }):totable()
        assert.same({ 1, nil, 3, n = 4 }, all)
    end)

    it("has each result at its index also under ordered = false", function()
        local view = ex:with { ordered = false, chunksize = 2 }
        assert.same({ 1, 2, 3, 4, 5, n = 5 }, view:map(echo, { 1, 2, 3, 4, 5 }):totable())
    end)

    it("raises the error of a task", function()
        local ok, err = pcall(function()
            return ex:map(function(x) error("at " .. x, 0) end, { 1, 2 }):totable()
        end)
        assert.is_false(ok)
        assert.equal("at 1", err)
    end)
end)

describe("A map submits", function()
    it("at the call, not at the first step", function()
        local ex <close> = futures.ThreadPoolExecutor(2)
        local ran <close> = gate.new()
        local step = ex:map(gate.opener(), { ran.token })
        ran:pass()
        assert.equal(1, ex:stats().submitted)
        assert.equal(1, (step()))
    end)

    it("all tasks at the call without buffersize", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        local source, asked = counting(500)
        local map = ex:map(echo, source)
        assert.equal(501, asked.count)
        assert.equal(500, ex:stats().submitted)
        map:close()
    end)

    it("under buffersize = n n tasks, then one more at each step", function()
        local ex <close> = futures.ThreadPoolExecutor(2)
        local source, asked = counting(10)
        local step = ex:with { buffersize = 3, timeout = LIMIT }:map(echo, source)
        assert.equal(3, asked.count)
        assert.equal(3, ex:stats().submitted)
        for i = 1, 7 do
            assert.same({ i, i }, { step() })
            assert.equal(3 + i, asked.count)
            assert.equal(3 + i, ex:stats().submitted)
        end
        for i = 8, 10 do
            assert.same({ i, i }, { step() })
            assert.equal(10, ex:stats().submitted)
        end
        assert.is_nil(step())
    end)

    it("under buffersize and chunksize n chunks, then one more a chunk", function()
        local ex <close> = futures.ThreadPoolExecutor(2)
        local source, asked = counting(20)
        local view = ex:with { buffersize = 2, chunksize = 3, timeout = LIMIT }
        local map = view:map(echo, source)
        assert.equal(6, asked.count)
        assert.same({ 1, 1 }, { map() })
        assert.is_true(asked.count <= 9)
        local i = 1
        for index, value in map do
            i = i + 1
            assert.equal(i, index)
            assert.equal(i, value)
            assert.is_true(asked.count <= 9 + i)
        end
        assert.equal(20, i)
    end)

    it("in chunks what came before the error of a source", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        local count = 0
        local view = ex:with { buffersize = 2, chunksize = 3, timeout = LIMIT }
        local step = view:map(echo, function()
            count = count + 1
            return count ~= 8 and count or error("eighth", 0)
        end)
        for i = 1, 7 do
            assert.same({ i, i }, { step() })
        end
        assert.equal("eighth", step_error(step))
        assert.is_nil(step())
    end)

    it("under buffersize from a source without an end", function()
        local ex <close> = futures.ThreadPoolExecutor(2)
        local sum = 0
        local view = ex:with { buffersize = 4, timeout = LIMIT }
        for i, value in view:map(echo, (counting(math.huge))) do
            sum = sum + value
            if i == 100 then
                break
            end
        end
        assert.equal(5050, sum)
    end)

    it("under buffersize in completion order as well", function()
        local ex <close> = futures.ThreadPoolExecutor(2)
        local source, seen, count = counting(50), {}, 0
        local view = ex:with { buffersize = 4, ordered = false, timeout = LIMIT }
        for i, value in view:map(echo, source) do
            assert.equal(i, value)
            assert.is_nil(seen[i])
            seen[i], count = true, count + 1
        end
        assert.equal(50, count)
    end)

    it("many tasks in linear work, ordered or not", function()
        for _, ordered in ipairs { true, false } do
            local ex <close> = futures.ThreadPoolExecutor(2)
            local view = ex:with { ordered = ordered, timeout = LIMIT }
            local function run(count)
                local sum = 0
                for _, value in view:map(math.abs, (counting(count))) do
                    sum = sum + value
                end
                assert.equal(count * (count + 1) // 2, sum)
            end
            check.linear(run, scale.count(5000))
        end
    end)

    it("nothing after shutdown", function()
        local ex = futures.ThreadPoolExecutor(1)
        ex:shutdown()
        local ok, err = pcall(function() ex:map(echo, { 1 }) end)
        assert.is_false(ok)
        check.contains("cannot schedule new futures after shutdown", err)
    end)
end)
