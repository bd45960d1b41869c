/* SPDX-License-Identifier: MIT */
/* Submitting from Lua: a task's call, and what a view asks of its tasks.
 *
 * Task options are made once for a view, in Lua: a userdata that holds a fut_task_options. */
#ifndef FUT_BIND_SUBMIT_H
#define FUT_BIND_SUBMIT_H

#include <lauxlib.h>
#include <lua.h>

#include "core/executor.h"

/* fut_submit_options(L, index): the options of the userdata at index, not counted; NULL for
 * nil. */
struct fut_task_options *fut_submit_options(lua_State *L, int index);

/* fut_submit(L, ex, t, waits): gives the task, which a handle on the stack owns, to the
 * executor. If that is full: with `waits` it waits for room, a wait like any other, or raises
 * QueueFullError; else it is false. Raises what keeps the executor from taking it. */
bool fut_submit(lua_State *L, struct fut_executor *ex, struct fut_task *t, bool waits);

/* fut_submit_asking(L, ex, t, handle, options, waits): the same for one with a `retry_on`: the
 * userdata of its options is at index `options`, the handle at index `handle`. Leaves values on
 * the stack. */
bool fut_submit_asking(lua_State *L, struct fut_executor *ex, struct fut_task *t, int handle,
                       int options, bool waits);

/* fut_submit_open(L): adds `task_options` to the module table at the top: task_options(checked
 * table) -> userdata. Its user value is `retry_on`. */
void fut_submit_open(lua_State *L);

/* fut_submit_methods: of executors: submit(self, fn, ...), and for Lua code of ours, where
 * options may be nil:
 *   _submit_with(self, options, fn, ...)  the same
 *   _try(self, options, fn, ...)          the same, or nothing when the queue is full
 *   _room(self, timeout, patient)         waits until another try is worth it, false when the
 *                                         time passed first; unless it is patient it raises
 *                                         QueueFullError where the executor refuses to wait */
extern const luaL_Reg fut_submit_methods[];

#endif
