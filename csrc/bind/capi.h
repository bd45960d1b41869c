/* SPDX-License-Identifier: MIT */
/* The C API of include/futures.h, as a table of functions. */
#ifndef FUT_BIND_CAPI_H
#define FUT_BIND_CAPI_H

#include <lua.h>

/* fut_capi_open(L): adds `api` to the module table at the top: the address of the table. */
void fut_capi_open(lua_State *L);

#endif
