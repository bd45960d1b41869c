/* SPDX-License-Identifier: MIT */
#include "fetch/alarm.h"

#include "base/test.h"

enum { COUNT = 100 };

struct thing {
    struct fut_alarm alarm; /* first */
    struct fut_heap *heap;
    fut_time again; /* when it sets itself anew, or 0 */
    int fired;
    int turn; /* when, among all */
};

static int turns;

static void on_fire(struct fut_engine *e, struct fut_alarm *t, fut_time now) {
    struct thing *thing = (struct thing *)t;
    (void)e;
    CHECK(t->due <= now && !fut_heap_has(&t->node));
    thing->fired++;
    thing->turn = ++turns;
    if (thing->again) fut_alarms_set(thing->heap, t, thing->again);
}

static struct thing make(struct fut_heap *h) {
    return (struct thing){.alarm.fire = on_fire, .heap = h};
}

static void test_order(void) {
    struct fut_heap h;
    static struct thing things[COUNT];
    fut_alarms_init(&h);
    CHECK(fut_alarms_due(&h) == FUT_NEVER);
    for (int i = 0; i < COUNT; i++) {
        things[i] = make(&h);
        fut_alarms_set(&h, &things[i].alarm, 1000 + i * 37 % COUNT);
    }
    CHECK(fut_alarms_due(&h) == 1000);
    turns = 0;
    fut_alarms_fire(&h, NULL, 999);
    CHECK(turns == 0);
    fut_alarms_fire(&h, NULL, 1000 + COUNT / 2 - 1);
    CHECK(turns == COUNT / 2 && fut_alarms_due(&h) == 1000 + COUNT / 2);
    fut_alarms_fire(&h, NULL, 2000);
    CHECK(turns == COUNT && fut_alarms_due(&h) == FUT_NEVER);
    for (int i = 0; i < COUNT; i++)
        CHECK(things[i].fired == 1 && things[i].turn == i * 37 % COUNT + 1);
}

static void test_moved_and_cancelled(void) {
    struct fut_heap h;
    fut_alarms_init(&h);
    struct thing a = make(&h), b = make(&h);
    fut_alarms_set(&h, &a.alarm, FUT_NEVER); /* was never set */
    fut_alarms_set(&h, &a.alarm, 10);
    fut_alarms_set(&h, &b.alarm, 20);
    fut_alarms_set(&h, &a.alarm, 30);
    CHECK(fut_alarms_due(&h) == 20);
    fut_alarms_fire(&h, NULL, 25);
    CHECK(a.fired == 0 && b.fired == 1);
    fut_alarms_set(&h, &a.alarm, FUT_NEVER);
    fut_alarms_set(&h, &a.alarm, FUT_NEVER);
    CHECK(fut_alarms_due(&h) == FUT_NEVER);
    fut_alarms_fire(&h, NULL, 1000);
    CHECK(a.fired == 0);
}

static void test_set_again_while_it_fires(void) {
    struct fut_heap h;
    fut_alarms_init(&h);
    struct thing a = make(&h), b = make(&h);
    a.again = 50;
    fut_alarms_set(&h, &a.alarm, 10);
    fut_alarms_set(&h, &b.alarm, 20);
    fut_alarms_fire(&h, NULL, 30);
    CHECK(a.fired == 1 && b.fired == 1 && fut_alarms_due(&h) == 50);
    a.again = 0;
    fut_alarms_fire(&h, NULL, 50);
    CHECK(a.fired == 2 && fut_alarms_due(&h) == FUT_NEVER);
}

static const struct test_case cases[] = {
    {"alarms fire in the order of their times", test_order},
    {"an alarm is moved and cancelled", test_moved_and_cancelled},
    {"an alarm sets itself anew while it fires", test_set_again_while_it_fires},
};
TEST_MAIN(cases)
