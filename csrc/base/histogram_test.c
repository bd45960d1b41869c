/* SPDX-License-Identifier: MIT */
#include "base/histogram.h"

#include <math.h>

#include "base/test.h"

static void check_near(double expected_ns, double seconds) {
    double expected = expected_ns / 1e9;
    CHECK(fabs(seconds - expected) <= expected * 0.05 + 1e-12);
}

static void empty(void) {
    static struct fut_histogram h;
    struct fut_times t = fut_histogram_read(&h);
    CHECK(t.p50 == 0 && t.p99 == 0 && t.max == 0 && t.mean == 0);
}

/* Buckets follow each other without a gap, and each time is read off within 5 %. */
static void buckets(void) {
    unsigned last = 0;
    for (uint64_t ns = 0; ns < 1 << 20; ns++) {
        unsigned b = fut_histogram_bucket(ns);
        CHECK(b == last || b == last + 1);
        last = b;
    }
    CHECK(fut_histogram_bucket(((uint64_t)1 << FUT_HISTOGRAM_TOP) - 1) ==
          FUT_HISTOGRAM_BUCKETS - 1);
    CHECK(fut_histogram_bucket(UINT64_MAX) == FUT_HISTOGRAM_BUCKETS - 1);
}

static void one_time(fut_time ns) {
    struct fut_histogram h;
    memset(&h, 0, sizeof h);
    fut_histogram_add(&h, ns);
    fut_histogram_add(&h, ns);
    struct fut_times t = fut_histogram_read(&h);
    check_near((double)ns, t.p50);
    check_near((double)ns, t.p99);
    CHECK(t.max == (double)ns / 1e9 && t.mean == t.max);
}

static void single_times(void) {
    for (fut_time ns = 0; ns < 5000; ns++) one_time(ns);
    for (fut_time ns = 5000; ns < (fut_time)1 << 49; ns += ns / 3 + 7) one_time(ns);
}

static void negative_and_endless(void) {
    static struct fut_histogram h;
    fut_histogram_add(&h, -5);
    struct fut_times t = fut_histogram_read(&h);
    CHECK(t.max == 0 && t.mean == 0 && t.p99 == 0);
    fut_histogram_add(&h, FUT_NEVER);
    t = fut_histogram_read(&h);
    CHECK(t.max == (double)FUT_NEVER / 1e9 && t.p50 == 0 && t.p99 > 1e6);
}

/* 1 to 1000 us, in two histograms. */
static void percentiles(void) {
    static struct fut_histogram a, b, all;
    for (int us = 1; us <= 1000; us++)
        fut_histogram_add(us % 3 ? &a : &b, us * (FUT_MS / 1000));
    fut_histogram_merge(&all, &a);
    fut_histogram_merge(&all, &b);
    struct fut_times t = fut_histogram_read(&all);
    check_near(500e3, t.p50);
    check_near(990e3, t.p99);
    CHECK(t.max == 1000e3 / 1e9);
    CHECK(fabs(t.mean - 500.5e-6) < 1e-12);
}

static void rare_long_ones(void) {
    static struct fut_histogram h;
    for (int i = 0; i < 980; i++) fut_histogram_add(&h, 1000);
    for (int i = 0; i < 20; i++) fut_histogram_add(&h, FUT_SECOND);
    struct fut_times t = fut_histogram_read(&h);
    check_near(1000, t.p50);
    check_near(1e9, t.p99);
}

static struct fut_histogram shared;
static atomic_bool over;

static void *reader(void *arg) {
    double last = 0;
    (void)arg;
    while (!atomic_load(&over)) {
        struct fut_histogram copy;
        memset(&copy, 0, sizeof copy);
        fut_histogram_merge(&copy, &shared);
        struct fut_times t = fut_histogram_read(&copy);
        CHECK(t.max >= last && t.p99 <= t.max);
        last = t.max;
    }
    return NULL;
}

static void read_while_adding(void) {
    pthread_t thread = test_start(reader, NULL);
    for (int i = 0; i < test_rounds(200000); i++) fut_histogram_add(&shared, i);
    atomic_store(&over, true);
    test_join(thread);
}

static const struct test_case cases[] = {
    {"an empty one", empty},
    {"buckets", buckets},
    {"single times", single_times},
    {"negative and endless times", negative_and_endless},
    {"percentiles of two that are merged", percentiles},
    {"rare long ones", rare_long_ones},
    {"read while adding", read_while_adding},
};

TEST_MAIN(cases)
