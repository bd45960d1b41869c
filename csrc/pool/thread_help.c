/* SPDX-License-Identifier: MIT */
#include "base/thread.h"
#include "pool/thread_inside.h"

/* How many workers a pool may have beyond max_workers, and how many tasks may be stacked that
 * the ones below do not wait for: each makes those below wait for it. */
enum { SPARES_MAX = 512, FOREIGN_MAX = 16 };

/* How long a spare worker rests before it leaves: its state was not cheap. */
enum { REST_MS = 500 };

static _Thread_local struct fut_thread_worker *self;

void fut_thread_set_self(struct fut_thread_worker *w) {
    self = w;
}

/* ---- which task may run on top of which ---- */

/* What a call refers to it can wait for. On top of a task that somebody waits for it could wait
 * for what lies below, which waits for it to end. */
static bool refers_to_futures(const struct fut_task *t) {
    return t->call.needs_task;
}

/* A wait with a deadline must end in time, whatever a task on top of it does. */
static bool may_stack(const struct fut_waiting *wait) {
    return wait->may_stack && wait->deadline == FUT_NEVER;
}

static bool may_stack_foreign(const struct fut_thread_worker *w,
                              const struct fut_waiting *wait) {
    return may_stack(wait) && w->foreign < FOREIGN_MAX;
}

static struct fut_task *task_of(struct fut_future *f, struct fut_thread_pool *p) {
    struct fut_task *t = f ? fut_task_of(f) : NULL;
    return t && t->executor == &p->executor ? t : NULL;
}

/* The first task of this pool that is waited for and was pending a moment ago. */
static struct fut_task *first_wanted(struct fut_thread_pool *p,
                                     const struct fut_waiting *wait) {
    if (!wait->next_pending) return NULL;
    struct fut_future *f = wait->next_pending(wait->arg, false);
    while (f && !task_of(f, p)) f = wait->next_pending(wait->arg, true);
    return task_of(f, p);
}

/* Under the lock: the queued task that is run on top of one that waits, or NULL. What is waited
 * for is always right where all of it is waited for: what lies below goes on after it in any
 * case. */
static struct fut_task *choose(struct fut_thread_pool *p, struct fut_thread_worker *w,
                               const struct fut_waiting *wait, struct fut_task *wanted) {
    struct fut_task *first = fut_queue_first(&p->queue);
    if (!first || !may_stack(wait)) return NULL;
    if (wanted && wanted->queued && (wait->all || !refers_to_futures(wanted))) return wanted;
    return may_stack_foreign(w, wait) && !refers_to_futures(first) ? first : NULL;
}

/* ---- who counts ---- */

/* Under the lock: workers that run, look for work, or are about to: one that was woken goes
 * on. */
static int active(const struct fut_thread_pool *p) {
    int n = p->nworkers - p->nresting - p->nleaving;
    for (const struct fut_thread_worker *w = p->waiters; w; w = w->older)
        n -= !fut_parker_poll(w->waiting->parker);
    return n;
}

static struct fut_thread_worker *waiter_for(struct fut_thread_pool *p,
                                            const struct fut_task *t) {
    if (refers_to_futures(t)) return NULL;
    for (struct fut_thread_worker *w = p->waiters; w; w = w->older)
        if (!w->called && may_stack_foreign(w, w->waiting)) return w;
    return NULL;
}

/* Unparked under the lock: the parker belongs to the sleeper's state, and may go with it. */
void fut_thread_call_waiter(struct fut_thread_pool *p) {
    if (p->nworkers > p->options.max_workers && active(p) >= p->options.max_workers) return;
    struct fut_thread_worker *w = waiter_for(p, fut_queue_first(&p->queue));
    if (!w) return;
    w->called = true;
    p->coming++;
    fut_unpark(w->waiting->parker);
}

bool fut_thread_may_start_spare(struct fut_thread_pool *p) {
    return p->nworkers < p->options.max_workers + SPARES_MAX &&
           active(p) < p->options.max_workers && !waiter_for(p, fut_queue_first(&p->queue));
}

bool fut_thread_is_spare(struct fut_thread_pool *p) {
    return p->nworkers > p->options.max_workers && active(p) > p->options.max_workers;
}

/* ---- spare workers at rest ---- */

static void unlink_resting(struct fut_thread_pool *p, struct fut_thread_worker *w) {
    struct fut_thread_worker **at = &p->resting;
    while (*at != w) at = &(*at)->next_idle;
    *at = w->next_idle;
    w->resting = false;
    p->nresting--;
}

bool fut_thread_rouse(struct fut_thread_pool *p) {
    struct fut_thread_worker *w = p->resting;
    if (!w) return false;
    unlink_resting(p, w);
    atomic_fetch_add_explicit(&p->available, 1, memory_order_relaxed);
    p->coming++;
    fut_unpark(&w->parker);
    return true;
}

bool fut_thread_rest(struct fut_thread_pool *p, struct fut_thread_worker *w) {
    atomic_fetch_sub_explicit(&p->available, 1, memory_order_relaxed);
    fut_time until = fut_now() + REST_MS * FUT_MS;
    bool woken = false, linked = !p->closed;
    if (linked) {
        w->resting = true;
        w->next_idle = p->resting;
        p->resting = w;
        p->nresting++;
    }
    while (w->resting && fut_now() < until) {
        fut_thread_unlock(p);
        woken = fut_park(&w->parker, until);
        fut_thread_lock(p);
    }
    if (linked && !w->resting) { /* roused: its wake-up has come or is on the way */
        while (!woken) {
            fut_thread_unlock(p);
            woken = fut_park(&w->parker, FUT_NEVER);
            fut_thread_lock(p);
        }
        p->coming--;
        return true;
    }
    if (linked) unlink_resting(p, w);
    p->nleaving++;
    w->leaving = true;
    return false;
}

/* ---- the wait ---- */

static void link_waiter(struct fut_thread_pool *p, struct fut_thread_worker *w,
                        struct fut_waiting *wait) {
    w->waiting = wait;
    w->newer = NULL;
    w->older = p->waiters;
    if (w->older) w->older->newer = w;
    p->waiters = w;
}

static void unlink_waiter(struct fut_thread_pool *p, struct fut_thread_worker *w) {
    if (w->newer)
        w->newer->older = w->older;
    else
        p->waiters = w->older;
    if (w->older) w->older->newer = w->newer;
    w->waiting = NULL;
}

/* Under the lock: takes t, to be run on top of the task of the caller. */
static void take(struct fut_thread_pool *p, struct fut_task *t) {
    fut_queue_remove(&p->queue, t);
    p->stacked++;
}

/* Under the lock: nobody but the caller, which counts as asleep, could run what it waits
 * for. */
static bool is_left_alone(struct fut_thread_pool *p, const struct fut_task *wanted) {
    return wanted && wanted->queued && p->coming == 0 && active(p) == 0;
}

/* Under the lock: the worker sleeps. Then as many others may run as did before. */
static void fall_asleep(struct fut_thread_pool *p, struct fut_thread_worker *w,
                        struct fut_waiting *wait, struct fut_task *wanted) {
    link_waiter(p, w, wait);
    if (wanted && wanted->queued) { /* before others, which would wait in their turn */
        fut_queue_remove(&p->queue, wanted);
        fut_queue_push_front(&p->queue, wanted);
    }
    fut_thread_call(p);
}

/* In the graph of waits, where those with a deadline are not. */
static bool begin_sleep(struct fut_thread_worker *w, struct fut_waiting *wait) {
    w->asleep = wait->deadline == FUT_NEVER;
    if (!w->asleep) return true;
    w->asleep = fut_sleeper_begin(&w->sleeper, wait, &wait->why);
    return w->asleep;
}

enum fut_help fut_thread_wait_begin(struct fut_executor *ex, struct fut_waiting *wait) {
    struct fut_thread_pool *p = fut_thread_pool_of(ex);
    struct fut_thread_worker *w = self;
    if (!w->inside) return FUT_HELP_SLEEP; /* it starts or ends, and runs no task */
    struct fut_task *wanted = first_wanted(p, wait);
    fut_thread_lock(p);
    if (w->called) {
        w->called = false;
        p->coming--;
    }
    enum fut_help help = FUT_HELP_RAN;
    struct fut_task *t = choose(p, w, wait, wanted);
    if (!t) {
        help = FUT_HELP_SLEEP;
        fall_asleep(p, w, wait, wanted);
        if (is_left_alone(p, wanted)) { /* no thread could be started: better now than never */
            bool may = wait->may_stack, ends = wait->deadline != FUT_NEVER;
            help = may ? FUT_HELP_RAN : ends ? FUT_HELP_SLEEP : FUT_HELP_NEVER;
            t = may ? wanted : NULL;
        }
        if (help != FUT_HELP_SLEEP) unlink_waiter(p, w);
    }
    if (t) take(p, t);
    fut_thread_unlock(p);
    if (help == FUT_HELP_SLEEP && !begin_sleep(w, wait)) {
        fut_thread_wait_end(ex, false);
        help = FUT_HELP_NEVER;
    }
    if (!t) return help;
    bool foreign = t != wanted;
    w->foreign += foreign;
    fut_thread_run(p, w, t, true);
    w->foreign -= foreign;
    return FUT_HELP_RAN;
}

void fut_thread_wait_end(struct fut_executor *ex, bool again) {
    struct fut_thread_pool *p = fut_thread_pool_of(ex);
    struct fut_thread_worker *w = self;
    if (!w->waiting) return;
    if (w->asleep) fut_sleeper_end(&w->sleeper);
    w->asleep = false;
    fut_thread_lock(p);
    unlink_waiter(p, w);
    if (w->called && !again) { /* it goes on with its own: somebody else must come */
        w->called = false;
        p->coming--;
    }
    fut_thread_unlock(p);
}
