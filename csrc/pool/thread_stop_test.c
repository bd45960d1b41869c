/* SPDX-License-Identifier: MIT */
/* Tasks that end early, with a worker in plain C, which looks at its word. */
#include "base/thread.h"
#include "core/options.h"
#include "pool/test_pool.h"

static struct fut_task *limited_task(struct fut_executor *ex, fut_time timeout,
                                     void (*run)(void *arg, struct fut_outcome *out),
                                     void *arg) {
    struct fut_task_options *o = fut_task_options_new("t", 1);
    CHECK(o);
    o->timeout = timeout;
    struct fut_task *t = test_task_with(ex, o, run, arg);
    fut_task_options_drop(o);
    CHECK(ex->ops->submit(ex, &t, 1) == FUT_OK);
    return t;
}

/* Leaves when it is asked to. */
static void obey(void *arg, struct fut_outcome *out) {
    (void)out;
    while (!(atomic_load(test_asked) & FUT_ASKED)) sched_yield();
    if (arg) atomic_fetch_add((atomic_int *)arg, 1);
}

/* Leaves when somebody lets it, whatever it is asked. */
static void defy(void *arg, struct fut_outcome *out) {
    (void)out;
    while (!atomic_load((atomic_int *)arg)) sched_yield();
}

static void await_running(struct fut_task *t) {
    while (fut_future_state(&t->future) == FUT_PENDING) sched_yield();
}

static void an_interrupt_cancels_what_runs(void) {
    struct test_config c = {0};
    struct fut_executor *ex = test_pool(&c, 1);
    atomic_int left = 0;
    struct fut_task *t = test_submit(ex, obey, &left);
    await_running(t);
    CHECK(!fut_task_cancel(t) && fut_task_interrupt(t) && fut_task_interrupt(t));
    test_poll(&t->future);
    CHECK(fut_future_state(&t->future) == FUT_CANCELLED);
    CHECK(atomic_load(&left) == 1 && atomic_load(&c.interrupted) == 1);
    struct fut_executor_stats s = test_stats(ex);
    CHECK(s.cancelled == 1 && s.completed == 0 && s.failed == 0 && s.idle == 1);
    CHECK(!ex->ops->interrupt(ex, t));
    fut_task_drop(t);
    test_end(ex, &c);
}

static void a_limit_fails_what_runs(void) {
    struct test_config c = {0};
    struct fut_executor *ex = test_pool(&c, 1);
    struct fut_task *t = limited_task(ex, 5 * FUT_MS, obey, NULL);
    test_poll(&t->future);
    CHECK(fut_future_state(&t->future) == FUT_FINISHED);
    CHECK(t->future.outcome.kind == FUT_OUTCOME_FAILURE);
    CHECK(t->future.outcome.err == FUT_ETIMEDOUT && atomic_load(&c.interrupted) == 1);
    CHECK(strcmp(t->future.outcome.text, "the task 't' ran longer than its limit of 0.005 s") ==
          0);
    CHECK(test_stats(ex).failed == 1 && !fut_task_interrupt(t));
    fut_task_drop(t);
    test_end(ex, &c);
}

static void without_time_it_does_not_start(void) {
    struct test_config c = {0};
    struct fut_executor *ex = test_pool(&c, 1);
    struct fut_task *t = limited_task(ex, -1, defy, NULL);
    test_poll(&t->future);
    CHECK(t->future.outcome.err == FUT_ETIMEDOUT && atomic_load(&c.interrupted) == 0);
    fut_task_drop(t);
    test_end(ex, &c);
}

static void nothing(void *arg, struct fut_outcome *out) {
    (void)arg;
    (void)out;
}

static void in_time_is_in_time(void) {
    struct test_config c = {0};
    struct fut_executor *ex = test_pool(&c, 2);
    for (int i = 0; i < test_rounds(2000); i++) {
        struct fut_task *t = limited_task(ex, FUT_NEVER - i, nothing, NULL);
        test_poll(&t->future);
        CHECK(t->future.outcome.kind == FUT_OUTCOME_VALUES);
        fut_task_drop(t);
    }
    CHECK(atomic_load(&c.interrupted) == 0);
    test_end(ex, &c);
}

/* Whoever is first decides: the limit, the interrupt, or the task. */
static void each_ends_once(void) {
    struct test_config c = {0};
    struct fut_executor *ex = test_pool(&c, 2);
    uint64_t cancelled = 0, failed = 0, completed = 0;
    int rounds = test_rounds(20000);
    for (int i = 0; i < rounds; i++) {
        struct fut_task *t = limited_task(ex, 1 + i % 50 * (fut_time)1000, nothing, NULL);
        for (int j = 0; j < i % 100 * 4; j++) fut_pause();
        bool asked = fut_task_cancel(t) || fut_task_interrupt(t);
        test_poll(&t->future);
        bool is_cancelled = fut_future_state(&t->future) == FUT_CANCELLED;
        CHECK(asked == is_cancelled);
        if (is_cancelled)
            cancelled++;
        else if (fut_outcome_is_error(&t->future.outcome))
            failed++;
        else
            completed++;
        fut_task_drop(t);
    }
    struct fut_executor_stats s = test_stats(ex);
    CHECK(s.cancelled == cancelled && s.failed == failed && s.completed == completed);
    test_end(ex, &c);
}

static void who_does_not_leave_is_replaced(void) {
    struct test_config c = {0};
    struct fut_executor *ex = test_pool(&c, 1);
    atomic_int go = 0;
    struct fut_task *t = test_submit(ex, defy, &go);
    await_running(t);
    CHECK(fut_task_interrupt(t));
    struct fut_task *next = test_submit(ex, nothing, NULL);
    test_poll(&t->future);
    CHECK(fut_future_state(&t->future) == FUT_CANCELLED);
    test_poll(&next->future);
    struct fut_executor_stats s = test_stats(ex);
    CHECK(s.workers == 1 && s.cancelled == 1 && s.completed == 1);
    atomic_store(&go, 1); /* there is no place for it: it ends */
    while (atomic_load(&c.closed) < 1) sched_yield();
    CHECK(test_stats(ex).workers == 1 && atomic_load(&c.opened) == 2);
    fut_task_drop(t);
    fut_task_drop(next);
    test_end(ex, &c);
    CHECK(atomic_load(&c.closed) == 2 && atomic_load(&c.freed) == 1);
}

static void who_comes_back_works_on(void) {
    struct test_config c = {0};
    struct fut_executor *ex = test_pool(&c, 1);
    atomic_int go = 0;
    struct fut_task *t = limited_task(ex, 1, defy, &go);
    test_poll(&t->future);
    while (test_stats(ex).workers != 0) sched_yield();
    atomic_store(&go, 1);
    while (test_stats(ex).workers != 1) sched_yield();
    struct fut_task *next = test_submit(ex, nothing, NULL);
    test_poll(&next->future);
    CHECK(atomic_load(&c.opened) == 1);
    fut_task_drop(t);
    fut_task_drop(next);
    test_end(ex, &c);
}

static void the_end_does_not_wait_for_who_is_stuck(void) {
    struct test_config c = {0};
    struct fut_executor *ex = test_pool(&c, 1);
    atomic_int go = 0;
    struct fut_task *t = limited_task(ex, 1, defy, &go);
    test_stop(ex);
    CHECK(fut_future_done(&t->future) && atomic_load(&c.closed) == 0);
    CHECK(!fut_task_interrupt(t));
    fut_task_drop(t);
    fut_executor_drop(ex);
    CHECK(atomic_load(&c.freed) == 0); /* its thread holds the pool */
    atomic_store(&go, 1);
    while (atomic_load(&c.freed) == 0) sched_yield();
    CHECK(atomic_load(&c.closed) == 1);
}

static void without_a_thread_for_timers_a_limit_is_refused(void) {
    struct test_config c = {0};
    struct fut_executor *ex = test_pool(&c, 1);
    struct fut_task *plain = test_submit(ex, nothing, NULL);
    test_poll(&plain->future);
    struct fut_task_options *o = fut_task_options_new(NULL, 0);
    CHECK(o);
    o->timeout = FUT_SECOND;
    struct fut_task *t = fut_task_new(ex, o);
    CHECK(t);
    fut_task_options_drop(o);
    fut_thread_fail_after(1);
    CHECK(ex->ops->submit(ex, &t, 1) == FUT_ETHREAD);
    fut_thread_fail_after(0);
    CHECK(test_stats(ex).submitted == 1);
    fut_task_drop(t);
    fut_task_drop(plain);
    test_end(ex, &c);
}

static const struct test_case cases[] = {
    {"an interrupt cancels what runs", an_interrupt_cancels_what_runs},
    {"a limit fails what runs", a_limit_fails_what_runs},
    {"without time it does not start", without_time_it_does_not_start},
    {"in time is in time", in_time_is_in_time},
    {"each ends once", each_ends_once},
    {"who does not leave is replaced", who_does_not_leave_is_replaced},
    {"who comes back works on", who_comes_back_works_on},
    {"the end does not wait for who is stuck", the_end_does_not_wait_for_who_is_stuck},
    {"without a thread for timers a limit is refused",
     without_a_thread_for_timers_a_limit_is_refused},
};

TEST_MAIN(cases)
