/* SPDX-License-Identifier: MIT */
/* Ctrl-C. lua.c's signal handler sets a debug hook on the main coroutine of its state, which raises
 * `interrupted!` at the next instruction. A wait in C has no next instruction, and a wait inside a
 * coroutine would not see the hook at all: so waits look for it here.
 * THREADS: that of the lua_State. */
#ifndef FUT_VM_INTERRUPT_H
#define FUT_VM_INTERRUPT_H

#include <lua.h>
#include <stdbool.h>

/* fut_interrupt_due(main): such a hook is set on the main coroutine `main`. It is told from a
 * debugger's by its mask and count: lua.c asks for every event and for every single instruction. */
bool fut_interrupt_due(lua_State *main);

/* fut_interrupt_raise(L, main): takes the hook away and runs it in L, the running coroutine, which
 * raises. One Ctrl-C raises once. */
int fut_interrupt_raise(lua_State *L, lua_State *main);

#endif
