/* SPDX-License-Identifier: MIT */
/* fut_alarms: what is to be done at which time, any of it cancelled or moved at any time.
 * STATE: zeroed alarms are set to no time. Times that only move later, with each byte that
 * comes, need not be moved: who is called too early sets itself anew.
 * THREADS: one at a time. */
#ifndef FUT_FETCH_ALARM_H
#define FUT_FETCH_ALARM_H

#include "base/clock.h"
#include "base/heap.h"

struct fut_engine;

struct fut_alarm {
    struct fut_heap_node node; /* first */
    fut_time due;
    void (*fire)(struct fut_engine *e, struct fut_alarm *t, fut_time now);
};

/* fut_alarms_init(h): an empty heap of alarms. */
void fut_alarms_init(struct fut_heap *h);

/* fut_alarms_set(h, t, due): FUT_NEVER takes it out. */
void fut_alarms_set(struct fut_heap *h, struct fut_alarm *t, fut_time due);

/* fut_alarms_due(h): the earliest, or FUT_NEVER. */
static inline fut_time fut_alarms_due(const struct fut_heap *h) {
    const struct fut_alarm *first = (const struct fut_alarm *)h->first;
    return first ? first->due : FUT_NEVER;
}

/* fut_alarms_fire(h, e, now): takes out and calls all that are due. */
void fut_alarms_fire(struct fut_heap *h, struct fut_engine *e, fut_time now);

#endif
