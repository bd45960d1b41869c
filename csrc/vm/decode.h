/* SPDX-License-Identifier: MIT */
/* fut_decoder: payload to Lua values. Trusts nothing about the bytes: every length is
 * checked against what is left before anything is allocated for it, every tag and reference
 * against what is allowed.
 *
 * STATE: lives where the caller puts it (the stack, a userdata); reads from a payload that
 * must stay alive and unchanged meanwhile. Sequences are decoded one at a time, when asked
 * for, so the items of a chunk become Lua values one by one. Needs no clean-up: it owns no C
 * memory, all it makes are Lua values.
 * ERRORS: FUT_ECORRUPT or FUT_ETRANSFER with a reason at `message`. Lua memory errors,
 * errors of `require` (a module that is not found there) and of a __persist closure are
 * raised.
 * THREADS: that of its lua_State. */
#ifndef FUT_VM_DECODE_H
#define FUT_VM_DECODE_H

#include <lua.h>

#include "base/err.h"
#include "core/payload.h"
#include "vm/encode.h"

struct fut_decoder {
    const unsigned char *start, *at, *end;
    struct fut_object *const *refs;
    uint32_t nrefs;
    struct fut_route route;
    const char *message; /* why the last call failed; a literal */
};

/* fut_decoder_init(d, payload, route): route.process: functions and handles are refused unless
 * they came from the parent. */
void fut_decoder_init(struct fut_decoder *d, const struct fut_payload *payload,
                      struct fut_route route);

/* fut_decoder_sequence(d, L, n): pushes the values of the next sequence and sets their
 * number in *n; sets the globals that came with it. Needs no particular stack space
 * beforehand. On error nothing stays pushed. */
enum fut_err fut_decoder_sequence(struct fut_decoder *d, lua_State *L, int *n);

/* fut_decoder_byte(d, byte): reads the next plain byte. */
enum fut_err fut_decoder_byte(struct fut_decoder *d, unsigned char *byte);

/* fut_decoder_done(d): nothing is left. */
static inline bool fut_decoder_done(const struct fut_decoder *d) {
    return d->at == d->end;
}

/* fut_decoder_plain(d): the next sequence says of itself that it holds only nil, booleans,
 * numbers and strings. */
bool fut_decoder_plain(const struct fut_decoder *d);

/* fut_payload_plain(payload): the bytes hold only nil, booleans, numbers and strings, so that
 * decoding twice gives the same values twice. */
bool fut_payload_plain(const struct fut_payload *payload);

#endif
