/* SPDX-License-Identifier: MIT */
/* The worker that runs Lua: a lua_State of its own, opened, used and closed on its thread.
 *
 *   call payload --decode--> function, arguments --call--> results --encode--> outcome
 *
 * A task on top of one that waits runs in a coroutine of the same state that nobody resumes: it
 * has a Lua stack of its own, tracebacks that show nothing but itself, and as many nested C
 * calls as any task.
 *
 * All of a state's life runs inside protected calls: an error in the libraries, in a task, in a
 * finalizer or for want of memory is an outcome, never an abort.
 *
 * A call payload starts with one byte, enum fut_call, which says what follows. */
#ifndef FUT_VM_LUA_WORKER_H
#define FUT_VM_LUA_WORKER_H

#include <lua.h>
#include <stdbool.h>

#include "core/worker.h"

enum fut_call {
    /* A sequence: function, arguments. Outcome: a sequence of results. */
    FUT_CALL_ONE = 'c',
    /* A sequence: function; then a sequence of arguments per item. Outcome: per item a
     * sequence, and a byte (fut_item) that says of what. */
    FUT_CALL_CHUNK = 'k',
    /* Like ONE, but its results are dropped: initializers. */
    FUT_CALL_QUIET = 'q',
    /* No values, one ref: a C function (vm/foreign.h), which runs without Lua. */
    FUT_CALL_NATIVE = 'n',
};

enum fut_item {
    FUT_ITEM_VALUES = 'v',   /* its results */
    FUT_ITEM_ERROR = 'e',    /* its error value, and the traceback if there is one */
    FUT_ITEM_TRANSFER = 't', /* the message why its results cannot travel */
};

/* What every worker of a pool starts with. The payloads come from the state that makes the
 * pool. */
struct fut_lua_config {
    struct fut_payload boot; /* a sequence: package.path, package.cpath, preload loaders */
    struct fut_payload initializer; /* a call, or empty */
};

extern const struct fut_worker_type fut_lua_worker_type; /* its config: a fut_lua_config */

/* fut_lua_config_new(): empty payloads, or NULL. Freed by the worker type's config_free. */
struct fut_lua_config *fut_lua_config_new(void);

/* fut_lua_worker_can_nest(L): the task that runs in L, on a worker's thread, waits: can the
 * worker run another one on top of it? Makes ready what that needs. Never raises. */
bool fut_lua_worker_can_nest(lua_State *L);

/* fut_lua_worker_at_rest(L, call, arg): in a worker's state: call(L, arg), once, when no task
 * runs in it any more: then there is nobody who would come to a safe point. It must not raise.
 * Elsewhere: nothing. */
void fut_lua_worker_at_rest(lua_State *L, void (*call)(lua_State *L, void *arg), void *arg);

/* fut_lua_worker_info(L): in a worker's state what it is, else NULL. */
const struct fut_worker_info *fut_lua_worker_info(lua_State *L);

#endif
