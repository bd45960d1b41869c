/* SPDX-License-Identifier: MIT */
#include "base/heap.h"

#include "base/alloc.h"
#include "base/err.h"

bool fut_heap_reserve(struct fut_heap *h, size_t n) {
    if (n <= h->cap) return true;
    size_t cap = h->cap ? h->cap * 2 : 16;
    if (cap < n) cap = n;
    struct fut_heap_node **nodes = fut_realloc(h->nodes, cap * sizeof(*nodes));
    if (!nodes) return false;
    h->nodes = nodes;
    h->cap = cap;
    return true;
}

static void put(struct fut_heap *h, size_t i, struct fut_heap_node *node) {
    h->nodes[i] = node;
    node->place = i + 1;
}

static void rise(struct fut_heap *h, size_t i) {
    struct fut_heap_node *node = h->nodes[i];
    while (i > 0 && h->before(node, h->nodes[(i - 1) / 2])) {
        put(h, i, h->nodes[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
    put(h, i, node);
}

static void sink(struct fut_heap *h, size_t i) {
    struct fut_heap_node *node = h->nodes[i];
    for (size_t child; (child = 2 * i + 1) < h->length; i = child) {
        if (child + 1 < h->length && h->before(h->nodes[child + 1], h->nodes[child])) child++;
        if (!h->before(h->nodes[child], node)) break;
        put(h, i, h->nodes[child]);
    }
    put(h, i, node);
}

void fut_heap_push(struct fut_heap *h, struct fut_heap_node *node) {
    FUT_ASSERT(h->length < h->cap && node->place == 0);
    put(h, h->length++, node);
    rise(h, h->length - 1);
}

void fut_heap_update(struct fut_heap *h, struct fut_heap_node *node) {
    rise(h, node->place - 1);
    sink(h, node->place - 1);
}

void fut_heap_remove(struct fut_heap *h, struct fut_heap_node *node) {
    if (node->place == 0) return;
    size_t i = node->place - 1;
    struct fut_heap_node *last = h->nodes[--h->length];
    node->place = 0;
    if (last == node) return;
    put(h, i, last);
    fut_heap_update(h, last);
}

void fut_heap_deinit(struct fut_heap *h) {
    FUT_ASSERT(h->length == 0);
    fut_free(h->nodes);
    h->nodes = NULL;
    h->cap = 0;
}
