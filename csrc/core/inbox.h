/* SPDX-License-Identifier: MIT */
/* fut_inbox: tasks on their way into a queue without its lock: who submits and who takes would
 * else want the same lines of the cache for each task (measured: 0.6 us a task, more than all
 * the rest).
 *
 *   submitters --put--> inbox --take, under the lock--> queue
 *
 * STATE: shut, or open; one word. Whoever shuts it gets what was put while it was open: shut
 * before nobody is going to look any more, so nothing is overlooked.
 * OWNERSHIP: as fut_queue: the count of a task goes with it.
 * LOCKS: that of the queue, for open, take and shut.
 * THREADS: any. */
#ifndef FUT_CORE_INBOX_H
#define FUT_CORE_INBOX_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "core/task.h"

struct fut_inbox {
    _Atomic(struct fut_task *) latest; /* linked by `next`; or FUT_INBOX_SHUT */
};

#define FUT_INBOX_SHUT ((struct fut_task *)1)

/* fut_inbox_init(in): shut. */
static inline void fut_inbox_init(struct fut_inbox *in) {
    atomic_init(&in->latest, FUT_INBOX_SHUT);
}

/* fut_inbox_is_open(in). fut_inbox_has(in): there is something in it. */
static inline bool fut_inbox_is_open(const struct fut_inbox *in) {
    return atomic_load_explicit(&in->latest, memory_order_relaxed) != FUT_INBOX_SHUT;
}
static inline bool fut_inbox_has(const struct fut_inbox *in) {
    struct fut_task *t = atomic_load_explicit(&in->latest, memory_order_relaxed);
    return t && t != FUT_INBOX_SHUT;
}

/* fut_inbox_put(in, tasks, n): all of them, in this order; false when it is shut. */
bool fut_inbox_put(struct fut_inbox *in, struct fut_task **tasks, size_t n);

/* fut_inbox_take(in): what is in it, the first first, linked by `next`; NULL: nothing. It stays
 * as open or shut as it is. fut_inbox_shut(in): the same, and it is shut. fut_inbox_open(in): a
 * shut one is open. */
struct fut_task *fut_inbox_take(struct fut_inbox *in);
struct fut_task *fut_inbox_shut(struct fut_inbox *in);
void fut_inbox_open(struct fut_inbox *in);

#endif
