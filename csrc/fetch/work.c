/* SPDX-License-Identifier: MIT */
#include "fetch/work.h"

#include <pthread.h>
#include <time.h>

static pthread_mutex_t at_work = PTHREAD_MUTEX_INITIALIZER;

/* Taken before at_work, and held by who waits for that: a thread with much to do gives at_work
 * back for moments only, and would be the first to have it again, time after time. */
static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;

void fut_work_begin(void) {
    pthread_mutex_lock(&turn);
    pthread_mutex_lock(&at_work);
    pthread_mutex_unlock(&turn);
}

void fut_work_end(void) {
    pthread_mutex_unlock(&at_work);
}

static struct timespec after(int ms) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t); /* what the mutexes go by */
    t.tv_sec += ms / 1000;
    t.tv_nsec += ms % 1000 * 1000000L;
    if (t.tv_nsec >= 1000000000) {
        t.tv_sec++;
        t.tv_nsec -= 1000000000;
    }
    return t;
}

bool fut_work_stop(int wait_ms) {
    struct timespec until = after(wait_ms);
    if (pthread_mutex_timedlock(&turn, &until) != 0) return false;
    bool stopped = pthread_mutex_timedlock(&at_work, &until) == 0;
    pthread_mutex_unlock(&turn);
    return stopped;
}

void fut_work_resume(void) {
    pthread_mutex_unlock(&at_work);
}

void fut_work_forget(void) {
    pthread_mutex_init(&turn, NULL);
    pthread_mutex_init(&at_work, NULL);
}
