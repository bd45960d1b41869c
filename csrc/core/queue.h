/* SPDX-License-Identifier: MIT */
/* fut_queue: the tasks of an executor that no worker has taken yet: the highest priority first,
 * equal ones first in, first out.
 *
 *   priority 0   a list: a few instructions a task
 *   others       a heap (base/heap.h), linked through the tasks: no call here can fail
 *
 * STATE: zeroed memory is an empty queue.
 * OWNERSHIP: holds the count of each task in it that its pusher had; pop hands it on.
 * LOCKS: none of its own: its executor's. */
#ifndef FUT_CORE_QUEUE_H
#define FUT_CORE_QUEUE_H

#include <stddef.h>

#include "core/task.h"

struct fut_queue {
    struct fut_task *head, *tail; /* the list */
    struct fut_heap heap;         /* of those with a priority */
    uint64_t later, sooner;       /* turns given at the end, and at the front */
    size_t length;
};

/* fut_queue_in_heap(t): its priority is not 0. */
static inline bool fut_queue_in_heap(const struct fut_task *t) {
    return t->options && t->options->priority != 0;
}

/* fut_queue_heap_push(q, t, front), fut_queue_heap_first(q), of a heap that is not empty: for
 * the calls below. */
void fut_queue_heap_push(struct fut_queue *q, struct fut_task *t, bool front);
struct fut_task *fut_queue_heap_first(const struct fut_queue *q);

/* fut_queue_push(q, t): behind all tasks of its priority. */
static inline void fut_queue_push(struct fut_queue *q, struct fut_task *t) {
    t->queued = true;
    q->length++;
    if (fut_queue_in_heap(t)) {
        fut_queue_heap_push(q, t, false);
        return;
    }
    t->next = NULL;
    t->prev = q->tail;
    if (q->tail)
        q->tail->next = t;
    else
        q->head = t;
    q->tail = t;
}

/* fut_queue_push_front(q, t): before all tasks of its priority: it was the next already, and
 * comes back. */
static inline void fut_queue_push_front(struct fut_queue *q, struct fut_task *t) {
    t->queued = true;
    q->length++;
    if (fut_queue_in_heap(t)) {
        fut_queue_heap_push(q, t, true);
        return;
    }
    t->prev = NULL;
    t->next = q->head;
    if (q->head)
        q->head->prev = t;
    else
        q->tail = t;
    q->head = t;
}

/* fut_queue_remove(q, t): t, which is in q, out of it. */
static inline void fut_queue_remove(struct fut_queue *q, struct fut_task *t) {
    t->queued = false;
    q->length--;
    if (fut_queue_in_heap(t)) {
        fut_heap_remove(&q->heap, &t->node);
        return;
    }
    if (t->prev)
        t->prev->next = t->next;
    else
        q->head = t->next;
    if (t->next)
        t->next->prev = t->prev;
    else
        q->tail = t->prev;
}

/* fut_queue_first(q): the next to be popped, or NULL. */
static inline struct fut_task *fut_queue_first(const struct fut_queue *q) {
    if (!q->heap.first) return q->head;
    struct fut_task *t = fut_queue_heap_first(q);
    return !q->head || t->options->priority > 0 ? t : q->head;
}

/* fut_queue_pop(q): the first task, or NULL. */
static inline struct fut_task *fut_queue_pop(struct fut_queue *q) {
    struct fut_task *t = fut_queue_first(q);
    if (t) fut_queue_remove(q, t);
    return t;
}

/* fut_queue_take_all(q): empties it: its tasks in their order, linked by `next`. */
struct fut_task *fut_queue_take_all(struct fut_queue *q);

#endif
