/* SPDX-License-Identifier: MIT */
/* fut_bound: how many tasks may wait in an executor, and those who wait until there is room for
 * one more.
 *
 * Operation: a submit that finds no room fails with FUT_EFULL; the submitter then asks for a
 * future that is settled when there is room again, or never will be, and tries once more. Who
 * makes room tells; several submitters share a future, and all but one may find the queue full
 * again.
 *
 * STATE: zeroed memory is no bound.
 * LOCKS: none of its own: its executor's, under which all calls are made. */
#ifndef FUT_CORE_BOUND_H
#define FUT_CORE_BOUND_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "core/future.h"

struct fut_bound {
    size_t max;              /* tasks that may wait; 0: no limit */
    bool refuses;            /* who finds no room does not wait */
    struct fut_future *room; /* of those who wait; NULL when nobody does */
};

/* fut_bound_has_room(b, pending, n): for n tasks more than those. */
static inline bool fut_bound_has_room(const struct fut_bound *b, size_t pending, size_t n) {
    return b->max == 0 || pending + n <= b->max;
}

/* fut_bound_wait(b, out): a future, with a count for the caller, that fut_bound_tell or
 * fut_bound_end settles; FUT_ENOMEM. */
enum fut_err fut_bound_wait(struct fut_bound *b, struct fut_future **out);

/* fut_bound_end(b): all who wait are to try again. */
void fut_bound_end(struct fut_bound *b);

/* fut_bound_tell(b, pending): so many tasks wait now: they are to try again if there is
 * room. */
static inline void fut_bound_tell(struct fut_bound *b, size_t pending) {
    if (b->room && fut_bound_has_room(b, pending, 1)) fut_bound_end(b);
}

#endif
