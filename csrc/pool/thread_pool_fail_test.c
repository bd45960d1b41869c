/* SPDX-License-Identifier: MIT */
/* What a thread pool does when workers cannot be opened, threads not be started, memory not be
 * had. */
#include "base/thread.h"
#include "pool/test_pool.h"

static void is_broken(struct fut_executor *ex, const char *why) {
    char *text = ex->ops->broken(ex);
    CHECK(text && strcmp(text, why) == 0);
    fut_free(text);
    struct fut_task *t = test_task(ex, NULL, NULL);
    CHECK(ex->ops->submit(ex, &t, 1) == FUT_EBROKEN);
    CHECK(fut_future_state(&t->future) == FUT_PENDING && !t->queued);
    CHECK(atomic_load(&t->future.object.refs) == 1);
    fut_task_drop(t);
}

static void has_failed(struct fut_task *t, const char *why) {
    test_wait(&t->future);
    const struct fut_outcome *o = &t->future.outcome;
    CHECK(fut_future_state(&t->future) == FUT_FINISHED && o->kind == FUT_OUTCOME_FAILURE);
    CHECK(o->err == FUT_EBROKEN && strcmp(o->text, why) == 0);
    fut_task_drop(t);
}

static void wait_at_gate(struct test_config *c, const struct fut_worker_info *info) {
    (void)info;
    test_gate_pass(c->arg, NULL);
}

static void a_worker_that_does_not_open_breaks_the_pool(void) {
    enum { N = 5 };
    struct test_gate gate = TEST_GATE;
    struct test_config c = {
        .open_fails_at = 1, .why = "no such file", .on_open = wait_at_gate, .arg = &gate};
    struct fut_executor *ex = test_pool(&c, 1);
    struct fut_task *tasks[N];
    for (int i = 0; i < N; i++) tasks[i] = test_submit(ex, NULL, NULL);
    test_gate_await(&gate, 1);
    CHECK(fut_task_cancel(tasks[1]));
    CHECK(!ex->ops->broken(ex));
    test_gate_open(&gate);
    for (int i = 0; i < N; i++)
        if (i != 1) has_failed(tasks[i], "no such file");
    CHECK(fut_future_state(&tasks[1]->future) == FUT_CANCELLED);
    fut_task_drop(tasks[1]);
    is_broken(ex, "no such file");
    test_wait(ex->ops->stopped(ex)); /* without a close */
    struct fut_executor_stats s = test_stats(ex);
    CHECK(s.submitted == N && s.failed == N - 1 && s.cancelled == 1 && s.completed == 0);
    CHECK(s.workers == 0 && s.pending == 0);
    ex->ops->close(ex, true);
    is_broken(ex, "no such file");
    test_end(ex, &c);
    CHECK(atomic_load(&c.opened) == 1 && atomic_load(&c.closed) == 0);
}

static void a_reason_is_found_where_none_is_given(void) {
    struct test_config c = {.open_fails_at = 1};
    struct fut_executor *ex = test_pool(&c, 4);
    has_failed(test_submit(ex, NULL, NULL), fut_err_text(FUT_ELOST));
    is_broken(ex, fut_err_text(FUT_ELOST));
    test_end(ex, &c);
}

static void a_broken_pool_without_memory_for_the_reason(void) {
    struct test_gate gate = TEST_GATE;
    struct test_config c = {.open_fails_at = 1, .on_open = wait_at_gate, .arg = &gate};
    struct fut_executor *ex = test_pool(&c, 1);
    struct fut_task *t = test_submit(ex, NULL, NULL), *late = test_task(ex, NULL, NULL);
    test_gate_await(&gate, 1);
    fut_alloc_fail_after(1);
    test_gate_open(&gate);
    test_wait(&t->future);
    CHECK(t->future.outcome.err == FUT_EBROKEN && !t->future.outcome.text);
    CHECK(ex->ops->submit(ex, &late, 1) == FUT_EBROKEN);
    fut_alloc_fail_after(0);
    CHECK(!ex->ops->broken(ex));
    fut_task_drop(t);
    fut_task_drop(late);
    test_end(ex, &c);
}

/* The second worker breaks the pool; what the first one runs ends as it should. */
static void running_tasks_end_well(void) {
    enum { N = 5 };
    struct test_config c = {.open_fails_at = 2, .why = "second"};
    struct test_gate gate = TEST_GATE;
    struct fut_executor *ex = test_pool(&c, 2);
    struct fut_task *running = test_submit(ex, test_gate_pass, &gate), *tasks[N];
    test_gate_await(&gate, 1);
    for (int i = 0; i < N; i++) {
        tasks[i] = test_task(ex, NULL, NULL);
        enum fut_err err = ex->ops->submit(ex, &tasks[i], 1);
        CHECK(err == FUT_OK || (i > 0 && err == FUT_EBROKEN));
        if (err == FUT_OK) continue;
        fut_task_drop(tasks[i]);
        tasks[i] = NULL;
    }
    for (int i = 0; i < N; i++)
        if (tasks[i]) has_failed(tasks[i], "second");
    CHECK(fut_future_state(&running->future) == FUT_RUNNING);
    CHECK(!fut_future_done(ex->ops->stopped(ex)));
    test_gate_open(&gate);
    test_wait_and_drop(running);
    is_broken(ex, "second");
    test_end(ex, &c);
    CHECK(atomic_load(&c.closed) == 1);
}

/* A worker for which there is no memory leaves the work to the others; the last one breaks the
 * pool. */
static void the_others_go_on(void) {
    enum { N = 20 };
    struct test_config c = {.open_fails_at = 2, .open_error = FUT_ENOMEM};
    struct test_gate gate = TEST_GATE;
    struct fut_executor *ex = test_pool(&c, 4);
    struct fut_task *first = test_submit(ex, test_gate_pass, &gate), *tasks[N];
    test_gate_await(&gate, 1);
    for (int i = 0; i < N; i++) tasks[i] = test_submit(ex, NULL, NULL);
    while (test_stats(ex).workers > 1) sched_yield();
    CHECK(atomic_load(&c.opened) >= 2);
    test_gate_open(&gate);
    test_wait_and_drop(first);
    for (int i = 0; i < N; i++) {
        test_wait(&tasks[i]->future);
        CHECK(tasks[i]->future.outcome.kind == FUT_OUTCOME_VALUES);
        fut_task_drop(tasks[i]);
    }
    CHECK(!ex->ops->broken(ex) && test_stats(ex).completed == N + 1);
    test_end(ex, &c);
    CHECK(atomic_load(&c.closed) == 1);

    c = (struct test_config){.open_fails_at = 1, .open_error = FUT_ENOMEM};
    ex = test_pool(&c, 4);
    for (int i = 0; i < 4; i++) tasks[i] = test_task(ex, NULL, NULL);
    CHECK(ex->ops->submit(ex, tasks, 4) == FUT_OK);
    for (int i = 0; i < 4; i++) has_failed(tasks[i], fut_err_text(FUT_ENOMEM));
    is_broken(ex, fut_err_text(FUT_ENOMEM));
    test_end(ex, &c);
}

/* Several break it at once: one reason for all. */
static void one_reason_for_all(void) {
    enum { N = 4 };
    for (int round = 0; round < test_rounds(100); round++) {
        struct test_config c = {.open_fails_at = 1, .why = "why"};
        struct fut_executor *ex = test_pool(&c, N);
        struct fut_task *tasks[N];
        for (int i = 0; i < N; i++) tasks[i] = test_task(ex, NULL, NULL);
        CHECK(ex->ops->submit(ex, tasks, N) == FUT_OK);
        bool cancelled = round % 2 && fut_task_cancel(tasks[3]); /* or it is about to fail */
        for (int i = 0; i < N; i++) test_wait(&tasks[i]->future);
        test_wait(ex->ops->stopped(ex));
        struct fut_executor_stats s = test_stats(ex);
        CHECK(s.submitted == N && s.failed == N - s.cancelled && s.cancelled == cancelled);
        for (int i = 0; i < N; i++) fut_task_drop(tasks[i]);
        is_broken(ex, "why");
        test_end(ex, &c);
    }
}

/* ---- threads ---- */

static void no_thread_at_all(void) {
    struct test_config c = {0};
    struct fut_executor *ex = test_pool(&c, 4);
    struct fut_task *tasks[3];
    for (int i = 0; i < 3; i++) tasks[i] = test_task(ex, NULL, NULL);
    fut_thread_fail_after(1);
    CHECK(ex->ops->submit(ex, tasks, 3) == FUT_ETHREAD);
    CHECK(ex->ops->submit(ex, tasks, 1) == FUT_ETHREAD);
    fut_thread_fail_after(0);
    for (int i = 0; i < 3; i++) {
        CHECK(!tasks[i]->queued && fut_future_state(&tasks[i]->future) == FUT_PENDING);
        CHECK(atomic_load(&tasks[i]->future.object.refs) == 1);
    }
    struct fut_executor_stats s = test_stats(ex);
    CHECK(s.workers == 0 && s.idle == 0 && s.pending == 0 && s.submitted == 0);
    CHECK(!ex->ops->broken(ex));
    CHECK(ex->ops->submit(ex, tasks, 3) == FUT_OK); /* there are threads again: it goes on */
    for (int i = 0; i < 3; i++) test_wait_and_drop(tasks[i]);
    test_end(ex, &c);
}

static void note_id(struct test_config *c, const struct fut_worker_info *info) {
    CHECK(info->id < 32 &&
          !(atomic_fetch_or((atomic_uint *)c->arg, 1u << info->id) >> info->id & 1));
}

/* The k-th start fails: the pool goes on with fewer, and with more when there are more. */
static void fewer_threads_than_wanted(void) {
    enum { N = 6 };
    for (int k = 2; k <= N; k++) {
        atomic_uint ids = 0;
        struct test_config c = {.on_open = note_id, .arg = &ids};
        struct test_gate gate = TEST_GATE;
        struct fut_executor *ex = test_pool(&c, N);
        struct fut_task *tasks[N];
        fut_thread_fail_after(k);
        for (int i = 0; i < N; i++) {
            tasks[i] = test_submit(ex, test_gate_pass, &gate);
            test_gate_await(&gate, i + 1 < k ? i + 1 : k - 1);
        }
        struct fut_executor_stats s = test_stats(ex);
        CHECK(s.workers == (size_t)k - 1 && s.running == (size_t)k - 1);
        CHECK(s.pending == (size_t)(N - k + 1) && s.submitted == N);
        fut_thread_fail_after(0);
        struct fut_task *last = test_submit(ex, test_gate_pass, &gate);
        test_gate_await(&gate, N);
        CHECK(test_stats(ex).workers == N);
        test_gate_open(&gate);
        for (int i = 0; i < N; i++) test_wait_and_drop(tasks[i]);
        test_wait_and_drop(last);
        test_end(ex, &c);
        CHECK(atomic_load(&ids) == (1u << (N + 1)) - 2); /* 1 to N, though some starts failed */
    }
}

/* ---- memory ---- */

static void memory_for_the_pool(void) {
    for (long n = 1;; n++) {
        struct test_config c = {0};
        struct fut_thread_pool_options options = {
            .max_workers = 1, .name_prefix = "test", .worker = &test_worker_type, .config = &c};
        struct fut_executor *ex = NULL;
        fut_alloc_fail_after(n);
        enum fut_err err = fut_thread_pool_new(&options, &ex);
        fut_alloc_fail_after(0);
        if (err == FUT_OK) {
            CHECK(n > 2);
            test_end(ex, &c);
            return;
        }
        CHECK(err == FUT_ENOMEM && !ex && atomic_load(&c.freed) == 1);
        options.config = NULL; /* nothing to be freed */
        fut_alloc_fail_after(n);
        CHECK(fut_thread_pool_new(&options, &ex) == FUT_ENOMEM);
        fut_alloc_fail_after(0);
    }
}

static void memory_for_a_worker(void) {
    struct test_config c = {0};
    struct test_gate gate = TEST_GATE;
    struct fut_executor *ex = test_pool(&c, 2);
    struct fut_task *a = test_task(ex, test_gate_pass, &gate), *b = test_task(ex, NULL, NULL);
    fut_alloc_fail_after(1);
    CHECK(ex->ops->submit(ex, &a, 1) == FUT_ENOMEM);
    fut_alloc_fail_after(0);
    CHECK(!a->queued && test_stats(ex).submitted == 0 && test_stats(ex).workers == 0);
    CHECK(ex->ops->submit(ex, &a, 1) == FUT_OK);
    test_gate_await(&gate, 1);
    fut_alloc_fail_after(1);
    CHECK(ex->ops->submit(ex, &b, 1) == FUT_OK); /* it waits for the worker that there is */
    fut_alloc_fail_after(0);
    CHECK(test_stats(ex).workers == 1 && test_stats(ex).pending == 1);
    test_gate_open(&gate);
    test_wait_and_drop(a);
    test_wait_and_drop(b);
    test_end(ex, &c);
}

static const struct test_case cases[] = {
    {"a worker that does not open breaks the pool",
     a_worker_that_does_not_open_breaks_the_pool},
    {"a reason is found where none is given", a_reason_is_found_where_none_is_given},
    {"broken without memory for the reason", a_broken_pool_without_memory_for_the_reason},
    {"running tasks end well", running_tasks_end_well},
    {"the others go on", the_others_go_on},
    {"one reason for all", one_reason_for_all},
    {"no thread at all", no_thread_at_all},
    {"fewer threads than wanted", fewer_threads_than_wanted},
    {"memory for the pool", memory_for_the_pool},
    {"memory for a worker", memory_for_a_worker},
};

TEST_MAIN(cases)
