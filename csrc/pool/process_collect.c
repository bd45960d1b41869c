/* SPDX-License-Identifier: MIT */
#include "base/park.h"
#include "base/thread.h"
#include "pool/process_inside.h"

enum {
    /* While there are tasks, the collector looks so often whether the zygote lives: of all else
     * it is told. */
    LOOK_MS = 20,
    /* So long it goes on doing that without tasks; then it sleeps until it is rung, so an idle
     * pool costs nothing, and a busy one does not have to ring it with every task. */
    LINGER = 50,
};

/* One look at everything; true when something happened. *next: when to look again. */
static bool collect(struct fut_process_pool *p, fut_time *next) {
    bool any = false;
    for (int i = 0; i < p->nlinks; i++)
        if (p->links[i].state != FUT_LINK_FREE) any |= fut_process_take(p, &p->links[i]);
    if (!any && fut_zygote_lost(&p->zygote)) fut_process_bury_all(p);
    fut_time due = fut_process_requeue_due(p);
    *next = fut_process_watch(p);
    if (due < *next) *next = due;
    fut_process_dispatch(p);
    return any;
}

static void settle(struct fut_process_pool *p, int n) {
    for (int i = 0; i < n; i++) {
        struct fut_settled *s = &p->done[i];
        if (s->ends_call) fut_payload_deinit(&s->task->call);
        if (!fut_future_settle(&s->task->future, &s->outcome)) fut_outcome_deinit(&s->outcome);
        fut_task_drop(s->task);
    }
}

static bool look_for_ring(struct fut_process_pool *p, unsigned seen) {
    struct fut_bell *doorbell = fut_process_doorbell(&p->shared);
    fut_time until = fut_spin_until(&p->spin);
    bool rung = false;
    do {
        for (int i = 0; i < 32 && !rung; i++) {
            rung = fut_bell_count(doorbell) != seen;
            fut_pause();
        }
    } while (!rung && fut_now() < until);
    fut_spin_learn(&p->spin, rung);
    return rung;
}

/* Until somebody rings, or it is time to look. */
static void wait_for_ring(struct fut_process_pool *p, unsigned seen, bool dormant,
                          fut_time next) {
    if (!dormant && look_for_ring(p, seen)) return;
    fut_time now = fut_now();
    fut_time until = now + LOOK_MS * FUT_MS;
    if (next < until) until = next;
    fut_bell_wait(fut_process_doorbell(&p->shared), seen, dormant ? FUT_NEVER : until);
    if (fut_now() - now < FUT_SPIN_SHORT) fut_spin_learn(&p->spin, true);
}

void *fut_process_collector(void *arg) {
    struct fut_process_pool *p = arg;
    fut_thread_set_name("futures-collect");
    int idle = 0; /* looks in a row that found nothing to do */
    for (bool over = false; !over;) {
        unsigned seen = fut_bell_count(fut_process_doorbell(&p->shared));
        fut_lock(&p->lock);
        p->dormant = false;
        fut_time next;
        bool any = collect(p, &next);
        int n = p->ndone;
        p->ndone = 0;
        bool waits = !any && n == 0;
        size_t waiting = p->queue.length + p->reruns.length;
        bool busy = next != FUT_NEVER || p->window > 0 || waiting > 0 || p->closed;
        over = p->closed && p->nworkers == 0 && waiting == 0;
        idle = waits && !busy ? idle + 1 : 0;
        p->dormant = idle > LINGER;
        bool dormant = p->dormant;
        fut_unlock(&p->lock);
        settle(p, n);
        if (waits && !over) wait_for_ring(p, seen, dormant, next);
    }
    fut_zygote_stop(&p->zygote);
    fut_lock(&p->lock); /* a handle or a future may keep the pool for long: not its memory */
    fut_process_shared_close(&p->shared);
    fut_unlock(&p->lock);
    struct fut_outcome none = {.kind = FUT_OUTCOME_VALUES};
    fut_future_settle(p->stopped, &none);
    fut_executor_drop(&p->executor);
    return NULL;
}
