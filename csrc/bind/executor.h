/* SPDX-License-Identifier: MIT */
/* The Executor userdata: a handle (vm/handle.h) on a fut_executor. The state that made the
 * executor owns it: its handle closes it when collected. A handle that travelled does not.
 *
 * STATE: empty (NULL) until its executor exists. */
#ifndef FUT_BIND_EXECUTOR_H
#define FUT_BIND_EXECUTOR_H

#include <lua.h>

#include "core/executor.h"

#define FUT_EXECUTOR_TNAME "futures.Executor"

/* fut_executor_check(L, arg): the executor of the handle at arg, or a bad argument. */
struct fut_executor *fut_executor_check(lua_State *L, int arg);

/* fut_executor_open(L): adds `thread_pool` and the class's metatable to the module table at the
 * top. */
void fut_executor_open(lua_State *L);

#endif
