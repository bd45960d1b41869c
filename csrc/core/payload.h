/* SPDX-License-Identifier: MIT */
/* fut_payload: encoded values on their way. Flat bytes, which the core never looks into, and
 * counted references to objects of this process (code, futures, executors) that the bytes name
 * by index. Small payloads live inside the struct, so a task with few arguments is one
 * allocation.
 *
 * STATE: zeroed memory is an empty payload.
 * OWNERSHIP: a payload owns its bytes and one count of each object it refers to. It may be
 * moved with fut_payload_move only, since small ones live in place.
 * THREADS: one at a time; it is handed over with the task or future that embeds it. */
#ifndef FUT_CORE_PAYLOAD_H
#define FUT_CORE_PAYLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "core/object.h"

enum { FUT_PAYLOAD_BYTES = 32, FUT_PAYLOAD_REFS = 2 }; /* what lives in place */

struct fut_payload {
    size_t len;     /* of the bytes */
    uint32_t nrefs; /* more than FUT_PAYLOAD_REFS: refs.many */
    bool heap;      /* the bytes are bytes.block */
    /* One of the refs is what a task may have to settle. Known here, since to look at them
     * costs much: their counts are being written elsewhere. */
    bool needs_task;
    union {
        struct fut_object *few[FUT_PAYLOAD_REFS];
        struct fut_object **many;
    } refs;
    union {
        unsigned char small[FUT_PAYLOAD_BYTES];
        unsigned char *block;
    } bytes;
};

/* fut_payload_init(p, bytes, len, refs, nrefs): copies bytes and refs into the empty p;
 * FUT_ENOMEM leaves p empty. Takes over one count of each ref on success only. */
enum fut_err fut_payload_init(struct fut_payload *p, const void *bytes, size_t len,
                              struct fut_object *const *refs, uint32_t nrefs);

/* fut_payload_init_buf(p, b, refs, nrefs): the same with the bytes of b; a large b is taken
 * without a copy (b is empty then). */
enum fut_err fut_payload_init_buf(struct fut_payload *p, struct fut_buf *b,
                                  struct fut_object *const *refs, uint32_t nrefs);

/* fut_payload_borrow(p, bytes, len, refs, nrefs): the empty p shows bytes that stay the
 * caller's, who keeps them until fut_payload_return(p); of the refs it is as for
 * fut_payload_init. */
enum fut_err fut_payload_borrow(struct fut_payload *p, const unsigned char *bytes, size_t len,
                                struct fut_object *const *refs, uint32_t nrefs);
void fut_payload_return(struct fut_payload *p);

/* fut_payload_deinit(p): frees the bytes and drops the refs; p is empty again. */
static inline void fut_payload_deinit(struct fut_payload *p);

/* fut_payload_release(p): for fut_payload_deinit, when there is something to free or to
 * drop. */
void fut_payload_release(struct fut_payload *p);

/* fut_payload_move(to, from): from's content goes to the empty `to`; from is empty. */
void fut_payload_move(struct fut_payload *to, struct fut_payload *from);

/* fut_payload_refs(p): the nrefs objects. fut_payload_bytes(p): the len bytes. */
static inline struct fut_object *const *fut_payload_refs(const struct fut_payload *p) {
    return p->nrefs > FUT_PAYLOAD_REFS ? p->refs.many : p->refs.few;
}

static inline const unsigned char *fut_payload_bytes(const struct fut_payload *p) {
    return p->heap ? p->bytes.block : p->bytes.small;
}

static inline void fut_payload_deinit(struct fut_payload *p) {
    if (p->heap || p->nrefs > 0) fut_payload_release(p);
    p->len = 0;
}

#endif
