/* SPDX-License-Identifier: MIT */
/* fut_process_pipe: a worker's side of its rings. Named as the pool names them: tx is read
 * here, rx is written.
 *
 * BLOCKING: all calls, while there is nothing to read or no room; a short spin, then asleep.
 * They do not return when the zygote has gone, or when the pool's counts make no sense: then
 * nobody is left to talk to, and the process ends. */
#ifndef FUT_POOL_PROCESS_PIPE_H
#define FUT_POOL_PROCESS_PIPE_H

#include "base/spin.h"
#include "pool/zygote.h"

struct fut_process_pipe {
    struct fut_process_slot *slot;
    struct fut_bell *doorbell;
    pid_t parent;
    struct fut_ring_end rings[FUT_RINGS];
    struct fut_spin spin;
};

/* fut_process_pipe_open(pipe, birth): after the fork. */
void fut_process_pipe_open(struct fut_process_pipe *pipe, const struct fut_zygote_birth *birth);

/* fut_process_pipe_read(pipe, which, to, n): n bytes. */
void fut_process_pipe_read(struct fut_process_pipe *pipe, enum fut_ring_of which, void *to,
                           size_t n);

/* fut_process_pipe_peek(pipe, n): the next n bytes of the ring for bodies where they are, once
 * all have come; NULL when they do not stand there in one piece: then read them. They stay
 * there until fut_process_pipe_skip(pipe, n). */
const unsigned char *fut_process_pipe_peek(struct fut_process_pipe *pipe, size_t n);
void fut_process_pipe_skip(struct fut_process_pipe *pipe, size_t n);

/* fut_process_pipe_write(pipe, which, from, n): n bytes. The pool hears of them at
 * fut_process_pipe_ring. */
void fut_process_pipe_write(struct fut_process_pipe *pipe, enum fut_ring_of which,
                            const void *from, size_t n);
void fut_process_pipe_ring(struct fut_process_pipe *pipe);

/* fut_process_give_up(): ends the process without a word, as if it had been killed. */
_Noreturn void fut_process_give_up(void);

#endif
