/* SPDX-License-Identifier: MIT */
/* The Future userdata: a handle (vm/handle.h) on a fut_future. Its user value keeps the values
 * of the outcome once they were asked for, so that the same table comes each time; for a bare
 * future it is where they are.
 *
 * STATE: empty (NULL) from its making until its future exists.
 * Its functions, like all of the module, have the upvalues of bind/home.h. */
#ifndef FUT_BIND_FUTURE_H
#define FUT_BIND_FUTURE_H

#include <lauxlib.h>
#include <lua.h>

#include "base/clock.h"
#include "core/executor.h"
#include "core/future.h"
#include "vm/encode.h"

#define FUT_FUTURE_TNAME "futures.Future"

struct fut_future_handle {
    struct fut_future *future;
};

/* fut_future_handle_new(L): pushes an empty handle; the caller sets the future, whose count
 * becomes the handle's. */
struct fut_future_handle *fut_future_handle_new(lua_State *L);

/* fut_future_check(L, arg): the future of the handle at arg, or a bad argument. */
struct fut_future *fut_future_check(lua_State *L, int arg);

/* fut_future_test(L, index): the same, or NULL. Both only in functions with the two
 * upvalues. */
struct fut_future *fut_future_test(lua_State *L, int index);

/* fut_future_push_outcome(L, index, f, failed): pushes the values of the done future f, whose
 * handle is at index, or its error value (a CancelledError for a cancelled one), and tells
 * which. How many. */
int fut_future_push_outcome(lua_State *L, int index, struct fut_future *f, bool *failed);

/* fut_future_push_error(L, f, outcome): pushes the error value of an outcome, an error, that f
 * may get. Raises what goes wrong with that. */
void fut_future_push_error(lua_State *L, const struct fut_future *f,
                           const struct fut_outcome *outcome);

/* fut_future_push_traceback(L, index, f): pushes the traceback of the error of f, whose handle
 * is at index, as it was where it was raised, or nil. fut_future_keep_traceback(L, index): the
 * one at the top, which it pops, is that of the outcome that was kept last. */
void fut_future_push_traceback(lua_State *L, int index, struct fut_future *f);
void fut_future_keep_traceback(lua_State *L, int index);

/* fut_future_route(f): the way that the outcome of f has come. */
struct fut_route fut_future_route(const struct fut_future *f);

/* fut_future_wait(L, f, deadline): a safe point, and a wait until f is done; false when the
 * deadline passed first. BLOCKING. Raises only `interrupted!`, and an Error when the wait could
 * never end. */
bool fut_future_wait(lua_State *L, struct fut_future *f, fut_time deadline);

/* fut_future_wait_stopped(L, ex, deadline): likewise until the closed executor has stopped. */
bool fut_future_wait_stopped(lua_State *L, struct fut_executor *ex, fut_time deadline);

/* fut_future_wait_room(L, room, deadline): likewise for room in a queue: see core/bound.h. */
bool fut_future_wait_room(lua_State *L, struct fut_future *room, fut_time deadline);

/* fut_future_keep(L, index, n): keeps the n values at the top, which it pops, as the outcome in
 * the user value of the handle at index. */
void fut_future_keep(lua_State *L, int index, int n);

/* fut_future_encode_local(L, index): the future of the handle at index is about to be known
 * elsewhere: encodes the values that were kept here, so that others can read them. */
void fut_future_encode_local(lua_State *L, int index);

/* fut_future_settle_kept(L, index, failed, n): settles the bare future of the handle at index,
 * if that is still to be done, with the n values at the top, which it pops; false when it was
 * done already. Unlike set_result it takes values that cannot travel, also when others know the
 * future: those are told why. May raise when memory is short; the future is not done then. */
bool fut_future_settle_kept(lua_State *L, int index, bool failed, int n);

/* fut_future_open(L): fills the metatable. Once per state. */
void fut_future_open(lua_State *L);

/* fut_future_set_methods: set_result, set_exception, set_running_or_notify_cancel. */
extern const luaL_Reg fut_future_set_methods[];

#endif
