/* SPDX-License-Identifier: MIT */
#include <signal.h>

#include "pool/process_inside.h"

/* How long a task that was asked to end may take for it until its worker gets SIGTERM; and how
 * long that may take until it gets SIGKILL. */
enum { PATIENCE_MS = 1000, LAST_WORDS_MS = 500 };

/* The task that the worker runs, as far as its results have been read, or NULL. */
static struct fut_task *running(struct fut_process_link *link) {
    if (link->load == 0 || !fut_claim_started(link->slot, link->first)) return NULL;
    return *fut_link_task(link, link->first);
}

static void begin_patience(struct fut_process_pool *p, struct fut_process_link *link) {
    if (link->signal == 0) link->signal = p->options.worker->interrupt_signal();
    link->impatient_at = fut_now() + PATIENCE_MS * FUT_MS;
}

/* A signal that comes too late finds another task, whose word says nothing. */
static bool ask(struct fut_process_pool *p, struct fut_process_link *link, struct fut_task *t,
                unsigned how) {
    fut_process_started(t);
    if (!fut_future_ask(&t->future, how)) return false;
    fut_process_ask(link->slot, t->place, how);
    begin_patience(p, link);
    return true;
}

/* Also one whose worker has begun it while the result of the one before is still on its way. */
bool fut_process_interrupt(struct fut_process_pool *p, struct fut_process_link *link,
                           struct fut_task *t) {
    return fut_claim_started(link->slot, t->place) && ask(p, link, t, FUT_ASKED_CANCEL);
}

bool fut_process_end_asked(struct fut_process_pool *p, struct fut_process_link *link,
                           struct fut_task *t) {
    unsigned how = fut_future_asked(&t->future);
    struct fut_outcome outcome = {0};
    bool again = false;
    if (!how) return false;
    if (how & FUT_ASKED_CANCEL) {
        p->counts.cancelled++;
    } else {
        fut_task_time_out(t, &outcome);
        again = fut_process_rerun(p, t, &outcome);
        p->counts.failed += !again;
    }
    if (!again) {
        fut_future_settle_asked(&t->future, &outcome);
        fut_task_drop(t);
    }
    if (link && link->state != FUT_LINK_LEAVING) link->impatient_at = 0;
    return true;
}

bool fut_process_has_no_time(struct fut_process_pool *p, struct fut_task *t) {
    if (!t->options || t->options->timeout >= 0) return false;
    fut_queue_remove(&p->queue, t);
    fut_future_ask(&t->future, FUT_ASKED_TIMEOUT);
    return fut_process_end_asked(p, NULL, t);
}

/* The worker is given up: it gets no more tasks, and those that wait at it go elsewhere, so the
 * signal costs none but the one that was asked. */
static void press(struct fut_process_pool *p, struct fut_process_link *link, fut_time now) {
    if (link->state == FUT_LINK_READY) {
        fut_process_clear(p, link);
        link->state = FUT_LINK_LEAVING;
        link->signal = SIGTERM;
        link->impatient_at = now + LAST_WORDS_MS * FUT_MS;
    } else {
        link->signal = SIGKILL;
        link->impatient_at = FUT_NEVER;
    }
}

/* When its time is over, of the task that runs there; FUT_NEVER for one without a limit. What
 * the worker says of its start is not believed when it lies in the future. */
static fut_time limit_of(struct fut_process_link *link, const struct fut_task *t,
                         fut_time now) {
    fut_time limit = t->options ? t->options->timeout : 0;
    fut_time begun = fut_process_begun(link->slot, link->first);
    if (limit <= 0 || limit == FUT_NEVER) return FUT_NEVER;
    if (begun > now || begun < 0) begun = now;
    return limit < FUT_NEVER - begun ? begun + limit : FUT_NEVER;
}

fut_time fut_process_watch(struct fut_process_pool *p) {
    fut_time now = fut_now(), next = FUT_NEVER;
    for (int i = 0; i < p->nlinks; i++) {
        struct fut_process_link *link = &p->links[i];
        if (link->state == FUT_LINK_FREE) continue;
        struct fut_task *t = running(link);
        if (t && link->impatient_at == 0 && fut_future_asked(&t->future)) {
            begin_patience(p, link); /* it was asked before the one before it had ended */
        } else if (t && link->impatient_at == 0) {
            fut_time due = limit_of(link, t, now);
            if (now >= due)
                ask(p, link, t, FUT_ASKED_TIMEOUT);
            else if (due < next)
                next = due;
        } else if (link->impatient_at > 0 && now >= link->impatient_at) {
            press(p, link, now);
        }
        if (link->impatient_at > 0 && link->impatient_at < next) next = link->impatient_at;
    }
    return next;
}
