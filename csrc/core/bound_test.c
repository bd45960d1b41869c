/* SPDX-License-Identifier: MIT */
#include "core/bound.h"

#include "base/alloc.h"
#include "base/test.h"

static void no_bound(void) {
    struct fut_bound b = {0};
    CHECK(fut_bound_has_room(&b, SIZE_MAX / 2, 1));
    fut_bound_tell(&b, 5);
    fut_bound_end(&b);
}

static void room(void) {
    struct fut_bound b = {.max = 3};
    CHECK(fut_bound_has_room(&b, 0, 3) && fut_bound_has_room(&b, 2, 1));
    CHECK(!fut_bound_has_room(&b, 3, 1) && !fut_bound_has_room(&b, 2, 2));
}

static void who_waits_is_told(void) {
    struct fut_bound b = {.max = 2};
    struct fut_future *one, *two, *three;
    CHECK(fut_bound_wait(&b, &one) == FUT_OK && fut_bound_wait(&b, &two) == FUT_OK);
    CHECK(one == two && !fut_future_done(one));
    fut_bound_tell(&b, 2);
    CHECK(!fut_future_done(one));
    fut_bound_tell(&b, 1);
    CHECK(fut_future_done(one) && !b.room);
    CHECK(fut_bound_wait(&b, &three) == FUT_OK && three != one);
    fut_bound_end(&b);
    CHECK(fut_future_done(three));
    fut_future_drop(one);
    fut_future_drop(two);
    fut_future_drop(three);
}

static void no_memory(void) {
    struct fut_bound b = {.max = 1};
    struct fut_future *f;
    fut_alloc_fail_after(1);
    CHECK(fut_bound_wait(&b, &f) == FUT_ENOMEM);
    fut_alloc_fail_after(0);
    fut_bound_tell(&b, 0);
}

static const struct test_case cases[] = {
    {"no bound", no_bound},
    {"room", room},
    {"who waits is told", who_waits_is_told},
    {"no memory", no_memory},
};

TEST_MAIN(cases)
