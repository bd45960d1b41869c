/* SPDX-License-Identifier: MIT */
/* Error objects of lua/futures/errors.lua, made from C.
 * A class is named by its Lua name: "TimeoutError". */
#ifndef FUT_BIND_ERROR_H
#define FUT_BIND_ERROR_H

#include <lua.h>

#include "base/clock.h"
#include "core/executor.h"
#include "core/outcome.h"
#include "vm/encode.h"

/* fut_error_open(L): requires the classes. Once per state, before any of the others. */
void fut_error_open(lua_State *L);

/* fut_error_push(L, class, format, ...): pushes a new object (lua_pushfstring's format). */
void fut_error_push(lua_State *L, const char *class, const char *format, ...);

/* fut_error_raise(L, class, format, ...): raises it. */
int fut_error_raise(lua_State *L, const char *class, const char *format, ...);

/* fut_error_push_text(L, class, text): pushes one with a text from fut_alloc, which it
 * frees. */
void fut_error_push_text(lua_State *L, const char *class, char *text);

/* fut_error_check_encoded(L, e, err): raises why the encoder e, which it abandons, did not take
 * a value, or ended without a payload; FUT_OK: nothing. */
void fut_error_check_encoded(lua_State *L, struct fut_encoder *e, enum fut_err err);

/* fut_error_raise_submit(L, ex, err): raises why ex did not take a task. */
int fut_error_raise_submit(lua_State *L, struct fut_executor *ex, enum fut_err err);

/* fut_error_push_failure(L, outcome, process): pushes the object for an outcome of kind
 * FAILURE; process: of a pool of processes. */
void fut_error_push_failure(lua_State *L, const struct fut_outcome *outcome, bool process);

/* fut_misuse(L, n, name, format, ...): raises "bad argument #n to 'name' (...)" at the caller
 * of the running function. luaL_argerror would have to guess the name when it is called by
 * pcall. */
int fut_misuse(lua_State *L, int n, const char *name, const char *format, ...);

/* fut_misuse_self(L, tname, what): raises that argument 1 of the running function, a method of
 * the type `tname`, is no `what`, as Lua would, but always with the name of the method:
 * "bad argument #1 to 'name' (...)", or "calling 'name' on bad self (...)" after a colon. */
int fut_misuse_self(lua_State *L, const char *tname, const char *what);

/* fut_check_timeout(L, index, n, name): the deadline for a timeout in seconds at stack index
 * `index`: none, nil and infinity never end; a NaN or anything that is no number is misuse of
 * argument n. */
fut_time fut_check_timeout(lua_State *L, int index, int n, const char *name);

/* fut_check_callable(L, index, n, name): a function, or a value whose metatable has __call;
 * else it is misuse of argument n. */
void fut_check_callable(lua_State *L, int index, int n, const char *name);

#endif
