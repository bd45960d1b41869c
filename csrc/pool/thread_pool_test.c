/* SPDX-License-Identifier: MIT */
/* What a thread pool does when all is well: which threads it starts, in which order tasks
 * run. */
#include "pool/test_pool.h"

static void a_new_pool_has_no_thread(void) {
    struct test_config c = {0};
    int before = test_threads();
    struct fut_executor *ex = test_pool(&c, 4);
    struct fut_executor_stats s = test_stats(ex);
    CHECK(s.workers == 0 && s.idle == 0 && s.pending == 0 && s.running == 0);
    CHECK(s.submitted == 0 && s.completed == 0 && s.failed == 0 && s.cancelled == 0);
    CHECK(test_threads() == before && !ex->ops->broken(ex));
    test_end(ex, &c);
    CHECK(atomic_load(&c.opened) == 0);
}

static void one_after_the_other_needs_one_thread(void) {
    struct test_config c = {0};
    struct fut_executor *ex = test_pool(&c, 8);
    for (int i = 0; i < test_rounds(2000); i++) {
        test_wait_and_drop(test_submit(ex, NULL, NULL));
        CHECK(test_stats(ex).workers == 1);
    }
    test_end(ex, &c);
    CHECK(atomic_load(&c.opened) == 1 && atomic_load(&c.closed) == 1);
}

static void one_more_when_nobody_is_free(void) {
    enum { N = 5 };
    struct test_config c = {0};
    struct test_gate gate = TEST_GATE;
    struct fut_executor *ex = test_pool(&c, 8);
    struct fut_task *tasks[N];
    for (int i = 0; i < N; i++) {
        tasks[i] = test_submit(ex, test_gate_pass, &gate);
        CHECK(test_stats(ex).workers == (size_t)i + 1);
    }
    test_gate_await(&gate, N);
    struct fut_executor_stats s = test_stats(ex);
    CHECK(s.running == N && s.idle == 0 && s.pending == 0 && s.submitted == N);
    test_gate_open(&gate);
    for (int i = 0; i < N; i++) test_wait_and_drop(tasks[i]);
    s = test_stats(ex);
    CHECK(s.workers == N && s.idle == N && s.running == 0 && s.completed == N);
    test_end(ex, &c);
}

static void no_more_than_max_workers(void) {
    enum { MAX = 3, N = 10 };
    struct test_config c = {0};
    struct test_gate gate = TEST_GATE;
    struct fut_executor *ex = test_pool(&c, MAX);
    struct fut_task *tasks[N];
    for (int i = 0; i < N; i++) tasks[i] = test_submit(ex, test_gate_pass, &gate);
    test_gate_await(&gate, MAX);
    struct fut_executor_stats s = test_stats(ex);
    CHECK(s.workers == MAX && s.running == MAX && s.pending == N - MAX);
    test_gate_open(&gate);
    for (int i = 0; i < N; i++) test_wait_and_drop(tasks[i]);
    test_end(ex, &c);
    CHECK(atomic_load(&c.opened) == MAX && gate.inside == N);
}

/* All of a batch run at the same time, whether the workers slept, spun, or were not there
 * yet. */
static void a_batch_wakes_as_many_as_it_needs(void) {
    enum { N = 6 };
    struct test_config c = {0};
    struct fut_executor *ex = test_pool(&c, N);
    for (int round = 0; round < test_rounds(100); round++) {
        struct test_gate gate = TEST_GATE;
        struct fut_task *tasks[N];
        for (int i = 0; i < N; i++) tasks[i] = test_task(ex, test_gate_pass, &gate);
        CHECK(ex->ops->submit(ex, tasks, N) == FUT_OK);
        test_gate_await(&gate, N);
        test_gate_open(&gate);
        for (int i = 0; i < N; i++) test_wait_and_drop(tasks[i]);
        if (round % 10 == 0) usleep(1000); /* now they sleep */
    }
    CHECK(test_stats(ex).workers == N);
    test_end(ex, &c);
}

static void an_empty_batch(void) {
    struct test_config c = {0};
    struct fut_executor *ex = test_pool(&c, 2);
    CHECK(ex->ops->submit(ex, NULL, 0) == FUT_OK);
    CHECK(test_stats(ex).workers == 0 && test_stats(ex).submitted == 0);
    test_wait_and_drop(test_submit(ex, NULL, NULL));
    CHECK(ex->ops->submit(ex, NULL, 0) == FUT_OK);
    test_end(ex, &c);
}

struct order {
    int n;
    int seen[1000];
};

struct item {
    struct order *order;
    int number;
};

static void note(void *arg, struct fut_outcome *out) {
    struct item *item = arg;
    (void)out;
    item->order->seen[item->order->n++] = item->number;
}

static void one_worker_runs_them_in_order(void) {
    enum { N = 1000 };
    static struct order order;
    static struct item items[N];
    struct test_config c = {0};
    struct fut_executor *ex = test_pool(&c, 1);
    struct fut_task *tasks[N];
    for (int i = 0; i < N; i++) {
        items[i] = (struct item){&order, i};
        tasks[i] = test_task(ex, note, &items[i]);
    }
    for (int i = 0, size; i < N; i += size) {
        size = i % 7 + 1 < N - i ? i % 7 + 1 : N - i;
        CHECK(ex->ops->submit(ex, &tasks[i], (size_t)size) == FUT_OK);
    }
    for (int i = 0; i < N; i++) test_wait_and_drop(tasks[i]);
    test_end(ex, &c);
    CHECK(order.n == N);
    for (int i = 0; i < N; i++) CHECK(order.seen[i] == i);
}

static void counts_of_ends(void) {
    struct test_config c = {0};
    struct fut_executor *ex = test_pool(&c, 3);
    for (uint64_t i = 1; i <= 20; i++) {
        struct fut_task *t = test_submit(ex, test_failing, (void *)"why");
        test_wait(&t->future);
        CHECK(t->future.outcome.err == FUT_ETRANSFER);
        CHECK(strcmp(t->future.outcome.text, "why") == 0);
        fut_task_drop(t);
        test_wait_and_drop(test_submit(ex, NULL, NULL));
        struct fut_executor_stats s = test_stats(ex);
        CHECK(s.submitted == 2 * i && s.completed == i && s.failed == i && s.cancelled == 0);
        CHECK(s.pending == 0 && s.running == 0 && s.idle == s.workers);
    }
    test_end(ex, &c);
}

/* ---- what a worker is told, and what it sees ---- */

static void check_info(struct test_config *c, const struct fut_worker_info *info) {
    char expected[64];
    snprintf(expected, sizeof expected, "test_%d", info->id - 1);
    CHECK(strcmp(info->name, expected) == 0);
    CHECK(fut_executor_current() == *(struct fut_executor **)c->arg);
#ifdef __linux__
    char shown[32];
    CHECK(pthread_getname_np(pthread_self(), shown, sizeof shown) == 0);
    CHECK(strcmp(shown, expected) == 0);
#endif
}

static void check_current(void *arg, struct fut_outcome *out) {
    (void)out;
    CHECK(fut_executor_current() == arg);
}

static void names_and_ids(void) {
    enum { N = 12 };
    struct fut_executor *ex = NULL;
    struct test_config c = {.on_open = check_info, .arg = &ex};
    struct test_gate gate = TEST_GATE;
    struct fut_task *tasks[N];
    ex = test_pool(&c, N);
    for (int i = 0; i < N; i++) tasks[i] = test_submit(ex, test_gate_pass, &gate);
    test_gate_await(&gate, N);
    test_gate_open(&gate);
    for (int i = 0; i < N; i++) test_wait_and_drop(tasks[i]);
    test_wait_and_drop(test_submit(ex, check_current, ex));
    CHECK(!fut_executor_current());
    test_end(ex, &c);
    CHECK(atomic_load(&c.opened) == N);
}

/* ---- counts of references ---- */

static void the_worker_drops_the_last_count(void) {
    struct test_config c = {0};
    struct fut_executor *ex = test_pool(&c, 2);
    for (int i = 0; i < test_rounds(5000); i++) fut_task_drop(test_submit(ex, NULL, NULL));
    ex->ops->close(ex, false);
    test_wait(ex->ops->stopped(ex));
    ex->ops->join(ex);
    CHECK(test_stats(ex).completed == (uint64_t)test_rounds(5000));
    CHECK(atomic_load(&ex->object.refs) == 1);
    fut_executor_drop(ex);
    CHECK(atomic_load(&c.freed) == 1);
}

static void a_future_outlives_its_pool(void) {
    struct test_config c = {0};
    struct fut_executor *ex = test_pool(&c, 2);
    struct fut_task *t = test_submit(ex, NULL, NULL);
    ex->ops->close(ex, false);
    test_wait(ex->ops->stopped(ex));
    ex->ops->join(ex);
    fut_executor_drop(ex);
    CHECK(fut_future_state(&t->future) == FUT_FINISHED && !fut_task_cancel(t));
    CHECK(atomic_load(&c.freed) == 0);
    fut_task_drop(t);
    CHECK(atomic_load(&c.freed) == 1);
}

/* What a task was given is let go when it has run, though its future lives on: else a chain of
 * tasks, each with the future of the one before, would keep all of them. */
static void a_task_lets_go_of_the_futures_it_got(void) {
    struct test_config c = {0};
    struct fut_executor *ex = test_pool(&c, 1);
    struct fut_future *given = fut_future_new();
    struct test_call call = {0};
    CHECK(given);
    for (uint32_t n = 1; n <= 4; n++) {
        struct fut_object *refs[4];
        for (uint32_t i = 0; i < n; i++) {
            fut_future_hold(given);
            refs[i] = &given->object;
        }
        struct fut_task *t = fut_task_new(ex, NULL);
        CHECK(t && fut_payload_init(&t->call, &call, sizeof call, refs, n) == FUT_OK);
        CHECK(ex->ops->submit(ex, &t, 1) == FUT_OK);
        test_wait(&t->future);
        CHECK(atomic_load(&given->object.refs) == 1);
        fut_task_drop(t);
    }
    fut_future_drop(given);
    test_end(ex, &c);
}

static const struct test_case cases[] = {
    {"a new pool has no thread", a_new_pool_has_no_thread},
    {"one after the other needs one thread", one_after_the_other_needs_one_thread},
    {"one more when nobody is free", one_more_when_nobody_is_free},
    {"no more than max_workers", no_more_than_max_workers},
    {"a batch wakes as many as it needs", a_batch_wakes_as_many_as_it_needs},
    {"an empty batch", an_empty_batch},
    {"one worker runs them in order", one_worker_runs_them_in_order},
    {"counts of ends", counts_of_ends},
    {"names and ids", names_and_ids},
    {"the worker drops the last count", the_worker_drops_the_last_count},
    {"a future outlives its pool", a_future_outlives_its_pool},
    {"a task lets go of the futures it got", a_task_lets_go_of_the_futures_it_got},
};

TEST_MAIN(cases)
