/* SPDX-License-Identifier: MIT */
/* The zygote from the inside:
 *   zygote.c        the pool's side
 *   zygote_main.c   the process itself */
#ifndef FUT_POOL_ZYGOTE_INSIDE_H
#define FUT_POOL_ZYGOTE_INSIDE_H

#include "pool/zygote.h"

struct fut_zygote_command {
    int slot;   /* -1: quit */
    int signal; /* 0: spawn */
};

/* What the new process needs to know. */
struct fut_zygote_about {
    struct fut_process_shared shared;
    fut_zygote_child *child;
    void *arg;
    int socket;
    pid_t program; /* its parent */
};

/* fut_zygote_main(about): what the process does, from the moment after the fork to its end. */
_Noreturn void fut_zygote_main(struct fut_zygote_about *about);

/* fut_zygote_fork(): fork, or the failure that a test asks for. */
pid_t fut_zygote_fork(void);

#endif
