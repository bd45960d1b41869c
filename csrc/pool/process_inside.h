/* SPDX-License-Identifier: MIT */
/* The process pool from the inside, for the files that make it up:
 *   process_pool.c      the executor's operations; making and freeing
 *   process_give.c      which worker gets which task, and when workers start
 *   process_take.c      what comes from a worker: results, nonsense, its end
 *   process_stop.c      tasks that are to end early, and their workers
 *   process_rerun.c     tasks that have failed and may run again
 *   process_collect.c   the collector's thread, which waits for that
 * LOCKS: all calls here under the pool's lock, but for the collector's own. */
#ifndef FUT_POOL_PROCESS_INSIDE_H
#define FUT_POOL_PROCESS_INSIDE_H

#include <pthread.h>

#include "base/lock.h"
#include "base/spin.h"
#include "core/bound.h"
#include "core/queue.h"
#include "core/rerun.h"
#include "pool/process_child.h"
#include "pool/process_link.h"
#include "pool/process_pool.h"
#include "pool/zygote.h"

/* Outcomes that are collected before the lock is let go. */
enum { FUT_SETTLED_AT_ONCE = 32 };

struct fut_settled {
    struct fut_task *task;
    bool ends_call; /* nobody needs its call any more */
    struct fut_outcome outcome;
};

struct fut_process_pool {
    struct fut_executor executor; /* first: a pool is an executor */
    struct fut_lock lock;         /* guards all that follows */
    struct fut_queue queue;
    struct fut_bound bound;         /* of what waits, in the queue and at workers */
    struct fut_process_link *links; /* max_workers of them; those from nlinks on: never used */
    int nlinks;
    int nworkers;  /* links that are not free */
    size_t window; /* tasks at workers: the sum of their loads */
    int start_failures;
    fut_time start_after; /* no worker is started before: forking has just failed */
    bool closed, killed, broken;
    bool dormant;     /* the collector sleeps for ever: who makes work rings */
    char *why_broken; /* NULL also when there was no memory for it */
    struct fut_reruns reruns;
    struct fut_executor_stats counts;
    struct fut_histogram wait, run;
    struct fut_process_shared shared;
    struct fut_zygote zygote;
    struct fut_process_child child; /* what its children are; read after the fork only */
    struct fut_process_pool_options options;
    struct fut_future *stopped;
    pthread_t collector;
    /* Held while the collector is joined; not a lock: that takes a while. */
    pthread_mutex_t joining;
    bool joined;
    struct fut_spin spin;                         /* the collector's */
    struct fut_settled done[FUT_SETTLED_AT_ONCE]; /* likewise */
    int ndone;
};

/* process_give.c */

/* fut_process_dispatch(p): starts workers that are needed, moves tasks from the queue to
 * workers, from busy workers to idle ones, and bytes to their rings. */
void fut_process_dispatch(struct fut_process_pool *p);

/* fut_process_running(p): the tasks that their workers have started, as far as is known here.
 * fut_process_has_room(p, n): for n tasks more, whether they would wait in the queue or at a
 * worker that has not started them. fut_process_starts_soon(p): a worker has nothing to do
 * but to start the next one, so a queue that is full is not so for long. fut_process_tell_room(
 * p): somebody waits for room: he is told now, or when that has happened. */
size_t fut_process_running(const struct fut_process_pool *p);
bool fut_process_has_room(const struct fut_process_pool *p, size_t n);
bool fut_process_starts_soon(const struct fut_process_pool *p);
void fut_process_tell_room(struct fut_process_pool *p);

/* fut_process_take_back(p, link, seq): the task of that number, if the worker has not started
 * it; the caller gets its count. */
struct fut_task *fut_process_take_back(struct fut_process_pool *p,
                                       struct fut_process_link *link, uint64_t seq);

/* fut_process_clear(p, link): takes the tasks that wait at that worker back into the queue.
 * fut_process_make_way(p): takes all tasks that wait at workers back into the queue: one of a
 * higher priority has come. */
void fut_process_clear(struct fut_process_pool *p, struct fut_process_link *link);
void fut_process_make_way(struct fut_process_pool *p);

/* process_take.c */

/* fut_process_started(t): its worker has started it. */
void fut_process_started(struct fut_task *t);

/* fut_process_fail(p, t, err, text): the task, whose count the pool had, fails. */
void fut_process_fail(struct fut_process_pool *p, struct fut_task *t, enum fut_err err,
                      const char *text);

/* fut_process_break(p, why): no more tasks; those in the queue fail. */
void fut_process_break(struct fut_process_pool *p, const char *why);

/* fut_process_take(p, link): reads the frames that are there, and sees whether the worker has
 * ended; true when anything happened. Outcomes go to p->done. */
bool fut_process_take(struct fut_process_pool *p, struct fut_process_link *link);

/* fut_process_bury_all(p): the zygote is gone, and its workers with it: nothing can be started
 * any more. */
void fut_process_bury_all(struct fut_process_pool *p);

/* process_stop.c */

/* fut_process_interrupt(p, link, t): asks t, which is at that worker, to end, if it runs. */
bool fut_process_interrupt(struct fut_process_pool *p, struct fut_process_link *link,
                           struct fut_task *t);

/* fut_process_end_asked(p, link, t): t has left its worker, or that is gone: if it was asked to
 * end, settles it and drops its count; false when it was not. link: where the worker goes on;
 * else NULL. */
bool fut_process_end_asked(struct fut_process_pool *p, struct fut_process_link *link,
                           struct fut_task *t);

/* fut_process_has_no_time(p, t): true when the limit of t, which is queued, does not let it
 * start: then it is settled. */
bool fut_process_has_no_time(struct fut_process_pool *p, struct fut_task *t);

/* fut_process_watch(p): asks those whose time is over to end, and sends stronger signals to the
 * workers of those that did not. When to look again. */
fut_time fut_process_watch(struct fut_process_pool *p);

/* process_rerun.c */

/* fut_process_rerun(p, t, outcome): t has left its worker, or that is gone, with this outcome;
 * true when it keeps its future pending: the count is passed on, the outcome freed. */
bool fut_process_rerun(struct fut_process_pool *p, struct fut_task *t,
                       struct fut_outcome *outcome);

/* fut_process_requeue_due(p): moves what may run again now to the queue; when to look again. */
fut_time fut_process_requeue_due(struct fut_process_pool *p);

/* fut_process_break_reruns(p): when p breaks: what was asked about ends with its error, all
 * else because of that. */
void fut_process_break_reruns(struct fut_process_pool *p);

/* question and answer of core/executor.h. */
bool fut_process_question(struct fut_executor *ex, struct fut_task *t, struct fut_outcome *out);
void fut_process_answer(struct fut_executor *ex, struct fut_task *t,
                        struct fut_outcome *outcome, bool again);

/* process_pool.c */

/* fut_process_pool_of(ex): the pool that this executor is. fut_process_wake_collector(p): it is
 * to look, unless it has ended. */
struct fut_process_pool *fut_process_pool_of(struct fut_executor *ex);
void fut_process_wake_collector(struct fut_process_pool *p);

/* fut_process_collector(pool): the main function of the collector's thread, which has a
 * count. */
void *fut_process_collector(void *pool);

#endif
