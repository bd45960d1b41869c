/* SPDX-License-Identifier: MIT */
/* Derived futures: bare ones whose outcome comes from other futures, by way of callbacks of the
 * state that made them. lua/futures/compose.lua says what happens when (`next`, `all`, `any`);
 * here is what that stands on.
 *
 * STATE: while it is pending, the user value of the handle of a derived future is its link: the
 * callback that it waits for, or several. Settling or cancelling it in its state drops them, so
 * a future that lives long keeps nothing of those that waited for it in vain. */
#ifndef FUT_BIND_DERIVE_H
#define FUT_BIND_DERIVE_H

#include <lua.h>
#include <stdbool.h>

#include "bind/home.h"

/* fut_derive_is(L, index): is the handle at index that of a derived future that is not done? */
bool fut_derive_is(lua_State *L, int index);

/* fut_derive_unlink(L, index): the future of the handle at index, if it is derived, waits for
 * nothing any more. */
void fut_derive_unlink(lua_State *L, int index);

/* fut_derive_never_ends(L, index): a wait for the future of the handle at index would never
 * end, for we are where no callback runs (fut_home_defers), so what one of this state has to
 * settle stays pending, unless another state, which knows it, cancels it. Inside of retry_on
 * that is seen later, with the waits of tasks. */
bool fut_derive_never_ends(lua_State *L, int index);

/* fut_derive_refuse_wait(home): FUT_WAIT_NEVER, with the reason in home->why. */
enum fut_wait fut_derive_refuse_wait(struct fut_home *home);

/* fut_derive_open(L): adds to the module table at the top
 *   watch(step, f, derived, ...) -> callback: step(f, derived, ...) when f is done; an error of
 *       step becomes the outcome of `derived`
 *   link(derived, callback or array of them)
 *   upstream(f) -> what it waits for: a future, an array of futures, or nil
 *   settle(derived, ok, ...) -> whether it was open: with values or with an error value
 *   outcome(f) -> like f:outcome() for a future that is done; no safe point */
void fut_derive_open(lua_State *L);

#endif
