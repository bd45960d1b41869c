/* SPDX-License-Identifier: MIT */
#include "base/ring.h"

#include <stdbool.h>
#include <string.h>

size_t fut_ring_size(size_t capacity) {
    return sizeof(struct fut_ring) + capacity;
}

void fut_ring_reset(void *memory) {
    struct fut_ring *r = memory;
    atomic_store(&r->written, 0);
    atomic_store(&r->taken, 0);
}

void fut_ring_open(struct fut_ring_end *end, void *memory, size_t capacity) {
    end->shared = memory;
    end->bytes = (unsigned char *)memory + sizeof(struct fut_ring);
    end->capacity = capacity;
    end->at = 0;
}

/* Copies between the ring at `at` and flat memory, in the one or two pieces that the end of
 * the ring makes of it. */
static void copy_in(struct fut_ring_end *end, const unsigned char *from, size_t n) {
    size_t start = end->at & (end->capacity - 1);
    size_t first = end->capacity - start < n ? end->capacity - start : n;
    memcpy(end->bytes + start, from, first);
    memcpy(end->bytes, from + first, n - first);
}

static void copy_out(struct fut_ring_end *end, unsigned char *to, size_t n) {
    size_t start = end->at & (end->capacity - 1);
    size_t first = end->capacity - start < n ? end->capacity - start : n;
    memcpy(to, end->bytes + start, first);
    memcpy(to + first, end->bytes, n - first);
}

enum fut_err fut_ring_write(struct fut_ring_end *end, const void *bytes, size_t n,
                            size_t *done) {
    /* acquire: the reader has finished with the bytes that it gave back */
    uint64_t taken = atomic_load_explicit(&end->shared->taken, memory_order_acquire);
    uint64_t inside = end->at - taken;
    *done = 0;
    if (inside > end->capacity) return FUT_ECORRUPT;
    size_t room = end->capacity - (size_t)inside;
    if (n > room) n = room;
    if (n == 0) return FUT_OK;
    copy_in(end, bytes, n);
    end->at += n;
    /* release: the bytes are visible before their count */
    atomic_store_explicit(&end->shared->written, end->at, memory_order_release);
    *done = n;
    return FUT_OK;
}

static uint64_t inside(const struct fut_ring_end *end) {
    return atomic_load_explicit(&end->shared->written, memory_order_acquire) - end->at;
}

enum fut_err fut_ring_read(struct fut_ring_end *end, void *bytes, size_t n, size_t *done) {
    uint64_t available = inside(end);
    *done = 0;
    if (available > end->capacity) return FUT_ECORRUPT;
    if (n > available) n = (size_t)available;
    if (n == 0) return FUT_OK;
    copy_out(end, bytes, n);
    end->at += n;
    atomic_store_explicit(&end->shared->taken, end->at, memory_order_release);
    *done = n;
    return FUT_OK;
}

size_t fut_ring_readable(const struct fut_ring_end *end) {
    uint64_t available = inside(end);
    return available <= end->capacity ? (size_t)available : 0;
}

const unsigned char *fut_ring_peek(const struct fut_ring_end *end, size_t n) {
    size_t start = end->at & (end->capacity - 1);
    bool whole = n <= end->capacity - start && n <= fut_ring_readable(end);
    return whole ? end->bytes + start : NULL;
}

void fut_ring_skip(struct fut_ring_end *end, size_t n) {
    end->at += n;
    atomic_store_explicit(&end->shared->taken, end->at, memory_order_release);
}
