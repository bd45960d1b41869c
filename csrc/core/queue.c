/* SPDX-License-Identifier: MIT */
/* The heap is a leftist tree: each task is due before its children, and the way to the right
 * end of a subtree is its shortest, of `rank` tasks, which is at most log2 of how many there
 * are. Everything happens along such ways. A binary heap in an array would be as fast, but its
 * array can fail to grow, also when a task has to go back. */
#include "core/queue.h"

/* The children stand where the neighbours of a list do. */
static struct fut_task **left_of(struct fut_task *t) {
    return &t->prev;
}
static struct fut_task **right_of(struct fut_task *t) {
    return &t->next;
}

static uint32_t rank_of(const struct fut_task *t) {
    return t ? t->rank : 0;
}

static bool is_due_before(const struct fut_task *a, const struct fut_task *b) {
    if (a->options->priority != b->options->priority)
        return a->options->priority > b->options->priority;
    return a->turn < b->turn;
}

/* Puts the higher rank to the left; true when the rank of t has changed. */
static bool straighten(struct fut_task *t) {
    struct fut_task *left = *left_of(t), *right = *right_of(t);
    uint32_t before = t->rank;
    if (rank_of(left) < rank_of(right)) {
        *left_of(t) = right;
        *right_of(t) = left;
    }
    t->rank = rank_of(*right_of(t)) + 1;
    return t->rank != before;
}

/* The tree of all that is in both. */
static struct fut_task *merge(struct fut_task *a, struct fut_task *b) {
    struct fut_task *root = NULL, **at = &root, *up = NULL;
    while (a && b) {
        struct fut_task *first = is_due_before(b, a) ? b : a;
        struct fut_task *other = first == a ? b : a;
        *at = first;
        first->up = up;
        up = first;
        at = right_of(first);
        a = *at;
        b = other;
    }
    *at = a ? a : b;
    if (*at) (*at)->up = up;
    for (; up; up = up->up) straighten(up);
    return root;
}

void fut_queue_heap_push(struct fut_queue *q, struct fut_task *t, bool front) {
    /* In the middle of the range at first: there is room for both to count for ever. */
    t->turn = ((uint64_t)1 << 63) + (front ? -++q->sooner : q->later++);
    *left_of(t) = *right_of(t) = t->up = NULL;
    t->rank = 1;
    q->heap = merge(q->heap, t);
}

void fut_queue_heap_remove(struct fut_queue *q, struct fut_task *t) {
    struct fut_task *up = t->up, *rest = merge(*left_of(t), *right_of(t));
    if (rest) rest->up = up;
    if (!up)
        q->heap = rest;
    else if (*left_of(up) == t)
        *left_of(up) = rest;
    else
        *right_of(up) = rest;
    /* Where a rank has not changed, nothing further up does. It can only have become smaller,
     * by which the rank of a task that follows it is given: so this ends after log2 steps. */
    while (up && straighten(up)) up = up->up;
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
