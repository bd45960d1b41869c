/* SPDX-License-Identifier: MIT */
#include "base/backoff.h"

#include <math.h>

#include "base/test.h"

static bool is_near(double a, double b) {
    return fabs(a - b) < 1e-9;
}

static void test_growth(void) {
    struct fut_backoff b = {.first_s = 0.2, .factor = 2, .max_s = 30};
    double expected = 0.2;
    for (int attempt = 1; attempt <= 8; attempt++, expected *= 2)
        CHECK(is_near(fut_backoff_delay(&b, attempt, 0.5), expected < 30 ? expected : 30));
    CHECK(is_near(fut_backoff_delay(&b, 100000, 0), 30)); /* the power is infinite */
    b.factor = 1;
    CHECK(is_near(fut_backoff_delay(&b, 1000000, 0), 0.2));
    b.factor = 0.5;
    CHECK(is_near(fut_backoff_delay(&b, 3, 0), 0.05));
}

static void test_limit(void) {
    struct fut_backoff b = {.first_s = 7, .factor = 3, .max_s = 5};
    CHECK(is_near(fut_backoff_delay(&b, 1, 0), 5));
    b.max_s = 0;
    CHECK(is_near(fut_backoff_delay(&b, 1, 0), 0));
}

static void test_none(void) {
    struct fut_backoff b = {0};
    CHECK(is_near(fut_backoff_delay(&b, 1, 1), 0));
    b = (struct fut_backoff){.factor = 2, .max_s = 30, .jitter = true};
    CHECK(is_near(fut_backoff_delay(&b, 100000, 1), 0));
}

static void test_jitter(void) {
    struct fut_backoff b = {.first_s = 4, .factor = 2, .max_s = 30, .jitter = true};
    CHECK(is_near(fut_backoff_delay(&b, 1, 0), 2));
    CHECK(is_near(fut_backoff_delay(&b, 1, 1), 4));
    CHECK(is_near(fut_backoff_delay(&b, 10, 1), 30));
}

static const struct test_case cases[] = {
    {"growth", test_growth},
    {"limit", test_limit},
    {"none", test_none},
    {"jitter", test_jitter},
};
TEST_MAIN(cases)
