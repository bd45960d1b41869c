/* SPDX-License-Identifier: MIT */
#include <stddef.h>

#include "pool/thread_inside.h"

/* How long a task that was asked to end may take for it, its closing variables included, until
 * its future is settled without it and its worker counts as stuck. */
enum { PATIENCE_MS = 1000 };

/* Under the lock. The list is short: a task that runs has a worker. */
static struct fut_thread_worker *worker_of(struct fut_thread_pool *p,
                                           const struct fut_task *t) {
    struct fut_thread_worker *w = p->workers;
    while (w && (uint32_t)w->id != t->worker) w = w->next;
    FUT_ASSERT(w); /* it leaves the list when it is joined */
    return w;
}

/* ---- asking ---- */

/* Under the lock: t, at the end of those who are waited for. */
static void append(struct fut_thread_pool *p, struct fut_task *t) {
    t->place = (uint64_t)(fut_now() + PATIENCE_MS * FUT_MS);
    t->next = NULL;
    struct fut_task **at = &p->asked;
    while (*at) at = &(*at)->next;
    *at = t;
}

void fut_thread_set_alarm(struct fut_thread_pool *p) {
    fut_time at = fut_reruns_due(&p->reruns);
    if (p->asked && (fut_time)p->asked->place < at) at = (fut_time)p->asked->place;
    if (at == FUT_NEVER || !p->has_timers) return;
    if (p->alarmed)
        fut_timer_hurry(&p->alarm, at);
    else
        fut_timer_start(&p->alarm, at);
    p->alarmed = true;
}

/* Under the lock. A worker cannot pass it by: with the bit set it ends the task under the lock,
 * so it is in the task, or waits here at its end, while it is interrupted. */
static bool ask(struct fut_thread_pool *p, struct fut_task *t, unsigned how) {
    if (!fut_future_ask(&t->future, how)) return false;
    if (fut_future_state(&t->future) == FUT_PENDING) return true; /* it will not start */
    p->options.worker->interrupt(worker_of(p, t)->inside);
    fut_task_hold(t);
    append(p, t);
    fut_thread_set_alarm(p);
    return true;
}

bool fut_thread_interrupt(struct fut_executor *ex, struct fut_task *t) {
    struct fut_thread_pool *p = fut_thread_pool_of(ex);
    if (fut_future_done(&t->future)) return false;
    /* Without a thread for timers it is interrupted all the same, but waited for as long as it
     * takes. */
    (void)fut_thread_prepare_timers(p);
    fut_thread_lock(p);
    bool waits = t->queued || t->pause; /* it has just come back, to run again */
    bool asked = !waits && ask(p, t, FUT_ASKED_CANCEL);
    fut_thread_unlock(p);
    return asked || (waits && fut_task_cancel(t));
}

/* ---- limits ---- */

struct limit {
    struct fut_timer timer; /* first */
    struct fut_thread_pool *pool;
    struct fut_task *task;
};

static void on_limit(struct fut_timer *timer) {
    struct limit *l = (struct limit *)timer;
    fut_thread_lock(l->pool);
    ask(l->pool, l->task, FUT_ASKED_TIMEOUT);
    fut_thread_unlock(l->pool);
}

void fut_thread_run_limited(struct fut_thread_pool *p, struct fut_thread_worker *w,
                            struct fut_task *t, struct fut_outcome *out) {
    fut_time limit = t->options->timeout, now = fut_now();
    if (limit < 0) {
        fut_future_ask(&t->future, FUT_ASKED_TIMEOUT);
        return;
    }
    struct limit l = {.timer.fire = on_limit, .pool = p, .task = t};
    fut_timer_start(&l.timer, limit < FUT_NEVER - now ? now + limit : FUT_NEVER);
    fut_thread_run_inside(p, w, t, out);
    fut_timer_stop(&l.timer);
}

/* ---- the end of a task that was asked ---- */

/* Under the lock, so once. It is counted before it is done. One that has left its worker may be
 * asked about, which passes on a count. */
static void settle(struct fut_thread_pool *p, struct fut_task *t, bool has_left) {
    if (fut_future_done(&t->future)) return;
    struct fut_outcome outcome = {0};
    if (fut_future_asked(&t->future) & FUT_ASKED_CANCEL) {
        p->cancelled++;
    } else {
        fut_task_time_out(t, &outcome);
        if (has_left && !p->broken && fut_reruns_take(&p->reruns, t, &outcome)) {
            fut_task_hold(t);
            return;
        }
        p->failed++;
    }
    fut_future_settle_asked(&t->future, &outcome);
}

/* Under the lock: no longer waited for; false when it was not. */
static bool unlink_asked(struct fut_thread_pool *p, struct fut_task *t) {
    struct fut_task **at = &p->asked;
    while (*at && *at != t) at = &(*at)->next;
    if (!*at) return false;
    *at = t->next;
    return true;
}

/* Under the lock: the worker was stuck; is there a place for it? There is when it has more to
 * do. */
static bool come_back(struct fut_thread_pool *p, struct fut_thread_worker *w, bool stacked) {
    w->stuck = false;
    if (!stacked && (p->closed || p->nworkers >= p->options.max_workers)) return false;
    p->nworkers++;
    return true;
}

bool fut_thread_end_asked(struct fut_thread_pool *p, struct fut_thread_worker *w,
                          struct fut_task *t, bool stacked) {
    fut_thread_lock(p);
    bool listed = unlink_asked(p, t);
    bool needed = !w->stuck || come_back(p, w, stacked);
    if (needed && !stacked) atomic_fetch_add_explicit(&p->available, 1, memory_order_relaxed);
    settle(p, t, true);
    fut_thread_unlock(p);
    if (listed) fut_task_drop(t);
    return needed;
}

/* ---- stuck workers ---- */

/* Under the lock: settles those whose time is over. Where the task is on top its worker counts
 * no longer; the others are looked at again: they can leave when what runs on top of them has.
 * The list of the former, with their counts. */
static struct fut_task *give_up(struct fut_thread_pool *p) {
    struct fut_task *stuck = NULL;
    fut_time now = fut_now();
    while (p->asked && (fut_time)p->asked->place <= now) {
        struct fut_task *t = p->asked;
        struct fut_thread_worker *w = worker_of(p, t);
        p->asked = t->next;
        settle(p, t, false);
        if (atomic_load_explicit(&w->running, memory_order_relaxed) == t) {
            w->stuck = true;
            p->nworkers--;
            t->next = stuck;
            stuck = t;
        } else {
            append(p, t);
        }
    }
    return stuck;
}

static void on_alarm(struct fut_timer *timer) {
    struct fut_thread_pool *p =
        (struct fut_thread_pool *)((char *)timer - offsetof(struct fut_thread_pool, alarm));
    enum fut_err err = FUT_OK;
    fut_thread_lock(p);
    p->alarmed = false;
    struct fut_task *stuck = give_up(p);
    fut_thread_set_alarm(p);
    if (stuck) err = fut_thread_start_workers(p);
    fut_thread_go_on(p);
    if (err != FUT_OK) fut_thread_break(p, err, NULL);
    for (struct fut_task *next; stuck; stuck = next) {
        next = stuck->next;
        fut_task_drop(stuck); /* the last may take the pool with it */
    }
}

/* ---- timers ---- */

enum fut_err fut_thread_prepare_timers(struct fut_thread_pool *p) {
    fut_thread_lock(p);
    bool has = p->has_timers;
    fut_thread_unlock(p);
    if (has) return FUT_OK;
    enum fut_err err = fut_timers_hold(); /* not under the lock: it may wait for calls */
    if (err != FUT_OK) return err;
    fut_thread_lock(p);
    has = p->has_timers;
    p->has_timers = true;
    p->alarm.fire = on_alarm;
    fut_thread_unlock(p);
    if (has) fut_timers_drop(); /* somebody else was faster */
    return FUT_OK;
}

void fut_thread_drop_timers(struct fut_thread_pool *p) {
    fut_thread_lock(p);
    bool drop = p->has_timers && !p->asked;
    if (drop) p->has_timers = false;
    fut_thread_unlock(p);
    if (!drop) return;
    fut_timer_stop(&p->alarm);
    fut_thread_lock(p);
    p->alarmed = false;
    fut_thread_unlock(p);
    fut_timers_drop();
}
