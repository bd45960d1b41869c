/* SPDX-License-Identifier: MIT */
/* How a thread pool ends. */
#include "pool/test_pool.h"

enum { N = 8 };

/* A pool of one worker that is held in the gate, with N tasks behind it. */
struct held {
    struct test_config config;
    struct test_gate gate;
    struct fut_executor *ex;
    struct fut_task *holder, *tasks[N];
};

static void hold(struct held *h) {
    *h = (struct held){.gate = TEST_GATE};
    h->ex = test_pool(&h->config, 1);
    h->holder = test_submit(h->ex, test_gate_pass, &h->gate);
    test_gate_await(&h->gate, 1);
    for (int i = 0; i < N; i++) h->tasks[i] = test_submit(h->ex, NULL, NULL);
}

static void let_go(struct held *h) {
    test_gate_open(&h->gate);
    test_end(h->ex, &h->config);
    CHECK(atomic_load(&h->config.opened) == 1 && atomic_load(&h->config.closed) == 1);
}

static void drop_all(struct held *h, enum fut_state expected) {
    for (int i = 0; i < N; i++) {
        CHECK(fut_future_state(&h->tasks[i]->future) == expected);
        fut_task_drop(h->tasks[i]);
    }
    fut_task_drop(h->holder);
}

static void queued_tasks_still_run(void) {
    struct held h;
    hold(&h);
    h.ex->ops->close(h.ex, false);
    h.ex->ops->close(h.ex, false);
    CHECK(test_stats(h.ex).pending == N && !fut_future_done(h.ex->ops->stopped(h.ex)));
    test_gate_open(&h.gate);
    test_wait(h.ex->ops->stopped(h.ex));
    h.ex->ops->join(h.ex);
    h.ex->ops->join(h.ex);
    struct fut_executor_stats s = test_stats(h.ex);
    CHECK(s.completed == N + 1 && s.workers == 0 && s.idle == 0 && s.running == 0);
    drop_all(&h, FUT_FINISHED);
    test_end(h.ex, &h.config);
}

static void or_are_cancelled(void) {
    struct held h;
    hold(&h);
    CHECK(fut_task_cancel(h.tasks[2]));
    h.ex->ops->close(h.ex, true);
    struct fut_executor_stats s = test_stats(h.ex);
    CHECK(s.pending == 0 && s.cancelled == N && s.running == 1 && s.workers == 1);
    for (int i = 0; i < N; i++) CHECK(!fut_task_cancel(h.tasks[i]));
    CHECK(test_stats(h.ex).cancelled == N);
    test_gate_open(&h.gate);
    test_wait(&h.holder->future);
    CHECK(fut_future_state(&h.holder->future) == FUT_FINISHED); /* what runs, runs on */
    drop_all(&h, FUT_CANCELLED);
    let_go(&h);
}

static void cancel_after_a_close_without(void) {
    struct held h;
    hold(&h);
    h.ex->ops->close(h.ex, false);
    h.ex->ops->close(h.ex, true);
    drop_all(&h, FUT_CANCELLED);
    let_go(&h);
}

static void nothing_more_is_taken(void) {
    struct held h;
    hold(&h);
    h.ex->ops->close(h.ex, false);
    struct fut_task *tasks[3];
    for (int i = 0; i < 3; i++) tasks[i] = test_task(h.ex, NULL, NULL);
    CHECK(h.ex->ops->submit(h.ex, tasks, 3) == FUT_ECLOSED);
    for (int i = 0; i < 3; i++) {
        CHECK(!tasks[i]->queued && atomic_load(&tasks[i]->future.object.refs) == 1);
        CHECK(fut_future_state(&tasks[i]->future) == FUT_PENDING);
        fut_task_drop(tasks[i]);
    }
    CHECK(test_stats(h.ex).submitted == N + 1 && !h.ex->ops->broken(h.ex));
    test_gate_open(&h.gate);
    for (int i = 0; i < N; i++) test_wait(&h.tasks[i]->future);
    drop_all(&h, FUT_FINISHED);
    let_go(&h);
}

static void one_that_never_worked(void) {
    struct test_config c = {0};
    struct fut_executor *ex = test_pool(&c, 3);
    struct fut_future *stopped = ex->ops->stopped(ex);
    CHECK(!fut_future_done(stopped));
    ex->ops->close(ex, true);
    CHECK(fut_future_done(stopped));
    struct fut_task *t = test_task(ex, NULL, NULL);
    CHECK(ex->ops->submit(ex, &t, 1) == FUT_ECLOSED);
    fut_task_drop(t);
    test_end(ex, &c);
}

/* Workers that sleep, spin, run and have just been started all leave. */
static void workers_leave_whatever_they_do(void) {
    int before = test_threads();
    for (int round = 0; round < test_rounds(300); round++) {
        struct test_config c = {0};
        struct fut_executor *ex = test_pool(&c, 4);
        struct fut_task *tasks[4];
        for (int i = 0; i < 4; i++) tasks[i] = test_submit(ex, NULL, NULL);
        for (int i = 0; i < round % 5 && i < 4; i++) test_wait(&tasks[i]->future);
        if (round % 50 == 0) usleep(1000);
        for (int i = 0; i < 4; i++) fut_task_drop(tasks[i]);
        test_end(ex, &c);
        CHECK(atomic_load(&c.opened) == atomic_load(&c.closed));
    }
    test_threads_are(before);
}

static void stopped_is_last(void) {
    struct held h;
    hold(&h);
    struct fut_future *stopped = h.ex->ops->stopped(h.ex);
    fut_future_hold(stopped);
    h.ex->ops->close(h.ex, false);
    test_gate_open(&h.gate);
    test_wait(stopped);
    CHECK(atomic_load(&h.config.closed) == 1 && test_stats(h.ex).workers == 0);
    drop_all(&h, FUT_FINISHED);
    let_go(&h);
    CHECK(fut_future_state(stopped) == FUT_FINISHED);
    fut_future_drop(stopped);
}

static void *join_pool(void *arg) {
    struct fut_executor *ex = arg;
    ex->ops->join(ex);
    return NULL;
}

/* Each of several callers comes back only when no thread is left. */
static void several_join(void) {
    enum { JOINERS = 3 };
    int before = test_threads();
    for (int round = 0; round < test_rounds(50); round++) {
        struct test_config c = {0};
        struct test_gate gate = TEST_GATE;
        struct fut_executor *ex = test_pool(&c, 3);
        for (int i = 0; i < 3; i++) fut_task_drop(test_submit(ex, test_gate_pass, &gate));
        ex->ops->close(ex, false);
        pthread_t joiners[JOINERS];
        for (int i = 0; i < JOINERS; i++) joiners[i] = test_start(join_pool, ex);
        test_gate_open(&gate);
        for (int i = 0; i < JOINERS; i++) {
            test_join(joiners[i]);
            CHECK(fut_future_done(ex->ops->stopped(ex)) && atomic_load(&c.closed) == 3);
        }
        test_end(ex, &c);
    }
    test_threads_are(before);
}

/* Nobody joins: the last thread frees the pool. */
static void dropped_without_join(void) {
    int before = test_threads();
    for (int round = 0; round < test_rounds(100); round++) {
        static struct test_config configs[200];
        struct test_config *c = &configs[round];
        *c = (struct test_config){0};
        struct fut_executor *ex = test_pool(c, 2);
        for (int i = 0; i < 5; i++) fut_task_drop(test_submit(ex, NULL, NULL));
        ex->ops->close(ex, round % 2);
        fut_executor_drop(ex);
        while (atomic_load(&c->freed) == 0) sched_yield();
        CHECK(atomic_load(&c->opened) == atomic_load(&c->closed));
    }
    test_threads_are(before);
}

static const struct test_case cases[] = {
    {"queued tasks still run", queued_tasks_still_run},
    {"or are cancelled", or_are_cancelled},
    {"cancel after a close without", cancel_after_a_close_without},
    {"nothing more is taken", nothing_more_is_taken},
    {"one that never worked", one_that_never_worked},
    {"workers leave, whatever they do", workers_leave_whatever_they_do},
    {"stopped is last", stopped_is_last},
    {"several join", several_join},
    {"dropped without join", dropped_without_join},
};

TEST_MAIN(cases)
