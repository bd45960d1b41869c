/* SPDX-License-Identifier: MIT */
#include "vm/interrupt.h"

#include <lauxlib.h>

bool fut_interrupt_due(lua_State *main) {
    const int all = LUA_MASKCALL | LUA_MASKRET | LUA_MASKLINE | LUA_MASKCOUNT;
    return lua_gethookmask(main) == all && lua_gethookcount(main) == 1;
}

int fut_interrupt_raise(lua_State *L, lua_State *main) {
    lua_Hook hook = lua_gethook(main);
    lua_sethook(main, NULL, 0, 0);
    lua_Debug event = {.event = LUA_HOOKCOUNT};
    if (hook) hook(L, &event);
    return luaL_error(L, "interrupted!"); /* a hook that returned: the wait ends all the same */
}
