/* SPDX-License-Identifier: MIT */
#include "core/future.h"

#include <sched.h>

#include "base/alloc.h"
#include "core/waiter.h"

static void future_free(struct fut_object *o) {
    struct fut_future *f = (struct fut_future *)o; /* its first member */
    fut_future_deinit(f);
    fut_free(f);
}

const struct fut_object_type fut_future_type = {
    .name = "future", .free = future_free, .needs_task = true};

void fut_future_init(struct fut_future *f, const struct fut_object_type *type) {
    fut_object_init(&f->object, type);
    atomic_init(&f->state, FUT_PENDING);
    atomic_init(&f->local, false);
    f->watches = NULL;
}

void fut_future_deinit(struct fut_future *f) {
    FUT_ASSERT(!f->watches); /* each watch holds a count */
    fut_outcome_deinit(&f->outcome);
}

struct fut_future *fut_future_new(void) {
    struct fut_future *f = fut_zalloc(sizeof *f);
    if (f) fut_future_init(f, &fut_future_type);
    return f;
}

enum { PENDING = 1 << FUT_PENDING, RUNNING = 1 << FUT_RUNNING }; /* sets of states */

/* One of `from` -> to, whatever the watched flag is; false when the state is none of them, or
 * when it is asked to end and `asked` is not said, or the other way round. */
static bool move_state(struct fut_future *f, unsigned from, unsigned to, bool asked) {
    unsigned s = atomic_load_explicit(&f->state, memory_order_relaxed);
    while (from >> (s & FUT_STATE_MASK) & 1 && ((s & FUT_ASKED) != 0) == asked) {
        unsigned next = (s & ~(unsigned)FUT_STATE_MASK) | to;
        /* acq_rel: the mover sees what was done before, and those who see `to` see what the
         * mover wrote */
        if (atomic_compare_exchange_weak_explicit(&f->state, &s, next, memory_order_acq_rel,
                                                  memory_order_relaxed))
            return true;
    }
    return false;
}

/* Makes the state final and reports to those who watch. Without a watcher it is one
 * compare-and-swap, which fails when a watcher comes at the same moment; with watchers both
 * happen under the lock, so whoever sees a done and watched future knows when its watchers have
 * been told (fut_future_sync). What was asked for stays: the one who still runs it looks at
 * that. */
static void finish(struct fut_future *f, unsigned final, fut_time now) {
    f->done_at = now;
    unsigned s = FUT_SETTLING;
    if (!atomic_compare_exchange_strong_explicit(&f->state, &s, final, memory_order_acq_rel,
                                                 memory_order_relaxed))
        fut_waiter_report_all(f, final | FUT_WATCHED | (s & FUT_ASKED));
}

enum fut_state fut_future_state(const struct fut_future *f) {
    for (;;) {
        unsigned s = atomic_load_explicit(&f->state, memory_order_acquire) & FUT_STATE_MASK;
        if (s != FUT_SETTLING) return (enum fut_state)s;
        sched_yield(); /* the settler may have lost its processor in the middle */
    }
}

bool fut_future_start(struct fut_future *f) {
    return move_state(f, PENDING, FUT_RUNNING, false);
}

void fut_future_pause(struct fut_future *f) {
    unsigned s = atomic_load_explicit(&f->state, memory_order_relaxed), next;
    do { /* somebody may begin to watch it meanwhile */
        FUT_ASSERT((s & FUT_STATE_MASK) <= FUT_RUNNING && !(s & FUT_ASKED_CANCEL));
        next = (s & FUT_WATCHED) | FUT_PENDING;
        /* acq_rel: as in move_state */
    } while (!atomic_compare_exchange_weak_explicit(&f->state, &s, next, memory_order_acq_rel,
                                                    memory_order_relaxed));
}

bool fut_future_claim(struct fut_future *f) {
    /* In one step: a start between two looks would make both of them fail. */
    return move_state(f, PENDING | RUNNING, FUT_SETTLING, false);
}

void fut_future_settle_claimed(struct fut_future *f, struct fut_outcome *outcome,
                               fut_time now) {
    fut_outcome_move(&f->outcome, outcome);
    finish(f, FUT_FINISHED, now);
}

bool fut_future_settle(struct fut_future *f, struct fut_outcome *outcome) {
    return fut_future_settle_at(f, outcome, fut_now());
}

bool fut_future_settle_at(struct fut_future *f, struct fut_outcome *outcome, fut_time now) {
    if (!fut_future_claim(f)) return false;
    fut_future_settle_claimed(f, outcome, now);
    return true;
}

bool fut_future_cancel(struct fut_future *f) {
    if (!move_state(f, PENDING, FUT_SETTLING, false)) return false;
    finish(f, FUT_CANCELLED, fut_now());
    return true;
}

bool fut_future_ask(struct fut_future *f, unsigned how) {
    unsigned s = atomic_load_explicit(&f->state, memory_order_relaxed);
    while ((s & FUT_STATE_MASK) <= FUT_RUNNING && !(s & FUT_ASKED))
        /* acq_rel: who asks a running task sees where it runs */
        if (atomic_compare_exchange_weak_explicit(&f->state, &s, s | how, memory_order_acq_rel,
                                                  memory_order_relaxed))
            return true;
    return false;
}

bool fut_future_settle_asked(struct fut_future *f, struct fut_outcome *outcome) {
    if (!move_state(f, PENDING | RUNNING, FUT_SETTLING, true)) return false;
    if (fut_future_asked(f) & FUT_ASKED_CANCEL) {
        finish(f, FUT_CANCELLED, fut_now());
    } else {
        fut_outcome_move(&f->outcome, outcome);
        finish(f, FUT_FINISHED, fut_now());
    }
    return true;
}

bool fut_future_withdraw(struct fut_future *f) {
    if (!fut_future_claim(f)) return false;
    finish(f, FUT_CANCELLED, fut_now());
    return true;
}
