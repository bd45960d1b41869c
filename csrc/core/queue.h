/* SPDX-License-Identifier: MIT */
/* fut_queue: the tasks of an executor that no worker has taken yet, first in, first out.
 * STATE: zeroed memory is an empty queue.
 * OWNERSHIP: holds the count of each task in it that its pusher had; pop hands it on.
 * LOCKS: none of its own: its executor's. */
#ifndef FUT_CORE_QUEUE_H
#define FUT_CORE_QUEUE_H

#include <stddef.h>

#include "core/task.h"

struct fut_queue {
    struct fut_task *first, *last;
    size_t length;
};

static inline void fut_queue_push(struct fut_queue *q, struct fut_task *t) {
    t->next = NULL;
    t->prev = q->last;
    if (q->last)
        q->last->next = t;
    else
        q->first = t;
    q->last = t;
    t->queued = true;
    q->length++;
}

/* fut_queue_push_front(q, t): t is the next to be popped. */
static inline void fut_queue_push_front(struct fut_queue *q, struct fut_task *t) {
    t->prev = NULL;
    t->next = q->first;
    if (q->first)
        q->first->prev = t;
    else
        q->last = t;
    q->first = t;
    t->queued = true;
    q->length++;
}

/* fut_queue_remove(q, t): t, which is in q, out of it. */
static inline void fut_queue_remove(struct fut_queue *q, struct fut_task *t) {
    if (t->prev)
        t->prev->next = t->next;
    else
        q->first = t->next;
    if (t->next)
        t->next->prev = t->prev;
    else
        q->last = t->prev;
    t->queued = false;
    q->length--;
}

/* fut_queue_pop(q): the first task, or NULL. */
static inline struct fut_task *fut_queue_pop(struct fut_queue *q) {
    struct fut_task *t = q->first;
    if (t) fut_queue_remove(q, t);
    return t;
}

#endif
