/* SPDX-License-Identifier: MIT */
/* fut_worker: the seam between a pool and what runs tasks. A pool drives workers through these
 * calls and never sees what is inside: a lua_State (vm/lua_worker.h), a test worker in plain C.
 *
 * THREADS: open, run and close of one worker are called on one thread, interrupt on any. In a
 * process pool they are called in the worker's process; pack in the pool's, unpack in the
 * worker's. */
#ifndef FUT_CORE_WORKER_H
#define FUT_CORE_WORKER_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "core/outcome.h"
#include "core/payload.h"

struct fut_worker;

struct fut_worker_info {
    const char *kind; /* "thread" or "process" */
    int id;           /* from 1, in the order in which the workers of a pool start */
    const char *name; /* lives as long as the worker */
};

struct fut_worker_type {
    /* Makes a worker ready for its first task. On failure *why may get a text from
     * fut_alloc. */
    enum fut_err (*open)(void *config, const struct fut_worker_info *info,
                         struct fut_worker **out, char **why);

    /* Runs the call and puts its outcome into the empty `out`. Always gives one. `asked` is a
     * word that outlives the run, or NULL: when a bit of FUT_ASKED (core/future.h) is set in
     * it, the run is to end early, and nobody will look at its outcome. A run may begin inside
     * of another one of the same worker. */
    void (*run)(struct fut_worker *w, const struct fut_payload *call, const atomic_uint *asked,
                struct fut_outcome *out);

    /* Makes w, whose thread is in `run`, look at `asked`: from any thread, any number of times,
     * soon after it was set. Does not block. */
    void (*interrupt)(struct fut_worker *w);

    /* For pools of processes: the signal that does the same when the worker's process gets
     * it. */
    int (*interrupt_signal)(void);

    void (*close)(struct fut_worker *w);

    /* Frees what `open` got as config, when the pool is freed. */
    void (*config_free)(void *config);

    /* For pools of processes: an object that a call refers to, as bytes that make it anew
     * there. ref_id is unique in this process and never used again. NULL where a type has no
     * processes. */
    uint64_t (*ref_id)(const struct fut_object *ref);
    enum fut_err (*pack)(const struct fut_object *ref, struct fut_buf *out);
    enum fut_err (*unpack)(const unsigned char *bytes, size_t len, struct fut_object **out);
};

#endif
