/* SPDX-License-Identifier: MIT */
/* Error objects of lua/futures/errors.lua, made from C.
 * A class is named by its Lua name: "TimeoutError". */
#ifndef FUT_BIND_ERROR_H
#define FUT_BIND_ERROR_H

#include <lua.h>

#include "base/clock.h"
#include "core/executor.h"
#include "core/outcome.h"

/* fut_error_open(L): requires the classes. Once per state, before any of the others. */
void fut_error_open(lua_State *L);

/* fut_error_push(L, class, format, ...): pushes a new object (lua_pushfstring's format). */
void fut_error_push(lua_State *L, const char *class, const char *format, ...);

/* fut_error_raise(L, class, format, ...): raises it. */
int fut_error_raise(lua_State *L, const char *class, const char *format, ...);

/* fut_error_raise_submit(L, ex, err): raises why ex did not take a task. */
int fut_error_raise_submit(lua_State *L, struct fut_executor *ex, enum fut_err err);

/* fut_error_push_failure(L, outcome): pushes the object for an outcome of kind FAILURE. */
void fut_error_push_failure(lua_State *L, const struct fut_outcome *outcome);

/* fut_check_timeout(L, arg): the deadline for a timeout in seconds at stack index `arg`: none, nil and
 * infinity never end; a NaN or anything that is no number is a bad argument. */
fut_time fut_check_timeout(lua_State *L, int arg);

#endif
