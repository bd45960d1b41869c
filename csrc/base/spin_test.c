/* SPDX-License-Identifier: MIT */
#include "base/spin.h"

#include "base/cpu.h"
#include "base/test.h"

enum { MOST_US = 50 };

/* The budget that a spin has now, or 0 when there is one processor only. */
static fut_time budget(struct fut_spin *s) {
    fut_time before = fut_now();
    fut_time until = fut_spin_until(s);
    return until > before ? s->budget_us : 0;
}

static void a_fresh_one_spins(void) {
    struct fut_spin s = {0};
    fut_time us = budget(&s);
    if (fut_cpu_count_cached() == 1)
        CHECK(us == 0);
    else
        CHECK(us >= 1 && us <= MOST_US);
}

static void success_and_failure_have_bounds(void) {
    struct fut_spin s = {0};
    if (budget(&s) == 0) return;
    for (int i = 0; i < 100; i++) {
        fut_spin_learn(&s, 1);
        CHECK(s.budget_us <= MOST_US);
    }
    int most = s.budget_us;
    CHECK(most > 20);
    for (int i = 0; i < 100; i++) {
        int before = s.budget_us;
        fut_spin_learn(&s, 0);
        CHECK(s.budget_us >= 1 && s.budget_us <= before);
    }
    CHECK(s.budget_us < most / 8);
    for (int i = 0; i < 100; i++) fut_spin_learn(&s, 1);
    CHECK(s.budget_us == most);
}

static void learning_before_the_first_spin(void) {
    struct fut_spin s = {0}, t = {0};
    fut_spin_learn(&s, 1);
    fut_spin_learn(&t, 0);
    CHECK(s.budget_us >= 0 && s.budget_us <= MOST_US);
    CHECK(t.budget_us >= 0 && t.budget_us <= MOST_US);
}

static const struct test_case cases[] = {
    {"a fresh one spins", a_fresh_one_spins},
    {"success and failure have bounds", success_and_failure_have_bounds},
    {"learning before the first spin", learning_before_the_first_spin},
};

TEST_MAIN(cases)
