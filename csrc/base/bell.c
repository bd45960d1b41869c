/* SPDX-License-Identifier: MIT */
#include "base/bell.h"

#include <time.h>

#ifdef __linux__

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Not the private kind of futex: the word is shared between processes. */
static void sleep_on(atomic_uint *word, unsigned seen, fut_time deadline) {
    struct timespec t = {deadline / FUT_SECOND, deadline % FUT_SECOND};
    syscall(SYS_futex, word, FUTEX_WAIT_BITSET, seen, deadline == FUT_NEVER ? NULL : &t, NULL,
            FUTEX_BITSET_MATCH_ANY);
}

static void wake(atomic_uint *word) {
    syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

#else

/* Elsewhere no wait on shared memory is portable: look again every half millisecond. */
static void sleep_on(atomic_uint *word, unsigned seen, fut_time deadline) {
    struct timespec t = {0, 500000};
    if (atomic_load(word) == seen && fut_now() < deadline) nanosleep(&t, NULL);
}

static void wake(atomic_uint *word) {
    (void)word;
}

#endif

void fut_bell_wait(struct fut_bell *b, unsigned seen, fut_time deadline) {
    /* seq_cst on both sides: either the ringer sees `asleep`, or the waiter sees its count */
    atomic_store_explicit(&b->asleep, 1, memory_order_seq_cst);
    if (atomic_load_explicit(&b->count, memory_order_seq_cst) == seen)
        sleep_on(&b->count, seen, deadline);
    atomic_store_explicit(&b->asleep, 0, memory_order_relaxed);
}

void fut_bell_ring(struct fut_bell *b) {
    atomic_fetch_add_explicit(&b->count, 1, memory_order_seq_cst);
    if (atomic_load_explicit(&b->asleep, memory_order_seq_cst)) wake(&b->count);
}
