/* SPDX-License-Identifier: MIT */
/* fut_heap: the least of many things at once, where any of them may go or change at any time: a
 * binary heap of nodes that live in the things themselves.
 *
 * STATE: zeroed memory is an empty heap, once `before` is set.
 * OWNERSHIP: the array is the heap's, the nodes are the caller's.
 * THREADS: one at a time. */
#ifndef FUT_BASE_HEAP_H
#define FUT_BASE_HEAP_H

#include <stdbool.h>
#include <stddef.h>

struct fut_heap_node {
    size_t place; /* from 1; 0: in no heap */
};

struct fut_heap {
    bool (*before)(const struct fut_heap_node *a, const struct fut_heap_node *b);
    struct fut_heap_node **nodes;
    size_t length, cap;
};

/* fut_heap_reserve(h, n): room for n nodes in all, so that pushes cannot fail; false when
 * memory is short. */
bool fut_heap_reserve(struct fut_heap *h, size_t n);

/* fut_heap_push(h, node): puts in a node that is in no heap. There must be room. */
void fut_heap_push(struct fut_heap *h, struct fut_heap_node *node);

/* fut_heap_remove(h, node): takes it out; nothing happens when it is in no heap. */
void fut_heap_remove(struct fut_heap *h, struct fut_heap_node *node);

/* fut_heap_update(h, node): what `before` looks at has changed. */
void fut_heap_update(struct fut_heap *h, struct fut_heap_node *node);

/* fut_heap_first(h): the least node, or NULL. */
static inline struct fut_heap_node *fut_heap_first(const struct fut_heap *h) {
    return h->length ? h->nodes[0] : NULL;
}

/* fut_heap_deinit(h): frees the array; no node may be in it. */
void fut_heap_deinit(struct fut_heap *h);

#endif
