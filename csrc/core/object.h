/* SPDX-License-Identifier: MIT */
/* fut_object: the head of everything that is counted: futures, executors, code.
 * OWNERSHIP: whoever holds a count may use the object; the last drop frees it. What a free
 * drops is freed after it, by the same outermost drop, so a long chain of objects needs no
 * stack.
 * THREADS: hold and drop from any thread. A count is only taken by somebody who already has one
 * (or a lock that keeps the object alive), so hold may be relaxed; drop releases what this
 * thread wrote, and the last one acquires what all others wrote before it frees. */
#ifndef FUT_CORE_OBJECT_H
#define FUT_CORE_OBJECT_H

#include <stdatomic.h>
#include <stdbool.h>

struct fut_object;

struct fut_object_type {
    const char *name; /* for messages and debuggers: "future", "executor", "code" */
    void (*free)(struct fut_object *object);
    bool needs_task; /* it may take a task to settle it: who has it may wait for one */
};

struct fut_object {
    const struct fut_object_type *type;
    union {
        atomic_uint refs;
        struct fut_object *next; /* without a count: the next that this thread frees */
    };
};

/* fut_object_free(o): for fut_object_drop: nobody holds o any more. */
void fut_object_free(struct fut_object *o);

static inline void fut_object_init(struct fut_object *o, const struct fut_object_type *type) {
    o->type = type;
    atomic_init(&o->refs, 1);
}

static inline void fut_object_hold(struct fut_object *o) {
    atomic_fetch_add_explicit(&o->refs, 1, memory_order_relaxed);
}

static inline void fut_object_drop(struct fut_object *o) {
    if (atomic_fetch_sub_explicit(&o->refs, 1, memory_order_acq_rel) == 1) fut_object_free(o);
}

#endif
