/* SPDX-License-Identifier: MIT */
#include "fetch/interrupt.h"

#include <lauxlib.h>

enum { STOP_MASK = LUA_MASKCALL | LUA_MASKRET | LUA_MASKLINE | LUA_MASKCOUNT };

/* lua_tothread only looks, but it needs a place on the stack. */
static lua_State *main_thread(lua_State *L) {
    lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
    lua_State *main = lua_tothread(L, -1);
    lua_pop(L, 1);
    return main;
}

/* A hook for every event and after every instruction is nothing that a debugger or a profiler
 * sets, but what lua.c sets to stop the program at the next chance. */
static bool is_stop_hook(lua_State *L) {
    return lua_gethook(L) && lua_gethookmask(L) == STOP_MASK && lua_gethookcount(L) == 1;
}

bool fut_interrupt_pending(lua_State *L) {
    return is_stop_hook(main_thread(L));
}

int fut_interrupt_raise(lua_State *L) {
    lua_State *main = main_thread(L);
    lua_Hook hook = lua_gethook(main);
    lua_sethook(main, NULL, 0, 0);
    if (hook) {
        lua_Debug where = {.event = LUA_HOOKCOUNT, .currentline = -1};
        hook(L, &where);
    }
    return luaL_error(L, "interrupted!");
}
