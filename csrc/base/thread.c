/* SPDX-License-Identifier: MIT */
#include "base/thread.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>

/* Starts until the injected failure; 0 means none. */
static atomic_int fail_after;

void fut_thread_fail_after(int n) {
    atomic_store(&fail_after, n);
}

static int must_fail(void) {
    int left = atomic_load_explicit(&fail_after, memory_order_relaxed);
    while (left > 1 && !atomic_compare_exchange_weak(&fail_after, &left, left - 1)) continue;
    return left == 1; /* and stays there: all later ones fail too */
}

enum fut_err fut_thread_start(pthread_t *thread, void *(*main)(void *), void *arg) {
    if (must_fail()) return FUT_ETHREAD;
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* the new thread inherits the mask */
    int failed = pthread_create(thread, NULL, main, arg);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failed ? FUT_ETHREAD : FUT_OK;
}

void fut_thread_set_name(const char *name) {
#if defined(__linux__)
    char shown[16]; /* as much as the kernel keeps; a longer name would be refused as a whole */
    snprintf(shown, sizeof shown, "%s", name);
    pthread_setname_np(pthread_self(), shown);
#elif defined(__APPLE__)
    pthread_setname_np(name);
#else
    (void)name;
#endif
}
