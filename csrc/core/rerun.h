/* SPDX-License-Identifier: MIT */
/* fut_reruns: the tasks of an executor that have failed and may run again.
 *
 *   running --a worker was lost---------------------> rests --due--> the queue again
 *       \-----another error--> asked about --yes---^
 *                                  \--no--> finished, with the error
 *
 * All the while the future of such a task is pending, and the error is nobody's but ours.
 *
 * Asked is whoever watches the task's future with a waiter that has `questions`
 * (core/waiter.h), at a moment of his: he gets the outcome with the executor's `question` and
 * says what becomes of it with `answer`. Where nobody does, any more, the error is final.
 *
 * STATE: zeroed memory is empty.
 * OWNERSHIP: a count of each task in it; gives it on with the task.
 * LOCKS: none of its own: its executor's, under which all calls are made but for
 * fut_reruns_question. */
#ifndef FUT_CORE_RERUN_H
#define FUT_CORE_RERUN_H

#include "base/lock.h"
#include "core/task.h"

struct fut_reruns {
    struct fut_heap resting; /* by the time when they are due */
    struct fut_task *asked;  /* the latest first */
    size_t length;           /* of both */
    uint64_t count;          /* tasks that went on: stats().retried */
    uint64_t random;         /* the state of what spreads the pauses */
};

/* fut_rerun_may(t): another run is left to t. Then its call is still needed. */
static inline bool fut_rerun_may(const struct fut_task *t) {
    if (!t->options || t->options->rerun.max == 0) return false;
    unsigned n = atomic_load_explicit(&t->attempts, memory_order_relaxed);
    return n > 0 && n <= t->options->rerun.max; /* one that was never started is no failure */
}

/* fut_reruns_take(r, t, outcome): a run of t has ended with the outcome, and its worker has
 * left it. True when t is to run again, or when somebody was asked about it: the caller's count
 * is r's; he frees what is left of the outcome. False: the outcome is t's. Not for one that was
 * asked to end as cancelled. */
bool fut_reruns_take(struct fut_reruns *r, struct fut_task *t, struct fut_outcome *outcome);

/* fut_reruns_due(r): when the next one may run; FUT_NEVER. fut_reruns_pop_due(r, now): takes it
 * out when that has come, for the queue, or NULL. */
fut_time fut_reruns_due(const struct fut_reruns *r);
struct fut_task *fut_reruns_pop_due(struct fut_reruns *r, fut_time now);

/* fut_reruns_remove(r, t, outcome): t, which is in r, out of it. The empty outcome gets what it
 * was asked about with, unless that was taken by fut_reruns_question. fut_reruns_pop(r,
 * outcome): the same with any of them, or NULL. */
void fut_reruns_remove(struct fut_reruns *r, struct fut_task *t, struct fut_outcome *outcome);
struct fut_task *fut_reruns_pop(struct fut_reruns *r, struct fut_outcome *outcome);

/* fut_reruns_question(lock, t, outcome): for the one who was asked: the empty outcome gets t's;
 * false when nothing is asked any more. Takes that lock, the executor's. */
bool fut_reruns_question(struct fut_lock *lock, struct fut_task *t,
                         struct fut_outcome *outcome);

/* fut_reruns_answer(r, t, again): after that: false when nothing is asked any more. Else t
 * rests, or, if it is not to run again, is out of r: the count and the outcome are the
 * caller's. */
bool fut_reruns_answer(struct fut_reruns *r, struct fut_task *t, bool again);

/* fut_reruns_end(t, outcome, completed, failed): t was asked about, and this outcome stays:
 * counts it in one of the two, before t is done, and settles t. The count is still the
 * caller's. */
void fut_reruns_end(struct fut_task *t, struct fut_outcome *outcome, uint64_t *completed,
                    uint64_t *failed);

#endif
