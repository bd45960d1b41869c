/* SPDX-License-Identifier: MIT */
#include "core/fork.h"

#include <pthread.h>

/* A future's lock may be held while a task or a future of a C module is freed, never the other
 * way round; no two futures' locks are ever held by anybody else. So this order is safe. */
static void before(void) {
    fut_sleepers_fork(true); /* its holder takes no other lock */
    fut_waiters_fork(true);
    fut_tasks_fork(true);
    fut_natives_fork(true); /* neither holder takes the other's */
}

static void after(void) {
    fut_natives_fork(false);
    fut_tasks_fork(false);
    fut_waiters_fork(false);
    fut_sleepers_fork(false);
}

static void in_child(void) {
    fut_sleepers_forget();
    after();
}

static void watch(void) {
    pthread_atfork(before, after, in_child);
}

void fut_fork_watch(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, watch);
}
