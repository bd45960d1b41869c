/* SPDX-License-Identifier: MIT */
#include "core/queue.h"

#include "base/test.h"

enum { N = 6 };

static void check_list(const struct fut_queue *q, struct fut_task *const *expected, size_t n) {
    const struct fut_task *prev = NULL, *t = q->head;
    for (size_t i = 0; i < n; i++, prev = t, t = t->next)
        CHECK(t == expected[i] && t->prev == prev && t->queued);
    CHECK(!t && q->tail == prev && q->length == n);
}

static void first_in_first_out(void) {
    struct fut_queue q = {0};
    struct fut_task tasks[N] = {0};
    CHECK(!fut_queue_pop(&q));
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < N; i++) fut_queue_push(&q, &tasks[i]);
        for (int i = 0; i < N; i++) {
            CHECK(q.length == (size_t)(N - i));
            CHECK(fut_queue_pop(&q) == &tasks[i] && !tasks[i].queued);
        }
        CHECK(!fut_queue_pop(&q) && q.length == 0);
    }
}

static void push_after_pop(void) {
    struct fut_queue q = {0};
    struct fut_task tasks[N] = {0};
    fut_queue_push(&q, &tasks[0]);
    for (int i = 1; i < N; i++) {
        fut_queue_push(&q, &tasks[i]);
        CHECK(fut_queue_pop(&q) == &tasks[i - 1]);
        check_list(&q, (struct fut_task *[]){&tasks[i]}, 1);
    }
}

/* Every subset of N tasks, removed from the front or from the back. */
static void remove_every_subset(void) {
    for (unsigned gone = 0; gone < 1u << N; gone++) {
        for (int backwards = 0; backwards < 2; backwards++) {
            struct fut_queue q = {0};
            struct fut_task tasks[N] = {0}, *left[N + 1];
            size_t n = 0;
            for (int i = 0; i < N; i++) fut_queue_push(&q, &tasks[i]);
            for (int k = 0; k < N; k++) {
                int i = backwards ? N - 1 - k : k;
                if (gone >> i & 1) fut_queue_remove(&q, &tasks[i]);
                CHECK(tasks[i].queued == !(gone >> i & 1));
            }
            for (int i = 0; i < N; i++)
                if (!(gone >> i & 1)) left[n++] = &tasks[i];
            check_list(&q, left, n);
            struct fut_task more = {0};
            fut_queue_push(&q, &more);
            left[n] = &more;
            check_list(&q, left, n + 1);
        }
    }
}

static const struct test_case cases[] = {
    {"first in, first out", first_in_first_out},
    {"push after pop", push_after_pop},
    {"remove every subset", remove_every_subset},
};

TEST_MAIN(cases)
