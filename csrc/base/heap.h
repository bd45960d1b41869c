/* SPDX-License-Identifier: MIT */
/* fut_heap: the first of many things at once, where any of them may go or change at any time: a
 * leftist tree, linked through nodes that live in the things themselves. It has no memory of
 * its own, so no call can fail; each takes O(log n) in the worst case.
 *
 * STATE: zeroed memory is an empty heap, once `before` is set; a zeroed node is in no heap.
 * OWNERSHIP: the nodes are the caller's; they stay where they are while they are in a heap.
 * THREADS: one at a time. */
#ifndef FUT_BASE_HEAP_H
#define FUT_BASE_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fut_heap_node {
    struct fut_heap_node *left, *right, *up;
    uint32_t rank; /* nodes on the way to the right end of its tree; 0: in no heap */
};

struct fut_heap {
    bool (*before)(const struct fut_heap_node *a, const struct fut_heap_node *b);
    struct fut_heap_node *first; /* or NULL */
    size_t length;
};

/* fut_heap_has(node): it is in a heap. */
static inline bool fut_heap_has(const struct fut_heap_node *node) {
    return node->rank > 0;
}

/* fut_heap_push(h, node): puts in a node that is in no heap. */
void fut_heap_push(struct fut_heap *h, struct fut_heap_node *node);

/* fut_heap_remove(h, node): takes it out; nothing happens when it is in no heap. */
void fut_heap_remove(struct fut_heap *h, struct fut_heap_node *node);

/* fut_heap_update(h, node): what `before` looks at has changed. */
void fut_heap_update(struct fut_heap *h, struct fut_heap_node *node);

#endif
