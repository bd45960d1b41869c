/* SPDX-License-Identifier: MIT */
/* The parts of the Lua module futures.fetch.core, which lua/futures/fetch/ is built upon. Each
 * `open` adds its functions and classes to the module table at the top.
 *   bind.c           the module, URLs
 *   bind_request.c   options, checked by Lua -> fut_request
 *   bind_session.c   sessions, submit
 *   bind_response.c  Response
 *   bind_problem.c   FetchError */
#ifndef FUT_FETCH_BIND_H
#define FUT_FETCH_BIND_H

#include <lua.h>

#include "fetch/request.h"

/* fut_bind_check_request(L, index): the request of the userdata, not counted. */
struct fut_request *fut_bind_check_request(lua_State *L, int index);

void fut_bind_open_request(lua_State *L);
void fut_bind_open_session(lua_State *L);
void fut_bind_open_response(lua_State *L);
void fut_bind_open_problem(lua_State *L);

#endif
