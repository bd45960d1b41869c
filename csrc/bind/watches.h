/* SPDX-License-Identifier: MIT */
/* Watches: a waiter on any number of futures, which it gives back in the order in which they
 * were done, each under the number with which it was added. A userdata owns it, so an error in
 * between leaves nothing on the futures' lists. `wait`, `as_completed` and unordered maps stand
 * on it.
 *
 * OWNERSHIP: the userdata; its collection or its closing stops the watches. The memory is not
 * Lua's: where a finalizer fails, other threads must still find the waiter.
 * THREADS: that of its lua_State. */
#ifndef FUT_BIND_WATCHES_H
#define FUT_BIND_WATCHES_H

#include <lua.h>
#include <stddef.h>

#include "bind/home.h"
#include "core/waiter.h"

struct fut_watches {
    struct fut_waiter waiter;
    struct fut_watches_entry *entries; /* added and not yet shifted, in this order */
    struct fut_watches_entry **last;   /* where the next one is to be added */
    struct fut_watches_entry *scan;    /* none before it is of a pending future; or NULL */
    struct fut_watches_entry *untold;  /* those before it need not be told; or NULL */
    size_t pending;                    /* their number */
    bool helps;                        /* one is of a task: see core/waiting.h */
    bool tells;                        /* one wants to hear of it: likewise */
    unsigned forks;                    /* see bind/orphan.h */
};

/* fut_watches_new(L, home): pushes one without any watch. */
struct fut_watches *fut_watches_new(lua_State *L, struct fut_home *home);

/* fut_watches_at(L, index): those of the userdata at index. */
struct fut_watches *fut_watches_at(lua_State *L, int index);

/* fut_watches_add(ws, L, f, number): watches one more. Raises when memory is short. */
void fut_watches_add(struct fut_watches *ws, lua_State *L, struct fut_future *f,
                     lua_Integer number);

/* fut_watches_shift(ws, number): takes the one that was done first; false when none is done. */
bool fut_watches_shift(struct fut_watches *ws, lua_Integer *number);

/* fut_watches_wait(ws, L, wanted, deadline): waits until so many can be shifted. False when the
 * deadline passed first. BLOCKING, and a safe point. Raises as fut_future_wait does. */
bool fut_watches_wait(struct fut_watches *ws, lua_State *L, size_t wanted, fut_time deadline);

/* fut_watches_stop(ws): stops all watches. */
void fut_watches_stop(struct fut_watches *ws);

/* fut_watches_open(L): adds `watches` to the module table at the top: watches() -> object with
 * add(future, number), next(timeout) -> number or nil, stop(). */
void fut_watches_open(lua_State *L);

#endif
