/* SPDX-License-Identifier: MIT */
#include "bind/orphan.h"

#include "core/executor.h"
#include "core/native.h"
#include "core/task.h"
#include "core/waiter.h"
#include "vm/foreign.h"

static void end_task(struct fut_future *f) {
    struct fut_outcome o = {0};
    fut_outcome_fail(&o, FUT_EFORKED, NULL);
    fut_future_settle_orphan(f, &o);
    fut_outcome_deinit(&o);
}

/* Its module may say what becomes of it; else it is cancelled. */
static void end_native(struct fut_native *n) {
    struct fut_outcome o = {0};
    struct fut_result result = {.failed = true};
    if (n->class->forked) result.object = n->class->forked(n->context);
    bool fails = result.object != NULL;
    if (fails) fut_foreign_outcome(&o, &result);
    fut_future_settle_orphan(&n->future, fails ? &o : NULL);
    fut_outcome_deinit(&o);
}

void fut_orphan_end(struct fut_future *f) {
    if (fut_future_done(f)) return;
    struct fut_task *t = fut_task_of(f);
    if (t && fut_executor_forked(t->executor))
        end_task(f);
    else if (fut_native_forked(f))
        end_native(fut_native_of(f));
}
