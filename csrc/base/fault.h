/* SPDX-License-Identifier: MIT */
/* fut_fault: a failure that a test asks for: of the calls from now on the n-th, and all that
 * follow.
 * STATE: zeroed memory asks for none, which is the only value that production code ever sees.
 * THREADS: any. Relaxed: a test sets it before the threads that it is meant for. */
#ifndef FUT_BASE_FAULT_H
#define FUT_BASE_FAULT_H

#include <stdatomic.h>
#include <stdbool.h>

struct fut_fault {
    atomic_long left; /* calls until the failure, it included; 0: none */
};

/* fut_fault_after(f, n): the n-th call (1 is the next) is the first to fail; 0 ends that. */
static inline void fut_fault_after(struct fut_fault *f, long n) {
    atomic_store_explicit(&f->left, n, memory_order_relaxed);
}

/* fut_fault_hit(f): counts a call; true when it is to fail. */
static inline bool fut_fault_hit(struct fut_fault *f) {
    long left = atomic_load_explicit(&f->left, memory_order_relaxed);
    /* Exchanged, not subtracted: two threads that see a 2 would make it a 0: none. */
    while (left > 1 &&
           !atomic_compare_exchange_weak_explicit(&f->left, &left, left - 1,
                                                  memory_order_relaxed, memory_order_relaxed))
        continue;
    return left == 1; /* and stays there: all later ones fail too */
}

#endif
