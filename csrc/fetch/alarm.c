/* SPDX-License-Identifier: MIT */
#include "fetch/alarm.h"

static bool before(const struct fut_heap_node *a, const struct fut_heap_node *b) {
    return ((const struct fut_alarm *)a)->due < ((const struct fut_alarm *)b)->due;
}

void fut_alarms_init(struct fut_heap *h) {
    *h = (struct fut_heap){.before = before};
}

void fut_alarms_set(struct fut_heap *h, struct fut_alarm *t, fut_time due) {
    t->due = due;
    if (due == FUT_NEVER)
        fut_heap_remove(h, &t->node);
    else if (fut_heap_has(&t->node))
        fut_heap_update(h, &t->node);
    else
        fut_heap_push(h, &t->node);
}

void fut_alarms_fire(struct fut_heap *h, struct fut_engine *e, fut_time now) {
    while (fut_alarms_due(h) <= now) {
        struct fut_alarm *t = (struct fut_alarm *)h->first;
        fut_heap_remove(h, &t->node);
        t->fire(e, t, now);
    }
}
