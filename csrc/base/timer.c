/* SPDX-License-Identifier: MIT */
#include "base/timer.h"

#include <pthread.h>
#include <sched.h>
#include <stddef.h>

#include "base/lock.h"
#include "base/park.h"
#include "base/thread.h"

/* Guards the coming and going of the thread. Held while it is joined, which its own calls never
 * wait for: whoever is behind such a call still holds the thread. */
static pthread_mutex_t users_lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned users;
static pthread_t thread;

static bool before(const struct fut_heap_node *a, const struct fut_heap_node *b) {
    return ((const struct fut_timer *)a)->at < ((const struct fut_timer *)b)->at;
}

static struct fut_lock lock = FUT_LOCK_INIT; /* guards all that follows */
static struct fut_heap heap = {.before = before};
static struct fut_timer *firing; /* whose call is being made */
static unsigned generation;      /* of the thread; another number ends it */
static struct fut_parker parker = {FUT_PARKER_EMPTY};

static _Thread_local bool on_the_thread;

static struct fut_timer *earliest(void) {
    return (struct fut_timer *)heap.first; /* the node is its first member */
}

/* ---- the thread ---- */

/* Under the lock: takes the first timer and makes its call without the lock. */
static void fire_first(unsigned mine) {
    struct fut_timer *t = earliest();
    fut_heap_remove(&heap, &t->node);
    firing = t;
    fut_unlock(&lock);
    t->fire(t); /* t may be gone after it */
    fut_lock(&lock);
    if (generation == mine) firing = NULL; /* else it belongs to the next thread */
}

static void *timers_main(void *arg) {
    unsigned mine = *(unsigned *)arg;
    on_the_thread = true;
    fut_thread_set_name("futures-timer");
    fut_lock(&lock);
    while (generation == mine) {
        const struct fut_timer *first = earliest();
        if (first && first->at <= fut_now()) {
            fire_first(mine);
            continue;
        }
        fut_time next = first ? first->at : FUT_NEVER;
        fut_unlock(&lock);
        fut_park(&parker, next);
        fut_lock(&lock);
    }
    fut_unlock(&lock);
    return NULL;
}

/* The child has neither the thread nor those who held it, and locks as they happened to be. */
static void forget_all(void) {
    pthread_mutex_init(&users_lock, NULL);
    fut_lock_init(&lock);
    fut_parker_init(&parker);
    users = 0;
    heap = (struct fut_heap){.before = before};
    firing = NULL;
    generation++;
}

static void watch_forks(void) {
    pthread_atfork(NULL, NULL, forget_all);
}

enum fut_err fut_timers_hold(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    static unsigned mine; /* read by the thread of that number only */
    enum fut_err err = FUT_OK;
    pthread_once(&once, watch_forks);
    pthread_mutex_lock(&users_lock);
    if (users == 0) {
        mine = generation;
        err = fut_thread_start(&thread, timers_main, &mine);
    }
    if (err == FUT_OK) users++;
    pthread_mutex_unlock(&users_lock);
    return err;
}

void fut_timers_drop(void) {
    pthread_mutex_lock(&users_lock);
    if (--users == 0) {
        fut_lock(&lock);
        FUT_ASSERT(
            !heap.first); /* who starts a timer holds the thread until it has stopped it */
        generation++;
        firing = NULL; /* when this is its call: nobody is left who could stop it */
        fut_unlock(&lock);
        fut_unpark(&parker);
        if (on_the_thread)
            pthread_detach(thread);
        else
            pthread_join(thread, NULL);
    }
    pthread_mutex_unlock(&users_lock);
}

/* ---- timers ---- */

void fut_timer_start(struct fut_timer *t, fut_time at) {
    fut_lock(&lock);
    t->at = at;
    fut_heap_push(&heap, &t->node);
    bool first = earliest() == t;
    fut_unlock(&lock);
    if (first) fut_unpark(&parker);
}

void fut_timer_hurry(struct fut_timer *t, fut_time at) {
    fut_lock(&lock);
    bool sooner = fut_heap_has(&t->node) && at < t->at;
    if (sooner) {
        t->at = at;
        fut_heap_update(&heap, &t->node);
    }
    bool first = sooner && earliest() == t;
    fut_unlock(&lock);
    if (first) fut_unpark(&parker);
}

bool fut_timer_stop(struct fut_timer *t) {
    fut_lock(&lock);
    while (firing == t && !on_the_thread) {
        fut_unlock(&lock);
        sched_yield(); /* a call is short */
        fut_lock(&lock);
    }
    bool waited = fut_heap_has(&t->node); /* looked at last: the call may start it again */
    fut_heap_remove(&heap, &t->node);
    fut_unlock(&lock);
    return waited;
}
