/* SPDX-License-Identifier: MIT */
#include "base/park.h"

#include "base/test.h"

static void a_wake_up_that_comes_first_is_kept(void) {
    struct fut_parker p;
    fut_parker_init(&p);
    CHECK(!fut_parker_poll(&p));
    fut_unpark(&p);
    CHECK(fut_parker_poll(&p) && fut_parker_poll(&p)); /* looking does not take it */
    CHECK(fut_park(&p, FUT_NEVER));
    CHECK(!fut_parker_poll(&p));
}

static void several_become_one(void) {
    struct fut_parker p;
    fut_parker_init(&p);
    for (int i = 0; i < 5; i++) fut_unpark(&p);
    CHECK(fut_park(&p, FUT_NEVER));
    CHECK(!fut_park(&p, fut_now() - 1));
}

static void a_deadline_in_the_past(void) {
    static const fut_time past[] = {INT64_MIN, -FUT_SECOND, -1, 0, 1};
    struct fut_parker p;
    fut_parker_init(&p);
    for (size_t i = 0; i < sizeof past / sizeof *past; i++) {
        fut_time start = fut_now();
        CHECK(!fut_park(&p, past[i]));
        CHECK(fut_now() - start < FUT_SECOND);
        fut_unpark(&p);
        CHECK(fut_park(&p, past[i])); /* a kept wake-up is taken all the same */
    }
}

static void the_deadline_ends_it(void) {
    struct fut_parker p;
    fut_parker_init(&p);
    fut_time deadline = fut_now() + 20 * FUT_MS;
    while (fut_now() < deadline) CHECK(!fut_park(&p, deadline));
    CHECK(fut_now() < deadline + 10 * FUT_SECOND);
    CHECK(!fut_parker_poll(&p));
}

struct ball {
    struct fut_parker here, there;
    int rounds, value; /* value: plain, so that a sanitizer sees what park and unpark order */
};

static void *answer(void *arg) {
    struct ball *b = arg;
    for (int i = 0; i < b->rounds; i++) {
        while (!fut_park(&b->there, FUT_NEVER)) continue;
        CHECK(b->value == 2 * i + 1);
        b->value++;
        fut_unpark(&b->here);
    }
    return NULL;
}

static void no_wake_up_is_lost(void) {
    struct ball b = {.rounds = test_rounds(50000)};
    fut_parker_init(&b.here);
    fut_parker_init(&b.there);
    pthread_t thread = test_start(answer, &b);
    for (int i = 0; i < b.rounds; i++) {
        b.value++;
        fut_unpark(&b.there);
        while (!fut_park(&b.here, FUT_NEVER)) continue;
        CHECK(b.value == 2 * (i + 1));
    }
    test_join(thread);
}

struct many {
    struct fut_parker parker;
    atomic_int counter;
    int rounds;
};

static void *add_and_wake(void *arg) {
    struct many *m = arg;
    for (int i = 0; i < m->rounds; i++) {
        atomic_fetch_add_explicit(&m->counter, 1, memory_order_relaxed);
        fut_unpark(&m->parker);
    }
    return NULL;
}

/* Whoever waits for a number sees the last one, though most wake-ups fall together. */
static void many_wakers(void) {
    enum { WAKERS = 3 };
    struct many m = {.rounds = test_rounds(100000)};
    fut_parker_init(&m.parker);
    pthread_t threads[WAKERS];
    for (int i = 0; i < WAKERS; i++) threads[i] = test_start(add_and_wake, &m);
    while (atomic_load_explicit(&m.counter, memory_order_relaxed) < WAKERS * m.rounds)
        fut_park(&m.parker, FUT_NEVER);
    for (int i = 0; i < WAKERS; i++) test_join(threads[i]);
}

/* Deadlines that pass at the very moment of the wake-up: it is taken now or kept for later. */
static void deadline_against_wake_up(void) {
    struct many m = {.rounds = test_rounds(20000)};
    fut_parker_init(&m.parker);
    pthread_t thread = test_start(add_and_wake, &m);
    int taken = 0;
    while (atomic_load(&m.counter) < m.rounds) taken += fut_park(&m.parker, fut_now() + 1000);
    test_join(thread);
    taken += fut_park(&m.parker, 0);
    CHECK(taken > 0 && taken <= m.rounds);
    CHECK(!fut_park(&m.parker, 0));
}

static atomic_int signals;

static void count_signal(int number) {
    (void)number;
    atomic_fetch_add(&signals, 1);
}

struct sender {
    pthread_t target;
    atomic_bool stop;
};

static void *send_signals(void *arg) {
    struct sender *s = arg;
    while (!atomic_load(&s->stop)) {
        pthread_kill(s->target, SIGUSR1);
        usleep(1000);
    }
    return NULL;
}

/* Parks until five signals have come, with a deadline that is as good as none. */
static void park_under_signals(int flags, fut_time deadline) {
    struct sigaction action = {.sa_handler = count_signal, .sa_flags = flags};
    sigaction(SIGUSR1, &action, NULL);
    struct fut_parker p;
    fut_parker_init(&p);
    struct sender s = {.target = pthread_self()};
    pthread_t thread = test_start(send_signals, &s);
    int before = atomic_load(&signals);
    while (atomic_load(&signals) < before + 5) CHECK(!fut_park(&p, deadline));
    atomic_store(&s.stop, true);
    test_join(thread);
    fut_unpark(&p);
    CHECK(fut_park(&p, FUT_NEVER));
}

static void a_signal_ends_it(void) {
    park_under_signals(0, FUT_NEVER);
    park_under_signals(0, fut_now() + 3600 * FUT_SECOND);
}

/* A handler that restarts system calls: a park with a deadline ends all the same. */
static void a_restarting_signal_ends_one_with_a_deadline(void) {
    park_under_signals(SA_RESTART, fut_now() + 3600 * FUT_SECOND);
}

static const struct test_case cases[] = {
    {"a wake-up that comes first is kept", a_wake_up_that_comes_first_is_kept},
    {"several wake-ups become one", several_become_one},
    {"a deadline in the past", a_deadline_in_the_past},
    {"the deadline ends a park", the_deadline_ends_it},
    {"no wake-up is lost", no_wake_up_is_lost},
    {"many wakers", many_wakers},
    {"deadline against wake-up", deadline_against_wake_up},
    {"a signal ends a park", a_signal_ends_it},
    {"a restarting signal ends one with a deadline",
     a_restarting_signal_ends_one_with_a_deadline},
};

TEST_MAIN(cases)
