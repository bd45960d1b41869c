/* SPDX-License-Identifier: MIT */
#include "base/alloc.h"

#include "base/test.h"

static void memory_is_memory(void) {
    char *a = fut_alloc(100);
    char *z = fut_zalloc(100);
    CHECK(a && z);
    for (int i = 0; i < 100; i++) CHECK(z[i] == 0);
    memset(a, 'a', 100);
    a = fut_realloc(a, 100000);
    CHECK(a && a[0] == 'a' && a[99] == 'a');
    char *copy = fut_strdup("text");
    CHECK(copy && strcmp(copy, "text") == 0);
    fut_free(a);
    fut_free(z);
    fut_free(copy);
    fut_free(NULL);
}

static void the_nth_and_all_later_ones_fail(void) {
    void *got[3];
    fut_alloc_fail_after(3);
    got[0] = fut_alloc(1);
    got[1] = fut_zalloc(1);
    CHECK(got[0] && got[1]);
    CHECK(!fut_alloc(1));
    CHECK(!fut_zalloc(1));
    CHECK(!fut_strdup("x"));
    CHECK(!fut_realloc(got[0], 1000)); /* and the old block lives on: it is freed below */
    fut_alloc_fail_after(0);
    got[2] = fut_alloc(1);
    CHECK(got[2]);
    for (int i = 0; i < 3; i++) fut_free(got[i]);
}

static void injection_ends(void) {
    fut_alloc_fail_after(1);
    CHECK(!fut_alloc(1));
    fut_alloc_fail_after(0);
    for (int i = 0; i < 100; i++) {
        void *block = fut_alloc(1);
        CHECK(block);
        fut_free(block);
    }
}

struct race {
    struct test_meeting meeting;
    int rounds;
    atomic_int given;
};

static void *allocate(void *arg) {
    struct race *r = arg;
    for (int i = 0; i < r->rounds; i++) {
        test_meet(&r->meeting);
        for (int k = 0; k < 4; k++) {
            void *block = fut_alloc(1);
            if (block) atomic_fetch_add(&r->given, 1);
            fut_free(block);
        }
        test_meet(&r->meeting);
    }
    return NULL;
}

static void several_threads_share_one_count(void) {
    struct race r = {.meeting = {.n = 3}, .rounds = test_rounds(3000)};
    pthread_t a = test_start(allocate, &r), b = test_start(allocate, &r);
    for (int i = 0; i < r.rounds; i++) {
        atomic_store(&r.given, 0);
        fut_alloc_fail_after(3);
        test_meet(&r.meeting);
        test_meet(&r.meeting);
        CHECK(atomic_load(&r.given) == 2);
    }
    fut_alloc_fail_after(0);
    test_join(a);
    test_join(b);
}

static const struct test_case cases[] = {
    {"memory is memory", memory_is_memory},
    {"the n-th allocation and all later ones fail", the_nth_and_all_later_ones_fail},
    {"injection ends", injection_ends},
    {"several threads share one count", several_threads_share_one_count},
};

TEST_MAIN(cases)
