/* SPDX-License-Identifier: MIT */
/* Functions: code, upvalues, environments, the globals that they need. */
#include "vm/codec_test.h"

/* clang-format off */
static const struct test_case cases[] = {
{"bodies of all kinds",
 "local one, two, list = 1, 2.5, {1, 2, 3}\n"
 "local functions = {\n"
 "  function(a, b) return a + b, a - b, a * b, a / b, a // b, a % b, a ^ b, -a end,\n"
 "  function(a, b) return a & b, a | b, a ~ b, ~a, a << 3, a >> 1, a == b, a < b, a <= b, not "
     "a end,\n"
 "  function(a, b) return a .. b .. 'x', #list, list[1], list[a], (list[one] or two) end,\n"
 "  function(...) return select('#', ...), ... end,\n"
 "  function(a, ...) local t = {...} t[#t + 1] = a return table.unpack(t) end,\n"
 "  function(a) local s = 0 for i = a, 1, -1 do s = s + i end for i = 1.0, 2, 0.5 do s = s + i "
     "end return s end,\n"
 "  function(a) local s = 0 for k, v in ipairs(list) do s = s + k * v end while a > 0 do a = a "
     "- 1 end\n"
 "    repeat a = a + 1 until a > 10 return s, a end,\n"
 "  function(a) ::top:: if a > 0 then a = a - 1 goto top end return a end,\n"
 "  function(a) local log = {} do local c <close> = setmetatable({}, {__close = function() "
     "log[1] = 'closed' end})\n"
 "    local k <const> = 5 log[2] = k end return log[1], log[2] end,\n"
 "  function(a) local function inner(x) return function(y) return x + y + one, a end end "
     "return inner(a)(2) end,\n"
 "  function(a) local o = {n = a} function o:m(x) self.n = self.n + x return self.n end return "
     "o:m(1), o:m(2) end,\n"
 "  function(a) local co = coroutine.wrap(function(x) for i = 1, x do coroutine.yield(i) end "
     "end) return co(a), co() end,\n"
 "  function(a) return pcall(error, {a}) end,\n"
 "  function() return 1000, -1000, 100000, 1e300, 'long string ' .. ('x'):rep(100), nil, true, "
     "false end,\n"
 "  function(a, b) if a == 1 then return 'one' elseif a ~= 3 then return 'not three' end "
     "return a >= b, a > 2, a <= -1, 2 > a end,\n"
 "  function(a) local t = {1, 2, 3, [10] = 'ten', x = {y = {z = a}}} t.x.y.z, t[1] = t[1], "
     "t.x.y.z return t[1], t.x.y.z, #t end,\n"
 "  function(a) local function tail(n, acc) if n == 0 then return acc end return tail(n - 1, "
     "acc + n) end return tail(a * 100, 0) end,\n"
 "}\n"
 "for i, f in ipairs(functions) do\n"
 "  for _, args in ipairs{{3, 2}, {1, 7}, {2, 2}} do\n"
 "    local here, there = table.pack(f(table.unpack(args))), table.pack(send(f, "
     "table.unpack(args)))\n"
 "    same(there.n, here.n)\n"
 "    for j = 1, here.n do\n"
 "      local x, y = here[j], there[j]\n"
 "      if type(x) == 'table' then x, y = x[1], y[1] end\n"
 "      check(x == y and math.type(x) == math.type(y), i .. '.' .. j .. ' ' .. tostring(x) .. "
     "' ' .. tostring(y)) end\n"
 "  end end\n"},

{"0 to 255 upvalues",
 "for n = 0, 255 do\n"
 "  local inner, k = {}, 0\n"
 "  local body = 'local ' for i = 1, math.min(n, 150) do inner[i] = 'a' .. i end\n"
 "  local source = #inner > 0 and 'local ' .. table.concat(inner, ',') .. ' = ' .. "
     "table.concat(inner, ','):gsub('a', '') or ''\n"
 "  local outer = {} for i = 151, n do outer[#outer + 1] = 'a' .. i end\n"
 "  local sum = {} for i = 1, n do sum[i] = 'a' .. i end\n"
 "  local f = 'return function() return 0' .. (n > 0 and '+' .. table.concat(sum, '+') or '') "
     ".. ' end'\n"
 "  if #outer > 0 then f = 'local function wrap() local ' .. table.concat(outer, ',') .. ' = ' "
     "..\n"
 "    table.concat(outer, ','):gsub('a', '') .. ' ' .. f .. ' end return wrap()' end\n"
 "  if n <= 150 or n % 7 == 0 or n > 195 and n < 206 or n == 255 then\n"
 "    f = assert(load(source .. ' ' .. f))() same(f(), n * (n + 1) // 2)\n"
 "    same(debug.getinfo(f, 'u').nups, n)\n"
 "    for round = 1, 2 do same(send(f), n * (n + 1) // 2) end\n"
 "    same(select(2, send(function(f) return 1, debug.getinfo(f, 'u').nups end, f)), n)\n"
 "  end end\n"},

{"shared cells",
 "local n = 0 local function inc() n = n + 1 return n end local function get() return n end\n"
 "same(send(function() inc() inc() return get() + n end), 4) same(n, 0)\n"
 "same(send(function(i, g) i() i() return g() end, inc, get), 2)\n"
 "same(send(function(t) t[1]() t.x.y() return t[2]() end, {inc, get, x = {y = inc}}), 2)\n"
 "local i, g = send(function() return inc, get end) i() i() i() same(g(), 3) same(n, 0)\n"
 "local a, b = 1, 2 local fs = {}\n"
 "for k = 1, 3 do local own = k fs[k] = function(d) own = own + d a = a + d return own, a, b "
     "end end\n"
 "local x, y, z = send(function(fs) local x = fs[1](10) local y = fs[2](100) local z = "
     "fs[3](1000)\n"
 "  return x, y, select(2, fs[3](0)) end, fs) check(x == 11 and y == 102 and z == 1111)\n"
 "local t = {} t.f = function() return t end\n"
 "check(send(function(t) return t.f() == t and t.f().f() == t end, t))\n"
 "check(send(function(f) return f().f == f end, t.f))\n"},

{"recursion",
 "local function fib(n) if n < 2 then return n end return fib(n - 1) + fib(n - 2) end\n"
 "same(send(fib, 15), 610) same(send(fib, 15), 610) same(send(function(f) return f(10) end, "
     "fib), 55)\n"
 "local even, odd\n"
 "function even(n) if n == 0 then return true end return odd(n - 1) end\n"
 "function odd(n) if n == 0 then return false end return even(n - 1) end\n"
 "same(send(even, 10), true) same(send(odd, 10), false)\n"
 "local function self() return self end check(send(function() return self() == self end))\n"
 "local r = send(self) same(r(), r)\n"},

{"fresh upvalues for every task",
 "local n = 0 local function count() n = n + 1 return n end\n"
 "same(send(count), 1) same(send(count), 1) n = 5 same(send(count), 6)\n"
 "local _ENV = _ENV local function f() x = (x or 0) + 1 return x end\n"
 "same(send(f), 1)\n"
 "local function env() local old = _ENV _ENV = {} y = 1 return old ~= _ENV end\n"
 "same(send(env), true) same(send(env), true)\n"
 "same(send(function() return env() and type(print) end), 'function')\n"
 "same(send(function() return y end), nil)\n"},

{"one function",
 "local function f() end\n"
 "check(send(function(a, b, t) return a == b and t[1] == a and t[a] == 1 end, f, f, {f, [f] = "
     "1}))\n"
 "local g = function() return f end\n"
 "check(send(function(f, g) return f == g() end, f, g))\n"
 "local a, b = send(function() local h = function() end return h, {h} end) same(a, b[1])\n"
 "for i = 1, 300 do local x = {} local h = function() return x, i end same(select(2, send(h)), "
     "i)\n"
 "  if i % 50 == 0 then collectgarbage() end end\n"
 "for i = 1, 300 do local h = load('return ' .. i) same(send(h), i) end\n"
 "for i = 1, 2000 do same(send(load('local x = ' .. i .. ' return function() return x + ' .. i "
     ".. ' end')()), 2 * i) end\n"},

{"many functions",
 "local makers, many = {}, {}\n"
 "for k = 1, 40 do\n"
 "  makers[k] = load('local i = ... return function() return i * ' .. k .. ' end') end\n"
 "for i = 1, 50 do many[i] = {} for k = 1, 40 do many[i][k] = makers[k](i) end end\n"
 "same(send(function(m) local sum = 0\n"
 "  for i = 1, 50 do for k = 1, 40 do sum = sum + m[i][k]() end end return sum end, many),\n"
 "  1275 * 820)\n"
 "for i = 1, 5000 do same(send(load('return ' .. i)), i) end\n"
 "same(send(many[7][9]), 63)\n"},

{"debug information",
 "local up = 1\n"
 "local function f(a, b)\n"
 "  local c = a + up\n"
 "  return debug.getinfo(1, 'Slnut'), debug.traceback('tb'), debug.getlocal(1, 1), "
     "debug.getlocal(1, 3)\n"
 "end\n"
 "local function look(f) local i = debug.getinfo(f, 'SuL') local ups = {}\n"
 "  for k = 1, 10 do ups[k] = debug.getupvalue(f, k) end\n"
 "  local lines = {} for l in pairs(i.activelines) do lines[#lines + 1] = l end "
     "table.sort(lines)\n"
 "  return i.source .. ';' .. i.short_src .. ';' .. i.what .. ';' .. i.linedefined .. ';' .. "
     "i.lastlinedefined .. ';'\n"
 "    .. i.nups .. ';' .. i.nparams .. ';' .. tostring(i.isvararg) .. ';' .. table.concat(ups, "
     "',') .. ';'\n"
 "    .. table.concat(lines, ',') end\n"
 "same(send(look, f), look(f)) same(send(look, look), look(look))\n"
 "local chunk = load('return ...', '=chunk') same(send(look, chunk), look(chunk))\n"
 "local info, tb = send(f, 1) same(info.currentline, 4) check(tb:find('debug "
     "information\"]:4:', 1, true), tb)\n"
 "local ok, why = pcall(send, function() local x = nil; return x.field end)\n"
 "check(why:find(\"attempt to index a nil value (local 'x')\", 1, true), why)\n"
 "local ok, why = pcall(send, function() return up.x.y end)\n"
 "check(why:find(\"a number value (upvalue 'up')\", 1, true), why)\n"},

{"without debug information",
 "local x = 5\n"
 "local function f(a) return math.max(a, x), helper end helper = 'global'\n"
 "local g = load(string.dump(f, true), 'g', 'b', _ENV)\n"
 "for i = 1, 2 do local name = debug.getupvalue(g, i) same(name, '(no name)') end\n"
 "debug.setupvalue(g, 1, _ENV) debug.setupvalue(g, 2, x)\n"
 "local m, h = send(g, 3) same(m, 5) same(h, 'global')\n"
 "same(send(load(string.dump(function() return 1 end, true))), 1)\n"},

{"globals travel",
 "function gfib(n) if n < 2 then return n end return gfib(n - 1) + gfib(n - 2) end\n"
 "same(send(gfib, 12), 144)\n"
 "function geven(n) if n == 0 then return true end return godd(n - 1) end\n"
 "function godd(n) if n == 0 then return false end return geven(n - 1) end\n"
 "same(send(geven, 7), false) renew() same(send(function() return godd(7) end), true)\n"
 "limit, config, flag = 10, {deep = {x = 1}}, false\n"
 "local a, b, c, d = send(function() return limit, config.deep.x, flag, missing end)\n"
 "check(a == 10 and b == 1 and c == false and d == nil)\n"
 "same(send(function() return (function() return limit end)() end), 10)\n"
 "Account = {} Account.__index = Account function Account.new(b) return setmetatable({b = b}, "
     "Account) end\n"
 "function Account:get() return self.b * rate() end function rate() return factor end factor = "
     "3\n"
 "same(send(function() return Account.new(7):get() end), 21)\n"
 "check(getmetatable(send(function() return Account.new(1) end)) == Account)\n"
 "unused = io.stdout same(send(function() return limit end), 10)\n"
 "function sets() written = 1 return written end same(send(sets), 1) same(written, nil)\n"
 "same(send(function() return limit == 10 and fn == nil end), true)\n"
 "local t = {m = function() return limit + 1 end} same(send(function(t) return t.m() end, t), "
     "11)\n"
 "same(send(function(f) return f() end, function() return limit end), 10)\n"
 "through_g = 5 same(send(function() return _G.through_g, _G.limit + _G.through_g end), 5)\n"
 "limit = 11 same(send(function() return limit end), 11)\n"},

{"globals of the standard library stay, others do not",
 "renew() local f = function() return print ~= nil, string.upper('x'), _VERSION, _G == _ENV, "
     "math.pi end\n"
 "local a, b, c, d = send(f) check(a and b == 'X' and c == _VERSION and d)\n"
 "local real = print print = function(...) return 'mine', ... end\n"
 "local m, x = send(function() return print('x') end) same(m, 'mine') same(x, 'x') print = "
     "real\n"
 "show = tostring same(send(function() return show(12) end), '12')\n"
 "preload('util', 'return {twice = function(x) return 2 * x end}') util = require 'util' twice "
     "= util.twice\n"
 "local a, b, c = send(function() return util.twice(4), twice(5), util == package.loaded.util "
     "end)\n"
 "check(a == 8 and b == 10 and c)\n"
 "same(send(function() return string == package.loaded.string end), true)\n"},

{"names of globals beyond 255 constants",
 "local parts = {'return function() local t = {'}\n"
 "for i = 1, 400 do parts[#parts + 1] = '\"k' .. i .. '\",' end\n"
 "parts[#parts + 1] = '} return far_one, far_two.x, far_fn(3), t[400] end'\n"
 "far_one, far_two, far_fn = 1, {x = 2}, function(n) return n * far_one end\n"
 "local a, b, c, d = send(load(table.concat(parts))()) check(a == 1 and b == 2 and c == 3 and "
     "d == 'k400')\n"
 "local long = ('n'):rep(60) _G[long] = 'long' same(send(load('return function() return ' .. "
     "long .. ' end')()), 'long')\n"
 "local many = {'return function() local t = 0 '} for i = 1, 140000 do many[#many + 1] = 't = "
     "' .. i + 0.5 .. ' ' end\n"
 "many[#many + 1] = 'return far_one, t end'\n"
 "local a, t = send(load(table.concat(many))()) same(a, 1) same(t, 140000.5)\n"},

{"environments",
 "local function make(env) local _ENV = env return function() return x, y and y() end end\n"
 "local env = {x = 5} local a, b = send(make(env)) same(a, 5) same(b, nil)\n"
 "env.y = make({x = 6}) same(select(2, send(make(env))), 6)\n"
 "local inherit = setmetatable({x = 7}, {__index = _G})\n"
 "same(send(load('return x + math.abs(-1)', 'c', 't', inherit)), 8)\n"
 "local store = {z = 9, helper = function() return 'h' end, clash = io.stdout}\n"
 "local dynamic = setmetatable({}, {__index = function(_, k) local v = store[k] if v ~= nil "
     "then return v end return _G[k] end,\n"
 "  __newindex = function(_, k, v) store[k] = v end, junk = coroutine.create(print)})\n"
 "local f = load('function rec(n) if n == 0 then return z end return rec(n - 1) end local k = "
     "1\\n'\n"
 "  .. 'return function() return z, helper(), math.abs(-3), rec(3), _ENV == _G, k end', 'c', "
     "'t', dynamic)()\n"
 "local z, h, m, r, e = send(f) check(z == 9 and h == 'h' and m == 3 and r == 9 and e)\n"
 "same(send(load('return z', 'c', 't', dynamic)), 9)\n"
 "same(refusal(load('return clash', 'c', 't', dynamic)), \"global 'clash': userdata (FILE*) "
     "cannot travel\")\n"
 "local inner = setmetatable({}, {__index = dynamic}) same(send(load('return z', 'c', 't', "
     "inner)), 9)\n"
 "local bad = setmetatable({}, {__index = function(_, k) error('no ' .. k) end})\n"
 "check(not pcall(send, load('return z', 'c', 't', bad))) same(send(f), 9)\n"
 "local none = load('return 1') debug.setupvalue(none, 1, nil) same(send(none), 1)\n"},

{"C functions",
 "same(send(math.floor, 2.5), 2) same(send(function(f) return f('%d', 3) end, string.format), "
     "'3')\n"
 "check(send(function(...) return select('#', ...) end, print, io.open, os.time, table.concat) "
     "== 4)\n"
 "same(send(function(f) return f == tostring end, tostring), true)\n"
 "same(send(function(f) return type(f) end, send), 'function')\n"
 "check(refusal(coroutine.wrap(print)):find('C function cannot travel'))\n"
 "process = true same(refusal(print, send),\n"
 "  'argument 1: C function cannot travel to a process: no loaded module holds it')\n"
 "same(send(math.floor, 2.5), 2)\n"},

{"functions come home",
 "local f = send(function(x) return function(y) return x + y end end, 3) same(f(4), 7)\n"
 "local f, g = send(function() local n = 0 return function() n = n + 1 return n end, "
     "function() return n end end)\n"
 "f() f() same(g(), 2)\n"
 "function named() return 'main' end\n"
 "local h = send(function() return function() return named() end end) same(h(), 'main')\n"
 "local h = send(function() hidden = 5 return function() return hidden end end) same(h(), "
     "nil)\n"
 "same(send(function(f) return f(1) end, f), 3)\n"},
{NULL, NULL}};
/* clang-format on */

int main(void) {
    return test_main(cases);
}
