/* SPDX-License-Identifier: MIT */
#include "core/task.h"

#include "base/alloc.h"
#include "core/executor.h"

static void task_free(struct fut_object *o) {
    struct fut_task *t = (struct fut_task *)o; /* the future is its first member */
    FUT_ASSERT(!t->queued);
    fut_future_deinit(&t->future);
    fut_payload_deinit(&t->call);
    fut_executor_drop(t->executor);
    fut_free(t);
}

const struct fut_object_type fut_task_type = {"future", task_free};

struct fut_task *fut_task_new(struct fut_executor *executor) {
    struct fut_task *t = fut_zalloc(sizeof *t);
    if (!t) return NULL;
    fut_future_init(&t->future, &fut_task_type);
    fut_executor_hold(executor);
    t->executor = executor;
    return t;
}

bool fut_task_cancel(struct fut_task *t) {
    if (!fut_future_cancel(&t->future)) return false;
    t->executor->ops->withdraw(t->executor, t);
    return true;
}
