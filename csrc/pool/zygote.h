/* SPDX-License-Identifier: MIT */
/* The zygote: a process with one thread, forked when the pool is made, that forks all workers
 * of the pool, now and later, and sees how they end. The program itself may have any number of
 * threads by then; its workers come from a process that has one, with nothing half done in it.
 *
 * It ends when the pool says so, when the pool's end of the socket closes, or when the program
 * ends, however that is (a copy of the socket in somebody else's fork does not keep it); before
 * that it kills and reaps its workers. A worker ends with the zygote (PR_SET_PDEATHSIG where
 * there is one: it is sent when the *thread* that forked ends, and the zygote has only one; and
 * a worker that waits looks who its parent is).
 * THREADS: the pool's calls under the pool's lock. */
#ifndef FUT_POOL_ZYGOTE_H
#define FUT_POOL_ZYGOTE_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"
#include "pool/process_shared.h"

struct fut_zygote {
    pid_t pid;
    int socket; /* the pool's end; -1 when it is closed */
};

/* What a forked worker finds out about itself. */
struct fut_zygote_birth {
    struct fut_process_shared *shared; /* the doorbell and this slot; the rest is unmapped */
    int slot;
    int id;       /* from 1, over all workers of the pool */
    pid_t parent; /* the zygote: with another parent it is an orphan */
};

/* What a forked worker does; the process ends when it returns. */
typedef void fut_zygote_child(void *arg, const struct fut_zygote_birth *birth);

/* fut_zygote_start(z, shared, child, arg): forks it. FUT_EFORK when the system gives no process
 * or no file descriptors. */
enum fut_err fut_zygote_start(struct fut_zygote *z, const struct fut_process_shared *shared,
                              fut_zygote_child *child, void *arg);

/* fut_zygote_spawn(z, slot): asks for a worker in that slot. fut_zygote_signal(z, slot,
 * signal): asks to send a signal to the worker in that slot, unless it has ended. Both do not
 * block: false when the zygote has not listened for a while, or is gone; ask again later. */
bool fut_zygote_spawn(struct fut_zygote *z, int slot);
bool fut_zygote_signal(struct fut_zygote *z, int slot, int signal);

/* fut_zygote_lost(z): it has ended, though nobody told it to. */
bool fut_zygote_lost(const struct fut_zygote *z);

/* fut_zygote_stop(z): ends and reaps it; its workers are killed. BLOCKING, shortly.
 * Idempotent. */
void fut_zygote_stop(struct fut_zygote *z);

/* fut_zygote_fail_after(n): the n-th fork from now on fails, and all later ones, also those
 * that zygotes do which start from now on; 0 ends that. For tests only. */
void fut_zygote_fail_after(int n);

#endif
