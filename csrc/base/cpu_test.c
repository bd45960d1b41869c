/* SPDX-License-Identifier: MIT */
#include "base/cpu.h"

#include "base/test.h"

static void at_least_one(void) {
    int count = fut_cpu_count();
    CHECK(count >= 1 && count <= sysconf(_SC_NPROCESSORS_CONF));
    CHECK(fut_cpu_count() == count);
}

static void *ask(void *arg) {
    *(int *)arg = fut_cpu_count_cached();
    return NULL;
}

static void the_kept_answer(void) {
    enum { THREADS = 4 };
    pthread_t threads[THREADS];
    int answers[THREADS];
    for (int i = 0; i < THREADS; i++) threads[i] = test_start(ask, &answers[i]);
    for (int i = 0; i < THREADS; i++) test_join(threads[i]);
    for (int i = 0; i < THREADS; i++) CHECK(answers[i] == fut_cpu_count_cached());
    CHECK(fut_cpu_count_cached() == fut_cpu_count());
}

#ifdef __linux__

static void affinity_counts(void) {
    cpu_set_t all, one;
    CHECK(sched_getaffinity(0, sizeof all, &all) == 0);
    int kept = fut_cpu_count_cached();
    CHECK(fut_cpu_count() <= CPU_COUNT(&all));
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (!CPU_ISSET(cpu, &all)) continue;
        CPU_ZERO(&one);
        CPU_SET(cpu, &one);
        CHECK(sched_setaffinity(0, sizeof one, &one) == 0);
        CHECK(fut_cpu_count() == 1);
        CHECK(fut_cpu_count_cached() == kept); /* the first answer, kept */
    }
    CHECK(sched_setaffinity(0, sizeof all, &all) == 0);
    CHECK(fut_cpu_count() == kept);
}

#endif

static const struct test_case cases[] = {
    {"at least one", at_least_one},
    {"the kept answer", the_kept_answer},
#ifdef __linux__
    {"affinity counts", affinity_counts},
#endif
};

TEST_MAIN(cases)
