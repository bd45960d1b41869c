/* SPDX-License-Identifier: MIT */
/* Between Lua's tables and the structs of this folder. These calls may raise (memory), so all
 * that they fill belongs to a userdata already. */
#ifndef FUT_FETCH_BIND_H
#define FUT_FETCH_BIND_H

#include <lua.h>

#include "fetch/request.h"
#include "fetch/transfer.h"

/* fut_bind_read_request(L, index, r): fills r, which holds the defaults, from the flat table at
 * index, as lua/futures/fetch/request.lua makes it. */
void fut_bind_read_request(lua_State *L, int index, struct fut_request *r);

/* fut_bind_push_outcome(L, t): pushes true and the fields of the response, or false and those
 * of the error; → 2. */
int fut_bind_push_outcome(lua_State *L, const struct fut_transfer *t);

#endif
