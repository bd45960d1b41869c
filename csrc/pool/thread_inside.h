/* SPDX-License-Identifier: MIT */
/* The thread pool from the inside, for the files that make it up:
 *   thread_pool.c     the executor's operations; making and freeing
 *   thread_lock.c     the lock, and what is due whenever it is taken and left
 *   thread_start.c    workers that start, and wait for work
 *   thread_worker.c   a worker's thread: take, run, settle
 *   thread_help.c     tasks that wait: what their workers do, who runs in their place
 *   thread_stop.c     tasks that are to end early, and workers that are stuck in them
 *   thread_rerun.c    tasks that have failed and may run again
 * LOCKS: calls marked "under the lock" are made under the pool's lock; nothing here waits or
 * enters a worker under it. */
#ifndef FUT_POOL_THREAD_INSIDE_H
#define FUT_POOL_THREAD_INSIDE_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/cpu.h"
#include "base/lock.h"
#include "base/park.h"
#include "base/spin.h"
#include "base/timer.h"
#include "core/bound.h"
#include "core/inbox.h"
#include "core/queue.h"
#include "core/rerun.h"
#include "core/sleeper.h"
#include "pool/thread_pool.h"

struct fut_thread_worker {
    struct fut_thread_pool *pool;
    struct fut_thread_worker *next;      /* in pool->workers */
    struct fut_thread_worker *next_idle; /* in pool->idle or pool->resting */
    /* Of a worker whose task waits, asleep; guarded by the pool's lock. */
    struct fut_waiting *waiting;             /* for what; NULL when it does not */
    struct fut_thread_worker *older, *newer; /* in pool->waiters */
    bool called;  /* woken to look at the queue; counted in pool->coming */
    bool asleep;  /* told to the graph of waits; its thread's */
    bool resting; /* in pool->resting */
    bool leaving; /* counted in pool->nleaving; its thread's */
    int foreign;  /* tasks on top of others that do not wait for them; its thread's */
    struct fut_worker *inside;
    struct fut_task *_Atomic running; /* the one on top */
    bool stuck;                       /* in a task that does not end; it does not count */
    struct fut_sleeper sleeper;
    struct fut_parker parker;
    pthread_t thread;
    int id;
    /* How this worker's tasks ended. Only its thread writes them, stats reads them. */
    atomic_uint_fast64_t completed, failed;
    struct fut_histogram wait, run; /* how long they waited and ran */
    char name[];
};

/* The fields that each task changes stand apart from those that are only read, and what is
 * looked at without the lock apart from what it guards: a line of the cache that two processors
 * want costs both of them some 100 ns each time it moves (measured: more than the work). */
/* NOLINTNEXTLINE(clang-analyzer-optin.performance.Padding) */
struct fut_thread_pool {
    struct fut_executor executor; /* first: a pool is an executor */
    _Alignas(FUT_CACHE_LINE) struct fut_thread_pool_options options;
    struct fut_future *stopped;
    pthread_mutex_t joining; /* held while threads are joined; not a lock: that takes a while */
    /* For the one worker that spins; without the lock. */
    _Alignas(FUT_CACHE_LINE) atomic_bool work_came;  /* since it has begun to */
    atomic_int submitter_cpu;                        /* where the last submit ran */
    _Alignas(FUT_CACHE_LINE) struct fut_inbox inbox; /* of the queue */
    _Alignas(FUT_CACHE_LINE) struct fut_lock lock;   /* of what follows, but for `available` */
    struct fut_queue queue;
    struct fut_thread_worker *called; /* no longer idle; the unlock wakes them */
    struct fut_thread_worker *idle;   /* asleep, the latest first: its caches are warm */
    int coming;                       /* woken or spinning: about to look at the queue */
    bool spinning;                    /* one of them, which is to be told of work */
    bool closed;
    bool broken;
    atomic_int available; /* workers that run no task, but for those at rest */
    uint64_t submitted, cancelled;
    struct fut_bound bound;            /* of the queue */
    struct fut_thread_worker *workers; /* all that were started and not joined */
    int nworkers;                      /* that run */
    int started;                       /* ever: names and ids */
    struct fut_thread_worker *waiters; /* whose tasks wait, the latest first */
    struct fut_thread_worker *resting; /* spare ones, asleep, the latest first */
    struct fut_thread_worker *left;    /* a spare one that has left and is not joined */
    int nresting;
    int nleaving;               /* spare ones on their way out, still in nworkers */
    int stacked;                /* tasks on top of others that wait */
    char *why_broken;           /* NULL also when memory was too short for it */
    uint64_t completed, failed; /* of workers that have ended, and of a broken pool's queue */
    struct fut_histogram wait, run; /* of workers that have ended */
    struct fut_spin spin;
    struct fut_reruns reruns;
    bool has_timers;        /* fut_timers_hold, for what follows and for limits of tasks */
    struct fut_task *asked; /* to end early, and not done so yet; the earliest first */
    struct fut_timer alarm; /* when patience with them is over, or one may run again */
    bool alarmed;           /* it runs */
};

/* fut_thread_pool_of(ex): the pool that this executor is. */
static inline struct fut_thread_pool *fut_thread_pool_of(struct fut_executor *ex) {
    return (struct fut_thread_pool *)ex;
}

/* ---- the lock: thread_lock.c ---- */

/* fut_thread_lock(p): and what has come to the inbox is in the queue. fut_thread_unlock(p):
 * whoever leaves sees to it that somebody comes for what is in the queue, tells those who wait
 * for room in it, and opens or shuts the inbox: so what changes the state of the pool has to
 * think of none of these. */
void fut_thread_lock(struct fut_thread_pool *p);
void fut_thread_unlock(struct fut_thread_pool *p);

/* fut_thread_call(p): under the lock: if there is work and nobody on the way to it, somebody is
 * called, whom the unlock wakes. A spare worker is started when that is what it takes. A part
 * of the unlock, for those who must know sooner. */
void fut_thread_call(struct fut_thread_pool *p);

/* fut_thread_close(p): under the lock: accepts no more; all sleepers are called. */
void fut_thread_close(struct fut_thread_pool *p);

/* ---- workers without work: thread_start.c ---- */

/* fut_thread_start_workers(p): under the lock: starts workers while there are more pending
 * tasks than workers that will look for one. FUT_ETHREAD or FUT_ENOMEM when there is no worker
 * at all. */
enum fut_err fut_thread_start_workers(struct fut_thread_pool *p);

/* fut_thread_wait_for_work(p, w, may_spin): BLOCKING: spins or sleeps until there may be work.
 * Called and returns under the lock, as a worker that is no longer `coming`. */
void fut_thread_wait_for_work(struct fut_thread_pool *p, struct fut_thread_worker *w,
                              bool may_spin);

/* ---- workers with work: thread_worker.c ---- */

/* fut_thread_run(p, w, t): on w's thread, without the lock: runs the task and settles it.
 * stacked: on top of one that waits; else false means that w was counted as stuck in it and is
 * no longer needed: its thread ends and counts nowhere. */
bool fut_thread_run(struct fut_thread_pool *p, struct fut_thread_worker *w, struct fut_task *t,
                    bool stacked);

/* ---- tasks that wait: thread_help.c ----
 * A worker whose task waits runs what it waits for, or else other tasks, on top of it. Where
 * that is not allowed it sleeps and does not count: others run in its place, spare ones beyond
 * max_workers if need be. A spare one that is no longer needed rests for a while, then
 * leaves. */

/* wait_begin and wait_end of core/executor.h. */
enum fut_help fut_thread_wait_begin(struct fut_executor *ex, struct fut_waiting *wait);
void fut_thread_wait_end(struct fut_executor *ex, bool again);

/* fut_thread_set_self(w): at the start of its thread. */
void fut_thread_set_self(struct fut_thread_worker *w);

/* fut_thread_call_waiter(p): under the lock, when nobody is idle: wakes a worker whose task
 * waits to run the first task of the queue, if one can. */
void fut_thread_call_waiter(struct fut_thread_pool *p);

/* fut_thread_may_start_spare(p): under the lock, with max_workers running: does it need another
 * worker? */
bool fut_thread_may_start_spare(struct fut_thread_pool *p);

/* fut_thread_is_spare(p): under the lock, for a worker without a task: there are as many
 * without it as there should be. */
bool fut_thread_is_spare(struct fut_thread_pool *p);

/* fut_thread_rest(p, w): BLOCKING: called and returns under the lock: w, a spare one, sleeps
 * until it is needed. False: it was not, for so long that it leaves. */
bool fut_thread_rest(struct fut_thread_pool *p, struct fut_thread_worker *w);

/* fut_thread_rouse(p): under the lock: the spare one that rests becomes available; false when
 * there is none. */
bool fut_thread_rouse(struct fut_thread_pool *p);

/* fut_thread_break(p, err, why): no worker can be started: accepts no more, all that is queued
 * fails. Takes the text. */
void fut_thread_break(struct fut_thread_pool *p, enum fut_err err, char *why);

/* fut_thread_check_stopped(p): settles `stopped` when p is closed and has no worker. */
void fut_thread_check_stopped(struct fut_thread_pool *p);

/* ---- tasks that end early: thread_stop.c ---- */

/* fut_thread_interrupt(ex, t): the executor's operation. */
bool fut_thread_interrupt(struct fut_executor *ex, struct fut_task *t);

/* fut_thread_prepare_timers(p): for tasks with a limit, and for those that may have to rest:
 * there is a thread for timers; FUT_ETHREAD. fut_thread_drop_timers(p): when all workers have
 * ended. BLOCKING. */
enum fut_err fut_thread_prepare_timers(struct fut_thread_pool *p);
void fut_thread_drop_timers(struct fut_thread_pool *p);

/* fut_thread_set_alarm(p): under the lock, after a task was asked to end, or came to rest. */
void fut_thread_set_alarm(struct fut_thread_pool *p);

/* fut_thread_run_inside(p, w, t, out): on w's thread: starts the task. */
static inline void fut_thread_run_inside(struct fut_thread_pool *p, struct fut_thread_worker *w,
                                         struct fut_task *t, struct fut_outcome *out) {
    fut_task_count_attempt(t);
    p->options.worker->run(w->inside, &t->call, &t->future.state, out);
}

/* fut_thread_run_limited(p, w, t, out): runs a task that has a limit. */
void fut_thread_run_limited(struct fut_thread_pool *p, struct fut_thread_worker *w,
                            struct fut_task *t, struct fut_outcome *out);

/* fut_thread_end_asked(p, w, t, stacked): t, which was asked to end, has left w: settles it.
 * What fut_thread_run gives. */
bool fut_thread_end_asked(struct fut_thread_pool *p, struct fut_thread_worker *w,
                          struct fut_task *t, bool stacked);

/* ---- tasks that run again: thread_rerun.c ---- */

/* fut_thread_is_over(p): under the lock: nothing will come to the queue any more. */
static inline bool fut_thread_is_over(const struct fut_thread_pool *p) {
    return p->closed && p->reruns.length == 0;
}

/* fut_thread_rerun(p, t, outcome, stacked): on its worker's thread: a run of t has ended, and
 * another one may be left to it. True when it keeps its future pending: the count is passed on,
 * and the outcome is taken; the worker counts as available. */
bool fut_thread_rerun(struct fut_thread_pool *p, struct fut_task *t,
                      struct fut_outcome *outcome, bool stacked);

/* fut_thread_go_on(p): with the lock, which it lets go: after p->reruns has changed: what is
 * due goes to the queue, and workers that are no longer needed end. */
void fut_thread_go_on(struct fut_thread_pool *p);

/* question and answer of core/executor.h. */
bool fut_thread_question(struct fut_executor *ex, struct fut_task *t, struct fut_outcome *out);
void fut_thread_answer(struct fut_executor *ex, struct fut_task *t, struct fut_outcome *outcome,
                       bool again);

/* fut_thread_break_reruns(p, last): under the lock, when p breaks: what was asked about ends
 * with its error; appends the rest to the list at *last, with the counts. */
void fut_thread_break_reruns(struct fut_thread_pool *p, struct fut_task **last);

/* fut_thread_main(worker): the main function of a worker's thread, which has a count of the
 * pool. */
void *fut_thread_main(void *worker);

#endif
