/* SPDX-License-Identifier: MIT */
/* Derived futures when memory runs out: whatever allocation fails, in Lua or in the library,
 * each of them is settled in the end. */
#include "base/err.h"
#include "bind/scarce.h"

static const char prepare[] =
    "local futures = require 'futures'\n"
    "local M = {}\n"
    /* Ways to make derived futures of f and g; each gives one, or several in an array. */
    "M.ways = {\n"
    "    function(f) return f:next(function(...) return ..., {} end) end,\n"
    "    function(f) return f:next(function() error { 'e' } end):next(print) end,\n"
    "    function(f) return f:next(function() error() end):next(print, tostring) end,\n"
    "    function(f, g) return f:next(function() return g end) end,\n"
    "    function(f, g) return f:next(function() return g:next(function() return 1 end) end) "
    "end,\n"
    "    function(f, g) return futures.all { f, g, f } end,\n"
    "    function(f, g) return futures.any { f:next(error), g:next(error) } end,\n"
    "    function(f, g) return futures.any { g, f }:next(function(...) return ... end) end,\n"
    "}\n"
    "function M.make(way)\n"
    "    M.d = nil\n"
    "    M.f, M.g = futures.Future(), futures.Future()\n"
    "    M.d = M.ways[way](M.f, M.g) end\n"
    /* What may fail, and be called again. */
    "function M.finish()\n"
    "    if not M.f:done() then M.f:set_result('one', 2) end\n"
    "    futures.poll()\n"
    "    if not M.g:done() then M.g:set_result('two') end\n"
    "    futures.poll() end\n"
    "function M.check()\n"
    "    assert(futures.poll() == 0)\n"
    "    if M.d then M.d:outcome(0) end\n"
    "    assert(not M.d or M.d:done(), 'a derived future is never settled') end\n"
    "return M\n";

static int failures;

static void call(lua_State *L, const char *name, int argument, bool may_fail) {
    lua_getfield(L, 1, name);
    lua_pushinteger(L, argument);
    if (lua_pcall(L, 1, 0, 0) == LUA_OK) return;
    const char *message = lua_tostring(L, -1);
    bool is_memory = message && strstr(message, "not enough memory");
    if (!may_fail || !is_memory) fprintf(stderr, "%s(%d): %s\n", name, argument, message);
    FUT_ASSERT(may_fail && is_memory);
    failures++;
    lua_pop(L, 1);
}

/* The futures are made, or settled, while memory is short; then there is enough again. */
static void run(lua_State *L, int way, bool in_lua, bool make) {
    enum { MOST = 100 };
    failures = 0;
    for (long n = 1; n < MOST; n++) {
        if (make) scarce_limit(in_lua, n);
        call(L, "make", way, make);
        if (make) scarce_limit(in_lua, 0);
        if (!make) scarce_limit(in_lua, n);
        call(L, "finish", 0, !make);
        scarce_limit(in_lua, 0);
        call(L, "finish", 0, false);
        call(L, "check", 0, false);
    }
    FUT_ASSERT(failures > 0 || (!in_lua && !make)); /* settling one needs nothing of ours */
}

int main(void) {
    lua_State *L = scarce_state();
    if (luaL_dostring(L, prepare) != LUA_OK) fprintf(stderr, "%s\n", lua_tostring(L, -1));
    FUT_ASSERT(lua_istable(L, 1));
    for (int way = 1; way <= 8; way++) {
        run(L, way, true, false);
        run(L, way, false, false);
        run(L, way, true, true);
        run(L, way, false, true);
        printf("ok memory runs out in way %d to derive a future\n", way);
    }
    lua_close(L);
    return 0;
}
