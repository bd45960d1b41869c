/* SPDX-License-Identifier: MIT */
/* What the tests of scarce memory share: a state with the module preloaded, and a limit on the
 * allocations of Lua or of the library. Not for anything but *_test.c: every function here is
 * static. */
#ifndef FUT_BIND_SCARCE_H
#define FUT_BIND_SCARCE_H

#include <lauxlib.h>
#include <lualib.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/test.h"

int luaopen_futures_core(lua_State *L);

static long scarce_left; /* of Lua's allocations; 0: no limit; 1: none is left */

static void *scarce_alloc(void *context, void *block, size_t old, size_t size) {
    (void)context;
    if (size == 0) {
        free(block);
        return NULL;
    }
    if (scarce_left > 0 && (!block || size > old)) {
        if (scarce_left == 1) return NULL;
        scarce_left--;
    }
    return realloc(block, size);
}

/* scarce_limit(in_lua, n): from the n-th allocation on all fail, in one of the two allocators;
 * 0 ends that. */
static inline void scarce_limit(bool in_lua, long n) {
    if (in_lua)
        scarce_left = n;
    else
        fut_alloc_fail_after(n);
}

/* scarce_reached(in_lua): do they fail by now? */
static inline bool scarce_reached(bool in_lua) {
    if (in_lua) return scarce_left == 1;
    void *block = fut_alloc(1);
    fut_free(block);
    return !block;
}

/* scarce_state(): knows its libraries and where `futures` is. */
static inline lua_State *scarce_state(void) {
    lua_State *L = lua_newstate(scarce_alloc, NULL);
    CHECK(L);
    luaL_openlibs(L);
    CHECK(luaL_dostring(L, "package.path = 'lua/?.lua;lua/?/init.lua'") == LUA_OK);
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
    lua_pushcfunction(L, luaopen_futures_core);
    lua_setfield(L, -2, "futures.core");
    lua_settop(L, 0);
    return L;
}

#endif
