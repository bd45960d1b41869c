/* SPDX-License-Identifier: MIT */
/* fut_lock: a mutex for short critical sections: a few loads and stores, never a call that
 * waits or enters Lua. On Linux it is a word, and two instructions that need no call where
 * nobody else wants it (a task takes five locks; measured: pthread's cost a tenth of a no-op
 * task); it spins a little before it sleeps, since the holder is about to leave. Elsewhere it
 * is pthread's.
 * THREADS: any. Not recursive. */
#ifndef FUT_BASE_LOCK_H
#define FUT_BASE_LOCK_H

#ifdef __linux__

#include <stdatomic.h>

enum { FUT_LOCK_FREE, FUT_LOCK_HELD, FUT_LOCK_WANTED }; /* wanted: held, and some may sleep */

struct fut_lock {
    atomic_int state;
};

#define FUT_LOCK_INIT                                                                          \
    { FUT_LOCK_FREE }

/* fut_lock_wait(l), fut_lock_wake(l): for the calls below, where two meet. */
void fut_lock_wait(struct fut_lock *l);
void fut_lock_wake(struct fut_lock *l);

static inline void fut_lock_init(struct fut_lock *l) {
    atomic_init(&l->state, FUT_LOCK_FREE);
}
static inline void fut_lock_deinit(struct fut_lock *l) {
    (void)l;
}
static inline void fut_lock(struct fut_lock *l) {
    int state = FUT_LOCK_FREE;
    /* acquire pairs with the release in fut_unlock: what was done under it before is seen */
    if (!atomic_compare_exchange_strong_explicit(&l->state, &state, FUT_LOCK_HELD,
                                                 memory_order_acquire, memory_order_relaxed))
        fut_lock_wait(l);
}
static inline void fut_unlock(struct fut_lock *l) {
    if (atomic_exchange_explicit(&l->state, FUT_LOCK_FREE, memory_order_release) ==
        FUT_LOCK_WANTED)
        fut_lock_wake(l);
}

#else

#include <pthread.h>

struct fut_lock {
    pthread_mutex_t mutex;
};

#define FUT_LOCK_INIT                                                                          \
    { PTHREAD_MUTEX_INITIALIZER }

static inline void fut_lock_init(struct fut_lock *l) {
    pthread_mutex_init(&l->mutex, NULL);
}
static inline void fut_lock_deinit(struct fut_lock *l) {
    pthread_mutex_destroy(&l->mutex);
}
static inline void fut_lock(struct fut_lock *l) {
    pthread_mutex_lock(&l->mutex);
}
static inline void fut_unlock(struct fut_lock *l) {
    pthread_mutex_unlock(&l->mutex);
}

#endif

#endif
