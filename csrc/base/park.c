/* SPDX-License-Identifier: MIT */
#include "base/park.h"

#include <errno.h>
#include <time.h>

void fut_parker_init(struct fut_parker *p) {
    atomic_init(&p->state, FUT_PARKER_EMPTY);
}

static bool take_token(struct fut_parker *p) {
    /* acquire pairs with the release in fut_unpark: what the waker wrote is visible here */
    return atomic_exchange_explicit(&p->state, FUT_PARKER_EMPTY, memory_order_acquire) ==
           FUT_PARKER_TOKEN;
}

#ifdef __linux__

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

/* FUTEX_WAIT_BITSET takes an absolute time of the monotonic clock, so a wake-up for nothing
 * does not make the wait longer. */
static void futex_wait(atomic_int *word, int expected, fut_time deadline) {
    struct timespec t = {deadline / FUT_SECOND, deadline % FUT_SECOND};
    syscall(SYS_futex, word, FUTEX_WAIT_BITSET_PRIVATE, expected,
            deadline == FUT_NEVER ? NULL : &t, NULL, FUTEX_BITSET_MATCH_ANY);
}

bool fut_park(struct fut_parker *p, fut_time deadline) {
    int expected = FUT_PARKER_EMPTY;
    if (atomic_compare_exchange_strong(&p->state, &expected, FUT_PARKER_PARKED))
        futex_wait(&p->state, FUT_PARKER_PARKED, deadline);
    return take_token(p);
}

void fut_unpark(struct fut_parker *p) {
    if (atomic_exchange_explicit(&p->state, FUT_PARKER_TOKEN, memory_order_acq_rel) ==
        FUT_PARKER_PARKED)
        syscall(SYS_futex, &p->state, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

#else

#include <pthread.h>

/* Elsewhere: one mutex and condition for all parkers, since sleeping is the rare case. A signal
 * does not end a condition's wait, so the sleep is cut into slices and ends early, which the
 * contract allows. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
enum { SLICE_MS = 20 };

bool fut_park(struct fut_parker *p, fut_time deadline) {
    fut_time left = deadline - fut_now();
    if (left > SLICE_MS * FUT_MS) left = SLICE_MS * FUT_MS;
    pthread_mutex_lock(&mutex);
    int expected = FUT_PARKER_EMPTY;
    if (left > 0 && atomic_compare_exchange_strong(&p->state, &expected, FUT_PARKER_PARKED)) {
        struct timespec t;
        clock_gettime(CLOCK_REALTIME, &t);
        fut_time until = (fut_time)t.tv_sec * FUT_SECOND + t.tv_nsec + left;
        t.tv_sec = until / FUT_SECOND;
        t.tv_nsec = until % FUT_SECOND;
        while (atomic_load(&p->state) == FUT_PARKER_PARKED)
            if (pthread_cond_timedwait(&cond, &mutex, &t) != 0) break;
    }
    bool token = take_token(p);
    pthread_mutex_unlock(&mutex);
    return token;
}

void fut_unpark(struct fut_parker *p) {
    if (atomic_exchange_explicit(&p->state, FUT_PARKER_TOKEN, memory_order_acq_rel) !=
        FUT_PARKER_PARKED)
        return;
    pthread_mutex_lock(&mutex);
    pthread_cond_broadcast(&cond);
    pthread_mutex_unlock(&mutex);
}

#endif
