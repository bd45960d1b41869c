/* SPDX-License-Identifier: MIT */
/* What the C tests share: CHECK, named cases with a watchdog, threads that meet. A test is a
 * program: it prints "ok <case>" for each case and aborts at the first check that fails. Not
 * for anything but *_test.c: every function here is static. */
#ifndef FUT_BASE_TEST_H
#define FUT_BASE_TEST_H

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/park.h"

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define TEST_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer) || __has_feature(address_sanitizer)
#define TEST_SANITIZED 1
#endif
#endif
#ifndef TEST_SANITIZED
#define TEST_SANITIZED 0
#endif

/* CHECK(condition): evaluated once, always; prints and aborts when it is false. */
#define CHECK(condition) ((condition) ? (void)0 : test_fail(#condition, __FILE__, __LINE__))

/* TEST_MAIN(cases): the program that runs an array of cases. */
#define TEST_MAIN(cases)                                                                       \
    int main(void) {                                                                           \
        return test_run((cases), sizeof(cases) / sizeof *(cases));                             \
    }

enum { TEST_SECONDS = 60 }; /* that a case may take */

struct test_case {
    const char *name;
    void (*run)(void);
};

static const char *volatile test_name = "?";

static _Noreturn void test_fail(const char *condition, const char *file, int line) {
    fprintf(stderr, "FAILED %s: %s (%s:%d)\n", test_name, condition, file, line);
    abort();
}

static void test_bark(int signal) {
    (void)signal;
    const char text[] = "\nthe watchdog ends the case: ";
    if (write(2, text, sizeof text - 1) < 0 || write(2, test_name, strlen(test_name)) < 0 ||
        write(2, "\n", 1) < 0)
        _exit(3);
    abort();
}

static inline int test_run(const struct test_case *cases, size_t n) {
    signal(SIGALRM, test_bark);
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (size_t i = 0; i < n; i++) {
        test_name = cases[i].name;
        alarm(TEST_SECONDS);
        cases[i].run();
        printf("ok %s\n", test_name);
    }
    return 0;
}

/* test_rounds(n): so many, but fewer under a sanitizer, where each costs many times more. */
static inline int test_rounds(int n) {
    return TEST_SANITIZED ? n / 5 + 1 : n;
}

/* test_start(main, arg): a thread, to be joined with test_join. */
static inline pthread_t test_start(void *(*main)(void *), void *arg) {
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, main, arg) == 0);
    return thread;
}

static inline void test_join(pthread_t thread) {
    CHECK(pthread_join(thread, NULL) == 0);
}

/* test_meeting: n threads that leave test_meet at nearly the same moment, again and again. They
 * spin, for the races that the tests look for are a few nanoseconds wide. */
struct test_meeting {
    int n;
    atomic_int here, round;
};

static inline void test_meet(struct test_meeting *m) {
    int round = atomic_load(&m->round);
    if (atomic_fetch_add(&m->here, 1) + 1 == m->n) {
        atomic_store(&m->here, 0);
        atomic_fetch_add(&m->round, 1);
        return;
    }
    for (int looks = 0; atomic_load(&m->round) == round; looks++)
        looks < 500 ? fut_pause() : (void)sched_yield();
}

#endif
