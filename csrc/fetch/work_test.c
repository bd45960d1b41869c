/* SPDX-License-Identifier: MIT */
#include "fetch/work.h"

#include "base/test.h"

enum { LONG_MS = 30 * 1000, SHORT_MS = 20 };

static atomic_bool ends;
static atomic_long turns;
static long counted; /* no atomic: written only at work */

static void *work_without_a_pause(void *unused) {
    (void)unused;
    while (!atomic_load(&ends)) {
        fut_work_begin();
        counted++;
        fut_work_end();
        atomic_fetch_add(&turns, 1);
    }
    return NULL;
}

static void test_stop(void) {
    pthread_t thread = test_start(work_without_a_pause, NULL);
    for (int i = 0; i < test_rounds(1000); i++) {
        CHECK(fut_work_stop(LONG_MS));
        long before = counted;
        sched_yield();
        CHECK(counted == before);
        fut_work_resume();
    }
    long before = atomic_load(&turns);
    while (atomic_load(&turns) < before + 2) sched_yield(); /* it goes on */
    atomic_store(&ends, true);
    test_join(thread);
}

static void *stop_in_vain(void *unused) {
    (void)unused;
    CHECK(!fut_work_stop(SHORT_MS));
    return NULL;
}

static void test_stuck(void) {
    fut_work_begin();
    test_join(test_start(stop_in_vain, NULL));
    fut_work_end();
    CHECK(fut_work_stop(LONG_MS)); /* who gave up has left nothing behind */
    fut_work_forget();
    CHECK(fut_work_stop(LONG_MS));
    fut_work_resume();
}

static const struct test_case cases[] = {
    {"a thread that works without a pause is stopped", test_stop},
    {"one that is stuck is waited for no longer than said", test_stuck},
};
TEST_MAIN(cases)
