/* SPDX-License-Identifier: MIT */
#include "base/lock.h"

#ifdef __linux__

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/park.h"

enum { SPINS = 100 }; /* some 5 us: less than to sleep and to be woken */

static bool take_free(struct fut_lock *l) {
    int state = atomic_load_explicit(&l->state, memory_order_relaxed);
    return state == FUT_LOCK_FREE &&
           atomic_compare_exchange_weak_explicit(&l->state, &state, FUT_LOCK_HELD,
                                                 memory_order_acquire, memory_order_relaxed);
}

void fut_lock_wait(struct fut_lock *l) {
    for (int i = 0; i < SPINS; i++) {
        if (take_free(l)) return;
        fut_pause();
    }
    /* Who has slept takes it as wanted: there may be others, who would not be woken else. The
     * kernel looks at the word again before it lets anybody sleep, so no wake-up is missed. */
    while (atomic_exchange_explicit(&l->state, FUT_LOCK_WANTED, memory_order_acquire) !=
           FUT_LOCK_FREE)
        syscall(SYS_futex, &l->state, FUTEX_WAIT_PRIVATE, FUT_LOCK_WANTED, NULL, NULL, 0);
}

void fut_lock_wake(struct fut_lock *l) {
    syscall(SYS_futex, &l->state, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

#endif
