/* SPDX-License-Identifier: MIT */
/* Watches that start, stop and are reported at the same moment. */
#include "base/test.h"
#include "core/waiter.h"

static void finish(struct fut_future *f) {
    struct fut_outcome o = {.kind = FUT_OUTCOME_VALUES};
    CHECK(fut_future_settle(f, &o));
}

struct pair {
    struct test_meeting meeting;
    struct fut_future *future;
    int rounds;
};

static void *finish_each(void *arg) {
    struct pair *p = arg;
    for (int i = 0; i < p->rounds; i++) {
        test_meet(&p->meeting);
        struct fut_future *f = p->future;
        finish(f);
        fut_future_drop(f);
        test_meet(&p->meeting);
    }
    return NULL;
}

/* Calls `race` with a future that another thread finishes at that moment. */
static void against_finish(void (*race)(struct fut_future *f, int i), int rounds) {
    struct pair p = {.meeting = {.n = 2}, .rounds = test_rounds(rounds)};
    pthread_t thread = test_start(finish_each, &p);
    for (int i = 0; i < p.rounds; i++) {
        struct fut_future *f = p.future = fut_future_new();
        CHECK(f);
        fut_future_hold(f);
        test_meet(&p.meeting);
        race(f, i);
        fut_future_drop(f);
        test_meet(&p.meeting);
    }
    test_join(thread);
}

/* The waiter, its parker and the watch end at once, as on the C stack of a wait: nothing may
 * touch them once stop has returned. They sit in the heap, where a sanitizer sees it if
 * something does. */
struct wait {
    struct fut_parker parker;
    struct fut_waiter waiter;
    struct fut_watch watch;
};

static struct wait *wait_new(struct fut_future *f) {
    struct wait *w = malloc(sizeof *w);
    CHECK(w);
    fut_parker_init(&w->parker);
    fut_waiter_init(&w->waiter, &w->parker);
    fut_watch_init(&w->watch);
    fut_watch_start(&w->watch, &w->waiter, f);
    return w;
}

static void wait_free(struct wait *w) {
    fut_watch_stop(&w->watch);
    CHECK(fut_waiter_queued(&w->waiter) == 0);
    fut_waiter_deinit(&w->waiter);
    free(w);
}

static void start_and_stop(struct fut_future *f, int i) {
    struct wait *w = wait_new(f);
    for (int k = i % 64; k > 0; k--) fut_pause();
    wait_free(w);
}

static void stop_against_report(void) {
    against_finish(start_and_stop, 20000);
}

static void start_and_wait(struct fut_future *f, int i) {
    struct wait *w = wait_new(f);
    while (fut_waiter_queued(&w->waiter) == 0) fut_park(&w->parker, FUT_NEVER);
    CHECK(fut_future_done(f));
    CHECK(fut_waiter_shift(&w->waiter) == &w->watch);
    (void)i;
    wait_free(w);
}

static void start_against_report(void) {
    against_finish(start_and_wait, 20000);
}

static void wait_until_done(struct fut_future *f, int i) {
    (void)i;
    struct wait *w = wait_new(f);
    while (!fut_future_done(f)) fut_park(&w->parker, FUT_NEVER);
    wait_free(w);
}

static void waiting_for_the_state(void) {
    against_finish(wait_until_done, 20000);
}

/* Seen done, and synchronised: then the report has been made. */
static void sync_when_done(struct fut_future *f, int i) {
    (void)i;
    struct wait *w = wait_new(f);
    while (!fut_future_done(f)) fut_pause();
    fut_future_sync(f);
    CHECK(fut_waiter_queued(&w->waiter) == 1);
    wait_free(w);
}

static void done_and_synchronised_means_reported(void) {
    against_finish(sync_when_done, 5000);
}

/* ---- one waiter, many futures, several who finish them ---- */

enum { N = 4000, THREADS = 3 };

struct crowd {
    struct fut_future *fs[N];
    struct fut_watch watches[N];
    atomic_int next;
};

static void *finish_some(void *arg) {
    struct crowd *c = arg;
    for (int i; (i = atomic_fetch_add(&c->next, 1)) < N;) finish(c->fs[i]);
    return NULL;
}

static struct crowd *crowd_new(struct fut_waiter *w, int watched_first) {
    static struct crowd c;
    memset(&c, 0, sizeof c);
    for (int i = 0; i < N; i++) CHECK((c.fs[i] = fut_future_new()));
    for (int i = 0; i < watched_first; i++) fut_watch_start(&c.watches[i], w, c.fs[i]);
    return &c;
}

static void all_are_reported(int wanted, int watched_first) {
    struct fut_parker parker;
    struct fut_waiter w;
    pthread_t threads[THREADS];
    fut_parker_init(&parker);
    fut_waiter_init(&w, &parker);
    fut_waiter_want(&w, (size_t)wanted);
    struct crowd *c = crowd_new(&w, watched_first);
    for (int i = 0; i < THREADS; i++) threads[i] = test_start(finish_some, c);
    for (int i = watched_first; i < N; i++) fut_watch_start(&c->watches[i], &w, c->fs[i]);
    for (int seen = 0; seen < N;) {
        size_t want = N - seen < wanted ? (size_t)(N - seen) : (size_t)wanted;
        fut_waiter_want(&w, want);
        while (fut_waiter_queued(&w) < want) fut_park(&parker, FUT_NEVER);
        for (struct fut_watch *watch; (watch = fut_waiter_shift(&w)); seen++) {
            CHECK(fut_future_done(watch->future));
            fut_watch_stop(watch);
        }
    }
    for (int i = 0; i < THREADS; i++) test_join(threads[i]);
    CHECK(fut_waiter_queued(&w) == 0);
    fut_waiter_deinit(&w);
    for (int i = 0; i < N; i++) fut_future_drop(c->fs[i]);
}

static void one_by_one(void) {
    all_are_reported(1, N);
}

static void a_few_at_a_time(void) {
    all_are_reported(100, N / 2);
}

static void all_at_once(void) {
    all_are_reported(N, N);
}

static void watched_while_they_finish(void) {
    all_are_reported(N, 0);
}

/* Half of them are stopped while they are finished; the other half all arrive. */
static void stopped_while_they_finish(void) {
    struct fut_parker parker;
    struct fut_waiter w;
    pthread_t threads[THREADS];
    fut_parker_init(&parker);
    fut_waiter_init(&w, &parker);
    struct crowd *c = crowd_new(&w, N);
    for (int i = 0; i < THREADS; i++) threads[i] = test_start(finish_some, c);
    for (int i = N - 2; i >= 0; i -= 2) fut_watch_stop(&c->watches[i]);
    fut_waiter_want(&w, N / 2);
    while (fut_waiter_queued(&w) < N / 2) fut_park(&parker, FUT_NEVER);
    for (int i = 0; i < THREADS; i++) test_join(threads[i]);
    CHECK(fut_waiter_queued(&w) == N / 2);
    for (struct fut_watch *watch; (watch = fut_waiter_shift(&w)); fut_watch_stop(watch))
        CHECK((watch - c->watches) % 2 == 1);
    fut_waiter_deinit(&w);
    for (int i = 0; i < N; i++) fut_future_drop(c->fs[i]);
}

static const struct test_case cases[] = {
    {"stop against report", stop_against_report},
    {"start against report", start_against_report},
    {"waiting for the state", waiting_for_the_state},
    {"done and synchronised means reported", done_and_synchronised_means_reported},
    {"many, one by one", one_by_one},
    {"many, a few at a time", a_few_at_a_time},
    {"many, all at once", all_at_once},
    {"many, watched while they finish", watched_while_they_finish},
    {"many, stopped while they finish", stopped_while_they_finish},
};

TEST_MAIN(cases)
