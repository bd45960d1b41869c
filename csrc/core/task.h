/* SPDX-License-Identifier: MIT */
/* fut_task: a call that an executor has taken and the future of its outcome, in one allocation.
 *
 * OWNERSHIP: counted by its future. The executor holds a count from submit until the future is
 * settled; the task holds its executor, so a future may outlive the handle of its executor.
 * THREADS: `call` belongs to the submitter until submit, then to the worker that runs the task.
 * The links belong to the executor: `next` to the one who puts the task into an inbox
 * (core/inbox.h), then all of them under the lock. */
#ifndef FUT_CORE_TASK_H
#define FUT_CORE_TASK_H

#include "base/heap.h"
#include "core/future.h"
#include "core/options.h"
#include "core/payload.h"

struct fut_executor;
struct fut_sleeper;

/* Where a task is between two runs: core/rerun.h. */
enum fut_pause { FUT_PAUSE_NONE, FUT_PAUSE_ASKED, FUT_PAUSE_RESTS };

struct fut_task {
    struct fut_future future; /* first: a task is a future */
    struct fut_executor *executor;
    struct fut_task_options *options; /* a count is held; NULL for a plain task */
    bool queued;
    unsigned char pause; /* enum fut_pause */
    bool slept; /* it, or its retry_on, runs where `sleeper` says; see core/sleeper.h */
    atomic_uint attempts; /* how many times it was started */
    /* What is looked at when the task is freed stands before its bytes. */
    struct fut_payload call;
    union {
        struct {
            struct fut_task *next, *prev; /* in the list of a queue, or another one */
            struct fut_sleeper *sleeper;  /* in the graph of waits */
            uint32_t worker; /* the number of the one that runs it, or at which it waits */
        };
        struct fut_heap_node node; /* in the heap of a queue, or of those that rest */
    };
    union {
        uint64_t place;           /* the number under which it waits at `worker` */
        uint64_t turn;            /* in a queue: among equals the lowest is the next */
        fut_time due;             /* while it rests: until when */
        struct fut_outcome *last; /* of its last run; while somebody is asked */
    };
};

extern const struct fut_object_type fut_task_type;

/* fut_task_new(executor, options): a pending task with an empty call and one count, or NULL. It
 * holds a count of the options, which may be NULL. */
struct fut_task *fut_task_new(struct fut_executor *executor, struct fut_task_options *options);

/* fut_task_of(f): the task whose future this is, or NULL for a bare future. */
static inline struct fut_task *fut_task_of(struct fut_future *f) {
    return f->object.type == &fut_task_type ? (struct fut_task *)f : NULL;
}

/* fut_task_count_attempt(t): for the worker that has started it: one at a time, any thread
 * reads. */
static inline void fut_task_count_attempt(struct fut_task *t) {
    unsigned n = atomic_load_explicit(&t->attempts, memory_order_relaxed);
    atomic_store_explicit(&t->attempts, n + 1, memory_order_relaxed);
}

/* fut_task_cancel(t): pending -> cancelled, and out of the executor's queue; false when it is
 * too late. The caller has a count. */
bool fut_task_cancel(struct fut_task *t);

/* fut_task_sign(t, outcome): the traceback of an error says the name of its task, if it has
 * one. */
void fut_task_sign(const struct fut_task *t, struct fut_outcome *outcome);

/* fut_task_look(t): a task that its worker has started meanwhile is running from here on, where
 * the executor does not hear of that by itself. The caller has a count. */
void fut_task_look(struct fut_task *t);

/* fut_task_interrupt(t): asks one that runs to end early: it will be cancelled; false when it
 * does not run. True again for one that was asked before. */
bool fut_task_interrupt(struct fut_task *t);

/* fut_task_decline(t): for whoever answers for t (core/rerun.h), and cannot be asked any more:
 * if it is waiting for an answer its error is final. The caller has a count. */
void fut_task_decline(struct fut_task *t);

/* fut_task_time_out(t, outcome): the empty outcome says that t ran longer than its limit. */
void fut_task_time_out(const struct fut_task *t, struct fut_outcome *outcome);

static inline void fut_task_hold(struct fut_task *t) {
    fut_future_hold(&t->future);
}
static inline void fut_task_drop(struct fut_task *t) {
    fut_future_drop(&t->future);
}

#endif
