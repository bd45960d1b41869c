/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cpu.h"
#include "base/thread.h"
#include "pool/thread_inside.h"

/* A worker that spins on the processor of the one who submits keeps it from submitting. */
static bool is_in_the_way(struct fut_thread_pool *p) {
    return fut_cpu_current() == atomic_load_explicit(&p->submitter_cpu, memory_order_relaxed);
}

/* Looks at the queue without the lock for a little while: is there work? */
static bool spin_for_work(struct fut_thread_pool *p, fut_time until) {
    do {
        for (int i = 0; i < 32; i++) {
            if (atomic_load_explicit(&p->work_came, memory_order_relaxed) ||
                fut_inbox_has(&p->inbox))
                return true;
            fut_pause();
        }
    } while (fut_now() < until && !is_in_the_way(p));
    return false;
}

void fut_thread_wait_for_work(struct fut_thread_pool *p, struct fut_thread_worker *w,
                              bool may_spin) {
    if (may_spin && p->coming == 0 && !is_in_the_way(p)) {
        p->coming++; /* so one worker spins at a time, and a submit need not wake another */
        p->spinning = true;
        atomic_store_explicit(&p->work_came, false, memory_order_relaxed);
        fut_time until = fut_spin_until(&p->spin);
        fut_thread_unlock(p);
        bool found = spin_for_work(p, until);
        fut_thread_lock(p);
        fut_spin_learn(&p->spin, found);
        p->spinning = false;
        p->coming--;
        return;
    }
    w->next_idle = p->idle;
    p->idle = w;
    fut_thread_unlock(p);
    fut_time asleep = fut_now();
    while (!fut_park(&w->parker, FUT_NEVER)) continue;
    bool was_short = fut_now() - asleep < FUT_SPIN_SHORT;
    fut_thread_lock(p);
    if (was_short) fut_spin_learn(&p->spin, true);
    p->coming--; /* whoever woke this worker counted it and took it off the list */
}

/* Under the lock: is there more work than workers who will look for it, and may there be one
 * more? */
static bool needs_worker(struct fut_thread_pool *p) {
    bool full = p->nworkers >= p->options.max_workers;
    if (full && !p->waiters) return false;
    int available = atomic_load_explicit(&p->available, memory_order_relaxed);
    if (available >= 0 && p->queue.length <= (size_t)available) return false;
    return !full || fut_thread_may_start_spare(p);
}

/* Under the lock: makes a worker and counts it; NULL when memory is short. */
static struct fut_thread_worker *reserve_worker(struct fut_thread_pool *p) {
    enum { NUMBER = 16 }; /* "_", up to ten digits, the end */
    size_t name_size = strlen(p->options.name_prefix) + NUMBER;
    struct fut_thread_worker *w = fut_zalloc(sizeof *w + name_size);
    if (!w) return NULL;
    w->pool = p;
    w->sleeper.executor = &p->executor;
    fut_parker_init(&w->parker);
    w->id = ++p->started;
    snprintf(w->name, name_size, "%s_%d", p->options.name_prefix, w->id - 1);
    p->nworkers++;
    atomic_fetch_add_explicit(&p->available, 1, memory_order_relaxed);
    return w;
}

/* Under the lock. The thread that is being started waits for it, so it sees itself in the
 * list. */
static enum fut_err start_worker(struct fut_thread_pool *p, struct fut_thread_worker *w) {
    fut_executor_hold(&p->executor); /* the thread's */
    enum fut_err err = fut_thread_start(&w->thread, fut_thread_main, w);
    if (err == FUT_OK) {
        w->next = p->workers;
        p->workers = w;
        return FUT_OK;
    }
    fut_executor_drop(&p->executor);
    p->started--; /* the next one gets its number */
    p->nworkers--;
    atomic_fetch_sub_explicit(&p->available, 1, memory_order_relaxed);
    fut_free(w);
    return err;
}

enum fut_err fut_thread_start_workers(struct fut_thread_pool *p) {
    while (needs_worker(p)) {
        if (fut_thread_rouse(p)) continue;
        struct fut_thread_worker *w = reserve_worker(p);
        enum fut_err err = w ? start_worker(p, w) : FUT_ENOMEM;
        if (err != FUT_OK) return p->nworkers > 0 ? FUT_OK : err; /* fewer will do */
    }
    return FUT_OK;
}
