/* SPDX-License-Identifier: MIT */
/* Starting and naming native threads. */
#ifndef FUT_BASE_THREAD_H
#define FUT_BASE_THREAD_H

#include <pthread.h>

#include <stddef.h>

#include "base/err.h"

/* fut_thread_start(thread, main, arg): a joinable thread with all signals blocked, so that they
 * reach the threads of the program: Ctrl-C is for the main one. Its stack is as large as the
 * system gives, FUT_THREAD_STACK_MIN at least. FUT_ETHREAD when the system has none. */
enum fut_err fut_thread_start(pthread_t *thread, void *(*main)(void *), void *arg);

enum { FUT_THREAD_STACK_MIN = 2 << 20 };

/* fut_thread_stack_size(): bytes of the stack of such a thread. */
size_t fut_thread_stack_size(void);

/* fut_thread_mark_stack(): for the main function of such a thread: its stack begins here.
 * fut_thread_stack_left(): bytes until it is full; 0 in a thread that was not marked. */
void fut_thread_mark_stack(void);
size_t fut_thread_stack_left(void);

/* fut_thread_set_name(name): names the calling thread; the system shows the first 15 bytes. */
void fut_thread_set_name(const char *name);

/* fut_thread_fail_after(n): the n-th start from now fails, and all later ones; 0 ends that. For
 * tests only. */
void fut_thread_fail_after(int n);

#endif
