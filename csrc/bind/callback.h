/* SPDX-License-Identifier: MIT */
/* fut_callback: a Lua function to be called with a future when that is done, in the state that
 * added it, at one of its safe points.
 *
 * OWNERSHIP: a userdata, anchored in a table of the registry until it ran; its user values are
 * the function and the future. */
#ifndef FUT_BIND_CALLBACK_H
#define FUT_BIND_CALLBACK_H

#include <lua.h>

#include "bind/home.h"
#include "core/waiter.h"

struct fut_callback {
    struct fut_watch watch;            /* first: the inbox hands out watches */
    struct fut_callback *next, **back; /* in home->callbacks */
};

/* fut_callback_add(home, L, index, future): the function at the top, which it pops, is called
 * with the userdata at stack index `index`, which stands for `future`. */
void fut_callback_add(struct fut_home *home, lua_State *L, int index,
                      struct fut_future *future);

/* fut_callback_run(L): for home.c, as a C function in a protected call; argument 1: a light
 * userdata, the callback, which is off the inbox. Calls it; an error of the function is
 * raised. */
int fut_callback_run(lua_State *L);

/* fut_callback_drop_all(home): none will be called any more. */
void fut_callback_drop_all(struct fut_home *home);

#endif
