/* SPDX-License-Identifier: MIT */
/* The process pool from the inside, for the files that make it up:
 *   process_pool.c      the executor's operations; making and freeing
 *   process_give.c      which worker gets which task, and when workers start
 *   process_collect.c   the collector's thread: results, workers that end
 * LOCKS: all calls here under the pool's lock, but for the collector's own. */
#ifndef FUT_POOL_PROCESS_INSIDE_H
#define FUT_POOL_PROCESS_INSIDE_H

#include <pthread.h>

#include "base/lock.h"
#include "base/spin.h"
#include "core/queue.h"
#include "pool/process_child.h"
#include "pool/process_link.h"
#include "pool/process_pool.h"
#include "pool/zygote.h"

/* Outcomes that are collected before the lock is let go. */
enum { FUT_SETTLED_AT_ONCE = 32 };

struct fut_settled {
    struct fut_task *task;
    struct fut_outcome outcome;
};

struct fut_process_pool {
    struct fut_executor executor; /* first: a pool is an executor */
    struct fut_lock lock;         /* guards all that follows */
    struct fut_queue queue;
    struct fut_process_link *links; /* max_workers of them */
    int nworkers;                   /* links that are not free */
    int start_failures;
    bool closed, killed, stopping;
    bool broken;
    char *why_broken; /* NULL also when there was no memory for it */
    struct fut_executor_stats counts;
    struct fut_process_shared *shared;
    struct fut_zygote zygote;
    struct fut_process_child
        child; /* what the zygote's children are; read after the fork only */
    struct fut_process_pool_options options;
    struct fut_future *stopped;
    pthread_t collector;
    pthread_mutex_t
        joining; /* held while the collector is joined; not a lock: that takes a while */
    bool joined;
    struct fut_spin spin;
    struct fut_settled done[FUT_SETTLED_AT_ONCE]; /* the collector's */
    int ndone;
};

/* fut_process_dispatch(p): starts workers that are needed, moves tasks from the queue to
 * workers and bytes to their rings. */
void fut_process_dispatch(struct fut_process_pool *p);

/* fut_process_make_way(p): takes the plain tasks that wait at busy workers back into the queue:
 * one of a higher priority has come. */
void fut_process_make_way(struct fut_process_pool *p);

/* fut_process_mark_running(link): the head of the worker's window runs now, or will in a
 * moment. */
void fut_process_mark_running(struct fut_process_link *link);

/* fut_process_fail(p, t, err): the task, whose count the pool had, fails. */
void fut_process_fail(struct fut_process_pool *p, struct fut_task *t, enum fut_err err);

/* fut_process_skip_withdrawn(link): drops tasks at the head of the window that were withdrawn
 * or taken back: the worker skips them without a word. */
void fut_process_skip_withdrawn(struct fut_process_link *link);

/* fut_process_collector(pool): the main function of the collector's thread, which has a
 * count. */
void *fut_process_collector(void *pool);

#endif
