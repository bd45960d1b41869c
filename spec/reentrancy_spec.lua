-- SPDX-License-Identifier: MIT
-- submit, wait, cancel and shutdown from where one does not expect them: a coroutine, a
-- callback, a finalizer, a __close, a source of a map, a metamethod.

local futures = require "futures"
local check = require "spec.support.check"
local gate = require "spec.support.gate"
local scale = require "spec.support.scale"
local script = require "spec.support.script"

local LIMIT = scale.LIMIT

-- Everything at once, with an executor of its own whose worker is held. Returns what it saw.
local function everything()
    local ex = futures.ThreadPoolExecutor(1)
    local hold <close> = gate.hold(ex)
    local queued, other = ex:submit(math.abs, -1), ex:submit(math.abs, -2)
    local cancelled = other:cancel()
    local _, open = futures.wait({ queued, hold.futures[1] }, 0)
    local timed_out = not queued:outcome(0)
    hold:open()
    local first = futures.as_completed({ hold.futures[1] }, LIMIT)()
    local mapped = ex:with { timeout = LIMIT }:map(math.abs, { -3, -4 }):totable()
    local value = queued:result(LIMIT)
    local down = ex:shutdown()
    return table.concat({
        tostring(cancelled), #open, tostring(timed_out), first:result(), mapped[1], mapped[2],
        value, tostring(down),
    }, " ")
end

local EXPECTED = "true 2 true held 3 4 1 true"

describe("Everything works from", function()
    before_each(function() futures.poll() end)

    it("the main chunk", function()
        assert.equal(EXPECTED, everything())
    end)

    it("a coroutine", function()
        assert.equal(EXPECTED, coroutine.wrap(everything)())
    end)

    it("a coroutine in a coroutine that yields between", function()
        local outer = coroutine.wrap(function()
            coroutine.yield(1)
            local seen = coroutine.wrap(function()
                coroutine.yield(2)
                return everything()
            end)
            coroutine.yield(seen())
            return seen()
        end)
        assert.equal(1, outer())
        assert.equal(2, outer())
        assert.equal(EXPECTED, outer())
    end)

    it("a callback", function()
        local f, seen = futures.Future(), nil
        f:add_done_callback(function() seen = everything() end)
        f:set_result()
        futures.poll()
        assert.equal(EXPECTED, seen)
    end)

    it("a finalizer", function()
        local seen
        setmetatable({}, { __gc = function() seen = everything() end })
        check.collect()
        assert.equal(EXPECTED, seen)
    end)

    it("a __close", function()
        local seen
        do
            local _ <close> = setmetatable({}, { __close = function() seen = everything() end })
        end
        assert.equal(EXPECTED, seen)
    end)

    it("a source of a map", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        local seen, count = {}, 0
        local all = ex:with { timeout = LIMIT }:map(math.abs, function()
            seen[#seen + 1] = everything()
            count = count + 1
            return count < 3 and -count or nil
        end):totable()
        assert.same({ 1, 2, n = 2 }, all)
        assert.same({ EXPECTED, EXPECTED, EXPECTED }, seen)
    end)

    it("an iterator of wait and of as_completed", function()
        local done = futures.Future()
        done:set_result()
        for _, call in ipairs { futures.wait, futures.as_completed } do
            local seen, list = nil, { done }
            call(function()
                seen = seen or everything()
                return table.remove(list)
            end, LIMIT)
            assert.equal(EXPECTED, seen)
        end
    end)

    it("metamethods", function()
        local object = setmetatable({}, {
            __index = everything, __add = everything, __call = everything, __len = everything,
            __concat = everything, __tostring = everything,
        })
        assert.equal(EXPECTED, object.key)
        assert.equal(EXPECTED, object + 1)
        assert.equal(EXPECTED, object())
        assert.equal(EXPECTED, #object)
        assert.equal(EXPECTED, object .. "x")
        assert.equal(EXPECTED, tostring(object))
    end)

    it("a __persist", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        local seen
        local object = setmetatable({}, {
            __persist = function()
                seen = everything()
                return function() return seen end
            end,
        })
        assert.equal(EXPECTED, ex:submit(function(x) return x end, object):result(LIMIT))
        assert.equal(EXPECTED, seen)
    end)

    it("a message handler", function()
        local _, seen = xpcall(error, everything, "x")
        assert.equal(EXPECTED, seen)
    end)

    it("a comparison of table.sort", function()
        local seen
        table.sort({ 2, 1 }, function(a, b)
            seen = seen or everything()
            return a < b
        end)
        assert.equal(EXPECTED, seen)
    end)

    it("a debug hook", function()
        local seen
        debug.sethook(function()
            debug.sethook()
            seen = everything()
        end, "", 1)
        local _ = {}
        assert.equal(EXPECTED, seen)
    end)

    it("a task, where all of these are workers'", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        assert.equal(EXPECTED, ex:submit(everything):result(LIMIT))
        assert.equal(EXPECTED, ex:submit(function()
            return coroutine.wrap(everything)()
        end):result(LIMIT))
        assert.equal(EXPECTED, ex:submit(function()
            local seen
            setmetatable({}, { __gc = function() seen = everything() end })
            collectgarbage()
            collectgarbage()
            return seen
        end):result(LIMIT))
    end)
end)

describe("A finalizer", function()
    -- Scripts, since what goes wrong here ends the process or comes from another function.
    it("may submit functions while functions are sent", function()
        local out = script.output(([[
            local futures = require "futures"
            local ex = futures.ThreadPoolExecutor(1)
            local function source(i)
                return load(("return %%d, %%q"):format(i, ("y"):rep(i %% 50)))
            end
            local count = 0
            local mt = { __gc = function()
                count = count + 1
                pcall(ex.submit, ex, source(1000000 + count))
            end }
            collectgarbage("setpause", 50)
            collectgarbage("setstepmul", 400)
            local wrong = 0
            for i = 1, %d do
                for j = 1, 3 do
                    setmetatable({ ("g"):rep(30) .. j }, mt)
                end
                if ex:submit(source(i)):result(20) ~= i then
                    wrong = wrong + 1
                end
            end
            setmetatable(mt, nil)
            mt.__gc = function() end
            print(wrong, count > 0)
        ]]):format(scale.count(4000)))
        assert.equal("0\ttrue\n", out)
    end)

    it("may receive functions while functions are received", function()
        local out = script.output(([[
            local futures = require "futures"
            local ex = futures.ThreadPoolExecutor(2)
            local function make(i)
                return load(("return function() return %%d, %%q end"):format(i,
                    ("y"):rep(i %% 50)))()
            end
            local wrong, count, waiting = 0, 0, {}
            local function look(list)
                local entry = table.remove(list)
                if entry and entry.future:result(20)() ~= entry.i then
                    wrong = wrong + 1
                end
            end
            local mt = { __gc = function()
                count = count + 1
                look(waiting)
            end }
            collectgarbage("setpause", 50)
            collectgarbage("setstepmul", 400)
            for i = 1, %d do
                waiting[#waiting + 1] = { i = i, future = ex:submit(make, i) }
                for j = 1, 2 do
                    setmetatable({ ("g"):rep(30) .. j }, mt)
                end
                look { { i = -i, future = ex:submit(make, -i) } }
            end
            mt.__gc = function() end
            print(wrong, count > 0)
        ]]):format(scale.count(2000)))
        assert.equal("0\ttrue\n", out)
    end)

    it("of an object older than the library may use it while the state closes", function()
        for _ = 1, 5 do
            local result = script.run [[
                -- Each step may be refused by then.
                early = setmetatable({}, { __gc = function()
                    print "closing"
                    pcall(function()
                        local f = futures.Future()
                        f:add_done_callback(print)
                        local ex = futures.ThreadPoolExecutor(2)
                        ex:submit(function(g)
                            for _ = 1, 1000000 do end
                            g:set_result(1)
                        end, f)
                        futures.wait({ f }, 0.001)
                    end)
                end })
                futures = require "futures"
            ]]
            assert.equal(0, result.code, result.err)
            assert.matches("^closing", result.out)
        end
    end)

    it("that is called by hand raises or does nothing", function()
        local result = script.run [[
            local futures = require "futures"
            local ex = futures.ThreadPoolExecutor(1)
            local f = ex:submit(math.abs, -1)
            for _, object in ipairs { f, ex, (ex:map(math.abs, { 1 })) } do
                local mt = debug.getmetatable(object)
                for _, event in ipairs { "__gc", "__close" } do
                    if mt[event] then
                        pcall(mt[event])
                        pcall(mt[event], 5)
                        pcall(mt[event], nil)
                        pcall(mt[event], {})
                        pcall(mt[event], io.stdout)
                        pcall(mt[event], futures.Future())
                    end
                end
            end
            print(f:result(20))
        ]]
        assert.equal(0, result.code, result.err)
        assert.equal("1\n", result.out)
    end)
end)

describe("What runs while a function is looked up", function()
    it("may submit functions itself: a searchpath of one's own, a hook", function()
        local out = script.output(([[
            local futures = require "futures"
            local ex = futures.ThreadPoolExecutor(1)
            local function source(i)
                return load(("return %%d, %%q"):format(i, ("y"):rep(i %% 50)))
            end
            local real, count, wrong, runs = package.searchpath, 0, 0, %d
            local function nested()
                count = count + 1
                ex:submit(source(1000000 + count))
            end
            local function run()
                for i = 1, runs do
                    local name, module = "mod" .. i, { f = source(i) }
                    package.loaded[name] = module
                    local ok, value = ex:submit(module.f):outcome(20)
                    if not ok or value ~= i then
                        wrong = wrong + 1
                    end
                    package.loaded[name] = nil
                end
            end
            package.searchpath = function(...)
                nested()
                return real(...)
            end
            run()
            package.searchpath = real
            local from_path, inside = count, false
            debug.sethook(function()
                if not inside then
                    inside = true
                    nested()
                    inside = false
                end
            end, "c")
            run()
            debug.sethook()
            print(wrong, from_path > 0, count > from_path)
        ]]):format(scale.count(200)))
        assert.equal("0\ttrue\ttrue\n", out)
    end)
end)

describe("A callback", function()
    before_each(function() futures.poll() end)

    it("may shut down the executor of its future", function()
        local ex = futures.ThreadPoolExecutor(1)
        local down
        local f = ex:submit(math.abs, -1)
        f:add_done_callback(function() down = ex:shutdown() end)
        assert.equal(1, f:result(LIMIT))
        futures.poll()
        assert.is_true(down)
    end)

    it("may submit the next task of a chain", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        local seen = {}
        local function next_step(i)
            ex:submit(math.abs, -i):add_done_callback(function(f)
                seen[i] = f:result()
                if i < 100 then
                    next_step(i + 1)
                end
            end)
        end
        next_step(1)
        check.eventually("100 steps", function()
            futures.poll(0.01)
            return seen[100]
        end)
        for i = 1, 100 do
            assert.equal(i, seen[i])
        end
    end)

    it("may cancel other futures, whose callbacks come after it", function()
        local fs, order = {}, {}
        for i = 1, 5 do
            fs[i] = futures.Future()
            fs[i]:add_done_callback(function()
                order[#order + 1] = "in " .. i
                if fs[i + 1] then
                    fs[i + 1]:cancel()
                end
                order[#order + 1] = "out " .. i
            end)
        end
        fs[1]:set_result()
        assert.equal(5, futures.poll())
        assert.equal("in 1 out 1 in 2 out 2 in 3 out 3 in 4 out 4 in 5 out 5",
            table.concat(order, " "))
    end)

    it("may collect garbage", function()
        local f = futures.Future()
        f:add_done_callback(function() check.collect() end)
        f:set_result(1)
        assert.equal(1, f:result())
    end)

    it("may wait for ever for what another thread does", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        local f, value = futures.Future(), nil
        f:add_done_callback(function()
            value = ex:submit(function() return "waited" end):result()
        end)
        f:set_result()
        futures.poll()
        assert.equal("waited", value)
    end)
end)

describe("A yield across the library", function()
    it("is refused as across any C call, or works; the state stays sound", function()
        local f = futures.Future()
        f:add_done_callback(function() coroutine.yield() end)
        f:set_result(7)
        local co = coroutine.create(function() return f:result() end)
        local ok, value = coroutine.resume(co)
        assert.is_true(ok)
        if coroutine.status(co) == "suspended" then
            ok, value = coroutine.resume(co)
            assert.is_true(ok)
        end
        assert.equal(7, value)
        assert.equal(7, f:result())
    end)
end)

describe("An error through the library", function()
    it("out of a source, an iterator or a metamethod leaves it sound", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        local hold <close> = gate.hold(ex)
        local bad = function() error("from outside", 0) end
        for _, call in ipairs {
            function() ex:map(math.abs, bad) end,
            function() ex:map(math.abs, { 1 }, bad) end,
            function() futures.wait(bad) end,
            function() futures.as_completed(bad) end,
            function() ex:submit(print, setmetatable({}, { __persist = bad })) end,
        } do
            local ok, err = pcall(call)
            assert.is_false(ok)
            check.contains("from outside", err)
        end
        hold:open()
        assert.equal(5, ex:submit(math.abs, -5):result(LIMIT))
    end)

    it("at the end of the state leaves it sound", function()
        local _, result = script.output [[
            local futures = require "futures"
            local ex = futures.ThreadPoolExecutor(1)
            setmetatable({}, { __gc = function()
                print(pcall(ex.submit, ex, setmetatable({}, { __persist = error })))
            end })
        ]]
        assert.matches("^false", result.out)
    end)
end)
