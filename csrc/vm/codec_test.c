/* SPDX-License-Identifier: MIT */
/* Values, tables, metatables, modules: there and back. */
#include "vm/codec_test.h"

/* clang-format off */
static const struct test_case cases[] = {
{"scalars",
 "local function back(...) return ... end\n"
 "local function one(v) local r = send(back, v) "
 "  check(math.type(r) == math.type(v) and (r == v or v ~= v and r ~= r), tostring(v)) end\n"
 "for _, v in ipairs{0, 1, -1, 15, 16, -16, -17, 111, 112, 127, 128, 255, 256, 1 << 31, 1 << 62,\n"
 "  math.maxinteger, math.mininteger, 0.0, 1.5, 3.0, 1e308, 5e-324, 1/0, -1/0, 0/0, 2^53} do\n"
 "  one(v) end\n"
 "same(1 / send(back, -0.0), -1/0)\n"
 "same(send(back, true), true) same(send(back, false), false)\n"
 "same(select('#', send(back)), 0)\n"
 "same(select('#', send(back, nil)), 1)\n"
 "same(select('#', send(back, nil, 2, nil, nil)), 4)\n"
 "local t = {} for i = 1, 300 do t[i] = i * 1000 end\n"
 "local r = table.pack(send(back, table.unpack(t))) same(r.n, 300) same(r[300], 300000)\n"},

{"strings",
 "local function back(...) return ... end\n"
 "for _, n in ipairs{0, 1, 2, 3, 30, 31, 32, 33, 40, 41, 127, 128, 129, 16383, 16384, 1000000} do\n"
 "  local s = ('a\\0b\\255'):rep(n // 4 + 1):sub(1, n)\n"
 "  same(send(back, s), s)\n"
 "  local t = send(back, {s, s, {s}, [s] = s})\n"
 "  check(t[1] == s and t[2] == s and t[3][1] == s and t[s] == s, tostring(n)) end\n"},

{"large string",
 "local s = ('0123456789abcdef'):rep(4 << 20)\n"
 "local n, r = send(function(s) return #s, s end, s) same(n, 64 << 20) check(r == s)\n"},

{"tables",
 "local function back(...) return ... end\n"
 "local t = send(back, {}) same(next(t), nil)\n"
 "t = send(back, {1, 2, 3, x = 'y', [2.5] = true, [-1] = 'm', [0] = 'z', [1 << 40] = 'far'})\n"
 "check(#t == 3 and t.x == 'y' and t[2.5] == true and t[-1] == 'm' and t[0] == 'z')\n"
 "same(t[1 << 40], 'far')\n"
 "local n = 0 for _ in pairs(t) do n = n + 1 end same(n, 8)\n"
 "t = send(back, {[1.0] = 'i', [true] = 1, [false] = 0})\n"
 "for k in pairs(t) do check(type(k) == 'boolean' or math.type(k) == 'integer') end\n"
 "check(t[1] == 'i' and t[true] == 1 and t[false] == 0)\n"
 "local big = {} for i = 1, 5000 do big[i] = i big['k' .. i] = i end\n"
 "t = send(back, big) for i = 1, 5000 do check(t[i] == i and t['k' .. i] == i) end\n"
 "local many = {} for i = 1, 1000 do many[i] = {id = i, name = 'n' .. i, v = i * 0.5} end\n"
 "t = send(back, many) same(#t, 1000)\n"
 "for i = 1, 1000 do check(t[i].id == i and t[i].name == 'n' .. i and t[i].v == i * 0.5) end\n"},

{"holes",
 "local function back(t) return #t, t end\n"
 "local function one(t, n) same(#t, n) local m, r = send(back, t) same(m, n) same(#r, n)\n"
 "  for i = 1, n do same(r[i], t[i]) end end\n"
 "one({1, nil, 3}, 3) one({nil, nil, 3}, 3) one({nil, 2}, 2) one({1, nil, nil, nil, 5}, 5)\n"
 "one({1, nil, 3, nil, 5, nil, 7, nil, 9, x = 1}, 9)\n"
 "local p = send(back, table.pack(1, nil, nil)) same(p, 1)\n"
 "local n, t = send(back, table.pack(nil, nil, 3, nil)) same(t.n, 4) same(t[3], 3)\n"
 "local sparse = {} for i = 1, 1000 do sparse[i] = i end\n"
 "for i = 1, 1000 do if i % 100 ~= 0 then sparse[i] = nil end end\n"
 "local _, r = send(back, sparse)\n"
 "for i = 1, 1000 do same(r[i], sparse[i]) end\n"
 "local reversed = {} for i = 100, 1, -1 do reversed[i] = i end one(reversed, 100)\n"},

{"cycles and shared references",
 "local function back(...) return ... end\n"
 "local t = {} t.self = t t[t] = t t.list = {t, {t}}\n"
 "local r = send(back, t)\n"
 "check(r.self == r and r[r] == r and r.list[1] == r and r.list[2][1] == r)\n"
 "local s = {} local a, b, c = send(back, s, s, {s, [s] = s})\n"
 "check(a == b and c[1] == a and c[a] == a)\n"
 "local x, y = {}, {} x.y, y.x = y, x\n"
 "local p, q = send(back, x, y) check(p.y == q and q.x == p)\n"
 "local f = function() return t end\n"
 "local g, u = send(function(f, t) return f() == t, f end, f, t) same(g, true)\n"
 "local k = {} local r = send(back, {[k] = 'v', k = k}) same(r[r.k], 'v')\n"},

{"depth",
 "local many, some = 100000 // scale, 20000 // scale\n"
 "local function depth(d) local n = 0 while d[1] do d = d[1] n = n + 1 end return n, d end\n"
 "local d = {} for i = 1, many do d = {d} end\n"
 "same(send(depth, d), many)\n"
 "local h = {} for i = 1, many do h = {x = h} end\n"
 "same(send(function(d) local n = 0 while d.x do d = d.x n = n + 1 end return n end, h), many)\n"
 "local k = {} for i = 1, many do k = {[k] = 1} end\n"
 "same(send(function(d) local n = 0 while next(d) do d = next(d) n = n + 1 end return n end, k),\n"
 "  many)\n"
 "local m = {} for i = 1, some do m = setmetatable({}, m) end\n"
 "same(send(function(d) local n = 0 while getmetatable(d) do d = getmetatable(d) n = n + 1 end\n"
 "  return n end, m), some)\n"
 "local f = function() return 0 end\n"
 "for i = 1, some do local g = f f = function() return g end end\n"
 "same(send(function(f) local n = 0 while f ~= 0 do f = f() n = n + 1 end return n end, f), some + 1)\n"
 "local chain = {} for i = 1, 1000 do chain = {chain, i} end\n"
 "local r = send(function(c) return c end, chain) same(select('#', depth(r)), 2)\n"
 "collectgarbage('stop') for i = 1, 1000000 do d = {d} end\n"
 "check(refusal(depth, d):find('^argument 1%[1%].*: nested deeper than 200000 levels$'))\n"
 "same(send(depth, {{}}), 1)\n"},

{"raw access",
 "local function fail() error('a metamethod was run') end\n"
 "local names = {'index', 'newindex', 'len', 'pairs', 'eq', 'tostring', 'name', 'close', 'gc',\n"
 "  'call', 'concat', 'unm', 'add', 'lt', 'le', 'metatable', 'band', 'idiv'}\n"
 "local mt = {} for _, n in ipairs(names) do mt['__' .. n] = fail end mt.__gc = nil\n"
 "local t = setmetatable({1, 2, x = 1}, mt)\n"
 "local n, x, y = send(function(t) return rawlen(t), rawget(t, 'x'), t end, t)\n"
 "same(n, 2) same(x, 1) same(rawget(y, 'x'), 1)\n"
 "check(debug.getmetatable(y) == mt)\n"},

{"metatables come home",
 "local C = {} C.__index = C function C.new(x) return setmetatable({x = x}, C) end\n"
 "function C:get() return self.x end\n"
 "local o = C.new(5)\n"
 "local r, v, class = send(function(o) return o, o:get(), C end, o)\n"
 "check(getmetatable(r) == C and r:get() == 5 and v == 5 and class == C)\n"
 "local r = send(function(o) return C.new(o.x + 1) end, o) check(getmetatable(r) == C) same(r:get(), 6)\n"
 "local mt = {__len = function() return 42 end}\n"
 "local a, b = setmetatable({}, mt), setmetatable({}, mt)\n"
 "local n, x, y, eq = send(function(a, b) return #a, a, b, getmetatable(a) == getmetatable(b) end, a, b)\n"
 "check(n == 42 and getmetatable(x) == mt and getmetatable(y) == mt and eq == true)\n"
 "local p, q, eq = send(function(mt, a) return mt, a, getmetatable(a) == mt end, mt, a)\n"
 "check(getmetatable(q) == mt) same(eq, true)\n"
 "local kept = send(function(o) kept = o return o end, o)\n"
 "local again = send(function() return kept end) check(getmetatable(again) == C)\n"
 "local w = send(function() local M = {__index = function(t, k) return k .. '!' end} M.self = M\n"
 "  return setmetatable({}, M) end)\n"
 "same(w.a, 'a!') check(getmetatable(w).self == getmetatable(w))\n"
 "local back = send(function(w) return w end, w) check(getmetatable(back) ~= nil) same(back.b, 'b!')\n"},

{"metatables: inheritance, cycles, finalizers",
 "local Base = {} Base.__index = Base function Base:hi() return 'hi ' .. self.n end\n"
 "local Sub = setmetatable({}, Base) Sub.__index = Sub\n"
 "local o = setmetatable({n = 'x'}, Sub)\n"
 "local s, r = send(function(o) return o:hi(), o end, o) same(s, 'hi x')\n"
 "check(getmetatable(r) == Sub) same(r:hi(), 'hi x')\n"
 "local loop = {} loop.__index = loop setmetatable(loop, loop)\n"
 "check(send(function(l) return getmetatable(l) == l end, loop))\n"
 "local mt = {} mt.proto = setmetatable({}, mt)\n"
 "check(send(function(o) local m = getmetatable(o) return getmetatable(m.proto) == m end,\n"
 "  setmetatable({}, mt)))\n"
 "local weak = setmetatable({}, {__mode = 'k'}) weak[{}] = 1\n"
 "same(send(function(w) collectgarbage() return next(w) == nil end, weak), true)\n"
 "local keep = {} local weak = setmetatable({keep, {}}, {__mode = 'v'})\n"
 "local a = send(function(w, k) collectgarbage() return w[1] == k, w[2] end, weak, keep) same(a, true)\n"
 "local g = setmetatable({}, {__gc = function() closed = (closed or 0) + 1 end})\n"
 "same(send(function(g) return 1 end, g), 1)\n"
 "same(send(function() collectgarbage() collectgarbage() return closed end), 1)\n"
 "same(closed, nil)\n"},

{"modules by name",
 "preload('shapes', [[local M = {list = {1}} M.Circle = {kind = 'circle'}\n"
 "  M.Circle.__index = M.Circle function M.area(r) return r * r end return M]])\n"
 "local shapes = require 'shapes'\n"
 "local same_module, area, r = send(function(m) local mine = require 'shapes'\n"
 "  return m == mine and m == shapes, m.area == mine.area, m end, shapes)\n"
 "same(same_module, true) same(area, true) same(r, shapes)\n"
 "local f = send(function(f) return f == require('shapes').area and f end, shapes.area)\n"
 "same(f, shapes.area)\n"
 "local c = setmetatable({}, shapes.Circle)\n"
 "local ok, back = send(function(c) return getmetatable(c) == require('shapes').Circle, c end, c)\n"
 "same(ok, true) check(getmetatable(back) == shapes.Circle)\n"
 "local class = send(function(k) return k == require('shapes').Circle end, shapes.Circle)\n"
 "same(class, true)\n"
 "same(send(function(l) return l == require('shapes').list end, shapes.list), false)\n"
 "same(send(string.upper, 'a'), 'A') same(send(print == nil and 1 or math.max, 1, 3), 3)\n"
 "local f, s = send(function(...) return ... end, string.format, string)\n"
 "check(f == string.format and s == string)\n"
 "check(send(function(g) return g == _G end, _G))\n"
 "check(send(function() return _G end) == _G)\n"
 "process = true same(send(function(m) return m == require 'shapes' and m end, shapes), shapes)\n"
 "same(send(function(f) return f end, shapes.area), shapes.area)\n"
 "same(send(function(f) return f end, io.write), io.write)\n"},

{"modules: callable, function, by hand, replaced",
 "preload('callable', 'return setmetatable({}, {__call = function(_, x) return x + 1 end})')\n"
 "preload('fn', 'return function(x) return x * 2 end')\n"
 "local callable, fn = require 'callable', require 'fn'\n"
 "same(send(callable, 1), 2) same(send(fn, 4), 8)\n"
 "same(send(function(f) return f == require 'fn' end, fn), true)\n"
 "package.loaded.byhand = {x = 1, f = function() return 'f' end}\n"
 "local x, f, loaded = send(function(m) return m.x, m.f(), package.loaded.byhand end, package.loaded.byhand)\n"
 "check(x == 1 and f == 'f' and loaded == nil)\n"
 "preload('late', 'return {v = 1}')\n"
 "local before = {v = 1} send(print == 0 or function() end, before)\n"
 "local late = require 'late'\n"
 "same(send(function(m) return m == require 'late' end, late), true)\n"
 "package.loaded.late = nil\n"
 "same(send(function(m) return m == require 'late' end, late), false)\n"
 "local M = require 'late' same(send(function(m) return m == require 'late' end, M), true)\n"
 "local old = M.f function M.f() return 1 end\n"
 "local why = refusal(M.f) check(why:find(\"module 'late' has no field 'f' here\", 1, true), why)\n"
 "same(send(function(a) return a end, package.loaded.callable), callable)\n"},

{"__persist",
 "local P = {} P.__index = P\n"
 "P.__persist = function(self) local v = self.v return function() return {rebuilt = v} end end\n"
 "local p = setmetatable({v = 7}, P)\n"
 "same(send(function(p) return p.rebuilt end, p), 7)\n"
 "local a, b = send(function(a, t) return a == t[1], a.rebuilt end, p, {p}) check(a) same(b, 7)\n"
 "local nested = setmetatable({v = setmetatable({v = 'in'}, P)}, P)\n"
 "same(send(function(p) return p.rebuilt.rebuilt end, nested), 'in')\n"
 "same(send(function(t) return t.x end, setmetatable({x = 1}, {__persist = true})), 1)\n"
 "same(send(function(t) return t.x end, setmetatable({x = 2}, {__persist = nil})), 2)\n"
 "same(refusal(print, {a = setmetatable({}, {__persist = false})}),\n"
 "  'argument 1.a: table refuses to travel (__persist)')\n"
 "same(refusal(print, setmetatable({}, {__persist = 1})),\n"
 "  'argument 1: __persist must be a function or a boolean, not a number value')\n"
 "same(refusal(print, setmetatable({}, {__persist = function() return 1 end})),\n"
 "  'argument 1: __persist must return a Lua function, not a number value')\n"
 "local s = setmetatable({}, {__persist = function(self) return function() return self end end})\n"
 "check(refusal(print, s):find('the closure of __persist refers to its object', 1, true))\n"
 "local u = setmetatable({}, {__persist = function() local f = io.stdout return function() return f end end})\n"
 "same(refusal(print, {u}), \"argument 1[1], __persist, upvalue 'f': userdata (FILE*) cannot travel\")\n"
 "check(not pcall(send, print, setmetatable({}, {__persist = function() error('no') end})))\n"
 "check(not pcall(send, print, setmetatable({}, {__persist = function() return function() error('x') end end})))\n"
 "same(send(function(p) return p.rebuilt end, p), 7)\n"
 "debug.getmetatable(io.stdout).__persist = function(f) return function() return 'a file' end end\n"
 "local a, b = send(function(a, b) return a, b[1] end, io.stdout, {io.stdout})\n"
 "same(a, 'a file') same(b, 'a file')\n"
 "debug.getmetatable(io.stdout).__persist = false\n"
 "same(refusal(print, io.stdout), 'argument 1: userdata (FILE*) refuses to travel (__persist)')\n"
 "local r = setmetatable({v = 1}, {__persist = function(o) collectgarbage() send(print == 0 or type, o.v)\n"
 "  return function() return 'nested' end end})\n"
 "local t = {} for i = 1, 20 do t[i] = {r, {}, 's' .. i} end\n"
 "same(send(function(t) for i = 1, 20 do assert(t[i][1] == 'nested' and t[i][3] == 's' .. i) end\n"
 "  return t[20][1] end, t), 'nested')\n"
 "local home = send(function() return setmetatable({}, {__persist = function()\n"
 "  return function() return 'from the worker' end end}) end) same(home, 'from the worker')\n"},

{"refusals and their paths",
 "local f, co = io.stdout, coroutine.create(print)\n"
 "same(refusal(print, f), 'argument 1: userdata (FILE*) cannot travel')\n"
 "same(refusal(print, 1, {rows = {1, 2, 3, 4, 5, 6, {cb = function() return f end}}}),\n"
 "  \"argument 2.rows[7].cb, upvalue 'f': userdata (FILE*) cannot travel\")\n"
 "same(refusal(function() return co end), \"function, upvalue 'co': coroutine cannot travel\")\n"
 "same(refusal(print, {[f] = 1}), 'argument 1 (key): userdata (FILE*) cannot travel')\n"
 "same(refusal(print, {[{f}] = 1}), 'argument 1 (key)[1]: userdata (FILE*) cannot travel')\n"
 "same(refusal(print, {[1.5] = {[true] = {['a b'] = {['x\\n\"'] = {[{}] = f}}}}}),\n"
 "  'argument 1[1.5][true][\"a b\"][\"x\\\\10\\\\34\"][table]: userdata (FILE*) cannot travel')\n"
 "same(refusal(print, {[('k'):rep(50)] = f}), 'argument 1[\"' .. ('k'):rep(40) .. '...\"]: userdata (FILE*) cannot travel')\n"
 "same(refusal(print, setmetatable({}, {x = f})), 'argument 1, metatable.x: userdata (FILE*) cannot travel')\n"
 "sock = f same(refusal(function() return sock end), \"global 'sock': userdata (FILE*) cannot travel\")\n"
 "function helper() return sock end\n"
 "same(refusal(function() return helper() end), \"global 'sock': userdata (FILE*) cannot travel\")\n"
 "same(refusal(function() local t = {} t[1] = coroutine.create(print) return 1, t end),\n"
 "  'result 2[1]: coroutine cannot travel')\n"
 "same(refusal(string.gmatch('a', 'b')), 'function: C function cannot travel: no loaded module holds it, and it has upvalues')\n"
 "local d = f for i = 1, 40 do d = {d} end\n"
 "same(refusal(print, d), 'argument 1' .. ('[1]'):rep(12) .. ' ... ' .. ('[1]'):rep(12) .. ': userdata (FILE*) cannot travel')\n"
 "local loop = {} loop.loop = loop loop.f = f check(refusal(print, loop):find('userdata'))\n"},

{"to a process",
 "process = true\n"
 "same(send(function(x) return x + 1 end, 1), 2)\n"
 "function add(a, b) return a + b end same(send(function(x) return add(x, 1) end, 1), 2)\n"
 "same(refusal(function() return function() end end), 'result 1: function cannot travel home from a process')\n"
 "same(refusal(function() return {f = {add}} end), 'result 1.f[1]: function cannot travel home from a process')\n"
 "local C = {} C.__index = C function C:get() return self.x end\n"
 "local o = setmetatable({x = 1}, C)\n"
 "local r = send(function(o) o.x = 2 return o end, o) check(getmetatable(r) == C) same(r:get(), 2)\n"
 "local r = send(function(o) return {o, o, C} end, o) check(getmetatable(r[1]) == C and r[1] == r[2] and r[3] == C)\n"
 "local p = send(function() return setmetatable({1}, {__name = 'plain'}) end)\n"
 "same(getmetatable(p).__name, 'plain')\n"
 "check(refusal(function() return setmetatable({}, {__index = function() end}) end)\n"
 "  :find('result 1, metatable.__index: function cannot travel home', 1, true))\n"},
{NULL, NULL}};
/* clang-format on */

int main(void) {
    return test_main(cases);
}
