/* SPDX-License-Identifier: MIT */
/* fut_waiting: what a task waits for, in words that the pool which runs it understands: that
 * may run other tasks meanwhile, and let other threads run in place of the one that sleeps.
 *
 * OWNERSHIP: on the C stack of the thread that waits; the pool looks at it only between
 * wait_begin and wait_end (core/executor.h).
 * THREADS: that of the task; while it sleeps others may call `each` and `each_source`, under a
 * lock that the sleeper takes before it goes on. */
#ifndef FUT_CORE_WAITING_H
#define FUT_CORE_WAITING_H

#include <stdbool.h>

#include "base/clock.h"
#include "base/park.h"
#include "core/future.h"

struct fut_executor;

struct fut_waiting {
    /* each(arg, at): one after the other the futures that are waited for, those that are done
     * may be left out; *at is NULL before the first call; NULL at the end. NULL: something else
     * is waited for. */
    struct fut_future *(*each)(void *arg, void **at);
    /* each_source(sources, at): likewise the futures of which one has to be done, while the
     * caller sleeps, before anything can happen to those above that are local (core/future.h).
     * NULL: not known (yet). */
    struct fut_future *(*each_source)(void *sources, void **at);
    void *sources;
    /* next_pending(arg, skip): the first of them that may still be pending; `skip`: the one
     * after that. */
    struct fut_future *(*next_pending)(void *arg, bool skip);
    /* tell(arg): tells modules that hold work back what is waited for (fut_native_tell). Called
     * before each sleep, and each is a short one. NULL: there are none. */
    void (*tell)(void *arg);
    void *arg;
    struct fut_executor *executor; /* whose end is waited for, or NULL */
    bool helps;     /* a task of a pool may be among them: only then the rest has a meaning */
    bool all;       /* ends when all of them are done, else when one more is */
    bool may_stack; /* the caller can run another task on top of its own */
    fut_time deadline;
    struct fut_parker *parker; /* where the caller sleeps */
    char *why;                 /* from fut_alloc, the caller's: why it can never end, or NULL */
};

/* fut_waiting_helps(f): while somebody waits for f he had better help: it is a task, of a pool
 * that can be helped. A bare future is no reason: those who wait at one, to be let go by
 * somebody else, keep their worker. */
bool fut_waiting_helps(struct fut_future *f);

/* fut_waiting_on(w, f, deadline): w is the wait for one future. */
void fut_waiting_on(struct fut_waiting *w, struct fut_future *f, fut_time deadline);

#endif
