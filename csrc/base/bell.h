/* SPDX-License-Identifier: MIT */
/* fut_bell: wakes one waiter in this or another process. Lives in shared memory; no lock, so
 * a process that dies at any moment holds nothing.
 *
 * Operation: the waiter reads the count, looks at its work, and sleeps only if the count is
 * still the same; whoever made work rings. A ring between look and sleep changes the count,
 * so it is not lost.
 * BLOCKING: fut_bell_wait only; it may return early for no reason.
 * THREADS: one waiter; any number of threads and processes ring. */
#ifndef FUT_BASE_BELL_H
#define FUT_BASE_BELL_H

#include <stdatomic.h>

#include "base/clock.h"

struct fut_bell {
    atomic_uint count;
    atomic_uint asleep; /* the waiter is in the kernel, or about to be */
};

/* fut_bell_count(b): to be read before looking for work. */
static inline unsigned fut_bell_count(struct fut_bell *b) {
    return atomic_load_explicit(&b->count, memory_order_seq_cst);
}

/* fut_bell_wait(b, seen, deadline): sleeps while the count is `seen`, until the deadline. */
void fut_bell_wait(struct fut_bell *b, unsigned seen, fut_time deadline);

/* fut_bell_ring(b): a system call only when the waiter sleeps. */
void fut_bell_ring(struct fut_bell *b);

#endif
