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

struct fut_executor_handle {
    struct fut_executor *executor;
    bool owner;
};

/* fut_executor_handle_new(L): pushes an empty handle that owns nothing. */
struct fut_executor_handle *fut_executor_handle_new(lua_State *L);

/* fut_executor_check(L, arg): the executor of the handle at arg, or a bad argument. */
struct fut_executor *fut_executor_check(lua_State *L, int arg);

/* fut_executor_open(L): adds the class's metatable to the module table at the top, as
 * `Executor`. */
void fut_executor_open(lua_State *L);

/* fut_pools_open(L): adds `thread_pool` and `process_pool` to it. */
void fut_pools_open(lua_State *L);

#endif
