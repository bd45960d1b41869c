/* SPDX-License-Identifier: MIT */
/* Tasks, with an executor that only notes what is asked of it. */
#include "core/task.h"

#include "base/alloc.h"
#include "base/test.h"
#include "core/executor.h"

struct notes {
    struct fut_executor executor;
    struct fut_task *cancelled;
    int cancels;
    bool freed;
};

static bool cancel(struct fut_executor *ex, struct fut_task *t) {
    struct notes *n = (struct notes *)ex;
    n->cancelled = t;
    n->cancels++;
    return fut_future_cancel(&t->future);
}

static void notes_free(struct fut_object *o) {
    ((struct notes *)o)->freed = true;
}

static const struct fut_object_type notes_type = {.name = "executor", .free = notes_free};
static const struct fut_executor_ops notes_ops = {.cancel = cancel};

static void notes_init(struct notes *n) {
    *n = (struct notes){.executor = {.ops = &notes_ops, .forks = fut_process_forks()}};
    fut_object_init(&n->executor.object, &notes_type);
}

static struct fut_task *new_task(struct notes *n) {
    struct fut_task *t = fut_task_new(&n->executor, NULL);
    CHECK(t);
    return t;
}

static void a_task_is_a_future(void) {
    struct notes n;
    notes_init(&n);
    struct fut_task *t = new_task(&n);
    CHECK(fut_future_state(&t->future) == FUT_PENDING);
    CHECK(t->executor == &n.executor && !t->queued && t->call.len == 0 && t->call.nrefs == 0);
    CHECK(fut_task_of(&t->future) == t);
    struct fut_future *bare = fut_future_new();
    CHECK(bare && !fut_task_of(bare));
    fut_future_drop(bare);
    fut_task_hold(t);
    fut_future_drop(&t->future);
    fut_task_drop(t);
    fut_executor_drop(&n.executor);
}

static void a_task_holds_its_executor(void) {
    struct notes n;
    notes_init(&n);
    struct fut_task *t = new_task(&n);
    fut_executor_drop(&n.executor);
    CHECK(!n.freed);
    fut_task_drop(t);
    CHECK(n.freed);
}

static void a_new_task_is_clean(void) {
    struct notes n;
    notes_init(&n);
    for (int i = 0; i < 3; i++) { /* the memory of the one before is used again */
        struct fut_task *t = new_task(&n);
        CHECK(t->call.len == 0 && !t->call.heap && t->call.nrefs == 0);
        CHECK(t->future.outcome.kind == FUT_OUTCOME_NONE && !t->future.outcome.text);
        CHECK(!t->queued && !t->next && !t->prev && !t->future.watches);
        char bytes[100] = {1};
        CHECK(fut_payload_init(&t->call, bytes, sizeof bytes, NULL, 0) == FUT_OK);
        struct fut_outcome o = {0};
        fut_outcome_fail(&o, FUT_ELOST, "text");
        CHECK(fut_future_settle(&t->future, &o));
        fut_task_drop(t);
    }
    fut_executor_drop(&n.executor);
}

static void its_executor_cancels_it(void) {
    struct notes n;
    notes_init(&n);
    struct fut_task *t = new_task(&n);
    CHECK(fut_task_cancel(t));
    CHECK(n.cancels == 1 && n.cancelled == t);
    CHECK(!fut_task_cancel(t) && n.cancels == 1);
    CHECK(fut_future_state(&t->future) == FUT_CANCELLED);
    fut_task_drop(t);
    fut_executor_drop(&n.executor);
}

static void too_late_to_cancel(void) {
    struct notes n;
    notes_init(&n);
    for (int end = 0; end < 2; end++) {
        struct fut_task *t = new_task(&n);
        CHECK(fut_future_start(&t->future));
        struct fut_outcome o = {.kind = FUT_OUTCOME_VALUES};
        if (end) CHECK(fut_future_settle(&t->future, &o));
        CHECK(!fut_task_cancel(t));
        fut_task_drop(t);
    }
    CHECK(n.cancels == 0);
    fut_executor_drop(&n.executor);
}

static void short_memory(void) {
    struct notes n;
    notes_init(&n);
    struct fut_task *tasks[10000];
    size_t made = 0;
    fut_alloc_fail_after(1);
    while (made < sizeof tasks / sizeof *tasks &&
           (tasks[made] = fut_task_new(&n.executor, NULL)))
        made++; /* some may come from a block that is there already */
    CHECK(made < sizeof tasks / sizeof *tasks);
    CHECK(atomic_load(&n.executor.object.refs) == made + 1); /* none for the one that failed */
    fut_alloc_fail_after(0);
    while (made > 0) fut_task_drop(tasks[--made]);
    CHECK(atomic_load(&n.executor.object.refs) == 1);
    fut_executor_drop(&n.executor);
}

/* Each call holds the future of the task before: freeing the last one frees them all. */
static void a_long_chain(void) {
    struct notes n;
    notes_init(&n);
    struct fut_task *last = NULL;
    for (int i = 0; i < 300000; i++) {
        struct fut_task *t = new_task(&n);
        struct fut_object *before = last ? &last->future.object : NULL;
        CHECK(fut_payload_init(&t->call, NULL, 0, &before, before ? 1 : 0) == FUT_OK);
        last = t;
    }
    fut_executor_drop(&n.executor);
    CHECK(!n.freed);
    fut_task_drop(last);
    CHECK(n.freed);
}

static void *current_of_another_thread(void *arg) {
    CHECK(!fut_executor_current());
    fut_executor_set_current(arg);
    CHECK(fut_executor_current() == arg);
    return NULL;
}

static void each_thread_has_its_executor(void) {
    struct notes a, b;
    notes_init(&a);
    notes_init(&b);
    CHECK(!fut_executor_current());
    fut_executor_set_current(&a.executor);
    test_join(test_start(current_of_another_thread, &b.executor));
    CHECK(fut_executor_current() == &a.executor);
    fut_executor_set_current(NULL);
    CHECK(atomic_load(&a.executor.object.refs) == 1);
}

static const struct test_case cases[] = {
    {"a task is a future", a_task_is_a_future},
    {"a task holds its executor", a_task_holds_its_executor},
    {"a new task is clean", a_new_task_is_clean},
    {"its executor cancels it", its_executor_cancels_it},
    {"too late to cancel", too_late_to_cancel},
    {"short memory", short_memory},
    {"a long chain", a_long_chain},
    {"each thread has its executor", each_thread_has_its_executor},
};

TEST_MAIN(cases)
