/* SPDX-License-Identifier: MIT */
/* Code that this state has received, loaded once. Bounded: past a limit all is forgotten.
 * THREADS: that of the lua_State. */
#ifndef FUT_VM_LOADER_H
#define FUT_VM_LOADER_H

#include <lua.h>

#include "base/err.h"
#include "vm/codec.h"

/* fut_loader_has(c, object): it is a code that is kept here. Looks at the address only: the
 * count in the object is being written by those who send it, and to read beside it costs
 * both. */
static inline bool fut_loader_has(const struct fut_codec *c, const struct fut_object *object) {
    uint64_t at;
    return fut_map_get(&c->loaded_at, (uintptr_t)object, &at);
}

/* fut_loader_plain(c, L, code): pushes a closure of code without upvalues, or with _ENV alone,
 * which then is the table of globals; the same one each time. FUT_ENOMEM, FUT_ECORRUPT when Lua
 * does not take the bytes; nothing is pushed then. */
enum fut_err fut_loader_plain(struct fut_codec *c, lua_State *L, struct fut_code *code);

/* fut_loader_closure(c, L, code): pushes a new closure, all of whose upvalues are nil, in cells
 * of its own. Errors as above. */
enum fut_err fut_loader_closure(struct fut_codec *c, lua_State *L, struct fut_code *code);

/* fut_loader_forget(c, L): drops all codes. */
void fut_loader_forget(struct fut_codec *c, lua_State *L);

#endif
