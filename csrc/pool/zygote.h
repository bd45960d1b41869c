/* SPDX-License-Identifier: MIT */
/* The zygote: a process with one thread, forked when the pool is made, that forks all
 * workers of the pool, now and later, and sees how they end. The program itself may have any
 * number of threads by then; its workers come from a process that has one, with nothing half
 * done in it.
 *
 * It ends when the pool says so, or when the pool's end of the pipe closes, however the
 * program ended; before that it kills and reaps its workers. A worker ends with the zygote
 * (PR_SET_PDEATHSIG where there is one, and it looks who its parent is).
 * THREADS: the pool's calls under the pool's lock. */
#ifndef FUT_POOL_ZYGOTE_H
#define FUT_POOL_ZYGOTE_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"
#include "pool/process_shared.h"

struct fut_zygote {
    pid_t pid;
    int pipe; /* the pool's end; -1 when it is closed */
};

/* What a forked worker does; the process ends when it returns. */
typedef void fut_zygote_child(void *arg, struct fut_process_shared *shared, int slot);

/* fut_zygote_start(z, shared, child, arg): forks it. FUT_ELOST when the system gives no
 * process or no file descriptors. */
enum fut_err fut_zygote_start(struct fut_zygote *z, struct fut_process_shared *shared,
                              fut_zygote_child *child, void *arg);

/* fut_zygote_spawn(z, slot): asks for a worker in that slot. False when the zygote is gone. */
bool fut_zygote_spawn(struct fut_zygote *z, int slot);

/* fut_zygote_signal(z, slot, signal): asks to send a signal to the worker in that slot,
 * unless it has ended. */
bool fut_zygote_signal(struct fut_zygote *z, int slot, int signal);

/* fut_zygote_lost(z): it has ended, though nobody told it to. */
bool fut_zygote_lost(struct fut_zygote *z);

/* fut_zygote_stop(z): ends and reaps it; its workers are killed. BLOCKING, shortly.
 * Idempotent. */
void fut_zygote_stop(struct fut_zygote *z);

#endif
