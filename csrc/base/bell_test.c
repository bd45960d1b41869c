/* SPDX-License-Identifier: MIT */
#include "base/bell.h"

#include <sys/mman.h>
#include <sys/wait.h>

#include "base/test.h"

struct ball {
    struct fut_bell here, there;
    atomic_int value;
    int rounds;
};

static void wait_for(struct ball *b, struct fut_bell *bell, int value) {
    for (;;) {
        unsigned seen = fut_bell_count(bell);
        if (atomic_load_explicit(&b->value, memory_order_acquire) == value) return;
        fut_bell_wait(bell, seen, FUT_NEVER);
    }
}

static void *answer(void *arg) {
    struct ball *b = arg;
    for (int i = 0; i < b->rounds; i++) {
        wait_for(b, &b->there, 2 * i + 1);
        atomic_fetch_add_explicit(&b->value, 1, memory_order_release);
        fut_bell_ring(&b->here);
    }
    return NULL;
}

static void play(struct ball *b) {
    for (int i = 0; i < b->rounds; i++) {
        atomic_fetch_add_explicit(&b->value, 1, memory_order_release);
        fut_bell_ring(&b->there);
        wait_for(b, &b->here, 2 * i + 2);
    }
}

static void between_threads(void) {
    struct ball b = {.rounds = test_rounds(30000)};
    pthread_t thread = test_start(answer, &b);
    play(&b);
    test_join(thread);
}

static void between_processes(void) {
    struct ball *b =
        mmap(NULL, sizeof *b, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(b != MAP_FAILED);
    b->rounds = test_rounds(10000);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        answer(b);
        _exit(7);
    }
    play(b);
    int status = 0;
    CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 7);
    munmap(b, sizeof *b);
}

static void a_ring_in_between_is_not_lost(void) {
    struct fut_bell b = {0};
    unsigned seen = fut_bell_count(&b);
    fut_bell_ring(&b);
    fut_time start = fut_now();
    fut_bell_wait(&b, seen, FUT_NEVER); /* comes back at once */
    CHECK(fut_now() - start < 10 * FUT_SECOND);
    CHECK(fut_bell_count(&b) == seen + 1);
}

static void the_deadline_ends_it(void) {
    static const fut_time past[] = {INT64_MIN, -1, 0};
    struct fut_bell b = {0};
    for (size_t i = 0; i < sizeof past / sizeof *past; i++) fut_bell_wait(&b, 0, past[i]);
    fut_time deadline = fut_now() + 20 * FUT_MS;
    while (fut_now() < deadline) fut_bell_wait(&b, 0, deadline);
    CHECK(fut_bell_count(&b) == 0);
}

static const struct test_case cases[] = {
    {"between threads", between_threads},
    {"between processes", between_processes},
    {"a ring in between is not lost", a_ring_in_between_is_not_lost},
    {"the deadline ends a wait", the_deadline_ends_it},
};

TEST_MAIN(cases)
