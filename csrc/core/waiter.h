/* SPDX-License-Identifier: MIT */
/* fut_waiter: collects futures that are done, in the order in which they were done. One waiter
 * watches many futures; each costs O(1) when it is done, however many there are.
 *
 * A waiter holds the policy (all, first, callbacks); the future knows one list of watches.
 *
 * STATE: the watches live in the caller's memory, each on its future's list until that is done,
 * then on the waiter's queue until the caller shifts it.
 * OWNERSHIP: a watch holds a count of its future from start to stop.
 * LOCKS: the future's lock, then the waiter's; never the other way round, never two futures'.
 * THREADS: one owner calls everything here; futures report from any thread. */
#ifndef FUT_CORE_WAITER_H
#define FUT_CORE_WAITER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/event.h"
#include "base/lock.h"
#include "base/park.h"
#include "core/future.h"

struct fut_waiter {
    /* Unparked when `wanted` are in the queue; outlives the waiter. */
    struct fut_parker *parker;
    struct fut_lock lock;    /* guards the queue */
    struct fut_watch *first; /* done, not yet shifted */
    struct fut_watch **last;
    atomic_size_t queued; /* length of the queue; written under the lock, read without */
    size_t wanted;
    struct fut_event *event;      /* up while something is in the queue; NULL: none */
    struct fut_waiter *questions; /* gets the watches whose future has a question; or NULL */
};

struct fut_watch {
    struct fut_future *future;
    struct fut_waiter *waiter;
    struct fut_watch *next;  /* on the future's list, then on the waiter's queue */
    struct fut_watch **back; /* what points to it there */
    unsigned char where; /* on which of the two; changes only under the future's lock, or by the
                                owner once the future has reported */
    bool watching;       /* between start and stop: the count is held */
};

/* fut_waiter_init(w, parker): an empty queue that wants one. fut_waiter_deinit(w): no watch may
 * be on it any more. */
void fut_waiter_init(struct fut_waiter *w, struct fut_parker *parker);
void fut_waiter_deinit(struct fut_waiter *w);

/* fut_waiter_want(w, n): unpark only when n are in the queue. */
void fut_waiter_want(struct fut_waiter *w, size_t n);

/* fut_waiter_show(w, event): raises and lowers the event, which is open and down, as the queue
 * fills and empties, from now on; NULL: no more. The event outlives that. */
void fut_waiter_show(struct fut_waiter *w, struct fut_event *event);

/* fut_waiter_queued(w): how many are in the queue now. */
static inline size_t fut_waiter_queued(struct fut_waiter *w) {
    return atomic_load_explicit(&w->queued, memory_order_acquire);
}

/* fut_waiter_first(w): the watch that was done first, which stays in the queue, or NULL. */
struct fut_watch *fut_waiter_first(struct fut_waiter *w);

/* fut_waiter_find(w, wanted): the first in the queue that wanted() takes, or NULL. */
struct fut_watch *fut_waiter_find(struct fut_waiter *w,
                                  bool (*wanted)(const struct fut_watch *watch));

/* fut_waiter_shift(w): takes the watch that was done first off the queue, or NULL. It is still
 * to be stopped. */
struct fut_watch *fut_waiter_shift(struct fut_waiter *w);

/* fut_watch_init(watch): not watching. fut_watch_start(watch, w, f): from now on; a future that
 * is done already is queued at once. fut_watch_stop(watch): off both lists, drops the count;
 * nothing touches the watch after it returns. Stop of one that is not watching does nothing. */
void fut_watch_init(struct fut_watch *watch);
void fut_watch_start(struct fut_watch *watch, struct fut_waiter *w, struct fut_future *f);
void fut_watch_stop(struct fut_watch *watch);

/* fut_waiter_report_all(f, state): for core/future.c: gives f its final state and moves each
 * watch of f to its waiter's queue, in the order in which they came, in one critical
 * section. */
void fut_waiter_report_all(struct fut_future *f, unsigned state);

/* fut_waiter_take_questions(w, questions): who watches with w answers questions about what he
 * watches: such a watch goes to the queue of `questions`, of the same owner, with its future
 * still pending. Before the first watch. fut_waiter_ask(f): the pending f has a question for
 * one of those who watch it; false when there is nobody. The watch reports nothing any more
 * until it is started anew. */
void fut_waiter_take_questions(struct fut_waiter *w, struct fut_waiter *questions);
bool fut_waiter_ask(struct fut_future *f);

/* fut_future_sync(f): of a done future: returns when all who watched it have it in their
 * queue. */
void fut_future_sync(struct fut_future *f);

/* fut_future_settle_orphan(f, outcome): ends a future that only a parent of this process, by
 * somebody's fork, would have settled: finished, or cancelled for NULL. It may have been caught
 * in the middle of that. False when it was done (outcome is untouched then). */
bool fut_future_settle_orphan(struct fut_future *f, struct fut_outcome *outcome);

#endif
