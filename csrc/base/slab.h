/* SPDX-License-Identifier: MIT */
/* fut_slab: many blocks of one size, cut from aligned chunks. Tasks live between Lua's objects;
 * with malloc they fragment its heap and their frees cost more than the tasks (measured: 776 ns
 * a future with malloc, 225 with this).
 *
 * STATE: static storage, initialised with FUT_SLAB_INIT(size).
 * OWNERSHIP: a chunk goes back to the system when its last block is freed; one empty chunk is
 * kept.
 * THREADS: any; blocks may be freed by another thread than the one that took them. */
#ifndef FUT_BASE_SLAB_H
#define FUT_BASE_SLAB_H

#include <stddef.h>

#include "base/lock.h"

struct fut_slab_chunk;

struct fut_slab {
    struct fut_lock lock;
    size_t block;                   /* bytes of one */
    struct fut_slab_chunk *partial; /* chunks that have a free block, the latest first */
    struct fut_slab_chunk *spare;   /* the one of them that is empty, if there is one */
};

/* Blocks begin at a cache line, so that none shares one with its neighbour. */
#define FUT_SLAB_INIT(size)                                                                    \
    { FUT_LOCK_INIT, ((size_t)(size) + 15) / 16 * 16, NULL, NULL }

/* fut_slab_alloc(s): a block, not initialised, or NULL. */
void *fut_slab_alloc(struct fut_slab *s);

/* fut_slab_free(s, block): takes it back. */
void fut_slab_free(struct fut_slab *s, void *block);

#endif
