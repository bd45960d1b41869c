/* SPDX-License-Identifier: MIT */
#include "core/payload.h"

#include <string.h>

#include "base/alloc.h"

/* Below this a copy is cheaper than giving the encoder's buffer away and growing a new one. */
enum { STEAL_MIN = 4096 };

static enum fut_err set_refs(struct fut_payload *p, struct fut_object *const *refs,
                             uint32_t n) {
    struct fut_object **to = p->refs.few;
    if (n > FUT_PAYLOAD_REFS) {
        to = fut_alloc((size_t)n * sizeof *refs);
        if (!to) return FUT_ENOMEM;
        p->refs.many = to;
    }
    p->needs_task = false;
    for (uint32_t i = 0; i < n; i++) {
        to[i] = refs[i];
        p->needs_task = p->needs_task || refs[i]->type->needs_task;
    }
    p->nrefs = n;
    return FUT_OK;
}

enum fut_err fut_payload_init(struct fut_payload *p, const void *bytes, size_t len,
                              struct fut_object *const *refs, uint32_t nrefs) {
    unsigned char *to = p->bytes.small;
    unsigned char *block = NULL;
    if (len > FUT_PAYLOAD_BYTES) {
        to = block = fut_alloc(len);
        if (!block) return FUT_ENOMEM;
    }
    if (set_refs(p, refs, nrefs) != FUT_OK) {
        fut_free(block);
        return FUT_ENOMEM;
    }
    if (len) memcpy(to, bytes, len);
    if (block) p->bytes.block = block;
    p->heap = block != NULL;
    p->len = len;
    return FUT_OK;
}

enum fut_err fut_payload_init_buf(struct fut_payload *p, struct fut_buf *b,
                                  struct fut_object *const *refs, uint32_t nrefs) {
    if (b->len < STEAL_MIN) return fut_payload_init(p, b->data, b->len, refs, nrefs);
    if (set_refs(p, refs, nrefs) != FUT_OK) return FUT_ENOMEM;
    p->len = b->len;
    p->heap = true;
    p->bytes.block = fut_buf_steal(b);
    return FUT_OK;
}

enum fut_err fut_payload_borrow(struct fut_payload *p, const unsigned char *bytes, size_t len,
                                struct fut_object *const *refs, uint32_t nrefs) {
    if (set_refs(p, refs, nrefs) != FUT_OK) return FUT_ENOMEM;
    p->bytes.block = (unsigned char *)bytes; /* nothing writes to a payload's bytes */
    p->heap = true;
    p->len = len;
    return FUT_OK;
}

void fut_payload_return(struct fut_payload *p) {
    p->heap = false;
    fut_payload_deinit(p);
}

void fut_payload_release(struct fut_payload *p) {
    struct fut_object *const *refs = fut_payload_refs(p);
    for (uint32_t i = 0; i < p->nrefs; i++) fut_object_drop(refs[i]);
    if (p->nrefs > FUT_PAYLOAD_REFS) fut_free(p->refs.many);
    if (p->heap) fut_free(p->bytes.block);
    p->len = 0;
    p->nrefs = 0;
    p->heap = false;
}

void fut_payload_move(struct fut_payload *to, struct fut_payload *from) {
    *to = *from;
    from->len = 0;
    from->nrefs = 0;
    from->heap = false;
}
