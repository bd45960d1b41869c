/* SPDX-License-Identifier: MIT */
/* fut_task_options: what a view of an executor (`with`) asks for each of its tasks. One object
 * for all tasks of the view; a plain task has none, and costs nothing for it.
 *
 * STATE: does not change once a task has it.
 * OWNERSHIP: counted: the view and each of its tasks hold it.
 * THREADS: any may read. */
#ifndef FUT_CORE_OPTIONS_H
#define FUT_CORE_OPTIONS_H

#include <stddef.h>

#include "base/backoff.h"
#include "base/clock.h"
#include "core/object.h"

/* Zeroed: what has failed does not run again. */
struct fut_rerun_rule {
    unsigned max; /* runs after the first */
    bool asks;    /* after any error: somebody is asked; else only after lost workers */
    struct fut_backoff backoff;
};

struct fut_task_options {
    struct fut_object object;
    double priority;  /* higher first; 0 for plain tasks */
    fut_time timeout; /* of one run, from its start; 0: none, negative: it does not run */
    struct fut_rerun_rule rerun;
    char *name; /* what the task is called in messages, or NULL */
};

/* fut_rerun_asks(o): with these options, or NULL, somebody may be asked. */
static inline bool fut_rerun_asks(const struct fut_task_options *o) {
    return o && o->rerun.max > 0 && o->rerun.asks;
}

/* fut_task_options_new(name, len): options that ask for nothing, with a copy of the name (which
 * may be NULL) and one count; NULL when there is no memory. */
struct fut_task_options *fut_task_options_new(const char *name, size_t len);

static inline void fut_task_options_hold(struct fut_task_options *o) {
    fut_object_hold(&o->object);
}
static inline void fut_task_options_drop(struct fut_task_options *o) {
    fut_object_drop(&o->object);
}

#endif
