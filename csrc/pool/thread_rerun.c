/* SPDX-License-Identifier: MIT */
#include "pool/thread_inside.h"

/* Under the lock: moves what is due to the queue. An error: there is nobody to run it. */
static enum fut_err requeue_due(struct fut_thread_pool *p) {
    enum fut_err err = FUT_OK;
    if (fut_reruns_due(&p->reruns) == FUT_NEVER) return FUT_OK;
    fut_time now = fut_now();
    for (struct fut_task *t; (t = fut_reruns_pop_due(&p->reruns, now));)
        fut_queue_push(&p->queue, t);
    if (p->queue.length > 0) err = fut_thread_start_workers(p);
    fut_thread_set_alarm(p);
    return err;
}

void fut_thread_go_on(struct fut_thread_pool *p) {
    enum fut_err err = requeue_due(p);
    if (fut_thread_is_over(p)) fut_thread_close(p); /* nobody has to sleep any more */
    fut_thread_unlock(p);
    if (err != FUT_OK) fut_thread_break(p, err, NULL);
    fut_thread_check_stopped(p);
}

bool fut_thread_rerun(struct fut_thread_pool *p, struct fut_task *t,
                      struct fut_outcome *outcome, bool stacked) {
    fut_thread_lock(p);
    /* One that was asked to end meanwhile ends as such. */
    bool kept =
        !p->broken && !fut_future_asked(&t->future) && fut_reruns_take(&p->reruns, t, outcome);
    if (!kept) {
        fut_thread_unlock(p);
        return false;
    }
    if (!stacked) atomic_fetch_add_explicit(&p->available, 1, memory_order_relaxed);
    fut_thread_go_on(p);
    fut_outcome_deinit(outcome);
    return true;
}

bool fut_thread_question(struct fut_executor *ex, struct fut_task *t, struct fut_outcome *out) {
    return fut_reruns_question(&fut_thread_pool_of(ex)->lock, t, out);
}

void fut_thread_answer(struct fut_executor *ex, struct fut_task *t, struct fut_outcome *outcome,
                       bool again) {
    struct fut_thread_pool *p = fut_thread_pool_of(ex);
    fut_thread_lock(p);
    bool asked = fut_reruns_answer(&p->reruns, t, again);
    bool ends = asked && !again;
    if (ends) fut_reruns_end(t, outcome, &p->completed, &p->failed);
    fut_thread_go_on(p);
    fut_outcome_deinit(outcome); /* not under the lock: it may hold much */
    if (ends) fut_task_drop(t);
}

void fut_thread_break_reruns(struct fut_thread_pool *p, struct fut_task **last) {
    struct fut_outcome outcome = {0};
    while (*last) last = &(*last)->next;
    for (struct fut_task *t; (t = fut_reruns_pop(&p->reruns, &outcome));) {
        if (outcome.kind != FUT_OUTCOME_NONE) {
            fut_reruns_end(t, &outcome, &p->completed, &p->failed);
            fut_task_drop(t);
            continue;
        }
        p->failed++;
        t->next = NULL;
        *last = t;
        last = &t->next;
    }
}
