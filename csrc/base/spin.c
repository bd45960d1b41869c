/* SPDX-License-Identifier: MIT */
#include "base/spin.h"

#include "base/cpu.h"

enum { FIRST_US = 20, LEAST_US = 1, MOST_US = 50 };

fut_time fut_spin_until(struct fut_spin *s) {
    if (fut_cpu_count_cached() == 1) return 0;
    if (s->budget_us == 0) s->budget_us = FIRST_US;
    return fut_now() + s->budget_us * (FUT_MS / 1000);
}

void fut_spin_learn(struct fut_spin *s, bool found) {
    if (s->budget_us == 0) return; /* it has not been used yet */
    int us = found ? s->budget_us * 2 : s->budget_us / 2;
    s->budget_us = us > MOST_US ? MOST_US : us < LEAST_US ? LEAST_US : us;
}
