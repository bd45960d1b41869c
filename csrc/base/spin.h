/* SPDX-License-Identifier: MIT */
/* fut_spin: how long to look before going to sleep. A kernel wake-up costs 3 to 50 us, a look
 * costs nothing but the processor, so a short spin pays where answers come fast and hurts where
 * they do not: the budget doubles when a spin found what it looked for and halves when it did
 * not.
 * STATE: zeroed memory is a fresh budget.
 * THREADS: one at a time, or under the lock of what it belongs to. */
#ifndef FUT_BASE_SPIN_H
#define FUT_BASE_SPIN_H

#include <stdbool.h>

#include "base/clock.h"

struct fut_spin {
    int budget_us;
};

/* fut_spin_until(s): the time at which to stop looking; a time that has passed when this
 * process has only one processor. */
fut_time fut_spin_until(struct fut_spin *s);

/* fut_spin_learn(s, found): the budget for next time. Also for a sleep after a vain spin: one
 * that was shorter than FUT_SPIN_SHORT shows that a longer spin would have found. */
void fut_spin_learn(struct fut_spin *s, bool found);

#define FUT_SPIN_SHORT (50 * (FUT_MS / 1000))

#endif
