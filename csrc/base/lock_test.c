/* SPDX-License-Identifier: MIT */
#include "base/lock.h"

#include <unistd.h>

#include "base/test.h"

enum { THREADS = 4 };

struct shared {
    struct fut_lock lock;
    int rounds;
    long a, b; /* plain: the lock guards them */
};

static void *add(void *arg) {
    struct shared *s = arg;
    for (int i = 0; i < s->rounds; i++) {
        fut_lock(&s->lock);
        CHECK(s->a == s->b);
        s->a++;
        s->b++;
        fut_unlock(&s->lock);
    }
    return NULL;
}

static void count(struct shared *s) {
    pthread_t threads[THREADS];
    s->rounds = test_rounds(200000);
    for (int i = 0; i < THREADS; i++) threads[i] = test_start(add, s);
    for (int i = 0; i < THREADS; i++) test_join(threads[i]);
    CHECK(s->a == (long)THREADS * s->rounds && s->b == s->a);
}

static void one_at_a_time(void) {
    struct shared s = {0};
    fut_lock_init(&s.lock);
    count(&s);
    fut_lock_deinit(&s.lock);
}

static void the_static_one(void) {
    static struct shared s = {.lock = FUT_LOCK_INIT};
    count(&s);
}

/* Longer than anybody spins: they sleep, and each is woken. */
static void *hold_for_long(void *arg) {
    struct shared *s = arg;
    fut_lock(&s->lock);
    usleep(20000);
    s->a++;
    fut_unlock(&s->lock);
    return NULL;
}

static void who_sleeps_is_woken(void) {
    struct shared s = {.lock = FUT_LOCK_INIT};
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) threads[i] = test_start(hold_for_long, &s);
    for (int i = 0; i < THREADS; i++) test_join(threads[i]);
    CHECK(s.a == THREADS);
}

static const struct test_case cases[] = {
    {"one at a time", one_at_a_time},
    {"a static lock needs no init", the_static_one},
    {"who sleeps is woken", who_sleeps_is_woken},
};

TEST_MAIN(cases)
