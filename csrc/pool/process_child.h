/* SPDX-License-Identifier: MIT */
/* The life of a worker process: open, then read frames and answer them until goodbye.
 *
 *   process_child.c    what it does
 *   process_pipe.c     its side of the rings */
#ifndef FUT_POOL_PROCESS_CHILD_H
#define FUT_POOL_PROCESS_CHILD_H

#include "core/worker.h"
#include "pool/zygote.h"

struct fut_process_child {
    const struct fut_worker_type *type;
    void *config;
    const char *name; /* of the pool */
};

/* fut_process_child_main(arg, birth): the zygote's fut_zygote_child; arg: a fut_process_child.
 * Returns when the worker is to end; never when the pool or the zygote has gone. */
void fut_process_child_main(void *arg, const struct fut_zygote_birth *birth);

#endif
