/* SPDX-License-Identifier: MIT */
#include "base/slab.h"

#include <stdint.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/err.h"

/* Under a sanitizer every block is an allocation of its own, so that a use after free is
 * seen. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define FUT_SLAB_PLAIN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define FUT_SLAB_PLAIN 1
#endif
#endif

#ifdef FUT_SLAB_PLAIN

void *fut_slab_alloc(struct fut_slab *s) {
    return fut_alloc(s->block);
}

void fut_slab_free(struct fut_slab *s, void *block) {
    (void)s;
    fut_free(block);
}

#else

enum { CHUNK = 32768, HEAD = 64 }; /* bytes; a chunk is aligned to its size */

struct free_block {
    struct free_block *next;
};

struct fut_slab_chunk {
    struct fut_slab_chunk *next, **back; /* on slab->partial; back is NULL when it is full */
    struct free_block *free;
    size_t used;
};

static void link_chunk(struct fut_slab *s, struct fut_slab_chunk *c) {
    c->next = s->partial;
    c->back = &s->partial;
    if (c->next) c->next->back = &c->next;
    s->partial = c;
}

static void unlink_chunk(struct fut_slab_chunk *c) {
    *c->back = c->next;
    if (c->next) c->next->back = c->back;
    c->back = NULL;
}

static struct fut_slab_chunk *new_chunk(struct fut_slab *s) {
    _Static_assert(sizeof(struct fut_slab_chunk) <= HEAD, "the head has room");
    struct fut_slab_chunk *c = fut_alloc_aligned(CHUNK, CHUNK);
    if (!c) return NULL;
    c->free = NULL;
    c->used = 0;
    size_t n = (CHUNK - HEAD) / s->block;
    /* Backwards: blocks are given out in the order of addresses. */
    for (size_t i = n; i > 0; i--) {
        struct free_block *b = (void *)((char *)c + HEAD + (i - 1) * s->block);
        b->next = c->free;
        c->free = b;
    }
    link_chunk(s, c);
    return c;
}

void *fut_slab_alloc(struct fut_slab *s) {
    fut_lock(&s->lock);
    struct fut_slab_chunk *c = s->partial ? s->partial : new_chunk(s);
    struct free_block *b = NULL;
    if (c) {
        b = c->free;
        FUT_ASSERT(b); /* it is on the list of those that have one */
        c->free = b->next;
        c->used++;
        if (c == s->spare) s->spare = NULL;
        if (!c->free) unlink_chunk(c);
    }
    fut_unlock(&s->lock);
    return b;
}

void fut_slab_free(struct fut_slab *s, void *block) {
    struct fut_slab_chunk *c = (void *)((uintptr_t)block & ~(uintptr_t)(CHUNK - 1));
    struct fut_slab_chunk *empty = NULL;
    struct free_block *b = block;
    fut_lock(&s->lock);
    b->next = c->free;
    c->free = b;
    if (!c->back) link_chunk(s, c);
    if (--c->used == 0) {
        if (s->spare) {
            unlink_chunk(c);
            empty = c;
        } else {
            s->spare = c;
        }
    }
    fut_unlock(&s->lock);
    fut_free(empty);
}

#endif
