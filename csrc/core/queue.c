/* SPDX-License-Identifier: MIT */
#include "core/queue.h"

static struct fut_task *task_at(const struct fut_heap_node *node) {
    return (struct fut_task *)((char *)node - offsetof(struct fut_task, node));
}

static bool is_due_before(const struct fut_heap_node *a, const struct fut_heap_node *b) {
    const struct fut_task *x = task_at(a), *y = task_at(b);
    if (x->options->priority != y->options->priority)
        return x->options->priority > y->options->priority;
    return x->turn < y->turn;
}

void fut_queue_heap_push(struct fut_queue *q, struct fut_task *t, bool front) {
    /* In the middle of the range at first: there is room for both to count for ever. */
    t->turn = ((uint64_t)1 << 63) + (front ? -++q->sooner : q->later++);
    t->node.rank = 0; /* it may have been at a worker, whose number stood there */
    q->heap.before = is_due_before;
    fut_heap_push(&q->heap, &t->node);
}

struct fut_task *fut_queue_heap_first(const struct fut_queue *q) {
    return task_at(q->heap.first);
}

struct fut_task *fut_queue_take_all(struct fut_queue *q) {
    struct fut_task *first = NULL, **end = &first;
    for (struct fut_task *t; (t = fut_queue_pop(q));) {
        *end = t;
        end = &t->next;
    }
    *end = NULL;
    return first;
}
