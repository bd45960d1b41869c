/* SPDX-License-Identifier: MIT */
#include "base/heap.h"

#include "base/alloc.h"
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
    return ((struct item *)fut_heap_first(h))->key;
}

static void fill(struct fut_heap *h) {
    CHECK(fut_heap_reserve(h, N));
    for (int i = 0; i < N; i++) {
        items[i] = (struct item){.key = (i * 7919) % N};
        fut_heap_push(h, &items[i].node);
    }
}

static void test_order(void) {
    struct fut_heap h = {.before = before};
    CHECK(!fut_heap_first(&h));
    fill(&h);
    for (int i = 0; i < N; i++) {
        CHECK(first_key(&h) == i);
        fut_heap_remove(&h, fut_heap_first(&h));
    }
    CHECK(h.length == 0);
    fut_heap_deinit(&h);
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
        fut_heap_remove(&h, fut_heap_first(&h));
    }
    for (int i = 0; i < N; i++) CHECK(items[i].node.place == 0);
    fut_heap_deinit(&h);
}

static void test_no_memory(void) {
    struct fut_heap h = {.before = before};
    fut_alloc_fail_after(1);
    CHECK(!fut_heap_reserve(&h, 1));
    fut_alloc_fail_after(0);
    fill(&h);
    fut_alloc_fail_after(1);
    CHECK(!fut_heap_reserve(&h, h.cap + 1)); /* what is in it stays */
    fut_alloc_fail_after(0);
    CHECK(first_key(&h) == 0 && h.length == N);
    while (h.length > 0) fut_heap_remove(&h, fut_heap_first(&h));
    fut_heap_deinit(&h);
}

static const struct test_case cases[] = {
    {"order", test_order},
    {"remove and update", test_remove_and_update},
    {"no memory", test_no_memory},
};
TEST_MAIN(cases)
