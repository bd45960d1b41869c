/* SPDX-License-Identifier: MIT */
#include "fetch/line.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/test.h"
#include "fetch/job.h"
#include "fetch/request.h"

enum { JOBS = 200 };

static struct fut_request usual, urgent = {.priority = 1}, last = {.priority = -1};
static struct fut_request *const requests[] = {&usual, &urgent, &last};

static struct fut_job *push(struct fut_line *l, uint64_t number, int request, bool is_urgent) {
    struct fut_job *job = fut_zalloc(sizeof *job);
    CHECK(job != NULL);
    job->number = number;
    job->request = requests[request];
    job->urgent = is_urgent;
    fut_line_push(l, job);
    return job;
}

static void take_away(struct fut_line *l, struct fut_job *job) {
    fut_line_remove(l, job);
    fut_free(job);
}

static uint64_t take(struct fut_line *l) {
    struct fut_job *job = fut_line_first(l);
    CHECK(job != NULL);
    uint64_t number = job->number;
    take_away(l, job);
    return number;
}

static void test_in_turn(void) {
    struct fut_line l;
    fut_line_init(&l);
    CHECK(!fut_line_first(&l));
    push(&l, 1, 0, false);
    push(&l, 2, 0, false);
    CHECK(take(&l) == 1);
    push(&l, 3, 0, false);
    CHECK(l.length == 2 && take(&l) == 2 && take(&l) == 3);
    CHECK(l.length == 0 && !fut_line_first(&l));
    push(&l, 4, 0, false);
    CHECK(take(&l) == 4);
}

static void test_out_of_turn(void) {
    struct fut_line l;
    fut_line_init(&l);
    push(&l, 5, 0, false);
    push(&l, 6, 0, false);
    push(&l, 2, 0, false); /* one more attempt at an old job */
    push(&l, 7, 1, false);
    push(&l, 8, 2, false);
    push(&l, 9, 2, true);
    CHECK(take(&l) == 9 && take(&l) == 7 && take(&l) == 2 && take(&l) == 5);
    CHECK(take(&l) == 6 && take(&l) == 8 && l.length == 0);
}

static int first_of(struct fut_job *const *in, int count) {
    int first = 0;
    for (int i = 1; i < count; i++)
        if (fut_line_before(in[i], in[first])) first = i;
    return first;
}

/* Against the plain way to find out whose turn it is. */
static void test_at_random(void) {
    struct fut_job *in[JOBS];
    struct fut_line l;
    int count = 0;
    fut_line_init(&l);
    srand(1);
    for (int i = 0; i < JOBS; i++) {
        uint64_t number = (uint64_t)(rand() % 50) * JOBS + (uint64_t)i;
        in[count++] = push(&l, number, rand() % 3, rand() % 10 == 0);
        if (rand() % 3 > 0) continue;
        int gone = rand() % count;
        take_away(&l, in[gone]);
        in[gone] = in[--count];
    }
    for (; count > 0; count--) {
        int first = first_of(in, count);
        CHECK(l.length == (size_t)count && fut_line_first(&l) == in[first]);
        take_away(&l, in[first]);
        in[first] = in[count - 1];
    }
    CHECK(l.length == 0 && !fut_line_first(&l));
}

static const struct test_case cases[] = {
    {"jobs stand in line", test_in_turn},
    {"jobs come out of their turn", test_out_of_turn},
    {"jobs come and go at random", test_at_random},
};
TEST_MAIN(cases)
