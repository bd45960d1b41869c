/* SPDX-License-Identifier: MIT */
/* fut_thread_pool: an executor whose workers are native threads.
 *
 *   submit --> inbox --> queue --> take --> worker type's run --> settle
 *      \________________/  ^                  (no lock held)
 *         when shut       one lock
 *
 * While workers are busy or on their way, tasks go through the inbox (core/inbox.h), and who
 * submits takes no lock. It is shut while there is something to decide for each task: a sleeper
 * to be woken, a thread to be started, a queue with a bound, a pool that is closed.
 *
 * Threads start on demand, when there are more pending tasks than workers that are about to
 * look for one. A worker counts as available again *before* its task is settled, so whoever has
 * seen a result and submits the next task finds it.
 *
 * A worker without work spins a little (one at a time, base/spin.h), then sleeps on a parker of
 * its own. A submit wakes at most one sleeper, and only when no worker is on its way to the
 * queue; the woken one wakes the next if it leaves tasks behind. So a burst costs few system
 * calls. */
#ifndef FUT_POOL_THREAD_POOL_H
#define FUT_POOL_THREAD_POOL_H

#include "core/executor.h"
#include "core/worker.h"

extern const struct fut_object_type fut_thread_pool_type;

struct fut_thread_pool_options {
    int max_workers;
    size_t max_pending;      /* tasks that may wait in the queue; 0: no limit */
    bool refuses;            /* what finds the queue full; else the submitter waits */
    const char *name_prefix; /* of the threads: <prefix>_<n>, from 0; copied */
    const struct fut_worker_type *worker;
    void *config; /* of the workers; the pool's from the call on, also when it fails */
};

/* fut_thread_pool_new(options, out): a pool with one count; FUT_ENOMEM. */
enum fut_err fut_thread_pool_new(const struct fut_thread_pool_options *options,
                                 struct fut_executor **out);

#endif
