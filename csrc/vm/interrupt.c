/* SPDX-License-Identifier: MIT */
#include "vm/interrupt.h"

#include <lauxlib.h>
#include <lualib.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>

/* The C function behind debug.sethook: the same for all states of a process. */
static _Atomic(lua_Hook) debug_hook;

void fut_interrupt_open(lua_State *L) {
    if (debug_hook) return;
    int top = lua_gettop(L);
    lua_State *scratch = lua_newthread(L);
    lua_getfield(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    if (lua_getfield(L, -1, LUA_DBLIBNAME) == LUA_TTABLE &&
        lua_getfield(L, -1, "sethook") == LUA_TFUNCTION) {
        lua_pushvalue(L, top + 1);
        lua_pushvalue(L, -2); /* any function will do: it is never called */
        lua_pushliteral(L, "");
        lua_pushinteger(L, 1 << 20);
        lua_call(L, 4, 0);
        debug_hook = lua_gethook(scratch);
        lua_sethook(scratch, NULL, 0, 0);
    }
    lua_settop(L, top);
}

bool fut_interrupt_due(lua_State *main) {
    const int all = LUA_MASKCALL | LUA_MASKRET | LUA_MASKLINE | LUA_MASKCOUNT;
    return lua_gethookmask(main) == all && lua_gethookcount(main) == 1 &&
           lua_gethook(main) != debug_hook;
}

bool fut_interrupt_raised(lua_State *L, int index) {
    static const char end[] = "interrupted!";
    size_t len;
    const char *text = lua_type(L, index) == LUA_TSTRING ? lua_tolstring(L, index, &len) : NULL;
    if (!text || len < sizeof end - 1 || strcmp(text + len - (sizeof end - 1), end) != 0)
        return false;
    struct sigaction now;
    return sigaction(SIGINT, NULL, &now) == 0 && now.sa_handler == SIG_DFL;
}

int fut_interrupt_raise(lua_State *L, lua_State *main) {
    lua_Hook hook = lua_gethook(main);
    lua_sethook(main, NULL, 0, 0);
    lua_Debug event = {.event = LUA_HOOKCOUNT};
    if (hook) hook(L, &event);
    return luaL_error(L, "interrupted!"); /* a hook that returned: the wait ends all the same */
}
