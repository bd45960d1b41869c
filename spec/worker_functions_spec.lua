-- SPDX-License-Identifier: MIT
-- pcall, xpcall, load, debug.sethook and parts of coroutine are the library's own in a worker
-- (so that a task can be ended early): they must do what Lua's do, to the letter.

local futures = require "futures"
require "spec.support.watchdog"
local scale = require "spec.support.scale"

local LIMIT = scale.LIMIT

-- Each gives values that can travel; errors come as they are raised.
local cases = {
    ["pcall without arguments"] = function() return pcall(pcall) end,
    ["pcall of values and nils"] = function()
        return pcall(function(...) return select("#", ...), ... end, nil, 1, nil)
    end,
    ["pcall of errors"] = function()
        local a, b = pcall(error)
        local c, d = pcall(error, { 1 })
        local e, f = pcall(error, "x", 1)
        local g, h = pcall(function() error("x", 2) end)
        return a, b, c, type(d), d[1], e, f, g, h
    end,
    ["pcall of what cannot be called"] = function() return pcall(1) end,
    ["pcall of callable tables"] = function()
        return pcall(setmetatable({}, { __call = function(_, x) return x end }), 5)
    end,
    ["pcall across yields"] = function()
        local co = coroutine.wrap(function(...)
            local t = table.pack(pcall(function(...)
                local x = coroutine.yield(select("#", ...))
                local y = coroutine.yield(x)
                error(y, 0)
            end, ...))
            coroutine.yield(t.n, t[1], t[2])
            return pcall(coroutine.yield, "in pcall")
        end)
        return co(1, nil), co "a", co "b", co(), co("last", nil)
    end,
    ["xpcall"] = function()
        local a, b, c = xpcall(function(...) return ... end, print, 1, nil)
        local d, e = xpcall(error, function(m) return m .. "!" end, "x")
        local f, g = xpcall(error, function() return 1, 2 end)
        return a, b, c, d, e, f, g
    end,
    ["xpcall across yields"] = function()
        local co = coroutine.wrap(function()
            return xpcall(function(x)
                x = x + coroutine.yield(x)
                error(x, 0)
            end, function(m) return m * 2 end, 5)
        end)
        return co(), co(10)
    end,
    ["xpcall with a handler that fails"] = function()
        local ok, err = xpcall(error, function() error "again" end, "x")
        return ok, type(err)
    end,
    ["misuse of xpcall"] = function()
        local _, a = pcall(xpcall)
        local _, b = pcall(xpcall, print)
        local _, c = pcall(xpcall, print, 1)
        return a, b, c
    end,
    ["tracebacks in handlers"] = function()
        local function f() error "deep" end
        local _, trace = xpcall(f, debug.traceback)
        return trace:match("^[^\n]*\n[^\n]*\n[^\n]*\n[^\n]*")
    end,
    ["stack overflow"] = function()
        local function f() return 1 + f() end
        local ok, err = pcall(f)
        return ok, err:match("stack overflow")
    end,
    ["overflow of C calls"] = function()
        local function f(n) return string.gsub("x", "x", function() return f(n + 1) end) end
        local ok, err = pcall(f, 1)
        return ok, err:match("C stack overflow")
    end,
    ["resume and yield"] = function()
        local co = coroutine.create(function(...)
            local x, y = coroutine.yield(select("#", ...), ...)
            return x, y
        end)
        local a = table.pack(coroutine.resume(co, nil, 2, nil))
        local b = table.pack(coroutine.resume(co, 3, nil))
        local c = table.pack(coroutine.resume(co))
        return a.n, a[1], a[2], b.n, b[2], c.n, c[1], c[2], coroutine.status(co)
    end,
    ["resume of errors"] = function()
        local co = coroutine.create(function() error "x" end)
        local a, b = coroutine.resume(co)
        local c, d = coroutine.resume(co)
        local e, f = coroutine.resume(coroutine.create(function() error { 7 } end))
        return a, b, c, d, e, f[1]
    end,
    ["resume of itself and of who resumed it"] = function()
        local me = coroutine.running()
        local a, b = coroutine.resume(me)
        local c, d = coroutine.wrap(function() return coroutine.resume(me) end)()
        return a, b, c, d
    end,
    ["misuse of resume"] = function()
        local _, a = pcall(coroutine.resume)
        local _, b = pcall(coroutine.resume, 1)
        local _, c = pcall(coroutine.wrap)
        local _, d = pcall(coroutine.wrap, 1)
        local _, e = pcall(coroutine.close)
        local _, f = pcall(coroutine.close, coroutine.running())
        local _, g = pcall(coroutine.create, {})
        return a, b, c, d, e, f, g
    end,
    ["wrap"] = function()
        local f = coroutine.wrap(function(a) return a, coroutine.yield(a, nil) end)
        local t, u = table.pack(f(1)), table.pack(f(2))
        return t.n, t[1], u.n, u[1], u[2], pcall(f)
    end,
    ["errors through wrap"] = function()
        local _, a = pcall(coroutine.wrap(function() error "x" end))
        local _, b = pcall(function() coroutine.wrap(function() error("x", 0) end)() end)
        local _, c = pcall(coroutine.wrap(function() error { 1 } end))
        return a, b, c[1]
    end,
    ["errors through wrap that close"] = function()
        local seen
        local _, a = pcall(coroutine.wrap(function()
            local _ <close> = setmetatable({}, { __close = function(_, e) seen = e end })
            error "x"
        end))
        local _, b = pcall(coroutine.wrap(function()
            local _ <close> = setmetatable({}, { __close = function() error("y", 0) end })
            error "x"
        end))
        return seen, a, b
    end,
    ["close"] = function()
        local closed
        local co = coroutine.create(function()
            local _ <close> = setmetatable({}, { __close = function(_, e) closed = { e } end })
            coroutine.yield()
        end)
        coroutine.resume(co)
        local a = table.pack(coroutine.close(co))
        local dead = coroutine.create(function() error "x" end)
        coroutine.resume(dead)
        local c, d = coroutine.close(dead)
        local bad = coroutine.create(function()
            local _ <close> = setmetatable({}, { __close = function() error("z", 0) end })
            coroutine.yield()
        end)
        coroutine.resume(bad)
        local e, f = coroutine.close(bad)
        return #closed, a.n, a[1], c, d, e, f, coroutine.status(co), coroutine.close(co)
    end,
    ["who is running and yieldable"] = function()
        local _, main = coroutine.running()
        local inside = { coroutine.wrap(function()
            local _, is_main = coroutine.running()
            return is_main, coroutine.isyieldable(), pcall(coroutine.isyieldable)
        end)() }
        return type(main), table.unpack(inside)
    end,
    ["load"] = function()
        local parts, i = { "return", " 1", "", "+1" }, 0
        local a = load(function() i = i + 1 return parts[i] end)()
        local b, c = load("x = = 1", "=name")
        local f, g = pcall(load) -- its name is another one where a module has it as well
        local h = load("return x", "c", "t", { x = 9 })()
        return a, b, c, f, g:match("%(.*%)"), h
    end,
    ["hooks"] = function()
        local n = 0
        debug.sethook(function() n = n + 1 end, "", 1)
        for _ = 1, 10 do end
        debug.sethook()
        local _, err = pcall(debug.sethook, 1, 2, 3)
        return n > 5, debug.gethook() == nil, err
    end,
}

describe("In a worker as outside:", function()
    for what, case in pairs(cases) do
        it(what, function()
            local ex <close> = futures.ThreadPoolExecutor(1)
            local here = table.pack(case())
            local there = table.pack(ex:submit(case):result(LIMIT))
            assert.same(here, there)
        end)
    end
end)
