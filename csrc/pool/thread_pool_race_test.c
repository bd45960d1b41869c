/* SPDX-License-Identifier: MIT */
/* What happens in a thread pool at the same moment. */
#include "pool/test_pool.h"

/* At every moment: no task is counted twice. */
static struct fut_executor_stats check_stats(struct fut_executor *ex) {
    struct fut_executor_stats s = test_stats(ex);
    CHECK(s.idle + s.running == s.workers && s.running <= s.workers);
    CHECK(s.pending + s.running + s.completed + s.failed + s.cancelled <= s.submitted);
    return s;
}

/* At the end: every task has ended in one way. */
static void check_final(struct fut_executor *ex, uint64_t submitted) {
    struct fut_executor_stats s = test_stats(ex);
    CHECK(s.submitted == submitted && s.pending == 0 && s.running == 0 && s.workers == 0);
    CHECK(s.completed + s.failed + s.cancelled == submitted);
}

static void count_run(void *arg, struct fut_outcome *out) {
    (void)out;
    atomic_fetch_add((atomic_int *)arg, 1);
}

/* A cancelled task never runs, one that is not cancelled runs once. */
static void cancel_against_take(void) {
    struct test_config c = {0};
    struct fut_executor *ex = test_pool(&c, 2);
    int rounds = test_rounds(10000), cancels = 0;
    for (int i = 0; i < rounds; i++) {
        atomic_int runs = 0;
        struct fut_task *t = test_submit(ex, count_run, &runs);
        for (int k = i % 100; k > 0; k--) fut_pause();
        bool cancelled = fut_task_cancel(t);
        test_wait(&t->future);
        CHECK(atomic_load(&runs) == !cancelled);
        CHECK(fut_future_state(&t->future) == (cancelled ? FUT_CANCELLED : FUT_FINISHED));
        cancels += cancelled;
        CHECK(check_stats(ex).cancelled == (uint64_t)cancels);
        fut_task_drop(t);
    }
    test_stop(ex);
    CHECK(test_stats(ex).completed == (uint64_t)(rounds - cancels));
    check_final(ex, (uint64_t)rounds);
    test_end(ex, &c);
}

enum { BATCH = 16 };

static void *cancel_batch(void *arg) {
    struct fut_task **tasks = arg;
    for (int i = 0; i < BATCH; i++) {
        fut_task_cancel(tasks[i]);
        fut_task_drop(tasks[i]);
    }
    return NULL;
}

/* Two threads cancel the same tasks while workers take them and the pool is closed with
 * cancel. */
static void cancel_against_cancel_against_close(void) {
    int rounds = test_rounds(500);
    for (int i = 0; i < rounds; i++) {
        struct test_config c = {0};
        struct fut_executor *ex = test_pool(&c, 2);
        struct fut_task *tasks[BATCH];
        for (int k = 0; k < BATCH; k++) {
            tasks[k] = test_task(ex, NULL, NULL);
            fut_task_hold(tasks[k]);
        }
        CHECK(ex->ops->submit(ex, tasks, BATCH) == FUT_OK);
        pthread_t other = test_start(cancel_batch, tasks);
        if (i % 2) ex->ops->close(ex, true);
        cancel_batch(tasks);
        ex->ops->close(ex, true);
        test_join(other);
        test_stop(ex);
        check_final(ex, BATCH);
        test_end(ex, &c);
    }
}

/* ---- submit against close ---- */

struct closing {
    struct test_meeting meeting;
    struct fut_executor *ex;
    int rounds;
    bool cancel;
};

static void *close_each(void *arg) {
    struct closing *c = arg;
    for (int i = 0; i < c->rounds; i++) {
        test_meet(&c->meeting);
        for (int k = i % 50 * 4; k > 0; k--) fut_pause();
        c->ex->ops->close(c->ex, c->cancel);
        test_meet(&c->meeting);
    }
    return NULL;
}

/* A task is taken, and then it ends, or it is refused, and then it is left alone. */
static void submit_against_close(bool cancel) {
    struct closing all = {.meeting = {.n = 2}, .rounds = test_rounds(1500), .cancel = cancel};
    pthread_t thread = test_start(close_each, &all);
    for (int i = 0; i < all.rounds; i++) {
        struct test_config c = {0};
        struct fut_task *tasks[4];
        uint64_t taken = 0;
        all.ex = test_pool(&c, 2);
        for (int k = 0; k < 4; k++) tasks[k] = test_task(all.ex, NULL, NULL);
        test_meet(&all.meeting);
        for (int k = 0; k < 4; k++) {
            enum fut_err err = all.ex->ops->submit(all.ex, &tasks[k], 1);
            CHECK(err == FUT_OK || err == FUT_ECLOSED);
            taken += err == FUT_OK;
            CHECK(err != FUT_OK || taken == (uint64_t)k + 1); /* none after a refusal */
        }
        test_meet(&all.meeting);
        for (uint64_t k = 0; k < taken; k++) test_wait(&tasks[k]->future);
        for (uint64_t k = taken; k < 4; k++)
            CHECK(fut_future_state(&tasks[k]->future) == FUT_PENDING);
        test_stop(all.ex);
        check_final(all.ex, taken);
        for (int k = 0; k < 4; k++) fut_task_drop(tasks[k]);
        test_end(all.ex, &c);
    }
    test_join(thread);
}

static void submit_against_close_without(void) {
    submit_against_close(false);
}

static void submit_against_close_with_cancel(void) {
    submit_against_close(true);
}

/* ---- many tasks from several threads ---- */

struct crowd {
    struct fut_executor *ex;
    atomic_int runs;
    atomic_bool over;
    int tasks;
};

static void *submit_many(void *arg) {
    struct crowd *c = arg;
    for (int left = c->tasks; left > 0;) {
        struct fut_task *tasks[BATCH];
        int n = left % BATCH + 1 < left ? left % BATCH + 1 : left;
        for (int i = 0; i < n; i++) tasks[i] = test_task(c->ex, count_run, &c->runs);
        CHECK(c->ex->ops->submit(c->ex, tasks, (size_t)n) == FUT_OK);
        if (left % 5 == 0) test_wait(&tasks[n - 1]->future);
        for (int i = 0; i < n; i++) fut_task_drop(tasks[i]);
        left -= n;
    }
    return NULL;
}

static void *watch_stats(void *arg) {
    struct crowd *c = arg;
    struct fut_executor_stats last = {0};
    while (!atomic_load(&c->over)) {
        struct fut_executor_stats s = check_stats(c->ex);
        CHECK(s.submitted >= last.submitted && s.completed >= last.completed);
        CHECK(s.workers <= 5 && s.failed == 0 && s.cancelled == 0);
        last = s;
        usleep(50);
    }
    return NULL;
}

static void many_tasks(int max_workers) {
    enum { SUBMITTERS = 4 };
    struct test_config config = {0};
    struct crowd c = {.ex = test_pool(&config, max_workers)};
    c.tasks = test_rounds(100000 / SUBMITTERS);
    pthread_t submitters[SUBMITTERS], watcher = test_start(watch_stats, &c);
    for (int i = 0; i < SUBMITTERS; i++) submitters[i] = test_start(submit_many, &c);
    for (int i = 0; i < SUBMITTERS; i++) test_join(submitters[i]);
    test_stop(c.ex);
    atomic_store(&c.over, true);
    test_join(watcher);
    CHECK(atomic_load(&c.runs) == SUBMITTERS * c.tasks);
    check_final(c.ex, SUBMITTERS * (uint64_t)c.tasks);
    test_end(c.ex, &config);
}

static void many_tasks_one_worker(void) {
    many_tasks(1);
}

static void many_tasks_some_workers(void) {
    many_tasks(5);
}

static void *count_after_result(void *arg) {
    struct crowd *c = arg;
    for (uint64_t i = 1; i <= (uint64_t)c->tasks; i++) {
        test_wait_and_drop(test_submit(c->ex, NULL, NULL));
        CHECK(check_stats(c->ex).completed >= i);
    }
    return NULL;
}

/* Who has seen the result of a task finds it among the completed ones. */
static void results_have_been_counted(void) {
    struct test_config config = {0};
    struct crowd c = {.ex = test_pool(&config, 3), .tasks = test_rounds(5000)};
    pthread_t a = test_start(count_after_result, &c), b = test_start(count_after_result, &c);
    test_join(a);
    test_join(b);
    test_stop(c.ex);
    check_final(c.ex, 2 * (uint64_t)c.tasks);
    test_end(c.ex, &config);
}

/* Sleepers, spinners, wake-ups and pauses of all lengths: a lost wake-up ends at the
 * watchdog. */
static void no_wake_up_is_lost(void) {
    struct test_config c = {0};
    struct fut_executor *ex = test_pool(&c, 3);
    unsigned random = 7;
    for (int i = 0; i < test_rounds(5000); i++) {
        struct fut_task *tasks[3];
        random = random * 1103515245u + 12345u;
        int n = (int)(random >> 16) % 3 + 1;
        for (int k = 0; k < n; k++) tasks[k] = test_submit(ex, NULL, NULL);
        for (unsigned k = random >> 20 & 0x7ff; k > 0; k--) fut_pause();
        for (int k = 0; k < n; k++) test_wait_and_drop(tasks[k]);
        if (random >> 24 < 8) usleep(200);
    }
    test_end(ex, &c);
}

static const struct test_case cases[] = {
    {"cancel against take", cancel_against_take},
    {"cancel against cancel against close", cancel_against_cancel_against_close},
    {"submit against close", submit_against_close_without},
    {"submit against close with cancel", submit_against_close_with_cancel},
    {"many tasks, one worker", many_tasks_one_worker},
    {"many tasks, some workers", many_tasks_some_workers},
    {"results have been counted", results_have_been_counted},
    {"no wake-up is lost", no_wake_up_is_lost},
};

TEST_MAIN(cases)
