/* SPDX-License-Identifier: MIT */
/* Tables of ours in a state's registry.
 * THREADS: that of the lua_State. */
#ifndef FUT_VM_REGISTRY_H
#define FUT_VM_REGISTRY_H

#include <lua.h>

/* fut_registry_table(L, key, mode): pushes the table under that address, which is made whole
 * before it stands there: memory may run out. mode: its __mode, or NULL. May raise. */
void fut_registry_table(lua_State *L, const void *key, const char *mode);

#endif
