/* SPDX-License-Identifier: MIT */
/* fut_sleeper: a worker's thread in the graph of waits: the tasks that it runs, one on top of
 * the other, and what the topmost one waits for while the thread sleeps. A wait that would
 * close a cycle, so that it can never end, is told from all others before it begins.
 *
 *   sleeper --its task waits for--> task --runs on--> sleeper --...
 *
 * What nobody can know is taken for something that ends: a bare future may be set by anybody,
 * a task that does not sleep may return, a wait with a deadline ends in time (it is never told
 * here). A local future is settled by its state only, which sleeps here: by a callback, when
 * what that waits for is done. So it counts as waiting for the sources of the wait.
 *
 * STATE: a sleeper belongs to a thread, a frame to the run of one task; or they belong to a
 * state and to a run of retry_on there: its task goes on when that returns.
 * LOCKS: one for all sleepers of the process, taken by those only that go to sleep, and by
 * tasks that did so when they end. Nothing else is locked under it.
 * THREADS: all calls come from the sleeper's thread. */
#ifndef FUT_CORE_SLEEPER_H
#define FUT_CORE_SLEEPER_H

#include "core/executor.h"
#include "core/task.h"
#include "core/waiting.h"

struct fut_sleeper_frame {
    struct fut_task *task;
    struct fut_sleeper_frame *below;
    bool known; /* the task is marked as running on its sleeper */
    bool asks;  /* not the task runs, but its retry_on */
};

struct fut_sleeper {
    struct fut_executor *executor; /* whose worker it is */
    struct fut_sleeper_frame *top; /* of its thread; of interest to others while it sleeps */
    const struct fut_waiting *waiting; /* what for; NULL while it does not sleep */
    struct fut_sleeper *next, **back;  /* all that sleep */
    /* Of the search that is under way. */
    unsigned search;             /* its number */
    bool ends;                   /* its wait can end */
    struct fut_sleeper *found;   /* the one that was found after it */
    struct fut_sleeper *from;    /* the one that waits for it */
    const struct fut_task *task; /* because of this task of its; NULL: for its executor's end */
};

/* fut_sleeper_enter(s, frame, task): the thread starts to run the task, on top of what it runs
 * already. fut_sleeper_leave(s): the topmost has returned; its future is not yet settled. */
void fut_sleeper_enter(struct fut_sleeper *s, struct fut_sleeper_frame *frame,
                       struct fut_task *task);
void fut_sleeper_leave(struct fut_sleeper *s);

/* fut_sleeper_begin(s, waiting, why): the topmost task is about to sleep, without a deadline.
 * False when that could never end: it does not count as asleep then, and *why is a text from
 * fut_alloc that names the tasks of the cycle (or NULL when memory was too short). */
bool fut_sleeper_begin(struct fut_sleeper *s, const struct fut_waiting *waiting, char **why);

/* fut_sleeper_end(s): it is awake. Before anything of `waiting` changes. */
void fut_sleeper_end(struct fut_sleeper *s);

#endif
