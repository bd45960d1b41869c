/* SPDX-License-Identifier: MIT */
/* fut_codec: what the encoder and the decoder remember about one Lua state: functions that
 * were sent or received, names of modules, identities of metatables.
 *
 * STATE: one per lua_State, a userdata in the registry, made at first use.
 * OWNERSHIP: holds counts of code objects, dropped when the state is closed. Lua values that
 * it remembers are in tables of its own, referred to from the registry.
 * FINALIZERS may run wherever Lua allocates, and may send and receive. So nothing in here is
 * relied upon across such calls: what was found is used at once, and what takes longer is
 * the caller's own.
 * THREADS: that of its lua_State. */
#ifndef FUT_VM_CODEC_H
#define FUT_VM_CODEC_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "vm/code.h"
#include "vm/map.h"

/* Lua values that it keeps in the registry. */
enum fut_codec_ref {
    FUT_REF_KNOWN,    /* weak values: slot of fut_codec.known + 1 -> its object */
    FUT_REF_NAMES,    /* slot * 2 + 1 -> module name, slot * 2 + 2 -> field name */
    FUT_REF_STANDARD, /* name -> value: the globals of the standard library */
    FUT_REF_MODULES,  /* index -> module name, for fut_codec.modules */
    FUT_REF_FINDABLE, /* module name -> whether another state can require it */
    FUT_REF_IDENTITY, /* weak keys: metatable -> its identity, as a string of its bytes */
    FUT_REF_OWN,      /* weak values: identity given here -> metatable */
    FUT_REF_ENCODER,  /* the encoder, or false */
    FUT_REF_MESSAGE,  /* why the last value was refused */
    FUT_REF_LOADED,   /* package.loaded */
    FUT_REF_REQUIRE,  /* the function require */
    FUT_REF_INDEX,    /* "__index" */
    FUT_REF_PERSIST,  /* "__persist" */
    FUT_REF_MODE,     /* "__mode" */
    FUT_CODEC_REFS
};

/* What is known about a function or metatable that was sent before. */
enum fut_known_kind {
    FUT_KNOWN_NOTHING,
    FUT_KNOWN_CODE,     /* travels as `code` */
    FUT_KNOWN_MODULE,   /* is a module: its name is in FUT_REF_NAMES */
    FUT_KNOWN_MEMBER,   /* is a field of a module: both names are there */
    FUT_KNOWN_CFUNCTION /* has no name and no upvalues: by address */
};

struct fut_known {
    const void *address;
    struct fut_code *code; /* a count is held */
    enum fut_known_kind kind;
};

enum { FUT_KNOWN_SLOTS = 256 };

/* Code that was received. */
struct fut_loaded {
    struct fut_code *code; /* a count is held */
    int closure, factory;  /* in the registry; 0: not loaded yet */
};

struct fut_encoder;

struct fut_codec {
    bool closed; /* the state is being closed: its finalizers may send, but nothing is kept */
    bool open;   /* all below is there */
    int refs[FUT_CODEC_REFS];
    struct fut_encoder *encoder; /* the one in FUT_REF_ENCODER */

    struct fut_known known[FUT_KNOWN_SLOTS]; /* direct-mapped by address */
    struct fut_map codes_at;                 /* hash of the dump -> index in codes */
    struct fut_code **codes;                 /* sent from here, a count held of each */
    size_t ncodes, codes_cap, codes_bytes;
    struct fut_buf scratch; /* for dumps */

    struct fut_map standard; /* name and address of each standard global, hashed -> 0 */
    struct fut_map modules;  /* address of a module -> index of its name */
    uint64_t modules_print;  /* fingerprint of package.loaded when `modules` was made */

    uint64_t uid; /* of this state, for identities; 0: not yet needed */
    long pid;     /* of the process in which uid was made */
    uint64_t last_identity;

    struct fut_map loaded_at; /* address of a code object -> index in loaded */
    struct fut_loaded *loaded;
    size_t nloaded, loaded_cap;
};

/* fut_codec_get(L): the codec of L's state. Raises memory errors. */
struct fut_codec *fut_codec_get(lua_State *L);

/* fut_codec_push(c, L, ref): pushes one of its values. */
static inline void fut_codec_push(const struct fut_codec *c, lua_State *L,
                                  enum fut_codec_ref ref) {
    lua_rawgeti(L, LUA_REGISTRYINDEX, c->refs[ref]);
}

/* fut_codec_clear(c): frees what it has learned for sending; c can be used as before. */
void fut_codec_clear(struct fut_codec *c);

/* fut_codec_raise(L): raises a memory error. */
int fut_codec_raise(lua_State *L);

#endif
