/* SPDX-License-Identifier: MIT */
#include "core/waiter.h"

#include <stdint.h>

#include "core/fork.h"

/* A fork takes all of them, and ThreadSanitizer bears fewer than 64 in one hand. */
enum { LOCKS = 32 };

enum where { NOWHERE, ON_FUTURE, ON_QUEUE };

#define L4 FUT_LOCK_INIT, FUT_LOCK_INIT, FUT_LOCK_INIT, FUT_LOCK_INIT
#define L16 L4, L4, L4, L4
static struct fut_lock locks[LOCKS] = {L16, L16};
#undef L16
#undef L4

static struct fut_lock *lock_of(const struct fut_future *f) {
    uintptr_t address = (uintptr_t)f;
    return &locks[(address >> 4 ^ address >> 10) % LOCKS];
}

void fut_waiters_fork(bool take) {
    for (int i = 0; i < LOCKS; i++)
        if (take)
            fut_lock(&locks[i]);
        else
            fut_unlock(&locks[i]);
}

void fut_waiter_init(struct fut_waiter *w, struct fut_parker *parker) {
    w->parker = parker;
    fut_lock_init(&w->lock);
    w->first = NULL;
    w->last = &w->first;
    atomic_init(&w->queued, 0);
    w->wanted = 1;
    w->event = NULL;
    w->questions = NULL;
}

void fut_waiter_deinit(struct fut_waiter *w) {
    FUT_ASSERT(!w->first);
    fut_lock_deinit(&w->lock);
}

void fut_waiter_want(struct fut_waiter *w, size_t n) {
    fut_lock(&w->lock);
    w->wanted = n;
    fut_unlock(&w->lock);
}

void fut_waiter_show(struct fut_waiter *w, struct fut_event *event) {
    fut_lock(&w->lock);
    w->event = event;
    if (event && w->first) fut_event_raise(event);
    fut_unlock(&w->lock);
}

/* Pushes a watch in front of *at, or takes it off the list that it is on. */
static void link_at(struct fut_watch *watch, struct fut_watch **at) {
    watch->next = *at;
    if (watch->next) watch->next->back = &watch->next;
    watch->back = at;
    *at = watch;
}

static void unlink_from(struct fut_watch *watch) {
    *watch->back = watch->next;
    if (watch->next) watch->next->back = watch->back;
    watch->where = NOWHERE;
}

/* The unpark stands inside the lock: fut_watch_stop takes it too before the owner may free the
 * waiter and its parker, so both are alive here. So does the event, which thereby is up exactly
 * while the queue is not empty; a write that never blocks is short enough. */
static void enqueue(struct fut_waiter *w, struct fut_watch *watch) {
    fut_lock(&w->lock);
    link_at(watch, w->last);
    w->last = &watch->next;
    watch->where = ON_QUEUE;
    size_t n = atomic_load_explicit(&w->queued, memory_order_relaxed) + 1;
    atomic_store_explicit(&w->queued, n, memory_order_release);
    if (n >= w->wanted) fut_unpark(w->parker);
    if (w->event && n == 1) fut_event_raise(w->event);
    fut_unlock(&w->lock);
}

/* For the owner, who alone takes watches off the queue. */
static void dequeue(struct fut_waiter *w, struct fut_watch *watch) {
    fut_lock(&w->lock);
    if (w->last == &watch->next) w->last = watch->back;
    unlink_from(watch);
    size_t n = atomic_load_explicit(&w->queued, memory_order_relaxed) - 1;
    atomic_store_explicit(&w->queued, n, memory_order_release);
    if (w->event && n == 0) fut_event_lower(w->event);
    fut_unlock(&w->lock);
}

struct fut_watch *fut_waiter_first(struct fut_waiter *w) {
    if (fut_waiter_queued(w) == 0) return NULL;
    fut_lock(&w->lock);
    struct fut_watch *first = w->first;
    fut_unlock(&w->lock);
    return first;
}

struct fut_watch *fut_waiter_find(struct fut_waiter *w,
                                  bool (*wanted)(const struct fut_watch *watch)) {
    fut_lock(&w->lock);
    struct fut_watch *watch = w->first;
    while (watch && !wanted(watch)) watch = watch->next;
    fut_unlock(&w->lock);
    return watch;
}

struct fut_watch *fut_waiter_shift(struct fut_waiter *w) {
    struct fut_watch *first = fut_waiter_first(w);
    if (first) dequeue(w, first);
    return first;
}

void fut_watch_init(struct fut_watch *watch) {
    *watch = (struct fut_watch){0};
}

/* Sets the watched flag unless the future is done. Against a settle that is under way: see
 * finish in future.c. */
static bool mark_watched(struct fut_future *f) {
    unsigned s = atomic_load_explicit(&f->state, memory_order_acquire);
    while ((s & FUT_STATE_MASK) < FUT_FINISHED)
        if (atomic_compare_exchange_weak_explicit(&f->state, &s, s | FUT_WATCHED,
                                                  memory_order_acq_rel, memory_order_acquire))
            return true;
    return false;
}

void fut_watch_start(struct fut_watch *watch, struct fut_waiter *w, struct fut_future *f) {
    watch->future = f;
    watch->waiter = w;
    watch->watching = true;
    fut_future_hold(f);
    struct fut_lock *lock = lock_of(f);
    fut_lock(lock);
    bool pending = mark_watched(f);
    if (pending) {
        link_at(watch, &f->watches);
        watch->where = ON_FUTURE;
    }
    fut_unlock(lock);
    if (!pending) enqueue(w, watch);
}

void fut_future_sync(struct fut_future *f) {
    if (!(atomic_load_explicit(&f->state, memory_order_acquire) & FUT_WATCHED)) return;
    struct fut_lock *lock = lock_of(f);
    fut_lock(lock); /* the report is made under it */
    fut_unlock(lock);
}

/* Under the lock of f. */
static void report(struct fut_future *f, unsigned state) {
    /* release: the outcome is visible to those who see the state */
    atomic_store_explicit(&f->state, state, memory_order_release);
    struct fut_watch *oldest = NULL;
    for (struct fut_watch *watch; (watch = f->watches);) {
        f->watches = watch->next;
        watch->next = oldest;
        oldest = watch;
    }
    while (oldest) {
        struct fut_watch *watch = oldest;
        oldest = watch->next;
        enqueue(watch->waiter, watch);
    }
}

void fut_waiter_report_all(struct fut_future *f, unsigned state) {
    struct fut_lock *lock = lock_of(f);
    fut_lock(lock);
    report(f, state);
    fut_unlock(lock);
}

bool fut_future_settle_orphan(struct fut_future *f, struct fut_outcome *outcome) {
    struct fut_lock *lock = lock_of(f);
    fut_lock(lock); /* others here may do the same: nobody else can be in the middle of it */
    bool ends = !fut_future_done(f);
    if (ends) {
        f->done_at = fut_now();
        f->outcome = (struct fut_outcome){0}; /* half of one may be there */
        if (outcome) fut_outcome_move(&f->outcome, outcome);
        report(f, (outcome ? FUT_FINISHED : FUT_CANCELLED) | FUT_WATCHED);
    }
    fut_unlock(lock);
    return ends;
}

void fut_waiter_take_questions(struct fut_waiter *w, struct fut_waiter *questions) {
    w->questions = questions;
}

bool fut_waiter_ask(struct fut_future *f) {
    struct fut_lock *lock = lock_of(f);
    fut_lock(lock);
    struct fut_watch *watch = f->watches;
    while (watch && !watch->waiter->questions) watch = watch->next;
    if (watch) { /* the owner looks at its waiter after this lock, in fut_watch_stop */
        unlink_from(watch);
        watch->waiter = watch->waiter->questions;
        enqueue(watch->waiter, watch);
    }
    fut_unlock(lock);
    return watch != NULL;
}

void fut_watch_stop(struct fut_watch *watch) {
    if (!watch->watching) return;
    watch->watching = false;
    struct fut_lock *lock = lock_of(watch->future);
    /* A report that is under way holds the lock: after this the watch stays where it is. */
    fut_lock(lock);
    if (watch->where == ON_FUTURE) unlink_from(watch);
    fut_unlock(lock);
    if (watch->where == ON_QUEUE) dequeue(watch->waiter, watch);
    fut_future_drop(watch->future);
}
