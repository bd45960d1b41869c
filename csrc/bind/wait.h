/* SPDX-License-Identifier: MIT */
/* Waiting for many futures: `wait` and `as_completed`. */
#ifndef FUT_BIND_WAIT_H
#define FUT_BIND_WAIT_H

#include <lua.h>

/* fut_wait_open(L): adds `wait` and `as_completed` to the module table at the top. Both take an
 * array of distinct futures (the facade makes it from whatever the user gave). */
void fut_wait_open(lua_State *L);

#endif
