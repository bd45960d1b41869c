/* SPDX-License-Identifier: MIT */
/* For tests of the engine without Lua: as much of the C API (include/futures.h) as it uses,
 * with futures that only remember how they ended. To be included once by a test program. */
#ifndef FUT_FETCH_TEST_API_H
#define FUT_FETCH_TEST_API_H

#include "base/alloc.h"
#include "base/err.h"
#include "base/test.h"
#include "futures.h"

enum { PENDING, RUNNING, SETTLING, FINISHED, CANCELLED };

struct fut_future {
    atomic_uint refs, state;
    const struct fut_future_class *class;
    void *context;
    void *object; /* of a finished one; a count is held */
    bool failed;
    bool watched;
    unsigned turn; /* when it was done, among all */
};

/* In front of each object. */
struct head {
    atomic_uint refs;
    const struct fut_class *class;
};

static atomic_uint test_turns;
static atomic_int test_futures, test_objects; /* that are there */

static struct head *head_of(void *object) {
    return (struct head *)object - 1;
}

static void *object_new(const struct fut_class *c, size_t size) {
    struct head *head = fut_zalloc(sizeof *head + size);
    if (!head) return NULL;
    atomic_init(&head->refs, 1);
    head->class = c;
    test_objects++;
    return head + 1;
}

static void object_hold(void *object) {
    head_of(object)->refs++;
}

static void object_drop(void *object) {
    struct head *head = head_of(object);
    if (--head->refs > 0) return;
    if (head->class->deinit) head->class->deinit(object);
    fut_free(head);
    test_objects--;
}

static struct fut_future *future_new(const struct fut_future_class *c, void *context,
                                     const char *name) {
    struct fut_future *f = fut_zalloc(sizeof *f);
    (void)name;
    if (!f) return NULL;
    atomic_init(&f->refs, 1);
    f->class = c;
    f->context = context;
    test_futures++;
    return f;
}

static void future_hold(struct fut_future *f) {
    f->refs++;
}

static void future_drop(struct fut_future *f) {
    if (--f->refs > 0) return;
    if (f->object) object_drop(f->object);
    if (f->class->release) f->class->release(f->context);
    fut_free(f);
    test_futures--;
}

static bool move_state(struct fut_future *f, unsigned from, unsigned to) {
    return atomic_compare_exchange_strong(&f->state, &from, to);
}

static bool future_start(struct fut_future *f) {
    return move_state(f, PENDING, RUNNING);
}

static bool settle_with(struct fut_future *f, void *object, bool failed) {
    if (!move_state(f, RUNNING, SETTLING) && !move_state(f, PENDING, SETTLING)) {
        if (object) object_drop(object);
        return false;
    }
    f->object = object;
    f->failed = failed;
    f->turn = ++test_turns;
    atomic_store(&f->state, FINISHED);
    return true;
}

static bool future_complete(struct fut_future *f, struct fut_result *result) {
    return settle_with(f, result->object, result->failed);
}

static bool future_fail_memory(struct fut_future *f) {
    return settle_with(f, NULL, true);
}

static bool future_done(const struct fut_future *f) {
    return atomic_load(&f->state) >= FINISHED;
}

static bool future_cancel(struct fut_future *f) {
    if (!move_state(f, PENDING, CANCELLED) &&
        !(f->class->cancelled && move_state(f, RUNNING, CANCELLED)))
        return false;
    if (f->class->cancelled) f->class->cancelled(f->context);
    return true;
}

static bool future_watched(const struct fut_future *f) {
    return f->watched;
}

static void values_free(struct fut_values *values) {
    FUT_ASSERT(!values); /* nobody encodes here */
}

static const struct fut_api test_api = {
    .version = FUT_API_VERSION,
    .size = sizeof test_api,
    .object_new = object_new,
    .object_hold = object_hold,
    .object_drop = object_drop,
    .future_new = future_new,
    .future_hold = future_hold,
    .future_drop = future_drop,
    .future_start = future_start,
    .future_complete = future_complete,
    .future_fail_memory = future_fail_memory,
    .future_done = future_done,
    .future_cancel = future_cancel,
    .values_free = values_free,
    .future_watched = future_watched,
};

/* await(f): until it is done. */
static void await(const struct fut_future *f) {
    while (!future_done(f)) usleep(200);
}

#endif
