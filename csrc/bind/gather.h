/* SPDX-License-Identifier: MIT */
/* Arrays of distinct futures, out of whatever holds the user's futures. */
#ifndef FUT_BIND_GATHER_H
#define FUT_BIND_GATHER_H

#include <lua.h>

/* fut_gather_open(L): adds to the module table at the top
 *   distinct(array) -> array without duplicates, or nil and the position of what is no future
 *   keys(table) -> array of its keys, or nil and the key that is no future */
void fut_gather_open(lua_State *L);

#endif
