/* SPDX-License-Identifier: MIT */
/* Tasks that wait for tasks of the pool that runs them: on which thread those run. */
#include "base/thread.h"
#include "pool/test_pool.h"

/* What the tasks of one case share. */
struct scene {
    struct fut_executor *ex;
    struct fut_task *inner; /* what the outer one waits for */
    struct test_gate gate;
    pthread_t outer_thread, inner_thread;
    fut_time timeout; /* of the wait; 0: none */
    bool may_stack;
    enum fut_help end; /* of the wait: RAN when the future was done */
    atomic_int asleep; /* how often it fell asleep */
};

/* As bind/home_wait.c does it. */
static enum fut_help wait_in_task(struct scene *s, struct fut_future *f) {
    struct fut_parker parker;
    struct fut_waiter waiter;
    struct fut_watch watch;
    struct fut_waiting what;
    fut_parker_init(&parker);
    fut_waiter_init(&waiter, &parker);
    fut_watch_init(&watch);
    fut_watch_start(&watch, &waiter, f);
    fut_waiting_on(&what, f, s->timeout ? fut_now() + s->timeout : FUT_NEVER);
    what.parker = &parker;
    what.may_stack = s->may_stack;
    enum fut_help help = FUT_HELP_RAN;
    while (!fut_future_done(f) && help != FUT_HELP_NEVER && fut_now() < what.deadline) {
        help = s->ex->ops->wait_begin(s->ex, &what);
        if (help != FUT_HELP_SLEEP) continue;
        atomic_fetch_add(&s->asleep, 1);
        fut_park(&parker, what.deadline);
        s->ex->ops->wait_end(s->ex, false);
    }
    fut_free(what.why);
    fut_watch_stop(&watch);
    fut_waiter_deinit(&waiter);
    return fut_future_done(f) ? FUT_HELP_RAN : help;
}

static void inner(void *arg, struct fut_outcome *out) {
    (void)out;
    ((struct scene *)arg)->inner_thread = pthread_self();
}

static void outer(void *arg, struct fut_outcome *out) {
    struct scene *s = arg;
    (void)out;
    s->outer_thread = pthread_self();
    s->inner = test_submit(s->ex, inner, s);
    s->end = wait_in_task(s, &s->inner->future);
}

static void scene_run(struct scene *s, struct test_config *c, int workers) {
    s->ex = test_pool(c, workers);
    test_wait_and_drop(test_submit(s->ex, outer, s));
}

static void scene_end(struct scene *s, struct test_config *c) {
    fut_task_drop(s->inner);
    test_end(s->ex, c);
}

static void on_top_of_the_one_that_waits(void) {
    struct test_config c = {0};
    struct scene s = {.may_stack = true};
    scene_run(&s, &c, 1);
    CHECK(s.end == FUT_HELP_RAN && pthread_equal(s.outer_thread, s.inner_thread));
    CHECK(atomic_load(&s.asleep) == 0);
    struct fut_executor_stats stats = test_stats(s.ex);
    CHECK(stats.workers == 1 && stats.running == 0 && stats.completed == 2);
    scene_end(&s, &c);
    CHECK(atomic_load(&c.opened) == 1);
}

static void workers_become(struct fut_executor *ex, size_t n) {
    for (int i = 0; i < 5000 && test_stats(ex).workers != n; i++) usleep(1000);
    CHECK(test_stats(ex).workers == n);
}

/* A wait that must end in time has nothing on top: a spare worker comes, and leaves. */
static void beside_one_with_a_deadline(void) {
    struct test_config c = {0};
    struct scene s = {.may_stack = true, .timeout = 100 * FUT_SECOND};
    int threads = test_threads();
    scene_run(&s, &c, 1);
    CHECK(s.end == FUT_HELP_RAN && !pthread_equal(s.outer_thread, s.inner_thread));
    CHECK(atomic_load(&s.asleep) >= 1 && atomic_load(&c.opened) == 2);
    /* Whichever of the two is one too many now. */
    workers_become(s.ex, 1);
    test_threads_are(threads + 1);
    struct fut_executor_stats stats = test_stats(s.ex);
    CHECK(stats.idle == 1 && stats.running == 0 && stats.completed == 2);
    scene_end(&s, &c);
    CHECK(atomic_load(&c.closed) == 2);
    test_threads_are(threads);
}

static void no_thread_to_be_had(void) {
    struct test_config c = {0};
    struct scene s = {.may_stack = true, .timeout = 100 * FUT_SECOND};
    s.ex = test_pool(&c, 1);
    test_wait_and_drop(test_submit(s.ex, NULL, NULL));
    fut_thread_fail_after(1);
    test_wait_and_drop(test_submit(s.ex, outer, &s));
    CHECK(s.end == FUT_HELP_RAN && pthread_equal(s.outer_thread, s.inner_thread));
    fut_task_drop(s.inner);
    /* Neither a thread nor room on the stack: said, not hung. */
    s.may_stack = false;
    s.timeout = 0;
    test_wait_and_drop(test_submit(s.ex, outer, &s));
    CHECK(s.end == FUT_HELP_NEVER);
    fut_thread_fail_after(0);
    test_wait_and_drop(s.inner);
    test_end(s.ex, &c);
}

static void wait_for_inner(void *arg, struct fut_outcome *out) {
    struct scene *s = arg;
    (void)out;
    s->outer_thread = pthread_self();
    s->end = wait_in_task(s, &s->inner->future);
}

/* What it waits for runs elsewhere: it takes what is submitted meanwhile. */
static void woken_for_later_tasks(void) {
    for (int round = 0; round < test_rounds(500); round++) {
        struct test_config c = {0};
        struct scene s = {.may_stack = true, .gate = TEST_GATE};
        s.ex = test_pool(&c, 2);
        s.inner = test_submit(s.ex, test_gate_pass, &s.gate);
        test_gate_await(&s.gate, 1);
        struct fut_task *waiter = test_submit(s.ex, wait_for_inner, &s);
        if (round % 2)
            while (atomic_load(&s.asleep) == 0) sched_yield();
        for (int i = 0; i < 3; i++) test_wait_and_drop(test_submit(s.ex, NULL, NULL));
        CHECK(test_stats(s.ex).workers == 2 && !fut_future_done(&waiter->future));
        test_gate_open(&s.gate);
        test_wait_and_drop(waiter);
        scene_end(&s, &c);
        CHECK(atomic_load(&c.opened) == 2);
    }
}

/* It may not: a spare one comes, and all that is submitted runs. */
static void spare_for_later_tasks(void) {
    for (int round = 0; round < test_rounds(500); round++) {
        struct test_config c = {0};
        struct scene s = {.may_stack = false, .gate = TEST_GATE};
        s.ex = test_pool(&c, 2);
        s.inner = test_submit(s.ex, test_gate_pass, &s.gate);
        test_gate_await(&s.gate, 1);
        struct fut_task *waiter = test_submit(s.ex, wait_for_inner, &s);
        if (round % 2)
            while (atomic_load(&s.asleep) == 0) sched_yield();
        for (int i = 0; i < 3; i++) test_wait_and_drop(test_submit(s.ex, NULL, NULL));
        CHECK(test_stats(s.ex).workers == 3 && !fut_future_done(&waiter->future));
        test_gate_open(&s.gate);
        test_wait_and_drop(waiter);
        scene_end(&s, &c);
    }
}

/* ---- a tree of tasks that wait for each other ---- */

struct node {
    struct fut_executor *ex;
    int depth;
    bool timed; /* now and then a wait has a deadline */
    atomic_int *ran;
};

static void run_node(void *arg, struct fut_outcome *out) {
    struct node *n = arg;
    (void)out;
    atomic_fetch_add(n->ran, 1);
    if (n->depth == 0) return;
    struct scene s = {.ex = n->ex, .may_stack = n->depth % 3 != 0};
    if (n->timed && n->depth % 2) s.timeout = 100 * FUT_SECOND;
    struct node below[2];
    struct fut_task *tasks[2];
    for (int i = 0; i < 2; i++) {
        below[i] = *n;
        below[i].depth--;
        tasks[i] = test_submit(n->ex, run_node, &below[i]);
    }
    for (int i = 0; i < 2; i++) {
        CHECK(wait_in_task(&s, &tasks[i]->future) == FUT_HELP_RAN);
        fut_task_drop(tasks[i]);
    }
}

static void trees(void) {
    for (int round = 0; round < test_rounds(60); round++) {
        struct test_config c = {0};
        atomic_int ran = 0;
        struct node root = {.depth = 8, .timed = round % 2, .ran = &ran};
        root.ex = test_pool(&c, 1 + round % 4);
        test_wait_and_drop(test_submit(root.ex, run_node, &root));
        CHECK(atomic_load(&ran) == 511 && test_stats(root.ex).running == 0);
        test_end(root.ex, &c);
        CHECK(atomic_load(&c.opened) == atomic_load(&c.closed));
    }
}

static const struct test_case cases[] = {
    {"on top of the one that waits", on_top_of_the_one_that_waits},
    {"beside one with a deadline", beside_one_with_a_deadline},
    {"no thread to be had", no_thread_to_be_had},
    {"woken for later tasks", woken_for_later_tasks},
    {"spare for later tasks", spare_for_later_tasks},
    {"trees", trees},
};

TEST_MAIN(cases)
