/* SPDX-License-Identifier: MIT */
/* fut_lock: a mutex for short critical sections: a few loads and stores, never a call that
 * waits or enters Lua. On glibc it spins a little before it sleeps, since the holder is about
 * to leave.
 * THREADS: any. Not recursive. */
#ifndef FUT_BASE_LOCK_H
#define FUT_BASE_LOCK_H

#include <pthread.h>

struct fut_lock {
    pthread_mutex_t mutex;
};

#ifdef PTHREAD_ADAPTIVE_MUTEX_INITIALIZER_NP
#define FUT_LOCK_INIT                                                                          \
    { PTHREAD_ADAPTIVE_MUTEX_INITIALIZER_NP }
#else
#define FUT_LOCK_INIT                                                                          \
    { PTHREAD_MUTEX_INITIALIZER }
#endif

static inline void fut_lock_init(struct fut_lock *l) {
    *l = (struct fut_lock)FUT_LOCK_INIT;
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
