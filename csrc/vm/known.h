/* SPDX-License-Identifier: MIT */
/* What the sender knows about functions and metatables: how each one travels, found by its
 * identity, so that a function which is sent again is not dumped again.
 * THREADS: that of the lua_State. */
#ifndef FUT_VM_KNOWN_H
#define FUT_VM_KNOWN_H

#include <lua.h>

#include "base/err.h"
#include "vm/codec.h"

/* fut_known_find(c, L, index): what is known about the object at index (absolute), or NULL.
 * Names are checked: the module still holds it. */
struct fut_known *fut_known_find(struct fut_codec *c, lua_State *L, int index);

/* fut_known_learn(c, L, index, err): finds out how the function at index (absolute) travels.
 * NULL: *err is FUT_ENOMEM, or FUT_ETRANSFER: a C function that has no name, and upvalues. */
struct fut_known *fut_known_learn(struct fut_codec *c, lua_State *L, int index,
                                  enum fut_err *err);

/* fut_known_module(c, L, index): the same for a value that is a module (as of the last
 * refresh); NULL when it is none. */
struct fut_known *fut_known_module(struct fut_codec *c, lua_State *L, int index);

/* fut_known_name(c, L, index): the same for a table that is a module or a field of one; NULL
 * when it is neither. */
struct fut_known *fut_known_name(struct fut_codec *c, lua_State *L, int index);

/* fut_known_push_names(c, L, k): pushes the names of module and field (nil when it is the
 * module itself). */
void fut_known_push_names(struct fut_codec *c, lua_State *L, const struct fut_known *k);

/* fut_known_forget(c): drops all codes. */
void fut_known_forget(struct fut_codec *c);

#endif
