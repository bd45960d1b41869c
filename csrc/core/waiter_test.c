/* SPDX-License-Identifier: MIT */
#include "core/waiter.h"

#include "base/test.h"

struct watcher {
    struct fut_parker parker;
    struct fut_waiter waiter;
};

static void watcher_init(struct watcher *w) {
    fut_parker_init(&w->parker);
    fut_waiter_init(&w->waiter, &w->parker);
}

static struct fut_future *pending(void) {
    struct fut_future *f = fut_future_new();
    CHECK(f);
    return f;
}

static void finish(struct fut_future *f) {
    struct fut_outcome o = {.kind = FUT_OUTCOME_VALUES};
    CHECK(fut_future_settle(f, &o));
}

static unsigned count_of(struct fut_future *f) {
    return atomic_load(&f->object.refs);
}

/* Shifts and stops the next; the number of its future in the array, or -1 when there is
 * none. */
static int next(struct watcher *w, struct fut_future **fs, int n) {
    struct fut_watch *watch = fut_waiter_shift(&w->waiter);
    if (!watch) return -1;
    int found = -1;
    for (int i = 0; i < n && found < 0; i++)
        if (fs[i] == watch->future) found = i;
    fut_watch_stop(watch);
    return found;
}

static void a_done_one_is_queued_at_once(void) {
    struct watcher w;
    struct fut_watch watch;
    struct fut_future *f = pending();
    watcher_init(&w);
    fut_watch_init(&watch);
    finish(f);
    fut_watch_start(&watch, &w.waiter, f);
    CHECK(fut_waiter_queued(&w.waiter) == 1 && fut_park(&w.parker, 0));
    CHECK(next(&w, &f, 1) == 0 && next(&w, &f, 1) == -1);
    CHECK(count_of(f) == 1);
    fut_watch_stop(&watch); /* not watching: nothing happens */
    fut_waiter_deinit(&w.waiter);
    fut_future_drop(f);
}

static void the_count_is_held_until_stop(void) {
    struct watcher w;
    struct fut_watch watch;
    struct fut_future *f = pending();
    watcher_init(&w);
    fut_watch_init(&watch);
    fut_watch_start(&watch, &w.waiter, f);
    CHECK(count_of(f) == 2);
    CHECK(fut_future_cancel(f));
    fut_future_drop(f);
    CHECK(fut_waiter_shift(&w.waiter) == &watch && watch.future == f && count_of(f) == 1);
    fut_watch_stop(&watch);
    fut_waiter_deinit(&w.waiter);
}

static void order_is_that_of_completion(void) {
    enum { N = 7 };
    static const int order[N] = {3, 0, 6, 1, 5, 2, 4};
    struct watcher w;
    struct fut_watch watches[N];
    struct fut_future *fs[N];
    watcher_init(&w);
    for (int i = 0; i < N; i++) {
        fs[i] = pending();
        fut_watch_init(&watches[i]);
        fut_watch_start(&watches[i], &w.waiter, fs[i]);
    }
    for (int i = 0; i < N; i++) {
        i % 2 ? finish(fs[order[i]]) : (void)fut_future_cancel(fs[order[i]]);
        CHECK(fut_waiter_queued(&w.waiter) == (size_t)i + 1);
    }
    for (int i = 0; i < N; i++) CHECK(next(&w, fs, N) == order[i]);
    CHECK(next(&w, fs, N) == -1);
    fut_waiter_deinit(&w.waiter);
    for (int i = 0; i < N; i++) fut_future_drop(fs[i]);
}

/* Two callbacks of one future run in the order in which they were added. */
static void one_future_in_order_of_watching(void) {
    enum { N = 5 };
    struct watcher w;
    struct fut_watch watches[N];
    struct fut_future *f = pending();
    watcher_init(&w);
    for (int i = 0; i < N; i++) {
        fut_watch_init(&watches[i]);
        fut_watch_start(&watches[i], &w.waiter, f);
    }
    finish(f);
    for (int i = 0; i < N; i++) {
        CHECK(fut_waiter_shift(&w.waiter) == &watches[i]);
        fut_watch_stop(&watches[i]);
    }
    fut_waiter_deinit(&w.waiter);
    fut_future_drop(f);
}

static void one_future_many_waiters(void) {
    enum { N = 50 };
    struct watcher ws[N];
    struct fut_watch watches[N];
    struct fut_future *f = pending();
    for (int i = 0; i < N; i++) {
        watcher_init(&ws[i]);
        fut_watch_init(&watches[i]);
        fut_watch_start(&watches[i], &ws[i].waiter, f);
    }
    finish(f);
    for (int i = 0; i < N; i++) {
        CHECK(fut_park(&ws[i].parker, 0));
        CHECK(next(&ws[i], &f, 1) == 0);
        fut_waiter_deinit(&ws[i].waiter);
    }
    CHECK(count_of(f) == 1);
    fut_future_drop(f);
}

/* One future of N is stopped, before or after m of them are done: the others come as they
 * should. */
static void stop_one(int stopped, int done_before) {
    enum { N = 4 };
    struct watcher w;
    struct fut_watch watches[N];
    struct fut_future *f = pending(), *fs[N];
    watcher_init(&w);
    for (int i = 0; i < N; i++) { /* even ones watch the same future, odd ones their own */
        fs[i] = i % 2 ? pending() : f;
        fut_watch_init(&watches[i]);
        fut_watch_start(&watches[i], &w.waiter, fs[i]);
    }
    if (done_before > 0) finish(f);
    if (done_before > 1) finish(fs[1]);
    if (done_before > 2) finish(fs[3]);
    fut_watch_stop(&watches[stopped]);
    fut_watch_stop(&watches[stopped]);
    if (done_before < 1) finish(f);
    if (done_before < 2) finish(fs[1]);
    if (done_before < 3) finish(fs[3]);
    static const int order[N] = {0, 2, 1, 3};
    CHECK(fut_waiter_queued(&w.waiter) == N - 1);
    for (int i = 0; i < N; i++) {
        if (order[i] == stopped) continue;
        CHECK(fut_waiter_shift(&w.waiter) == &watches[order[i]]);
        fut_watch_stop(&watches[order[i]]);
    }
    CHECK(!fut_waiter_shift(&w.waiter));
    fut_waiter_deinit(&w.waiter);
    for (int i = 1; i < N; i += 2) fut_future_drop(fs[i]);
    CHECK(count_of(f) == 1);
    fut_future_drop(f);
}

static void stop_in_every_position(void) {
    for (int stopped = 0; stopped < 4; stopped++)
        for (int done = 0; done <= 3; done++) stop_one(stopped, done);
}

/* The end of the queue moves when the last watch is stopped: the next one must follow the
 * rest. */
static void queue_goes_on_after_its_last_is_stopped(void) {
    enum { N = 4 };
    struct watcher w;
    struct fut_watch watches[N];
    struct fut_future *fs[N];
    watcher_init(&w);
    for (int i = 0; i < N; i++) {
        fs[i] = pending();
        fut_watch_init(&watches[i]);
        fut_watch_start(&watches[i], &w.waiter, fs[i]);
    }
    finish(fs[0]);
    finish(fs[1]);
    fut_watch_stop(&watches[1]);
    finish(fs[2]);
    CHECK(next(&w, fs, N) == 0 && next(&w, fs, N) == 2);
    fut_watch_start(&watches[0], &w.waiter, fs[0]); /* again, done already */
    fut_watch_stop(&watches[0]);
    finish(fs[3]);
    CHECK(next(&w, fs, N) == 3 && next(&w, fs, N) == -1);
    fut_waiter_deinit(&w.waiter);
    for (int i = 0; i < N; i++) fut_future_drop(fs[i]);
}

static void wakes_when_as_many_as_wanted_are_done(void) {
    enum { N = 6 };
    struct watcher w;
    struct fut_watch watches[N];
    struct fut_future *fs[N];
    watcher_init(&w);
    fut_waiter_want(&w.waiter, 4);
    for (int i = 0; i < N; i++) {
        fs[i] = pending();
        fut_watch_init(&watches[i]);
        fut_watch_start(&watches[i], &w.waiter, fs[i]);
    }
    for (int i = 0; i < N; i++) {
        finish(fs[i]);
        CHECK(fut_parker_poll(&w.parker) == (i >= 3));
    }
    CHECK(fut_park(&w.parker, FUT_NEVER));
    for (int i = 0; i < N; i++) CHECK(next(&w, fs, N) == i);
    fut_waiter_deinit(&w.waiter);
    for (int i = 0; i < N; i++) fut_future_drop(fs[i]);
}

/* Others who watch the same future hear nothing of it. */
static void a_question_goes_to_who_answers(void) {
    struct watcher other, asker, inbox;
    struct fut_watch first, middle, last;
    struct fut_future *f = pending();
    watcher_init(&other);
    watcher_init(&asker);
    watcher_init(&inbox);
    fut_waiter_take_questions(&asker.waiter, &inbox.waiter);
    CHECK(!fut_waiter_ask(f));
    fut_watch_start(&first, &other.waiter, f);
    CHECK(!fut_waiter_ask(f));
    fut_watch_start(&middle, &asker.waiter, f);
    fut_watch_start(&last, &other.waiter, f);
    for (int round = 0; round < 3; round++) {
        CHECK(fut_waiter_ask(f) && !fut_waiter_ask(f));
        CHECK(fut_parker_poll(&inbox.parker) && fut_park(&inbox.parker, FUT_NEVER));
        CHECK(fut_waiter_first(&inbox.waiter) == &middle);
        CHECK(fut_waiter_queued(&asker.waiter) + fut_waiter_queued(&other.waiter) == 0);
        fut_watch_stop(&middle);
        CHECK(fut_waiter_queued(&inbox.waiter) == 0);
        fut_watch_start(&middle, &asker.waiter, f);
    }
    finish(f);
    CHECK(fut_waiter_shift(&asker.waiter) == &middle);
    CHECK(fut_waiter_queued(&other.waiter) == 2 && fut_waiter_queued(&inbox.waiter) == 0);
    fut_watch_stop(&first);
    fut_watch_stop(&middle);
    fut_watch_stop(&last);
    fut_waiter_deinit(&other.waiter);
    fut_waiter_deinit(&asker.waiter);
    fut_waiter_deinit(&inbox.waiter);
    fut_future_drop(f);
}

static bool is_of_a_done_one(const struct fut_watch *watch) {
    return fut_future_done(watch->future) && fut_future_state(watch->future) == FUT_CANCELLED;
}

static void one_is_found_in_the_queue(void) {
    struct watcher w;
    struct fut_watch watches[3];
    struct fut_future *fs[3];
    watcher_init(&w);
    CHECK(!fut_waiter_find(&w.waiter, is_of_a_done_one));
    for (int i = 0; i < 3; i++) {
        fs[i] = pending();
        fut_watch_start(&watches[i], &w.waiter, fs[i]);
    }
    finish(fs[0]);
    finish(fs[2]);
    CHECK(!fut_waiter_find(&w.waiter, is_of_a_done_one));
    CHECK(fut_future_cancel(fs[1]));
    CHECK(fut_waiter_find(&w.waiter, is_of_a_done_one) == &watches[1]);
    CHECK(fut_waiter_queued(&w.waiter) == 3);
    for (int i = 0; i < 3; i++) {
        fut_watch_stop(&watches[i]);
        fut_future_drop(fs[i]);
    }
    fut_waiter_deinit(&w.waiter);
}

/* Linear in the number of watches; a quadratic stop or shift would take minutes. */
static void a_hundred_thousand(void) {
    enum { N = 100000 };
    struct watcher w;
    struct fut_watch *watches = calloc(N, sizeof *watches);
    struct fut_future **fs = calloc(N, sizeof(struct fut_future *));
    CHECK(watches && fs);
    watcher_init(&w);
    struct fut_future *common = pending();
    for (int i = 0; i < N; i++) {
        fs[i] = i % 2 ? pending() : common;
        fut_watch_start(&watches[i], &w.waiter, fs[i]);
    }
    for (int i = 0; i < N; i += 3) fut_watch_stop(&watches[i]);
    finish(common);
    for (int i = 1; i < N; i += 2) finish(fs[i]);
    size_t left = fut_waiter_queued(&w.waiter);
    CHECK(left == N - (N + 2) / 3);
    for (int i = 1; i < N; i += 3) fut_watch_stop(&watches[i]);
    for (struct fut_watch *watch; (watch = fut_waiter_shift(&w.waiter));) fut_watch_stop(watch);
    CHECK(fut_waiter_queued(&w.waiter) == 0);
    fut_waiter_deinit(&w.waiter);
    CHECK(count_of(common) == 1);
    fut_future_drop(common);
    for (int i = 1; i < N; i += 2) fut_future_drop(fs[i]);
    free(watches);
    free(fs);
}

static const struct test_case cases[] = {
    {"a done one is queued at once", a_done_one_is_queued_at_once},
    {"the count is held until stop", the_count_is_held_until_stop},
    {"order is that of completion", order_is_that_of_completion},
    {"one future in order of watching", one_future_in_order_of_watching},
    {"one future, many waiters", one_future_many_waiters},
    {"stop in every position", stop_in_every_position},
    {"a queue goes on after its last is stopped", queue_goes_on_after_its_last_is_stopped},
    {"wakes when as many as wanted are done", wakes_when_as_many_as_wanted_are_done},
    {"a question goes to who answers", a_question_goes_to_who_answers},
    {"one is found in the queue", one_is_found_in_the_queue},
    {"a hundred thousand", a_hundred_thousand},
};

TEST_MAIN(cases)
