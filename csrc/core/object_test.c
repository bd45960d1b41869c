/* SPDX-License-Identifier: MIT */
#include "core/object.h"

#include "base/alloc.h"
#include "base/test.h"

struct link {
    struct fut_object object;
    struct fut_object *held; /* dropped by the free of this one */
    int wrote[2];            /* plain: by two threads before they drop, read by the free */
};

static atomic_int freed;

static void link_free(struct fut_object *o) {
    struct link *l = (struct link *)o;
    if (l->held) fut_object_drop(l->held);
    CHECK(l->wrote[0] == l->wrote[1]);
    atomic_fetch_add(&freed, 1);
    fut_free(l);
}

static const struct fut_object_type link_type = {.name = "link", .free = link_free};

static struct link *link_new(struct fut_object *held) {
    struct link *l = fut_zalloc(sizeof *l);
    CHECK(l);
    fut_object_init(&l->object, &link_type);
    l->held = held;
    return l;
}

static void the_last_drop_frees(void) {
    atomic_store(&freed, 0);
    struct link *l = link_new(NULL);
    for (int i = 0; i < 5; i++) fut_object_hold(&l->object);
    for (int i = 0; i < 5; i++) fut_object_drop(&l->object);
    CHECK(atomic_load(&freed) == 0);
    fut_object_drop(&l->object);
    CHECK(atomic_load(&freed) == 1);
}

/* A task may hold the future of the one before it, and so on: freeing them must not eat the
 * stack. */
static void a_long_chain(void) {
    enum { LENGTH = 500000 };
    atomic_store(&freed, 0);
    struct link *last = NULL;
    for (int i = 0; i < LENGTH; i++) last = link_new(last ? &last->object : NULL);
    fut_object_drop(&last->object);
    CHECK(atomic_load(&freed) == LENGTH);
    fut_object_drop(&link_new(NULL)->object);
    CHECK(atomic_load(&freed) == LENGTH + 1);
}

struct shared {
    struct test_meeting meeting;
    struct link *link;
    int rounds;
    atomic_int index;
};

static void *hold_and_drop(void *arg) {
    struct shared *s = arg;
    int index = atomic_fetch_add(&s->index, 1);
    for (int i = 0; i < s->rounds; i++) {
        test_meet(&s->meeting);
        struct link *l = s->link;
        test_meet(&s->meeting);
        fut_object_hold(&l->object);
        fut_object_drop(&l->object);
        l->wrote[index] = i;
        fut_object_drop(&l->object); /* the count that the main thread took for this one */
    }
    return NULL;
}

static void the_last_of_several_threads_frees(void) {
    struct shared s = {.meeting = {.n = 3}, .rounds = test_rounds(2000)};
    pthread_t a = test_start(hold_and_drop, &s), b = test_start(hold_and_drop, &s);
    atomic_store(&freed, 0);
    for (int i = 0; i < s.rounds; i++) {
        s.link = link_new(NULL);
        fut_object_hold(&s.link->object);
        test_meet(&s.meeting);
        test_meet(&s.meeting);
    }
    test_join(a);
    test_join(b);
    CHECK(atomic_load(&freed) == s.rounds);
}

static const struct test_case cases[] = {
    {"the last drop frees", the_last_drop_frees},
    {"a long chain", a_long_chain},
    {"the last of several threads frees", the_last_of_several_threads_frees},
};

TEST_MAIN(cases)
