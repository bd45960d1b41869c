/* SPDX-License-Identifier: MIT */
#include "core/future.h"

#include "base/test.h"
#include "core/waiter.h"

static struct fut_outcome values(int n) {
    struct fut_outcome o = {.kind = FUT_OUTCOME_VALUES};
    CHECK(fut_payload_init(&o.payload, &n, sizeof n, NULL, 0) == FUT_OK);
    return o;
}

static bool settle(struct fut_future *f, int n) {
    struct fut_outcome o = values(n);
    bool settled = fut_future_settle(f, &o);
    CHECK((o.kind == FUT_OUTCOME_NONE) == settled); /* moved in, or untouched */
    fut_outcome_deinit(&o);
    return settled;
}

static int value_of(const struct fut_future *f) {
    int n;
    CHECK(fut_future_done(f) && f->outcome.kind == FUT_OUTCOME_VALUES);
    CHECK(f->outcome.payload.len == sizeof n);
    memcpy(&n, fut_payload_bytes(&f->outcome.payload), sizeof n);
    return n;
}

static struct fut_future *in_state(enum fut_state state) {
    struct fut_future *f = fut_future_new();
    CHECK(f);
    if (state == FUT_RUNNING) CHECK(fut_future_start(f));
    if (state == FUT_FINISHED) CHECK(settle(f, 1));
    if (state == FUT_CANCELLED) CHECK(fut_future_cancel(f));
    CHECK(fut_future_state(f) == state);
    CHECK(fut_future_done(f) == (state == FUT_FINISHED || state == FUT_CANCELLED));
    return f;
}

enum action { START, SETTLE, CANCEL };

static bool act(struct fut_future *f, enum action action) {
    if (action == START) return fut_future_start(f);
    return action == SETTLE ? settle(f, 2) : fut_future_cancel(f);
}

static void every_transition(void) {
    static const struct {
        enum fut_state from;
        enum action action;
        bool moves;
        enum fut_state to;
    } rows[] = {
        {FUT_PENDING, START, true, FUT_RUNNING},
        {FUT_PENDING, SETTLE, true, FUT_FINISHED},
        {FUT_PENDING, CANCEL, true, FUT_CANCELLED},
        {FUT_RUNNING, START, false, FUT_RUNNING},
        {FUT_RUNNING, SETTLE, true, FUT_FINISHED},
        {FUT_RUNNING, CANCEL, false, FUT_RUNNING},
        {FUT_FINISHED, START, false, FUT_FINISHED},
        {FUT_FINISHED, SETTLE, false, FUT_FINISHED},
        {FUT_FINISHED, CANCEL, false, FUT_FINISHED},
        {FUT_CANCELLED, START, false, FUT_CANCELLED},
        {FUT_CANCELLED, SETTLE, false, FUT_CANCELLED},
        {FUT_CANCELLED, CANCEL, false, FUT_CANCELLED},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct fut_future *f = in_state(rows[i].from);
        CHECK(act(f, rows[i].action) == rows[i].moves);
        CHECK(fut_future_state(f) == rows[i].to);
        fut_future_drop(f);
    }
}

/* The same with somebody on the list: the flag in the state word must not disturb. */
static void every_transition_of_a_watched_one(void) {
    struct fut_parker parker;
    struct fut_waiter w;
    struct fut_watch watch;
    fut_parker_init(&parker);
    fut_waiter_init(&w, &parker);
    fut_watch_init(&watch);
    for (int started = 0; started < 2; started++) {
        for (int action = SETTLE; action <= CANCEL; action++) {
            struct fut_future *f = in_state(FUT_PENDING);
            fut_watch_start(&watch, &w, f);
            CHECK(fut_future_state(f) == FUT_PENDING && !fut_future_done(f));
            if (started) CHECK(fut_future_start(f) && fut_future_state(f) == FUT_RUNNING);
            bool moves = act(f, (enum action)action);
            CHECK(moves == (action == SETTLE || !started));
            CHECK(fut_waiter_queued(&w) == moves);
            CHECK(fut_future_done(f) == moves && !fut_future_start(f));
            fut_watch_stop(&watch);
            fut_future_drop(f);
        }
    }
    fut_waiter_deinit(&w);
}

static void the_first_outcome_stays(void) {
    struct fut_future *f = in_state(FUT_PENDING);
    CHECK(settle(f, 7) && !settle(f, 8) && value_of(f) == 7);
    CHECK(f->done_at > 0 && f->done_at <= fut_now());
    fut_future_drop(f);
}

static void short_memory(void) {
    fut_alloc_fail_after(1);
    CHECK(!fut_future_new());
    fut_alloc_fail_after(0);
}

/* ---- several threads ---- */

enum { MOST = 3, NOBODY = -1 };

struct contest {
    struct test_meeting meeting;
    struct fut_future *future;
    int n, rounds;
    enum action actions[MOST];
    bool won[MOST];
    atomic_int next;
};

static bool compete(struct contest *c, int me) {
    struct fut_future *f = c->future;
    if (c->actions[me] != SETTLE) return act(f, c->actions[me]);
    bool settled = settle(f, me);
    /* Who is refused is told so because the future has an end, or is about to. */
    CHECK(fut_future_state(f) == FUT_FINISHED || fut_future_state(f) == FUT_CANCELLED);
    return settled;
}

static void *competitor(void *arg) {
    struct contest *c = arg;
    int me = atomic_fetch_add(&c->next, 1);
    for (int i = 0; i < c->rounds; i++) {
        test_meet(&c->meeting);
        c->won[me] = compete(c, me);
        test_meet(&c->meeting);
    }
    return NULL;
}

/* What can be said of the end: one settled, or one cancelled; a start never decides. */
static void check_end(struct contest *c) {
    int settler = NOBODY, settled = 0, cancelled = 0, started = 0;
    for (int i = 0; i < c->n; i++) {
        if (!c->won[i]) continue;
        if (c->actions[i] == SETTLE) settler = i, settled++;
        cancelled += c->actions[i] == CANCEL;
        started += c->actions[i] == START;
    }
    CHECK(settled + cancelled == 1 && started <= 1);
    CHECK(!(started && cancelled));
    CHECK(fut_future_state(c->future) == (settled ? FUT_FINISHED : FUT_CANCELLED));
    if (settled) CHECK(value_of(c->future) == settler);
}

/* The main thread does the first of n actions, others the rest, all at the same moment. */
static void contest(int n, enum action a, enum action b, enum action c) {
    struct contest all = {.meeting = {.n = n}, .n = n, .actions = {a, b, c}, .next = 1};
    all.rounds = test_rounds(n == 2 ? 10000 : 2000);
    pthread_t threads[MOST];
    for (int i = 1; i < n; i++) threads[i] = test_start(competitor, &all);
    for (int i = 0; i < all.rounds; i++) {
        all.future = in_state(FUT_PENDING);
        test_meet(&all.meeting);
        all.won[0] = compete(&all, 0);
        test_meet(&all.meeting);
        check_end(&all);
        fut_future_drop(all.future);
    }
    for (int i = 1; i < n; i++) test_join(threads[i]);
}

static void settled_once(void) {
    contest(2, SETTLE, SETTLE, SETTLE);
}

static void start_against_settle(void) {
    contest(2, SETTLE, START, START);
}

static void cancel_against_settle(void) {
    contest(2, CANCEL, SETTLE, SETTLE);
}

static void all_against_all(void) {
    contest(3, SETTLE, SETTLE, SETTLE);
    contest(3, START, SETTLE, CANCEL);
    contest(3, CANCEL, SETTLE, START);
}

/* Whoever sees it done sees the outcome and the time, without a lock. */
struct reading {
    struct test_meeting meeting;
    struct fut_future *future;
    int rounds;
};

static void *read_when_done(void *arg) {
    struct reading *r = arg;
    for (int i = 0; i < r->rounds; i++) {
        test_meet(&r->meeting);
        struct fut_future *f = r->future;
        while (!fut_future_done(f)) sched_yield();
        CHECK(value_of(f) == i && f->done_at > 0);
        fut_future_drop(f);
        test_meet(&r->meeting);
    }
    return NULL;
}

static void done_means_readable(void) {
    struct reading r = {.meeting = {.n = 2}, .rounds = test_rounds(5000)};
    pthread_t thread = test_start(read_when_done, &r);
    for (int i = 0; i < r.rounds; i++) {
        struct fut_future *f = r.future = in_state(FUT_PENDING);
        fut_future_hold(f);
        test_meet(&r.meeting);
        CHECK(settle(f, i));
        fut_future_drop(f);
        test_meet(&r.meeting);
    }
    test_join(thread);
}

static const struct test_case cases[] = {
    {"every transition", every_transition},
    {"every transition of a watched one", every_transition_of_a_watched_one},
    {"the first outcome stays", the_first_outcome_stays},
    {"short memory", short_memory},
    {"settled once", settled_once},
    {"start against settle", start_against_settle},
    {"cancel against settle", cancel_against_settle},
    {"all against all", all_against_all},
    {"done means readable", done_means_readable},
};

TEST_MAIN(cases)
