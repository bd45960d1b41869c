/* SPDX-License-Identifier: MIT */
#include "base/thread.h"

#include <signal.h>
#include <stdio.h>

#include "base/fault.h"

static struct fut_fault fault;

void fut_thread_fail_after(int n) {
    fut_fault_after(&fault, n);
}

enum fut_err fut_thread_start(pthread_t *thread, void *(*main)(void *), void *arg) {
    if (fut_fault_hit(&fault)) return FUT_ETHREAD;
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
