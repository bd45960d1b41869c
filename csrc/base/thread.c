/* SPDX-License-Identifier: MIT */
#include "base/thread.h"

#include <signal.h>
#include <stdio.h>

#include "base/fault.h"

static struct fut_fault fault;

void fut_thread_fail_after(int n) {
    fut_fault_after(&fault, n);
}

size_t fut_thread_stack_size(void) {
    pthread_attr_t attr;
    size_t size = 0;
    if (pthread_attr_init(&attr) != 0) return FUT_THREAD_STACK_MIN;
    pthread_attr_getstacksize(&attr, &size);
    pthread_attr_destroy(&attr);
    return size > FUT_THREAD_STACK_MIN ? size : FUT_THREAD_STACK_MIN;
}

static _Thread_local const char *stack_begin;
static _Thread_local size_t stack_size;

/* Not the address of a local variable: under AddressSanitizer that is elsewhere. */
void fut_thread_mark_stack(void) {
    stack_begin = __builtin_frame_address(0);
    stack_size = fut_thread_stack_size();
}

size_t fut_thread_stack_left(void) {
    const char *here = __builtin_frame_address(0);
    if (!stack_begin) return 0;
    /* It grows downwards wherever there is a Lua to be built. */
    size_t used = here < stack_begin ? (size_t)(stack_begin - here) : 0;
    return used < stack_size ? stack_size - used : 0;
}

static int create(pthread_t *thread, void *(*main)(void *), void *arg) {
    pthread_attr_t attr;
    int failed = pthread_attr_init(&attr);
    if (failed) return failed;
    pthread_attr_setstacksize(&attr, fut_thread_stack_size());
    failed = pthread_create(thread, &attr, main, arg);
    pthread_attr_destroy(&attr);
    return failed;
}

enum fut_err fut_thread_start(pthread_t *thread, void *(*main)(void *), void *arg) {
    if (fut_fault_hit(&fault)) return FUT_ETHREAD;
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* the new thread inherits the mask */
    int failed = create(thread, main, arg);
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
