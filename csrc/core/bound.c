/* SPDX-License-Identifier: MIT */
#include "core/bound.h"

enum fut_err fut_bound_wait(struct fut_bound *b, struct fut_future **out) {
    if (!b->room) b->room = fut_future_new();
    if (!b->room) return FUT_ENOMEM;
    fut_future_hold(b->room);
    *out = b->room;
    return FUT_OK;
}

/* Settled under the executor's lock: those who watch are told under locks that nobody holds
 * while he takes the executor's. */
void fut_bound_end(struct fut_bound *b) {
    struct fut_future *room = b->room;
    if (!room) return;
    b->room = NULL;
    struct fut_outcome none = {.kind = FUT_OUTCOME_VALUES};
    fut_future_settle(room, &none);
    fut_future_drop(room);
}
