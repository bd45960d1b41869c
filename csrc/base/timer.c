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

static struct fut_lock lock = FUT_LOCK_INIT; /* guards all that follows */
static struct fut_timer *heap;               /* a pairing heap: the earliest is its root */
static struct fut_timer *firing;             /* whose call is being made */
static unsigned generation;                  /* of the thread; another number ends it */
static struct fut_parker parker = {FUT_PARKER_EMPTY};

static _Thread_local bool on_the_thread;

/* ---- the heap ---- */

static struct fut_timer *meld(struct fut_timer *a, struct fut_timer *b) {
    if (!a) return b;
    if (!b) return a;
    struct fut_timer *root = b->at < a->at ? b : a;
    struct fut_timer *below = root == a ? b : a;
    below->next = root->child;
    if (below->next) below->next->prev = below;
    below->prev = root;
    root->child = below;
    return root;
}

/* Of a list of siblings: first two by two, then all together from the right. */
static struct fut_timer *meld_all(struct fut_timer *list) {
    struct fut_timer *pairs = NULL, *root = NULL;
    while (list) {
        struct fut_timer *a = list, *b = a->next;
        list = b ? b->next : NULL;
        a->next = NULL;
        if (b) b->next = NULL;
        struct fut_timer *pair = meld(a, b);
        pair->next = pairs;
        pairs = pair;
    }
    while (pairs) {
        struct fut_timer *pair = pairs;
        pairs = pair->next;
        pair->next = NULL;
        root = meld(root, pair);
    }
    if (root) root->prev = NULL;
    return root;
}

static void heap_remove(struct fut_timer *t) {
    struct fut_timer *below = meld_all(t->child);
    if (t == heap) {
        heap = below;
    } else {
        if (t->prev->child == t)
            t->prev->child = t->next;
        else
            t->prev->next = t->next;
        if (t->next) t->next->prev = t->prev;
        heap = meld(heap, below);
    }
    t->child = t->next = t->prev = NULL;
    t->waiting = false;
}

/* ---- the thread ---- */

/* Under the lock: takes the first timer and makes its call without the lock. */
static void fire_first(unsigned mine) {
    struct fut_timer *t = heap;
    heap_remove(t);
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
        if (heap && heap->at <= fut_now()) {
            fire_first(mine);
            continue;
        }
        fut_time next = heap ? heap->at : FUT_NEVER;
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
    heap = firing = NULL;
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
        FUT_ASSERT(!heap); /* who starts a timer holds the thread until it has stopped it */
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
    FUT_ASSERT(!t->waiting);
    t->at = at;
    t->waiting = true;
    t->child = t->next = t->prev = NULL;
    heap = meld(heap, t);
    bool first = heap == t;
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
    bool waited = t->waiting; /* looked at last: the call may have started it again */
    if (waited) heap_remove(t);
    fut_unlock(&lock);
    return waited;
}
