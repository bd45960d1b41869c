/* SPDX-License-Identifier: MIT */
/* fut_work: when the engine's thread is at work, and when it only waits. libcurl, the libraries
 * that it uses and the allocators of sanitizers have locks of their own: a fork in the middle
 * of a call would leave these locked in the child for ever, and an exit would clean up what is
 * in use. So those wait until the thread is not at work, and it waits for them.
 * THREADS: one works; any may stop it. */
#ifndef FUT_FETCH_WORK_H
#define FUT_FETCH_WORK_H

#include <stdbool.h>

/* fut_work_begin(), fut_work_end(): by the thread. begin waits while it is stopped. */
void fut_work_begin(void);
void fut_work_end(void);

/* fut_work_stop(wait_ms): until fut_work_resume. BLOCKING: while the thread is at work, but not
 * for longer than that: false, it goes on. */
bool fut_work_stop(int wait_ms);

/* fut_work_resume(): by the thread that has stopped it. */
void fut_work_resume(void);

/* fut_work_forget(): in a forked child: nobody works, and nobody stops it. */
void fut_work_forget(void);

#endif
