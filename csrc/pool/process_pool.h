/* SPDX-License-Identifier: MIT */
/* fut_process_pool: an executor whose workers are processes, forked by a zygote
 * (pool/zygote.h).
 *
 *   submit -> queue -> give -> tx ring -> worker runs it -> rx ring -> collector -> settle
 *                     ^ whoever submits, or the collector        ^ one thread of the pool
 *                       when a worker has room: under the lock
 *
 * A worker may be given a few small tasks ahead, so that it never idles; they can still be
 * cancelled, and are taken back for a worker that idles, or when their worker dies. A dead
 * worker costs the one task that it was running. */
#ifndef FUT_POOL_PROCESS_POOL_H
#define FUT_POOL_PROCESS_POOL_H

#include "core/executor.h"
#include "core/worker.h"

extern const struct fut_object_type fut_process_pool_type;

struct fut_process_pool_options {
    int max_workers;
    unsigned max_tasks_per_child; /* 0: no limit */
    bool has_initializer;         /* `open` runs code of the user's */
    size_t max_pending;           /* tasks that may wait; 0: no limit */
    bool refuses;                 /* what finds it full; else the submitter waits */
    const char *name;             /* of the pool: its workers are <name>_<n>, from 0; copied */
    const struct fut_worker_type *worker;
    void *config; /* of the workers; the pool's from the call on, also when it fails */
};

/* fut_process_pool_new(options, out): a pool with one count, its zygote and its collector.
 * FUT_ENOMEM; FUT_EFORK when the system gives no process; FUT_ETHREAD. */
enum fut_err fut_process_pool_new(const struct fut_process_pool_options *options,
                                  struct fut_executor **out);

#endif
