/* SPDX-License-Identifier: MIT */
#include "core/inbox.h"

#include <sched.h>

#include "base/test.h"

enum { N = 6 };

static void check_list(const struct fut_task *first, const struct fut_task *expected, int n) {
    for (int i = 0; i < n; i++, first = first->next) CHECK(first == &expected[i]);
    CHECK(!first);
}

static void shut_at_first(void) {
    struct fut_inbox in;
    struct fut_task task = {0}, *list = &task;
    fut_inbox_init(&in);
    CHECK(!fut_inbox_is_open(&in) && !fut_inbox_has(&in));
    CHECK(!fut_inbox_put(&in, &list, 1) && !fut_inbox_put(&in, NULL, 0));
    CHECK(!fut_inbox_take(&in) && !fut_inbox_shut(&in) && !fut_inbox_is_open(&in));
}

static void first_in_first_out(void) {
    struct fut_inbox in;
    struct fut_task tasks[N] = {0}, *list[N];
    for (int i = 0; i < N; i++) list[i] = &tasks[i];
    fut_inbox_init(&in);
    fut_inbox_open(&in);
    for (int batch = 1; batch <= N; batch++) {
        CHECK(fut_inbox_is_open(&in) && !fut_inbox_has(&in) && !fut_inbox_take(&in));
        CHECK(fut_inbox_put(&in, NULL, 0) && !fut_inbox_has(&in));
        for (int i = 0; i < N; i += batch)
            CHECK(fut_inbox_put(&in, &list[i], (size_t)(N - i < batch ? N - i : batch)));
        CHECK(fut_inbox_has(&in));
        check_list(fut_inbox_take(&in), tasks, N);
    }
}

static void who_shuts_gets_what_is_in_it(void) {
    struct fut_inbox in;
    struct fut_task tasks[2] = {0}, *list[] = {&tasks[0], &tasks[1]};
    fut_inbox_init(&in);
    fut_inbox_open(&in);
    CHECK(fut_inbox_put(&in, list, 2));
    check_list(fut_inbox_shut(&in), tasks, 2);
    CHECK(!fut_inbox_is_open(&in) && !fut_inbox_put(&in, list, 1) && !fut_inbox_has(&in));
    fut_inbox_open(&in);
    CHECK(!fut_inbox_take(&in) && fut_inbox_put(&in, list, 1));
    check_list(fut_inbox_take(&in), tasks, 1);
}

/* ---- many who put, one who takes, opens and shuts ---- */

enum { PUTTERS = 3, TASKS = 3000 };

static struct fut_inbox busy;
static struct fut_task all_tasks[PUTTERS * TASKS];

static void *put_all(void *arg) {
    struct fut_task *mine = arg;
    for (int i = 0; i < TASKS;) {
        struct fut_task *pair[] = {&mine[i], &mine[i + 1]};
        size_t n = i % 3 == 0 && i + 1 < TASKS ? 2 : 1;
        if (fut_inbox_put(&busy, pair, n))
            i += (int)n;
        else
            sched_yield();
    }
    return NULL;
}

static void each_is_taken_once_in_the_order_of_its_putter(void) {
    pthread_t threads[PUTTERS];
    int next[PUTTERS] = {0}, taken = 0;
    fut_inbox_init(&busy);
    fut_inbox_open(&busy);
    for (int i = 0; i < PUTTERS; i++)
        threads[i] = test_start(put_all, &all_tasks[(size_t)i * TASKS]);
    for (int round = 0; taken < PUTTERS * TASKS; round++) {
        bool shut = round % 2 == 0;
        struct fut_task *t = shut ? fut_inbox_shut(&busy) : fut_inbox_take(&busy);
        for (struct fut_task *following; t; t = following, taken++) {
            following = t->next;
            ptrdiff_t who = (t - all_tasks) / TASKS;
            CHECK(t - all_tasks == who * TASKS + next[who]++);
        }
        if (shut) fut_inbox_open(&busy);
    }
    for (int i = 0; i < PUTTERS; i++) test_join(threads[i]);
    CHECK(!fut_inbox_shut(&busy));
}

static const struct test_case cases[] = {
    {"shut at first", shut_at_first},
    {"first in, first out", first_in_first_out},
    {"who shuts gets what is in it", who_shuts_gets_what_is_in_it},
    {"each is taken once, in the order of its putter",
     each_is_taken_once_in_the_order_of_its_putter},
};

TEST_MAIN(cases)
