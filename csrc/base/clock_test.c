/* SPDX-License-Identifier: MIT */
#include "base/clock.h"

#include <math.h>

#include "base/test.h"

static void time_goes_on(void) {
    fut_time last = fut_now();
    CHECK(last > 0);
    for (int i = 0; i < 100000; i++) {
        fut_time now = fut_now();
        CHECK(now >= last);
        last = now;
    }
    fut_time start = fut_now();
    usleep(2000);
    CHECK(fut_now() - start >= 2 * FUT_MS);
}

static void zero_and_less_have_passed(void) {
    static const double none[] = {0.0, -0.0, -1e-300, -1e-9, -1, -1e18, -1e300, -INFINITY};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        fut_time deadline = fut_deadline_after(none[i]);
        CHECK(deadline < fut_now());
        CHECK(deadline >= 0);
    }
}

static void the_smallest_wait_is_one(void) {
    static const double tiny[] = {5e-324, 1e-300, 1e-12, 1e-10, 1e-9};
    for (size_t i = 0; i < sizeof tiny / sizeof *tiny; i++) {
        fut_time before = fut_now();
        CHECK(fut_deadline_after(tiny[i]) > before);
    }
}

static void usual_timeouts(void) {
    static const double usual[] = {0.001, 0.25, 1, 1.5, 60, 86400, 3.2e7, 3.2e9};
    for (size_t i = 0; i < sizeof usual / sizeof *usual; i++) {
        fut_time before = fut_now();
        fut_time deadline = fut_deadline_after(usual[i]);
        fut_time after = fut_now();
        fut_time ns = (fut_time)(usual[i] * 1e9);
        CHECK(deadline >= before + ns && deadline <= after + ns);
    }
}

static void what_is_too_far_is_never(void) {
    static const double far[] = {INFINITY, 1.7e308, 1e18, 1e11, 9223372037.0};
    for (size_t i = 0; i < sizeof far / sizeof *far; i++)
        CHECK(fut_deadline_after(far[i]) == FUT_NEVER);
}

/* Around the largest number of seconds that fits: never an overflow into the past. */
static void the_edge_does_not_overflow(void) {
    double edge = (double)(FUT_NEVER / FUT_SECOND);
    double s = edge - 100000;
    for (int i = 0; i < 200000; i++, s += 1) CHECK(fut_deadline_after(s) > FUT_NEVER / 2);
    fut_time left = (FUT_NEVER - fut_now()) / FUT_SECOND;
    s = (double)left + 2;
    for (int i = 0; i < 200000; i++) {
        s = nextafter(s, 0) - (i % 100 == 0 ? 1e-4 : 0);
        CHECK(fut_deadline_after(s) > FUT_NEVER / 2);
    }
}

static const struct test_case cases[] = {
    {"time goes on", time_goes_on},
    {"zero and less have passed", zero_and_less_have_passed},
    {"the smallest wait is a wait", the_smallest_wait_is_one},
    {"usual timeouts", usual_timeouts},
    {"what is too far is never", what_is_too_far_is_never},
    {"the edge does not overflow", the_edge_does_not_overflow},
};

TEST_MAIN(cases)
