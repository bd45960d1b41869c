/* SPDX-License-Identifier: MIT */
#include "core/waiting.h"

#include "core/executor.h"
#include "core/native.h"

static struct fut_future *only(void *arg, void **at) {
    if (*at) return NULL;
    *at = arg;
    return arg;
}

static struct fut_future *only_pending(void *arg, bool skip) {
    return skip ? NULL : arg;
}

static void tell_only(void *arg) {
    fut_native_tell(arg);
}

bool fut_waiting_helps(struct fut_future *f) {
    struct fut_task *t = fut_task_of(f);
    return t && t->executor->ops->wait_begin;
}

void fut_waiting_on(struct fut_waiting *w, struct fut_future *f, fut_time deadline) {
    *w = (struct fut_waiting){
        .each = only,
        .next_pending = only_pending,
        .tell = fut_native_hears(f) ? tell_only : NULL,
        .arg = f,
        .helps = fut_waiting_helps(f),
        .all = true,
        .deadline = deadline,
    };
}
