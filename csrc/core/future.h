/* SPDX-License-Identifier: MIT */
/* fut_future: the place where one outcome will be, and the list of those who wait for it.
 *
 *   pending --start--> running --settle--> finished
 *      |  \---------------settle-------------^
 *      \--cancel--> cancelled (withdraw: also from running)
 *
 * A task that is to run again goes from running back to pending (pause).
 *
 * STATE: one atomic word: the state, a "watched" flag, and what its runner is asked for.
 * Finished and cancelled are final; the outcome is written before the state becomes finished
 * and never changes after, so whoever has seen fut_future_done may read it without a lock.
 * OWNERSHIP: counted; the first member of a task, so a task is counted by its future.
 * LOCKS: the list of watches is guarded by one of a few locks chosen by address. Settling a
 * future that nobody watches takes none.
 * THREADS: any thread may call anything here. */
#ifndef FUT_CORE_FUTURE_H
#define FUT_CORE_FUTURE_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/clock.h"
#include "core/object.h"
#include "core/outcome.h"

enum fut_state {
    FUT_PENDING,
    FUT_RUNNING,
    FUT_SETTLING, /* the outcome is being written: a few instructions long */
    FUT_FINISHED,
    FUT_CANCELLED,
    FUT_STATE_MASK = 7,
    FUT_WATCHED = 8, /* somebody is on the list, or was */
    /* Whoever runs it is asked to end early: one of these, once set, decides how it ends. */
    FUT_ASKED_CANCEL = 16,  /* cancelled */
    FUT_ASKED_TIMEOUT = 32, /* failed: the time of the task is over */
    FUT_ASKED = FUT_ASKED_CANCEL | FUT_ASKED_TIMEOUT,
};

struct fut_watch;

struct fut_future {
    struct fut_object object;
    atomic_uint state;
    atomic_bool local; /* only one lua_State knows it, and settles it (bind/bare.h) */
    fut_time done_at;  /* when it was done; before that, of a task: when it was submitted */
    struct fut_watch *watches; /* the latest first; guarded by a lock of core/waiter.c */
    struct fut_outcome outcome;
};

extern const struct fut_object_type fut_future_type;

/* fut_future_new(): a bare future with one count, or NULL. */
struct fut_future *fut_future_new(void);

/* fut_future_init(f, type), of zeroed memory, and fut_future_deinit(f): for what embeds one. */
void fut_future_init(struct fut_future *f, const struct fut_object_type *type);
void fut_future_deinit(struct fut_future *f);

/* fut_future_state(f): FUT_PENDING, FUT_RUNNING, FUT_FINISHED or FUT_CANCELLED; while it is
 * being settled, waits the moment until that is over. */
enum fut_state fut_future_state(const struct fut_future *f);

/* fut_future_done(f): finished or cancelled; then the outcome may be read. */
static inline bool fut_future_done(const struct fut_future *f) {
    return (atomic_load_explicit(&f->state, memory_order_acquire) & FUT_STATE_MASK) >=
           FUT_FINISHED;
}

/* fut_future_local(f): only code of one lua_State can settle it, as long as nobody sends it. */
static inline bool fut_future_local(const struct fut_future *f) {
    return atomic_load_explicit(&f->local, memory_order_relaxed);
}

/* fut_future_start(f): pending -> running; false when it is in another state, or asked to
 * end. */
bool fut_future_start(struct fut_future *f);

/* fut_future_pause(f): running -> pending, for a task that may run again: its executor's lock
 * keeps all others off, and it is not asked to end as cancelled. What else it was asked for is
 * forgotten. */
void fut_future_pause(struct fut_future *f);

/* fut_future_settle(f, outcome): pending or running -> finished; moves the outcome in and tells
 * the watchers. False when somebody else settled or cancelled it first, or has asked it to end
 * (outcome is untouched then). */
bool fut_future_settle(struct fut_future *f, struct fut_outcome *outcome);

/* fut_future_settle_at(f, outcome, now): the same for who has looked at the clock already. */
bool fut_future_settle_at(struct fut_future *f, struct fut_outcome *outcome, fut_time now);

/* fut_future_claim(f), fut_future_settle_claimed(f, outcome, now): the same in two steps:
 * between them the future is neither running nor done, and nobody else can settle it. For a few
 * instructions, and no lock in them: others wait. */
bool fut_future_claim(struct fut_future *f);
void fut_future_settle_claimed(struct fut_future *f, struct fut_outcome *outcome, fut_time now);

/* fut_future_ask(f, how): asks the one who runs it to end, FUT_ASKED_CANCEL or
 * FUT_ASKED_TIMEOUT; false when it is done, or asked already. What the runner still makes of it
 * does not count. The bit stays in f->state, also when it is done. */
bool fut_future_ask(struct fut_future *f, unsigned how);

/* fut_future_asked(f): what it was asked for, or 0. */
static inline unsigned fut_future_asked(const struct fut_future *f) {
    return atomic_load_explicit(&f->state, memory_order_acquire) & FUT_ASKED;
}

/* fut_future_settle_asked(f, outcome): ends one that was asked: cancelled, or finished with the
 * outcome, which is moved only then. False when that was done before. */
bool fut_future_settle_asked(struct fut_future *f, struct fut_outcome *outcome);

/* fut_future_cancel(f): pending -> cancelled, and tells the watchers; false in any other
 * state. */
bool fut_future_cancel(struct fut_future *f);

/* fut_future_withdraw(f): pending or running -> cancelled, for one whose task can be called off
 * at any moment; false when it was done. */
bool fut_future_withdraw(struct fut_future *f);

static inline void fut_future_hold(struct fut_future *f) {
    fut_object_hold(&f->object);
}
static inline void fut_future_drop(struct fut_future *f) {
    fut_object_drop(&f->object);
}

#endif
