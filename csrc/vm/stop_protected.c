/* SPDX-License-Identifier: MIT */
/* The standard functions of a worker's state that catch errors: pcall, xpcall, load. They do
 * what Lua's own do, but an error that ends the task goes on through them. Inside of a variable
 * that is closed by it (they were called when it was on its way) they are as always. And
 * debug.sethook, so that it does not take away what is set for the task's end. */
#include <lauxlib.h>
#include <lualib.h>

#include "vm/stop.h"

/* What a protected call remembers of the time before it, as the context of its continuation:
 * whether another error was on its way, and the number of the run if its end was. */
static lua_KContext remember(void) {
    const struct fut_running *r = fut_stop_running;
    if (!r) return 0;
    return (r->raised ? (lua_KContext)r->number << 1 : 0) | (lua_KContext)r->unwinding;
}

/* After an error was caught in L. */
static void look(lua_State *L, lua_KContext before) {
    struct fut_running *r = fut_stop_running;
    if (!r) return;
    r->unwinding = (before & 1) != 0;
    if (r->raised && before >> 1 != (lua_KContext)r->number) fut_stop_raise(L);
    if (fut_stop_asked(r)) fut_stop_arm(r);
}

/* The frame of an xpcall: the function, which Lua keeps there too, the handler, `true`, and the
 * function once more, with its arguments; then the results from `true` on. That of a pcall
 * begins with `true`. */
enum { XPCALL_HANDLER = 2, BELOW_XPCALL = 2, XPCALL_CALLED = 4 };
enum { BELOW_PCALL = 0, PCALL_CALLED = 2 };

static int finish(lua_State *L, int status, lua_KContext before, int below) {
    if (status == LUA_OK || status == LUA_YIELD) return lua_gettop(L) - below;
    look(L, before);
    lua_pushboolean(L, 0);
    lua_pushvalue(L, -2);
    return 2;
}

static int finish_pcall(lua_State *L, int status, lua_KContext before) {
    return finish(L, status, before, BELOW_PCALL);
}

static int stop_pcall(lua_State *L) {
    luaL_checkany(L, 1);
    lua_pushboolean(L, 1);
    lua_insert(L, 1);
    lua_KContext before = remember();
    int status = lua_pcallk(L, lua_gettop(L) - 2, LUA_MULTRET, 0, before, finish_pcall);
    return finish(L, status, before, BELOW_PCALL);
}

static int finish_xpcall(lua_State *L, int status, lua_KContext before) {
    return finish(L, status, before, BELOW_XPCALL);
}

/* Its handler is the program's, without one of ours around it: it may count levels. */
static int stop_xpcall(lua_State *L) {
    int n = lua_gettop(L);
    luaL_checktype(L, XPCALL_HANDLER, LUA_TFUNCTION);
    lua_pushboolean(L, 1);
    lua_pushvalue(L, 1);
    lua_rotate(L, 3, 2); /* function, handler, true, function, arguments */
    lua_KContext before = remember();
    int status = lua_pcallk(L, n - 2, LUA_MULTRET, XPCALL_HANDLER, before, finish_xpcall);
    return finish(L, status, before, BELOW_XPCALL);
}

/* ---- what is seen of a protected call from inside ---- */

/* What was given to be called has its place right above what the frame keeps, and the slots
 * below a callee are locals of its caller. So when that place is a local, another function is
 * called, above it: after an error, to close a variable. */
bool fut_stop_closes_in(lua_State *L, const lua_Debug *outer) {
    lua_getinfo(L, "f", (lua_Debug *)outer);
    lua_CFunction f = lua_tocfunction(L, -1);
    lua_pop(L, 1);
    if (f != stop_pcall && f != stop_xpcall) return false;
    if (!lua_getlocal(L, outer, f == stop_pcall ? PCALL_CALLED : XPCALL_CALLED)) return false;
    lua_pop(L, 1);
    return true;
}

static int pass(lua_State *L) {
    (void)L;
    return 1;
}

/* The handler of the innermost xpcall would hear of the task's end: it gets another. */
void fut_stop_silence(lua_State *L) {
    lua_Debug ar;
    for (int level = 1; level < FUT_STOP_LEVELS && lua_getstack(L, level, &ar); level++) {
        lua_getinfo(L, "f", &ar);
        lua_CFunction f = lua_tocfunction(L, -1);
        lua_pop(L, 1);
        if (f == stop_pcall) return;
        if (f != stop_xpcall) continue;
        lua_pushcfunction(L, pass);
        if (!lua_setlocal(L, &ar, XPCALL_HANDLER)) lua_pop(L, 1);
        return;
    }
}

/* Lua's own functions, called in the frame of ours, so that their messages are the same. All
 * states of a process have the same. */
static _Atomic(lua_CFunction) lua_load_function, lua_sethook_function;

/* load catches the errors of a function that gives it the chunk. The message handler is still
 * that of the protected call around it. */
static int stop_load(lua_State *L) {
    lua_KContext before = remember();
    int n = atomic_load_explicit(&lua_load_function, memory_order_relaxed)(L);
    look(L, before);
    return n;
}

static int stop_sethook(lua_State *L) {
    int n = atomic_load_explicit(&lua_sethook_function, memory_order_relaxed)(L);
    struct fut_running *r = fut_stop_running;
    if (r && fut_stop_asked(r)) fut_stop_arm(r);
    return n;
}

/* Puts ours in the place of a C function of the table at the top. */
static void replace(lua_State *L, const char *name, lua_CFunction ours,
                    _Atomic(lua_CFunction) *theirs) {
    lua_getfield(L, -1, name);
    lua_CFunction f = lua_tocfunction(L, -1);
    lua_pop(L, 1);
    if (!f) return;
    if (theirs) atomic_store_explicit(theirs, f, memory_order_relaxed);
    lua_pushcfunction(L, ours);
    lua_setfield(L, -2, name);
}

void fut_stop_set_protected(lua_State *L) {
    lua_pushglobaltable(L);
    replace(L, "pcall", stop_pcall, NULL);
    replace(L, "xpcall", stop_xpcall, NULL);
    replace(L, "load", stop_load, &lua_load_function);
    lua_getfield(L, -1, LUA_DBLIBNAME);
    replace(L, "sethook", stop_sethook, &lua_sethook_function);
    lua_pop(L, 2);
}
