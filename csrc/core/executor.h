/* SPDX-License-Identifier: MIT */
/* fut_executor: what every pool, and later every engine, can do. The bind floor knows nothing
 * else of a pool.
 *
 * OWNERSHIP: counted. Handles and tasks hold it; it is freed only when its workers have gone.
 * AFTER CLOSE: submit gives FUT_ECLOSED, or FUT_EBROKEN with a reason; all else still works.
 * THREADS: any thread may call anything here. */
#ifndef FUT_CORE_EXECUTOR_H
#define FUT_CORE_EXECUTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/histogram.h"
#include "base/process.h"
#include "core/object.h"
#include "core/task.h"
#include "core/waiting.h"

struct fut_executor_stats {
    size_t workers, idle, pending, running;
    uint64_t submitted, completed, failed, cancelled, lost, retried;
    struct fut_times wait, run; /* from submit to start, and from there to the end */
};

enum fut_help {
    FUT_HELP_SLEEP, /* nothing to do: sleep, then call wait_end */
    FUT_HELP_RAN,   /* a task was run: look again */
    FUT_HELP_NEVER, /* the wait cannot end: see its `why` */
};

struct fut_executor_ops {
    /* Takes n pending tasks, all or none; on success a count of each is the executor's (the
     * caller keeps its own). At most one lock, and as few wake-ups as will do. FUT_ECLOSED,
     * FUT_EBROKEN, FUT_ETHREAD when there is no worker and none can be started; FUT_EFULL. */
    enum fut_err (*submit)(struct fut_executor *ex, struct fut_task **tasks, size_t n);

    /* After FUT_EFULL: the future that is done when another try is worth it, with a count for
     * the caller; NULL in *out when it is at once. FUT_EFULL: the executor is one that refuses
     * what it has no room for, and the caller is not patient; FUT_ENOMEM. */
    enum fut_err (*room)(struct fut_executor *ex, bool patient, struct fut_future **out);

    /* Cancels a task that no worker has taken: its future is cancelled, the executor's count
     * dropped. False when it is too late. */
    bool (*cancel)(struct fut_executor *ex, struct fut_task *task);

    /* Asks a task that runs to end: its future will be cancelled when it has left its worker,
     * or after a short time in any case. False when it does not run (any more), or is being
     * ended for another reason. Does not block. NULL where it cannot be done. */
    bool (*interrupt)(struct fut_executor *ex, struct fut_task *task);

    /* Of a task about which its submitter was asked (core/rerun.h): how its last run ended, in
     * the empty outcome; false when nothing is asked any more. After true: what becomes of it,
     * again or not; takes the outcome. */
    bool (*question)(struct fut_executor *ex, struct fut_task *task, struct fut_outcome *out);
    void (*answer)(struct fut_executor *ex, struct fut_task *task, struct fut_outcome *outcome,
                   bool again);

    /* Gives a pending task that a worker has started the state running. NULL where a task has
     * it at once. */
    void (*look)(struct fut_executor *ex, struct fut_task *task);

    /* Accepts no more; queued tasks still run unless `cancel`, then they are cancelled.
     * Idempotent; does not block. */
    void (*close)(struct fut_executor *ex, bool cancel);

    /* A future that is settled when the executor is closed and its last worker has finished.
     * Not counted: valid as long as the executor. */
    struct fut_future *(*stopped)(struct fut_executor *ex);

    /* BLOCKING, until the threads have left the system: call it when `stopped` is done, then it
     * is short. Idempotent. Not from a worker of the executor. */
    void (*join)(struct fut_executor *ex);

    /* The counts of one moment: workers = idle + running, but where a worker runs a task on top
     * of one that waits: both are running. A task that is just ending may be in none of them
     * but `submitted`; it is under completed or failed before its future is done. Pending are
     * also those between two runs. */
    void (*stats)(struct fut_executor *ex, struct fut_executor_stats *out);

    /* Why it is broken: a text from fut_alloc; NULL when it is not, or when memory was too
     * short. */
    char *(*broken)(struct fut_executor *ex);

    /* wait_begin(ex, wait): for a worker's thread of ex whose task is about to sleep. Runs a
     * queued task on top of it, BLOCKING as long as that takes, or counts the thread as
     * waiting, so that others run in its place. wait_end: the thread goes on; `again`: straight
     * into the next wait_begin, whatever happens: it may have been woken to run a task there.
     * NULL where workers are processes. */
    enum fut_help (*wait_begin)(struct fut_executor *ex, struct fut_waiting *wait);
    void (*wait_end)(struct fut_executor *ex, bool again);

    /* Closes, cancels what is pending and sends the signal to all workers; what runs fails with
     * FUT_EBROKEN. NULL where workers are no processes. */
    void (*kill)(struct fut_executor *ex, int signal);
};

struct fut_executor {
    struct fut_object object;
    const struct fut_executor_ops *ops;
    bool process;   /* its workers are other processes: what travels there is encoded so */
    unsigned forks; /* fut_process_forks() when it was made */
};

/* fut_executor_forked(ex): this process is a child of the one that made ex, by somebody's fork:
 * its threads are not here, its locks may never be free again. Only counts may be touched. */
static inline bool fut_executor_forked(const struct fut_executor *ex) {
    return ex->forks != fut_process_forks();
}

/* What the handles of users do goes through these: submit gives FUT_EFORKED in such a child,
 * close does nothing there, stats are all 0. */
static inline enum fut_err fut_executor_submit(struct fut_executor *ex, struct fut_task **tasks,
                                               size_t n) {
    return fut_executor_forked(ex) ? FUT_EFORKED : ex->ops->submit(ex, tasks, n);
}
static inline void fut_executor_close(struct fut_executor *ex, bool cancel) {
    if (!fut_executor_forked(ex)) ex->ops->close(ex, cancel);
}
static inline void fut_executor_stats_of(struct fut_executor *ex,
                                         struct fut_executor_stats *out) {
    *out = (struct fut_executor_stats){0};
    if (!fut_executor_forked(ex)) ex->ops->stats(ex, out);
}

static inline void fut_executor_hold(struct fut_executor *ex) {
    fut_object_hold(&ex->object);
}
static inline void fut_executor_drop(struct fut_executor *ex) {
    fut_object_drop(&ex->object);
}

/* fut_executor_current(): the executor whose worker this thread is, or NULL. Not counted. */
struct fut_executor *fut_executor_current(void);

/* fut_executor_set_current(ex): for pools, at the start of a worker thread. */
void fut_executor_set_current(struct fut_executor *ex);

#endif
