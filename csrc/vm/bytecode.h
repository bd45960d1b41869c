/* SPDX-License-Identifier: MIT */
/* Reading what lua_dump writes (Lua 5.4): which globals a function reads, and a factory made
 * of it. The bytes come from lua_dump in this process, never from outside.
 * THREADS: any thread; with a lua_State, its own. */
#ifndef FUT_VM_BYTECODE_H
#define FUT_VM_BYTECODE_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

struct fut_bytecode {
    const unsigned char *body; /* of the function, behind the dump's head */
    const unsigned char *ups;  /* its upvalue descriptions, FUT_UPVALUE_BYTES each */
    const unsigned char *end;
    unsigned nups;
    int env;       /* upvalue (from 0) that is _ENV, or -1: set by the caller */
    bool sets_env; /* the code assigns that upvalue itself */
};

struct fut_bytecode_inner {
    const unsigned char *at, *end;
};

enum { FUT_FACTORY_UPVALUES = 200 };

/* fut_bytecode_known(L, known): whether the running Lua writes what this file reads (a
 * sample is dumped and read once per process). If not, nothing is known about globals and
 * there are no factories. */
enum fut_err fut_bytecode_known(lua_State *L, bool *known);

/* fut_bytecode_read(b, bytes, len): false when the bytes do not have the expected form. */
bool fut_bytecode_read(struct fut_bytecode *b, const unsigned char *bytes, size_t len);

/* fut_bytecode_inner(inner, bytes, len): where the only inner function of a dumped one is. */
bool fut_bytecode_inner(struct fut_bytecode_inner *inner, const unsigned char *bytes,
                        size_t len);

/* fut_bytecode_dump(L, strip, out): appends the dump of the Lua function on the top; false when
 * memory is short. */
bool fut_bytecode_dump(lua_State *L, bool strip, struct fut_buf *out);

/* fut_bytecode_globals(b, names): appends the names of globals that the code, and functions
 * inside it, read through the upvalue b->env; each zero-terminated, in any order, some more
 * than once. Sets b->sets_env. */
enum fut_err fut_bytecode_globals(struct fut_bytecode *b, struct fut_buf *names);

/* fut_bytecode_factory(L, b, out): appends a chunk to out that, called with up to b->nups
 * values, returns a closure of the function whose upvalues are new cells with these values.
 * At most FUT_FACTORY_UPVALUES of them. Raises memory errors; false when memory is short or
 * there is no such chunk. */
bool fut_bytecode_factory(lua_State *L, const struct fut_bytecode *b, struct fut_buf *out);

#endif
