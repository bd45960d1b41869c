/* SPDX-License-Identifier: MIT */
/* Tasks that run again in a pool of threads, with a worker in plain C. No thread is ever lost,
 * so the tasks say it themselves. */
#include "core/options.h"
#include "core/rerun.h"
#include "pool/test_pool.h"

/* A task that counts its runs, and fails in all but the last of them. */
struct flaky {
    atomic_int runs;
    int failures;
    enum fut_err err;
};

static void run_flaky(void *arg, struct fut_outcome *out) {
    struct flaky *f = arg;
    if (atomic_fetch_add(&f->runs, 1) < f->failures) fut_outcome_fail(out, f->err, "why");
}

static struct fut_task *new_flaky(struct fut_executor *ex, struct flaky *f, unsigned max,
                                  double backoff_s, bool asks) {
    struct fut_task_options *o = fut_task_options_new(NULL, 0);
    CHECK(o);
    o->rerun = (struct fut_rerun_rule){
        .max = max,
        .asks = asks,
        .backoff = {.first_s = backoff_s, .factor = 1, .max_s = 1e9},
    };
    struct fut_task *t = test_task_with(ex, o, run_flaky, f);
    fut_task_options_drop(o);
    return t;
}

static struct fut_task *submit_flaky(struct fut_executor *ex, struct flaky *f, unsigned max,
                                     double backoff_s) {
    struct fut_task *t = new_flaky(ex, f, max, backoff_s, false);
    CHECK(ex->ops->submit(ex, &t, 1) == FUT_OK);
    return t;
}

static void await_paused(struct fut_executor *ex, struct fut_task *t) {
    while (atomic_load(&t->attempts) == 0 || test_stats(ex).running > 0) sched_yield();
}

static void what_fails_runs_again(void) {
    static const double pauses_s[] = {0, 0.001};
    for (int i = 0; i < 2; i++) {
        struct test_config c = {0};
        struct fut_executor *ex = test_pool(&c, 1);
        struct flaky enough = {.failures = 3, .err = FUT_ELOST}, few = {.failures = 9};
        few.err = FUT_ELOST;
        struct fut_task *t = submit_flaky(ex, &enough, 3, pauses_s[i]);
        struct fut_task *u = submit_flaky(ex, &few, 3, pauses_s[i]);
        test_poll(&t->future);
        test_poll(&u->future);
        CHECK(t->future.outcome.kind == FUT_OUTCOME_VALUES && atomic_load(&enough.runs) == 4);
        CHECK(u->future.outcome.err == FUT_ELOST && atomic_load(&few.runs) == 4);
        struct fut_executor_stats s = test_stats(ex);
        CHECK(s.retried == 6 && s.completed == 1 && s.failed == 1 && s.pending == 0);
        fut_task_drop(t);
        fut_task_drop(u);
        test_end(ex, &c);
    }
}

static void a_pool_closes_after_the_last_run(void) {
    struct test_config c = {0};
    struct fut_executor *ex = test_pool(&c, 4);
    enum { N = 20 };
    static struct flaky flaky[N];
    struct fut_task *tasks[N];
    for (int i = 0; i < N; i++) {
        flaky[i] = (struct flaky){.failures = i % 4, .err = FUT_ELOST};
        tasks[i] = submit_flaky(ex, &flaky[i], 3, 0.002 * (i % 3));
    }
    test_stop(ex);
    fut_executor_drop(ex);
    for (int i = 0; i < N; i++) {
        CHECK(fut_future_done(&tasks[i]->future));
        CHECK(atomic_load(&flaky[i].runs) == i % 4 + 1);
        fut_task_drop(tasks[i]);
    }
    CHECK(atomic_load(&c.opened) == atomic_load(&c.closed));
}

static void one_that_rests_can_be_cancelled(void) {
    for (int how = 0; how < 3; how++) {
        struct test_config c = {0};
        struct fut_executor *ex = test_pool(&c, 1);
        struct flaky flaky = {.failures = 9, .err = FUT_ELOST};
        struct fut_task *t = submit_flaky(ex, &flaky, 3, 1000);
        await_paused(ex, t);
        CHECK(fut_future_state(&t->future) == FUT_PENDING && test_stats(ex).pending == 1);
        if (how == 0) CHECK(fut_task_cancel(t) && !fut_task_cancel(t));
        if (how == 1) CHECK(fut_task_interrupt(t));
        if (how == 2) ex->ops->close(ex, true);
        CHECK(fut_future_state(&t->future) == FUT_CANCELLED && test_stats(ex).cancelled == 1);
        fut_task_drop(t);
        test_end(ex, &c);
        CHECK(atomic_load(&flaky.runs) == 1);
    }
}

/* Alarms may be for one that comes later. */
static void the_one_with_the_shortest_rest_is_first(void) {
    struct test_config c = {0};
    struct fut_executor *ex = test_pool(&c, 1);
    struct flaky late = {.failures = 1, .err = FUT_ELOST}, soon = {.failures = 1};
    soon.err = FUT_ELOST;
    struct fut_task *t = submit_flaky(ex, &late, 3, 1000);
    await_paused(ex, t);
    struct fut_task *u = submit_flaky(ex, &soon, 3, 0.001);
    test_poll(&u->future);
    CHECK(fut_future_state(&t->future) == FUT_PENDING && fut_task_cancel(t));
    fut_task_drop(t);
    fut_task_drop(u);
    test_end(ex, &c);
}

/* ---- questions ---- */

static void answers_decide(void) {
    struct test_config c = {0};
    struct fut_executor *ex = test_pool(&c, 1);
    struct fut_parker parker;
    struct fut_waiter inbox, askers;
    struct fut_watch watch;
    fut_parker_init(&parker);
    fut_waiter_init(&inbox, &parker);
    fut_waiter_init(&askers, &parker);
    fut_waiter_want(&askers, SIZE_MAX);
    fut_waiter_take_questions(&askers, &inbox);
    fut_watch_init(&watch);
    struct flaky flaky = {.failures = 9, .err = FUT_ENOMEM};
    struct fut_task *t = new_flaky(ex, &flaky, 5, 0, true);
    fut_watch_start(&watch, &askers, &t->future);
    CHECK(ex->ops->submit(ex, &t, 1) == FUT_OK);
    for (int n = 1; n <= 3; n++) {
        while (!fut_waiter_first(&inbox)) fut_park(&parker, FUT_NEVER);
        fut_watch_stop(&watch);
        struct fut_outcome last = {0}, second = {0};
        CHECK(ex->ops->question(ex, t, &last) && last.err == FUT_ENOMEM);
        CHECK(atomic_load(&flaky.runs) == n);
        if (n < 3) fut_watch_start(&watch, &askers, &t->future);
        ex->ops->answer(ex, t, &last, n < 3);
        CHECK(last.kind == FUT_OUTCOME_NONE);
        if (n == 3) CHECK(!ex->ops->question(ex, t, &second));
    }
    CHECK(fut_future_done(&t->future) && t->future.outcome.err == FUT_ENOMEM);
    fut_task_drop(t);

    /* Nobody answers any more; and one that is declined. */
    struct flaky other = {.failures = 9, .err = FUT_ENOMEM};
    t = new_flaky(ex, &other, 5, 0, true);
    CHECK(ex->ops->submit(ex, &t, 1) == FUT_OK);
    test_poll(&t->future);
    CHECK(atomic_load(&other.runs) == 1);
    fut_task_drop(t);
    t = new_flaky(ex, &other, 5, 0, true);
    fut_watch_start(&watch, &askers, &t->future);
    CHECK(ex->ops->submit(ex, &t, 1) == FUT_OK);
    while (!fut_waiter_first(&inbox)) fut_park(&parker, FUT_NEVER);
    fut_watch_stop(&watch);
    fut_task_decline(t);
    CHECK(fut_future_done(&t->future) && test_stats(ex).failed == 3 &&
          test_stats(ex).retried == 2);
    fut_task_drop(t);
    fut_waiter_deinit(&inbox);
    fut_waiter_deinit(&askers);
    test_end(ex, &c);
}

/* A cancel at any moment: it ends as cancelled, or it was too late. */
static void cancels_at_any_moment(void) {
    struct test_config c = {0};
    struct fut_executor *ex = test_pool(&c, 2);
    uint64_t cancelled = 0;
    int rounds = test_rounds(5000);
    for (int i = 0; i < rounds; i++) {
        struct flaky flaky = {.failures = 4, .err = FUT_ELOST};
        struct fut_task *t = submit_flaky(ex, &flaky, 9, i % 3 == 0 ? 0.00001 : 0);
        for (int j = 0; j < i % 200 * 8; j++) fut_pause();
        bool asked = fut_task_cancel(t) || fut_task_interrupt(t);
        test_poll(&t->future);
        CHECK(asked == (fut_future_state(&t->future) == FUT_CANCELLED));
        cancelled += asked;
        fut_task_drop(t);
        while (test_stats(ex).running > 0) sched_yield(); /* flaky is on this stack */
    }
    struct fut_executor_stats s = test_stats(ex);
    CHECK(s.cancelled == cancelled && s.completed == (uint64_t)rounds - cancelled);
    CHECK(s.failed == 0 && s.pending == 0);
    test_end(ex, &c);
}

static const struct test_case cases[] = {
    {"what fails runs again", what_fails_runs_again},
    {"a pool closes after the last run", a_pool_closes_after_the_last_run},
    {"one that rests can be cancelled", one_that_rests_can_be_cancelled},
    {"the one with the shortest rest is first", the_one_with_the_shortest_rest_is_first},
    {"answers decide", answers_decide},
    {"cancels at any moment", cancels_at_any_moment},
};

TEST_MAIN(cases)
