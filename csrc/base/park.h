/* SPDX-License-Identifier: MIT */
/* fut_parker: one thread sleeps on it, any thread wakes it. A wake-up that comes first is kept,
 * so none is lost; several become one.
 *
 * STATE: one word, enum fut_parker_state.
 * BLOCKING: fut_park only. It returns on a wake-up, on the deadline and on a signal (EINTR;
 * without a deadline not when its handler was installed with SA_RESTART), and may return for no
 * reason: callers look at what they wait for and park again. A pthread condition would not do:
 * signals do not end its wait, and then Ctrl-C would not either.
 * THREADS: park from the owner, unpark from any thread. The memory must outlive the last
 * unpark. */
#ifndef FUT_BASE_PARK_H
#define FUT_BASE_PARK_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/clock.h"

enum fut_parker_state {
    FUT_PARKER_EMPTY = 0,
    FUT_PARKER_TOKEN = 1,   /* a wake-up is kept */
    FUT_PARKER_PARKED = -1, /* the owner sleeps */
};

struct fut_parker {
    atomic_int state;
};

/* fut_parker_init(p): empty. */
void fut_parker_init(struct fut_parker *p);

/* fut_park(p, deadline): sleeps until a wake-up, the deadline, a signal. True when it took a
 * wake-up; what was written before that unpark is then visible. */
bool fut_park(struct fut_parker *p, fut_time deadline);

/* fut_unpark(p): wakes the owner or keeps the wake-up. A system call only when the owner
 * sleeps. */
void fut_unpark(struct fut_parker *p);

/* fut_parker_poll(p): true when a wake-up is kept; does not take it. For spinning. */
static inline bool fut_parker_poll(const struct fut_parker *p) {
    return atomic_load_explicit(&p->state, memory_order_relaxed) == FUT_PARKER_TOKEN;
}

/* fut_pause(): tells the processor that this is a spin loop. */
static inline void fut_pause(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

#endif
