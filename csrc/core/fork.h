/* SPDX-License-Identifier: MIT */
/* fut_fork: forks of this process by anybody, survived. A fork copies every lock as it is, and
 * the thread that would have let go of it is not in the child. So the process-wide locks of
 * this floor are all taken before a fork and let go after it, on both sides: the child finds
 * them free and what they guard whole.
 *
 * Locks of a pool are not among them: in the child a pool is refused (fut_executor_forked). */
#ifndef FUT_CORE_FORK_H
#define FUT_CORE_FORK_H

#include <stdbool.h>

/* fut_fork_watch(): from now on. Idempotent. Any thread. */
void fut_fork_watch(void);

/* fut_waiters_fork(take), fut_tasks_fork(take), fut_natives_fork(take),
 * fut_sleepers_fork(take): for that: the locks of one file, taken in the order in which they
 * stand, or let go. */
void fut_waiters_fork(bool take);
void fut_tasks_fork(bool take);
void fut_natives_fork(bool take);
void fut_sleepers_fork(bool take);

/* fut_sleepers_forget(): in the child, before the locks are let go: nobody sleeps here. */
void fut_sleepers_forget(void);

#endif
