/* SPDX-License-Identifier: MIT */
/* Running a call payload in a state: decode, call, encode, all protected.
 * THREADS: that of the lua_State. */
#ifndef FUT_VM_RUN_H
#define FUT_VM_RUN_H

#include <lua.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "core/outcome.h"
#include "core/payload.h"

/* fut_run(L, call, process, asked, out): runs the call and puts its outcome into the empty
 * `out`: results, the error value with a traceback, or a failure (a value that cannot travel,
 * no memory; the run was asked to end). Never raises. Leaves the stack of L as it was. */
void fut_run(lua_State *L, const struct fut_payload *call, bool process,
             const atomic_uint *asked, struct fut_outcome *out);

/* fut_run_set_lost(is): how an error value is known that says a worker was lost: is(L, index),
 * which raises memory errors only. The same for all states of a process. */
void fut_run_set_lost(bool (*is)(lua_State *L, int index));

/* fut_error_text(L, index): pushes a string that shows the error value at index, whatever it
 * is; a failing __tostring is no obstacle. May raise memory errors only. */
const char *fut_error_text(lua_State *L, int index);

#endif
