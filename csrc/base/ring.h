/* SPDX-License-Identifier: MIT */
/* fut_ring: a stream of bytes from one process to another through shared memory. One writer,
 * one reader, no lock: a process that dies at any moment leaves a stream that is cut,
 * nothing worse.
 *
 * STATE: `struct fut_ring` is the shared part, followed by its bytes; each side has a
 * private `struct fut_ring_end` with its own position, so what the other side writes there
 * can confuse nobody but itself: a count that makes no sense is FUT_ECORRUPT.
 * BLOCKING: never. Who finds the ring full or empty waits on a bell (base/bell.h).
 * THREADS: one per end. */
#ifndef FUT_BASE_RING_H
#define FUT_BASE_RING_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct fut_ring {
    _Alignas(64) atomic_uint_fast64_t written; /* bytes ever; the writer's */
    _Alignas(64) atomic_uint_fast64_t taken;   /* bytes ever; the reader's */
};

struct fut_ring_end {
    struct fut_ring *shared;
    unsigned char *bytes;
    size_t capacity; /* a power of two */
    uint64_t at;     /* bytes ever written, or read, on this side */
};

/* fut_ring_size(capacity): bytes of shared memory for one. */
size_t fut_ring_size(size_t capacity);

/* fut_ring_reset(memory): a new, empty stream. No end may be in use. */
void fut_ring_reset(void *memory);

/* fut_ring_open(end, memory, capacity): a new end of the stream there. */
void fut_ring_open(struct fut_ring_end *end, void *memory, size_t capacity);

/* fut_ring_write(end, bytes, n, done): writes as many of the n bytes as there is room for. */
enum fut_err fut_ring_write(struct fut_ring_end *end, const void *bytes, size_t n,
                            size_t *done);

/* fut_ring_read(end, bytes, n, done): reads up to n bytes. */
enum fut_err fut_ring_read(struct fut_ring_end *end, void *bytes, size_t n, size_t *done);

/* fut_ring_peek(end, n): the next n bytes where they are, when all of them are there and follow
 * each other; else NULL. They stay there until fut_ring_skip(end, n), which gives them back. */
const unsigned char *fut_ring_peek(const struct fut_ring_end *end, size_t n);
void fut_ring_skip(struct fut_ring_end *end, size_t n);

/* fut_ring_readable(end): how many bytes can be read now (0 also when the count makes no
 * sense). */
size_t fut_ring_readable(const struct fut_ring_end *end);

#endif
