/* SPDX-License-Identifier: MIT */
#include "pool/thread_inside.h"

/* Under the lock: the one who sleeps will be woken: it lives until join, which comes after its
 * thread has ended. */
static void call_idle(struct fut_thread_pool *p) {
    struct fut_thread_worker *w = p->idle;
    p->idle = w->next_idle;
    w->next_idle = p->called;
    p->called = w;
    p->coming++;
}

void fut_thread_call(struct fut_thread_pool *p) {
    if (p->queue.length == 0) return;
    /* Should none start, those that run go on alone. */
    if (p->waiters) (void)fut_thread_start_workers(p);
    if (p->spinning) {
        p->spinning = false; /* once is enough */
        atomic_store_explicit(&p->work_came, true, memory_order_relaxed);
    }
    if (p->coming > 0) return;
    if (p->idle)
        call_idle(p);
    else if (p->waiters)
        fut_thread_call_waiter(p);
}

/* Under the lock: the tasks are submitted. The inbox was open, so there is a worker: should no
 * other start, that one does them all. */
static void bring_in(struct fut_thread_pool *p, struct fut_task *t) {
    if (!t) return;
    for (struct fut_task *next; t; t = next) {
        next = t->next;
        fut_queue_push(&p->queue, t);
        p->submitted++;
    }
    (void)fut_thread_start_workers(p);
}

/* Under the lock: is somebody about to look at the queue, or will all do so when their tasks
 * end, and is there nothing to be decided for each task? Then who submits needs no lock. */
static bool inbox_will_do(const struct fut_thread_pool *p) {
    bool all_run = !p->idle && p->nworkers >= p->options.max_workers;
    return !p->closed && !p->waiters && p->bound.max == 0 && (p->coming > 0 || all_run);
}

void fut_thread_lock(struct fut_thread_pool *p) {
    fut_lock(&p->lock);
    bring_in(p, fut_inbox_take(&p->inbox));
}

static void wake_all(struct fut_thread_worker *w) {
    for (struct fut_thread_worker *next; w; w = next) {
        next = w->next_idle; /* read before it runs and changes it */
        fut_unpark(&w->parker);
    }
}

void fut_thread_unlock(struct fut_thread_pool *p) {
    fut_bound_tell(&p->bound, p->queue.length);
    fut_thread_call(p);
    bool is_open = fut_inbox_is_open(&p->inbox), may_be_open = inbox_will_do(p);
    if (may_be_open && !is_open) fut_inbox_open(&p->inbox);
    if (!may_be_open && is_open) {
        bring_in(p, fut_inbox_shut(&p->inbox));
        fut_thread_call(p);
    }
    struct fut_thread_worker *called = p->called;
    p->called = NULL;
    fut_unlock(&p->lock);
    wake_all(called); /* after it: they want it at once */
}

void fut_thread_close(struct fut_thread_pool *p) {
    p->closed = true;
    bring_in(p, fut_inbox_shut(&p->inbox));
    while (fut_thread_rouse(p)) continue;
    fut_bound_end(&p->bound);
    while (p->idle) call_idle(p);
}
