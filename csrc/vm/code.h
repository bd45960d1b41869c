/* SPDX-License-Identifier: MIT */
/* fut_code: the bytecode of one Lua function, without its upvalues: dumped once in the state
 * that sends it, shared by all tasks that run it, loaded once per worker.
 *
 * OWNERSHIP: counted (core/object.h). Immutable after creation, so any thread may read it.
 * Two dumps of the same function prototype are one fut_code while it lives in the sender's
 * cache: closures made in a loop cost a dump and a hash, not a load. */
#ifndef FUT_VM_CODE_H
#define FUT_VM_CODE_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/cpu.h"
#include "base/err.h"
#include "core/object.h"

struct fut_code {
    struct fut_object object;
    char apart[FUT_CACHE_LINE]; /* who submits counts above while workers read below */
    uint64_t id;                /* unique in this process, never used again */
    uint64_t hash;              /* of the bytes */
    size_t len;                 /* of the dump, debug information included */
    unsigned char nups;         /* upvalues that a closure of it needs */
    /* Upvalue (from 0) through which the code reaches its globals, or -1: what lua_load calls
     * the first upvalue may be any. Only the names say which one is _ENV. */
    int env;
    bool sets_env; /* the code assigns that upvalue: a closure of it is not used twice */
    /* Names of globals that the code and the functions inside it read through that upvalue:
     * sorted, each once, zero-terminated, one after the other. */
    uint32_t nglobals;
    const char *globals;
    const unsigned char *bytes;
    /* A chunk that returns a factory: called with nups values it gives a fresh closure of this
     * code whose upvalues are new cells with those values. NULL when there are no upvalues to
     * fill or too many for it (then load `bytes` anew each time). */
    const unsigned char *factory;
    size_t factory_len;
};

extern const struct fut_object_type fut_code_type;

/* fut_code_new(L, index, bytes, len): code of the Lua function at index, whose dump the bytes
 * are, with a count for the caller; NULL when memory is short. May raise a Lua memory error. */
struct fut_code *fut_code_new(lua_State *L, int index, const unsigned char *bytes, size_t len);

/* fut_code_next_id(): an id that no code of this process has had. */
uint64_t fut_code_next_id(void);

/* fut_code_pack(ref, out), fut_code_unpack(bytes, len, out), fut_code_ref_id(ref): code on
 * its way to a process that was forked from this one (core/worker.h). Unpack trusts the
 * bytes but for their lengths: bytecode flows from the parent to its workers only. */
uint64_t fut_code_ref_id(const struct fut_object *ref);
enum fut_err fut_code_pack(const struct fut_object *ref, struct fut_buf *out);
enum fut_err fut_code_unpack(const unsigned char *bytes, size_t len, struct fut_object **out);

/* fut_code_hash(bytes, len): what is in `hash`. */
uint64_t fut_code_hash(const unsigned char *bytes, size_t len);

#endif
