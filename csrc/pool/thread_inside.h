/* SPDX-License-Identifier: MIT */
/* The thread pool from the inside, for the files that make it up:
 *   thread_pool.c     the executor's operations; making and freeing
 *   thread_start.c    workers that start, sleep and are woken
 *   thread_worker.c   a worker's thread: take, run, settle
 * LOCKS: calls marked "under the lock" are made under the pool's lock; nothing here waits or
 * enters a worker under it. */
#ifndef FUT_POOL_THREAD_INSIDE_H
#define FUT_POOL_THREAD_INSIDE_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/lock.h"
#include "base/park.h"
#include "base/spin.h"
#include "core/queue.h"
#include "pool/thread_pool.h"

struct fut_thread_worker {
    struct fut_thread_pool *pool;
    struct fut_thread_worker *next;      /* in pool->workers */
    struct fut_thread_worker *next_idle; /* in pool->idle */
    struct fut_worker *inside;
    struct fut_parker parker;
    pthread_t thread;
    int id;
    /* How this worker's tasks ended. Only its thread writes them, stats reads them. */
    atomic_uint_fast64_t completed, failed;
    struct fut_histogram wait, run; /* how long they waited and ran */
    char name[];
};

struct fut_thread_pool {
    struct fut_executor executor; /* first: a pool is an executor */
    pthread_mutex_t joining; /* held while threads are joined; not a lock: that takes a while */
    struct fut_lock lock;    /* guards all that follows, but for the atomics' readers */
    struct fut_queue queue;
    atomic_int submitter_cpu;          /* where the last submit ran */
    atomic_size_t pending;             /* queue.length for those who spin without the lock */
    struct fut_thread_worker *workers; /* all that were started and not joined */
    struct fut_thread_worker *idle;    /* asleep, the latest first: its caches are warm */
    int nworkers;                      /* that run */
    int started;                       /* ever: names and ids */
    int coming;                        /* woken or spinning: about to look at the queue */
    atomic_int available;              /* workers that run no task */
    bool closed;
    bool broken;
    char *why_broken; /* NULL also when memory was too short for it */
    uint64_t submitted, cancelled;
    uint64_t completed, failed; /* of workers that have ended, and of a broken pool's queue */
    struct fut_histogram wait, run; /* of workers that have ended */
    struct fut_spin spin;
    struct fut_future *stopped;
    struct fut_thread_pool_options options;
};

/* fut_thread_pool_of(ex): the pool that this executor is. */
static inline struct fut_thread_pool *fut_thread_pool_of(struct fut_executor *ex) {
    return (struct fut_thread_pool *)ex;
}

/* fut_thread_set_pending(p): under the lock, after each change of the queue: tells those who
 * spin without it. */
static inline void fut_thread_set_pending(struct fut_thread_pool *p) {
    atomic_store_explicit(&p->pending, p->queue.length, memory_order_relaxed);
}

/* fut_thread_next_to_wake(p): under the lock: the sleeper to be woken, when there is work and
 * nobody on the way to it; or NULL. The caller wakes it after the lock: it lives until join,
 * which comes after its thread has ended. */
struct fut_thread_worker *fut_thread_next_to_wake(struct fut_thread_pool *p);

/* fut_thread_wake(w): wakes one; NULL is nobody. */
void fut_thread_wake(struct fut_thread_worker *w);

/* fut_thread_close(p): under the lock: accepts no more; gives the list of all sleepers, whom
 * the caller wakes after it with fut_thread_wake_list. */
struct fut_thread_worker *fut_thread_close(struct fut_thread_pool *p);
void fut_thread_wake_list(struct fut_thread_worker *w);

/* fut_thread_start_workers(p): under the lock: starts workers while there are more pending
 * tasks than workers that will look for one. FUT_ETHREAD or FUT_ENOMEM when there is no worker
 * at all. */
enum fut_err fut_thread_start_workers(struct fut_thread_pool *p);

/* fut_thread_wait_for_work(p, w, may_spin): BLOCKING: spins or sleeps until there may be work.
 * Called and returns under the lock, as a worker that is no longer `coming`. */
void fut_thread_wait_for_work(struct fut_thread_pool *p, struct fut_thread_worker *w,
                              bool may_spin);

/* fut_thread_take_all(p): under the lock: empties the queue; the caller has the tasks, linked,
 * and their counts. */
struct fut_task *fut_thread_take_all(struct fut_thread_pool *p);

/* fut_thread_main(worker): the main function of a worker's thread, which has a count of the
 * pool. */
void *fut_thread_main(void *worker);

#endif
