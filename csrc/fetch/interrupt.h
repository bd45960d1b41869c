/* SPDX-License-Identifier: MIT */
/* Ctrl-C while a call of ours blocks. lua.c's signal handler sets a debug hook on the main
 * thread of the state and leaves the rest to the interpreter, which does not run while we wait
 * in C, and which would not look at that hook from a coroutine.
 * THREADS: the one that runs the state. */
#ifndef FUT_FETCH_INTERRUPT_H
#define FUT_FETCH_INTERRUPT_H

#include <lua.h>
#include <stdbool.h>

/* fut_interrupt_pending(L): has somebody asked to stop the state that L belongs to? Raises
 * nothing and allocates nothing. */
bool fut_interrupt_pending(lua_State *L);

/* fut_interrupt_raise(L): takes the request back and raises its error ("interrupted!"). */
int fut_interrupt_raise(lua_State *L);

#endif
