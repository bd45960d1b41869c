/* SPDX-License-Identifier: MIT */
/* fut_timer: a call at a time. One thread of the process makes the calls of all timers; it runs
 * while somebody holds it, so a program that uses no timer has no thread for them.
 *
 * STATE: zeroed memory with `fire` set is a timer that does not run. A child of fork has none
 * of its parent's timers and no thread: what the parent holds is not to be dropped there.
 * OWNERSHIP: the caller's memory, from start until stop has returned or `fire` was called.
 * LOCKS: `fire` is called without any; it may start and stop timers, this one too, and free it
 * when nobody else would stop it. It must be short: all others wait for it.
 * THREADS: any thread may call anything here; start and stop of one timer exclude each other by
 * a lock of the caller's. */
#ifndef FUT_BASE_TIMER_H
#define FUT_BASE_TIMER_H

#include <stdbool.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/heap.h"

struct fut_timer {
    struct fut_heap_node node;         /* first; in the heap: it waits */
    void (*fire)(struct fut_timer *t); /* on the thread of the timers */
    fut_time at;
};

/* fut_timers_hold(): there is a thread from now on; FUT_ETHREAD. fut_timers_drop(): the last
 * one ends it. BLOCKING until a `fire` that is under way has returned and the thread is gone,
 * unless it is called by that. */
enum fut_err fut_timers_hold(void);
void fut_timers_drop(void);

/* fut_timer_start(t, at): t, which is not waiting, fires once at that time. For those who hold
 * the thread. */
void fut_timer_start(struct fut_timer *t, fut_time at);

/* fut_timer_hurry(t, at): if t waits, it fires at that time, unless that is later than before.
 * Does not wait for `fire`: the caller may hold a lock that it takes. */
void fut_timer_hurry(struct fut_timer *t, fut_time at);

/* fut_timer_stop(t): true when t was waiting; it does not fire any more. BLOCKING while it is
 * being fired, unless it is called by that: so the caller must hold no lock that `fire` takes.
 * May be called for one that was never started. */
bool fut_timer_stop(struct fut_timer *t);

#endif
