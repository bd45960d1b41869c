/* SPDX-License-Identifier: MIT */
/* Each node is before its children, and the way to the right end of a tree is its shortest, of
 * `rank` nodes, which is at most log2 of how many there are. All happens along such ways. An
 * array would be as fast, but can fail to grow, also when a thing has to go back. */
#include "base/heap.h"

#include "base/err.h"

static uint32_t rank_of(const struct fut_heap_node *node) {
    return node ? node->rank : 0;
}

/* Puts the higher rank to the left; true when the rank of the node has changed. */
static bool straighten(struct fut_heap_node *node) {
    struct fut_heap_node *left = node->left, *right = node->right;
    uint32_t before = node->rank;
    if (rank_of(left) < rank_of(right)) {
        node->left = right;
        node->right = left;
    }
    node->rank = rank_of(node->right) + 1;
    return node->rank != before;
}

/* The tree of all that is in both. */
static struct fut_heap_node *merge(const struct fut_heap *h, struct fut_heap_node *a,
                                   struct fut_heap_node *b) {
    struct fut_heap_node *root = NULL, **at = &root, *up = NULL;
    while (a && b) {
        struct fut_heap_node *first = h->before(b, a) ? b : a;
        struct fut_heap_node *other = first == a ? b : a;
        *at = first;
        first->up = up;
        up = first;
        at = &first->right;
        a = *at;
        b = other;
    }
    *at = a ? a : b;
    if (*at) (*at)->up = up;
    for (; up; up = up->up) straighten(up);
    return root;
}

void fut_heap_push(struct fut_heap *h, struct fut_heap_node *node) {
    FUT_ASSERT(!fut_heap_has(node));
    *node = (struct fut_heap_node){.rank = 1};
    h->first = merge(h, h->first, node);
    h->length++;
}

void fut_heap_remove(struct fut_heap *h, struct fut_heap_node *node) {
    if (!fut_heap_has(node)) return;
    struct fut_heap_node *up = node->up, *rest = merge(h, node->left, node->right);
    if (rest) rest->up = up;
    if (!up)
        h->first = rest;
    else if (up->left == node)
        up->left = rest;
    else
        up->right = rest;
    /* Where a rank has not changed, nothing further up does. It can only have become smaller,
     * by which the rank of a node that follows it is given: so this ends after log2 steps. */
    while (up && straighten(up)) up = up->up;
    node->rank = 0;
    h->length--;
}

void fut_heap_update(struct fut_heap *h, struct fut_heap_node *node) {
    fut_heap_remove(h, node);
    fut_heap_push(h, node);
}
