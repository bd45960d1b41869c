/* SPDX-License-Identifier: MIT */
#include "pool/process_inside.h"

bool fut_process_rerun(struct fut_process_pool *p, struct fut_task *t,
                       struct fut_outcome *outcome) {
    if (!fut_rerun_may(t) || p->broken || p->killed) return false;
    if (!fut_reruns_take(&p->reruns, t, outcome)) return false;
    fut_outcome_deinit(outcome);
    return true;
}

fut_time fut_process_requeue_due(struct fut_process_pool *p) {
    fut_time due = fut_reruns_due(&p->reruns);
    if (due == FUT_NEVER) return FUT_NEVER;
    fut_time now = fut_now();
    bool makes_way = false;
    for (struct fut_task *t; (t = fut_reruns_pop_due(&p->reruns, now));) {
        fut_queue_push(&p->queue, t);
        makes_way = makes_way || t->options->priority > 0;
    }
    if (makes_way) fut_process_make_way(p);
    return fut_reruns_due(&p->reruns);
}

void fut_process_break_reruns(struct fut_process_pool *p) {
    struct fut_outcome outcome = {0};
    for (struct fut_task *t; (t = fut_reruns_pop(&p->reruns, &outcome));) {
        if (outcome.kind == FUT_OUTCOME_NONE) {
            fut_process_fail(p, t, FUT_EBROKEN, p->why_broken);
            continue;
        }
        fut_reruns_end(t, &outcome, &p->counts.completed, &p->counts.failed);
        fut_task_drop(t);
    }
}

bool fut_process_question(struct fut_executor *ex, struct fut_task *t,
                          struct fut_outcome *out) {
    return fut_reruns_question(&fut_process_pool_of(ex)->lock, t, out);
}

void fut_process_answer(struct fut_executor *ex, struct fut_task *t,
                        struct fut_outcome *outcome, bool again) {
    struct fut_process_pool *p = fut_process_pool_of(ex);
    fut_lock(&p->lock);
    bool asked = fut_reruns_answer(&p->reruns, t, again), ends = asked && !again;
    if (ends) fut_reruns_end(t, outcome, &p->counts.completed, &p->counts.failed);
    if (asked) {
        fut_process_requeue_due(p);
        fut_process_dispatch(p);
        fut_process_wake_collector(p); /* it may have to look sooner, or be the last one out */
    }
    fut_unlock(&p->lock);
    fut_outcome_deinit(outcome); /* not under the lock: it may hold much */
    if (ends) fut_task_drop(t);
}
