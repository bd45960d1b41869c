/* SPDX-License-Identifier: MIT */
#include "base/slab.h"

#include <stdint.h>

#include "base/alloc.h"
#include "base/test.h"

enum { SIZE = 200, MANY = 5000 };

static struct fut_slab slab = FUT_SLAB_INIT(SIZE);

static void *take(int mark) {
    void *block = fut_slab_alloc(&slab);
    CHECK(block && (uintptr_t)block % 16 == 0);
    memset(block, mark, SIZE);
    return block;
}

static void give(void *block, int mark) {
    for (int i = 0; i < SIZE; i++) CHECK(((unsigned char *)block)[i] == (unsigned char)mark);
    fut_slab_free(&slab, block);
}

/* No two blocks overlap, whatever the order in which they come back. */
static void free_in_order(int step) {
    static void *blocks[MANY];
    for (int i = 0; i < MANY; i++) blocks[i] = take(i);
    for (int i = 0, at = 0; i < MANY; i++, at = (at + step) % MANY) give(blocks[at], at);
}

static void blocks_do_not_overlap(void) {
    free_in_order(1);
    free_in_order(MANY - 1);
    free_in_order(1237);
    free_in_order(1);
}

static void a_size_of_its_own(void) {
    static struct fut_slab tiny = FUT_SLAB_INIT(1), large = FUT_SLAB_INIT(5000);
    static char *tinies[MANY], *larges[100];
    for (int i = 0; i < MANY; i++) {
        CHECK((tinies[i] = fut_slab_alloc(&tiny)));
        *tinies[i] = (char)i;
    }
    for (int i = 0; i < 100; i++) {
        CHECK((larges[i] = fut_slab_alloc(&large)));
        memset(larges[i], i, 5000);
    }
    for (int i = 0; i < MANY; i++) {
        CHECK(*tinies[i] == (char)i);
        fut_slab_free(&tiny, tinies[i]);
    }
    for (int i = 0; i < 100; i++) {
        CHECK(larges[i][0] == i && larges[i][4999] == i);
        fut_slab_free(&large, larges[i]);
    }
}

static void random_takes_and_gives(void) {
    static void *blocks[1000];
    unsigned random = 1;
    for (int i = 0; i < 200000; i++) {
        random = random * 1103515245u + 12345u;
        unsigned at = random / 65536u % 1000u;
        if (blocks[at]) {
            give(blocks[at], (int)at);
            blocks[at] = NULL;
        } else {
            blocks[at] = take((int)at);
        }
    }
    for (int at = 0; at < 1000; at++)
        if (blocks[at]) give(blocks[at], at);
}

static void short_memory(void) {
    static void *blocks[MANY];
    int n = 0;
    fut_alloc_fail_after(1);
    while (n < MANY && (blocks[n] = fut_slab_alloc(&slab))) n++;
    CHECK(n < MANY); /* what a chunk still had, no more */
    CHECK(!fut_slab_alloc(&slab));
    fut_alloc_fail_after(0);
    while (n > 0) fut_slab_free(&slab, blocks[--n]);
    fut_slab_free(&slab, take(1));
}

/* What one thread takes, another gives back. */
struct lane {
    _Atomic(void *) slots[64];
    int rounds;
};

static void *give_back(void *arg) {
    struct lane *l = arg;
    for (int i = 0; i < l->rounds; i++) {
        void *block;
        while (!(block = atomic_exchange(&l->slots[i % 64], NULL))) sched_yield();
        give(block, i);
    }
    return NULL;
}

static void *take_and_pass(void *arg) {
    struct lane *l = arg;
    for (int i = 0; i < l->rounds; i++) {
        void *block = take(i);
        while (atomic_load(&l->slots[i % 64])) sched_yield();
        atomic_store(&l->slots[i % 64], block);
    }
    return NULL;
}

static void across_threads(void) {
    enum { LANES = 2 };
    static struct lane lanes[LANES];
    pthread_t threads[2 * LANES];
    for (int i = 0; i < LANES; i++) {
        lanes[i].rounds = test_rounds(50000);
        threads[i] = test_start(give_back, &lanes[i]);
        threads[LANES + i] = test_start(take_and_pass, &lanes[i]);
    }
    for (int i = 0; i < 2 * LANES; i++) test_join(threads[i]);
}

static const struct test_case cases[] = {
    {"blocks do not overlap", blocks_do_not_overlap},
    {"a size of its own", a_size_of_its_own},
    {"random takes and gives", random_takes_and_gives},
    {"short memory", short_memory},
    {"across threads", across_threads},
};

TEST_MAIN(cases)
