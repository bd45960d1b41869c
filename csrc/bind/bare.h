/* SPDX-License-Identifier: MIT */
/* Bare futures of this state, those that only it can settle. What waits for such a future is of
 * use only while somebody can still set it, so its callbacks are kept by its handle: the
 * collector frees both when nobody has the handle any more. As soon as another state may know
 * the future, and as soon as it is done, its callbacks are kept by the registry, as those of
 * tasks are.
 *
 * STATE: the handle has a second user value: a callback, or a table callback -> callback (by
 * address), or nil.
 * OWNERSHIP: a handle that is found to be garbage while something waits gets a second chance:
 * finalizers of the same round may still want to set the future, and they run in an order that
 * nobody controls. At the next round it goes.
 * THREADS: that of the lua_State. */
#ifndef FUT_BIND_BARE_H
#define FUT_BIND_BARE_H

#include <lua.h>
#include <stdbool.h>

#include "bind/callback.h"
#include "bind/future.h"

struct fut_bare {
    struct fut_future_handle handle; /* first: it is a handle like others */
    bool orphan;                     /* has had its second chance */
};

/* fut_bare_new(L): pushes the handle of a new bare future. Raises when memory is short. */
void fut_bare_new(lua_State *L);

/* fut_bare_keep(L, index, callback): the handle at index keeps the callback at stack index
 * `callback`; false when the registry has to: the handle is of another kind, the future is done
 * or another state may know it. May raise. */
bool fut_bare_keep(lua_State *L, int index, int callback);

/* fut_bare_forget(L, index, c): it no longer keeps c, if it did. */
void fut_bare_forget(lua_State *L, int index, const struct fut_callback *c);

/* fut_bare_entrust(L, index): hands all that it keeps to the registry: the future is about to
 * be done or to be known elsewhere. Needs no memory. */
void fut_bare_entrust(lua_State *L, int index);

/* fut_bare_gc(L): for the finalizer of a handle that is not empty, at 1: true when it has the
 * second chance now; false when it is to be dropped; then what it waited for and what it kept
 * are dropped. */
bool fut_bare_gc(lua_State *L);

/* fut_bare_drop_all(L): the state is closing: there is no other round, and none at all for
 * those that other finalizers made meanwhile. */
void fut_bare_drop_all(lua_State *L);

#endif
