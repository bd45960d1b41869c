/* SPDX-License-Identifier: MIT */
/* fut_waiter_show: an event that is up exactly while the queue is not empty. */
#include <poll.h>

#include "base/test.h"
#include "core/waiter.h"

struct shown {
    struct fut_parker parker;
    struct fut_waiter waiter;
    struct fut_event event;
};

static void shown_init(struct shown *s) {
    fut_parker_init(&s->parker);
    fut_waiter_init(&s->waiter, &s->parker);
    s->event = (struct fut_event){0};
    CHECK(fut_event_open(&s->event));
}

static void shown_deinit(struct shown *s) {
    fut_waiter_show(&s->waiter, NULL);
    fut_event_close(&s->event);
    fut_waiter_deinit(&s->waiter);
}

static bool is_up(struct shown *s, int timeout_ms) {
    struct pollfd p = {.fd = s->event.read_fd, .events = POLLIN};
    return poll(&p, 1, timeout_ms) == 1;
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

static void it_follows_the_queue(void) {
    struct shown s;
    struct fut_watch watches[3];
    struct fut_future *fs[3];
    shown_init(&s);
    fut_waiter_show(&s.waiter, &s.event);
    for (int i = 0; i < 3; i++) {
        fs[i] = pending();
        fut_watch_init(&watches[i]);
        fut_watch_start(&watches[i], &s.waiter, fs[i]);
    }
    CHECK(!is_up(&s, 0));
    finish(fs[0]);
    CHECK(is_up(&s, 0));
    finish(fs[1]);
    CHECK(fut_waiter_shift(&s.waiter) == &watches[0] && is_up(&s, 0));
    fut_watch_stop(&watches[1]); /* stopped while it is queued */
    CHECK(!is_up(&s, 0));
    fut_watch_stop(&watches[0]);
    fut_watch_stop(&watches[2]); /* stopped while it is pending */
    finish(fs[2]);
    CHECK(!is_up(&s, 0));
    fut_watch_start(&watches[2], &s.waiter, fs[2]); /* done already */
    CHECK(is_up(&s, 0));
    fut_watch_stop(&watches[2]);
    CHECK(!is_up(&s, 0));
    shown_deinit(&s);
    for (int i = 0; i < 3; i++) fut_future_drop(fs[i]);
}

static void shown_late_it_is_up_at_once(void) {
    struct shown s;
    struct fut_watch watch;
    struct fut_future *f = pending();
    shown_init(&s);
    fut_watch_init(&watch);
    fut_watch_start(&watch, &s.waiter, f);
    finish(f);
    CHECK(!is_up(&s, 0));
    fut_waiter_show(&s.waiter, &s.event);
    CHECK(is_up(&s, 0));
    fut_watch_stop(&watch);
    CHECK(!is_up(&s, 0));
    shown_deinit(&s);
    fut_future_drop(f);
}

enum { N = 20000 };

static struct fut_future *finished_there[N];

static void *finish_all(void *arg) {
    int n = *(int *)arg;
    for (int i = 0; i < n; i++) finish(finished_there[i]);
    return NULL;
}

static void no_report_is_missed(void) {
    static struct fut_watch watches[N];
    struct shown s;
    int n = test_rounds(N), seen = 0;
    shown_init(&s);
    fut_waiter_show(&s.waiter, &s.event);
    for (int i = 0; i < n; i++) {
        finished_there[i] = pending();
        fut_watch_init(&watches[i]);
        fut_watch_start(&watches[i], &s.waiter, finished_there[i]);
    }
    pthread_t thread = test_start(finish_all, &n);
    while (seen < n) {
        CHECK(is_up(&s, -1)); /* the watchdog ends a wait for what was missed */
        for (struct fut_watch *w; (w = fut_waiter_shift(&s.waiter)); seen++) fut_watch_stop(w);
    }
    test_join(thread);
    CHECK(!is_up(&s, 0));
    shown_deinit(&s);
    for (int i = 0; i < n; i++) fut_future_drop(finished_there[i]);
}

static const struct test_case cases[] = {
    {"it follows the queue", it_follows_the_queue},
    {"shown late it is up at once", shown_late_it_is_up_at_once},
    {"no report is missed", no_report_is_missed},
};

TEST_MAIN(cases)
