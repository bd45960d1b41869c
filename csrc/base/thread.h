/* SPDX-License-Identifier: MIT */
/* Starting and naming native threads. */
#ifndef FUT_BASE_THREAD_H
#define FUT_BASE_THREAD_H

#include <pthread.h>

#include "base/err.h"

/* fut_thread_start(thread, main, arg): a joinable thread with all signals blocked, so that they
 * reach the threads of the program: Ctrl-C is for the main one. FUT_ETHREAD when the system has
 * none. */
enum fut_err fut_thread_start(pthread_t *thread, void *(*main)(void *), void *arg);

/* fut_thread_set_name(name): names the calling thread; the system shows the first 15 bytes. */
void fut_thread_set_name(const char *name);

/* fut_thread_fail_after(n): the n-th start from now fails, and all later ones; 0 ends that. For
 * tests only. */
void fut_thread_fail_after(int n);

#endif
