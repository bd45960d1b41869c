/* SPDX-License-Identifier: MIT */
#include "base/heap.h"

#include "base/test.h"

struct item {
    struct fut_heap_node node;
    int key;
};

static bool before(const struct fut_heap_node *a, const struct fut_heap_node *b) {
    return ((const struct item *)a)->key < ((const struct item *)b)->key;
}

enum { N = 500 };
static struct item items[N];

static int first_key(const struct fut_heap *h) {
    return ((struct item *)h->first)->key;
}

static void fill(struct fut_heap *h) {
    for (int i = 0; i < N; i++) {
        items[i] = (struct item){.key = (i * 7919) % N};
        fut_heap_push(h, &items[i].node);
    }
}

static void test_order(void) {
    struct fut_heap h = {.before = before};
    CHECK(!h.first);
    fill(&h);
    for (int i = 0; i < N; i++) {
        CHECK(first_key(&h) == i);
        fut_heap_remove(&h, h.first);
    }
    CHECK(h.length == 0);
}

static void test_remove_and_update(void) {
    struct fut_heap h = {.before = before};
    fill(&h);
    for (int i = 0; i < N; i += 3) fut_heap_remove(&h, &items[i].node);
    fut_heap_remove(&h, &items[0].node); /* a second time: nothing */
    for (int i = 1; i < N; i += 3) {
        items[i].key = (items[i].key * 31) % 1000 - 500;
        fut_heap_update(&h, &items[i].node);
    }
    int last = -1000;
    while (h.length > 0) {
        CHECK(first_key(&h) >= last);
        last = first_key(&h);
        fut_heap_remove(&h, h.first);
    }
    for (int i = 0; i < N; i++) CHECK(!fut_heap_has(&items[i].node));
}

static const struct test_case cases[] = {
    {"order", test_order},
    {"remove and update", test_remove_and_update},
};
TEST_MAIN(cases)
