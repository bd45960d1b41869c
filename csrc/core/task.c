/* SPDX-License-Identifier: MIT */
#include "core/task.h"

#include <stdio.h>
#include <string.h>

#include "base/slab.h"
#include "core/executor.h"
#include "core/fork.h"

static struct fut_slab tasks = FUT_SLAB_INIT(sizeof(struct fut_task));

void fut_tasks_fork(bool take) {
    if (take)
        fut_lock(&tasks.lock);
    else
        fut_unlock(&tasks.lock);
}

static void task_free(struct fut_object *o) {
    struct fut_task *t = (struct fut_task *)o; /* the future is its first member */
    FUT_ASSERT(!t->queued && !t->pause);
    fut_future_deinit(&t->future);
    fut_payload_deinit(&t->call);
    fut_executor_drop(t->executor);
    if (t->options) fut_task_options_drop(t->options);
    fut_slab_free(&tasks, t);
}

const struct fut_object_type fut_task_type = {
    .name = "future", .free = task_free, .needs_task = true};

struct fut_task *fut_task_new(struct fut_executor *executor, struct fut_task_options *options) {
    struct fut_task *t = fut_slab_alloc(&tasks);
    if (!t) return NULL;
    memset(t, 0, sizeof *t);
    fut_future_init(&t->future, &fut_task_type);
    fut_executor_hold(executor);
    t->executor = executor;
    if (options) fut_task_options_hold(options);
    t->options = options;
    return t;
}

/* Without memory for it the traceback stays as it is. */
void fut_task_sign(const struct fut_task *t, struct fut_outcome *outcome) {
    if (!t->options || !t->options->name || outcome->kind != FUT_OUTCOME_ERROR) return;
    if (!outcome->text) return;
    static const char format[] = "%s\n\tin task '%s'";
    size_t size = strlen(outcome->text) + strlen(t->options->name) + sizeof format;
    char *text = fut_alloc(size);
    if (!text) return;
    snprintf(text, size, format, outcome->text, t->options->name);
    fut_free(outcome->text);
    outcome->text = text;
}

bool fut_task_cancel(struct fut_task *t) {
    if (fut_future_state(&t->future) != FUT_PENDING || fut_executor_forked(t->executor))
        return false;
    return t->executor->ops->cancel(t->executor, t);
}

void fut_task_look(struct fut_task *t) {
    if (t->executor->ops->look && fut_future_state(&t->future) == FUT_PENDING &&
        !fut_executor_forked(t->executor))
        t->executor->ops->look(t->executor, t);
}

bool fut_task_interrupt(struct fut_task *t) {
    const struct fut_executor_ops *ops = t->executor->ops;
    if (!ops->interrupt || fut_executor_forked(t->executor)) return false;
    return ops->interrupt(t->executor, t) ||
           (fut_future_asked(&t->future) & FUT_ASKED_CANCEL) != 0;
}

void fut_task_decline(struct fut_task *t) {
    const struct fut_executor_ops *ops = t->executor->ops;
    struct fut_outcome last = {0};
    if (fut_executor_forked(t->executor) || !ops->question(t->executor, t, &last)) return;
    ops->answer(t->executor, t, &last, false);
}

void fut_task_time_out(const struct fut_task *t, struct fut_outcome *outcome) {
    const char *name = t->options->name;
    double limit = (double)t->options->timeout / (double)FUT_SECOND;
    if (limit < 0) limit = 0;
    char text[256];
    snprintf(text, sizeof text, "the task%s%.150s%s ran longer than its limit of %.9g s",
             name ? " '" : "", name ? name : "", name ? "'" : "", limit);
    fut_outcome_fail(outcome, FUT_ETIMEDOUT, text);
}
