/* SPDX-License-Identifier: MIT */
/* Arrays of futures, out of whatever holds the user's futures. */
#ifndef FUT_BIND_GATHER_H
#define FUT_BIND_GATHER_H

#include <lua.h>
#include <stddef.h>

#include "base/clock.h"

struct fut_gathered {
    fut_time done_at; /* FUT_NEVER: it was not done yet */
    lua_Integer position;
};

/* fut_gather_order(L, index, n, done): of the array of futures at index: the positions of those
 * that are done, in the order in which they were done, then the others; how many there are, and
 * how many are done. Pushes the userdata in which the result is. */
const struct fut_gathered *fut_gather_order(lua_State *L, int index, size_t *n, size_t *done);

/* fut_gather_open(L): adds to the module table at the top
 *   distinct(array) -> array without duplicates, or nil and the position of what is no future
 *   keys(table) -> array of its keys, or nil and the key that is no future
 *   order(array) -> array of positions as above, and how many of the futures are done */
void fut_gather_open(lua_State *L);

#endif
