/* SPDX-License-Identifier: MIT */
/* The decoder from the inside, for the files that make it up:
 *   decode.c           the calls of decode.h: sequences, globals
 *   decode_value.c     scalars, tables, the loop
 *   decode_object.c    functions, modules, metatables, handles, __persist
 *
 * Nothing recurses: containers that are being filled are frames. The first ones live in the
 * struct, on the C stack; more in a userdata, so that an error leaves nothing behind. */
#ifndef FUT_VM_DECODER_H
#define FUT_VM_DECODER_H

#include <lua.h>
#include <stdbool.h>
#include <stdint.h>

#include "vm/codec.h"
#include "vm/decode.h"
#include "vm/format.h"
#include "vm/identity.h"

enum fut_fill_kind { FUT_FILL_TABLE, FUT_FILL_FUNCTION, FUT_FILL_PERSIST };

/* What of a table comes next. */
enum fut_fill_part { FUT_FILL_ITEM, FUT_FILL_KEY, FUT_FILL_VALUE, FUT_FILL_META };

/* A container that is being filled. */
struct fut_fill {
    enum fut_fill_kind kind;
    bool waiting; /* its next value is a container, and on the stack's top when that is done */
    int slot;     /* of the container on the Lua stack; what is above belongs to it */
    const unsigned char *limit; /* it ends before */
    union {
        struct {
            enum fut_fill_part part;
            int into; /* stack index of the table to fill: slot, or one that is thrown away */
            bool meta;
            uint32_t narr, nhash; /* still to come */
            lua_Integer next;
        } table;
        struct {
            int up, nups;
        } function;
        uint64_t share; /* persist: offset + 1 when the value is shared, or 0 */
    } u;
};

/* One sequence being decoded. */
struct fut_reading {
    struct fut_decoder *d;
    lua_State *L;
    struct fut_codec *codec; /* once it was needed */
    const unsigned char *start, *at;
    /* Stack index of the table offset + 1 -> value, false -> the userdata that holds the
     * frames; 0: there is none. */
    int shared;
    struct fut_fill *frames;
    size_t depth, cap;
    struct fut_fill local[FUT_DEPTH_SMALL];
};

/* decode_value.c */

/* fut_reading_value(r): pushes the next value, complete with all that is in it. */
enum fut_err fut_reading_value(struct fut_reading *r);

/* fut_reading_next(r): pushes the next value if it is complete at once; else makes a frame
 * for it. */
enum fut_err fut_reading_next(struct fut_reading *r);

/* fut_reading_scalar(r): pushes the next value, which must be a scalar that is not shared. */
enum fut_err fut_reading_scalar(struct fut_reading *r);

/* fut_reading_share(r, offset): remembers the value on the top. */
enum fut_err fut_reading_share(struct fut_reading *r, uint64_t offset);

/* fut_reading_frame(r, kind): a new topmost frame for the container at the slot on the top. */
enum fut_err fut_reading_frame(struct fut_reading *r, enum fut_fill_kind kind);

static inline struct fut_fill *fut_reading_top(struct fut_reading *r) {
    return &r->frames[r->depth - 1];
}

/* fut_reading_fail(r, err, why): notes why, gives err. */
static inline enum fut_err fut_reading_fail(struct fut_reading *r, enum fut_err err,
                                            const char *why) {
    r->d->message = why;
    return err;
}

static inline enum fut_err fut_reading_corrupt(struct fut_reading *r) {
    return fut_reading_fail(r, FUT_ECORRUPT, "corrupt data");
}

/* fut_reading_number(r, v): a varint. */
static inline bool fut_reading_number(struct fut_reading *r, uint64_t *v) {
    const unsigned char *at = fut_get_varint(r->at, r->d->end, v);
    if (at) r->at = at;
    return at != NULL;
}

/* fut_reading_bytes(r, n): the address of the next n bytes, which are passed; NULL: not so
 * many. */
static inline const unsigned char *fut_reading_bytes(struct fut_reading *r, uint64_t n) {
    const unsigned char *at = r->at;
    if (n > (uint64_t)(r->d->end - at)) return NULL;
    r->at = at + n;
    return at;
}

/* fut_reading_shared(r, offset): pushes the value that was remembered there; gives its type, or
 * LUA_TNIL when there is none (something is pushed then, too). */
int fut_reading_shared(struct fut_reading *r, uint64_t offset);

/* fut_reading_codec(r): the codec of the state. */
static inline struct fut_codec *fut_reading_codec(struct fut_reading *r) {
    if (!r->codec) r->codec = fut_codec_get(r->L);
    return r->codec;
}

/* decode_object.c */

/* fut_reading_container(r, tag, offset, shared): a frame for a function or for __persist. */
enum fut_err fut_reading_container(struct fut_reading *r, unsigned char tag, uint64_t offset,
                                   bool shared);

/* fut_reading_object(r, tag): pushes any other value that is no scalar and no table. */
enum fut_err fut_reading_object(struct fut_reading *r, unsigned char tag);

enum fut_err fut_reading_function_step(struct fut_reading *r);
enum fut_err fut_reading_persist_step(struct fut_reading *r);

#endif
