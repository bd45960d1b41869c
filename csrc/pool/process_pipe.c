/* SPDX-License-Identifier: MIT */
#include "pool/process_pipe.h"

#include <unistd.h>

#include "base/park.h"

_Noreturn void fut_process_give_up(void) {
    _exit(0);
}

void fut_process_pipe_open(struct fut_process_pipe *pipe,
                           const struct fut_zygote_birth *birth) {
    *pipe = (struct fut_process_pipe){
        .slot = fut_process_slot(birth->shared, birth->slot),
        .doorbell = fut_process_doorbell(birth->shared),
        .parent = birth->parent,
    };
    for (int i = 0; i < FUT_RINGS; i++)
        fut_process_ring_open(&pipe->rings[i], pipe->slot, (enum fut_ring_of)i);
}

/* Waits until the pool rings. Looks now and then whether the zygote still lives: where there is
 * no PR_SET_PDEATHSIG, and when a task has lost that by a change of user. */
static void wait_for_bell(struct fut_process_pipe *pipe, unsigned seen) {
    struct fut_bell *bell = &pipe->slot->bell;
    fut_time until = fut_spin_until(&pipe->spin);
    do {
        for (int i = 0; i < 32; i++) {
            if (fut_bell_count(bell) != seen) {
                fut_spin_learn(&pipe->spin, true);
                return;
            }
            fut_pause();
        }
    } while (fut_now() < until);
    fut_spin_learn(&pipe->spin, false);
    fut_time asleep = fut_now();
    fut_bell_wait(bell, seen, asleep + FUT_SECOND);
    if (fut_now() - asleep < FUT_SPIN_SHORT) fut_spin_learn(&pipe->spin, true);
    if (getppid() != pipe->parent) fut_process_give_up();
}

/* After reading: the pool may wait for room. */
static void tell_of_room(struct fut_process_pipe *pipe, enum fut_ring_of which) {
    if (fut_full_take(pipe->slot, which)) fut_bell_ring(pipe->doorbell);
}

void fut_process_pipe_read(struct fut_process_pipe *pipe, enum fut_ring_of which, void *to,
                           size_t n) {
    unsigned char *at = to;
    while (n > 0) {
        unsigned seen = fut_bell_count(&pipe->slot->bell);
        size_t done;
        if (fut_ring_read(&pipe->rings[which], at, n, &done) != FUT_OK) fut_process_give_up();
        at += done;
        n -= done;
        if (done > 0)
            tell_of_room(pipe, which);
        else
            wait_for_bell(pipe, seen);
    }
}

const unsigned char *fut_process_pipe_peek(struct fut_process_pipe *pipe, size_t n) {
    struct fut_ring_end *ring = &pipe->rings[FUT_TX_BODIES];
    size_t start = ring->at & (ring->capacity - 1);
    if (n > ring->capacity - start) return NULL;
    for (;;) {
        unsigned seen = fut_bell_count(&pipe->slot->bell);
        const unsigned char *there = fut_ring_peek(ring, n);
        if (there) return there;
        wait_for_bell(pipe, seen);
    }
}

void fut_process_pipe_skip(struct fut_process_pipe *pipe, size_t n) {
    fut_ring_skip(&pipe->rings[FUT_TX_BODIES], n);
    tell_of_room(pipe, FUT_TX_BODIES);
}

void fut_process_pipe_write(struct fut_process_pipe *pipe, enum fut_ring_of which,
                            const void *from, size_t n) {
    const unsigned char *at = from;
    bool said = false;
    while (n > 0) {
        unsigned seen = fut_bell_count(&pipe->slot->bell);
        size_t done;
        if (fut_ring_write(&pipe->rings[which], at, n, &done) != FUT_OK) fut_process_give_up();
        at += done;
        n -= done;
        if (n == 0) return;
        if (done > 0 || !said) { /* one more look after the pool knows that it must tell */
            fut_full_set(pipe->slot, which);
            fut_bell_ring(pipe->doorbell);
            said = true;
            continue;
        }
        wait_for_bell(pipe, seen);
        said = false;
    }
}

void fut_process_pipe_ring(struct fut_process_pipe *pipe) {
    fut_bell_ring(pipe->doorbell);
}
