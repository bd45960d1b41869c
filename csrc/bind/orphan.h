/* SPDX-License-Identifier: MIT */
/* Orphans: pending futures in a child of somebody's fork that only its parent would settle:
 * tasks of the parent's pools, and what the parent's C modules complete. Here they fail, so
 * that no wait for them is without end.
 *
 * STATE: they fail when somebody looks at them: this process may have any number of them, and
 * nobody knows where. So whoever holds futures without looking at them, as waits and callbacks
 * do, has a stamp, and looks at all of them once it is older than the last fork.
 * THREADS: any, in the child. */
#ifndef FUT_BIND_ORPHAN_H
#define FUT_BIND_ORPHAN_H

#include "base/process.h"
#include "core/future.h"

/* fut_orphan_end(f): makes f fail if it is one. */
void fut_orphan_end(struct fut_future *f);

/* fut_orphan_look(f): the same, at no cost in a process that nobody has forked. */
static inline void fut_orphan_look(struct fut_future *f) {
    if (fut_process_forks_seen != 0) fut_orphan_end(f);
}

/* fut_orphan_due(stamp): true once after each fork; sets the stamp. At first it is
 * fut_process_forks(). */
static inline bool fut_orphan_due(unsigned *stamp) {
    unsigned forks = fut_process_forks();
    bool due = *stamp != forks;
    *stamp = forks;
    return due;
}

#endif
