/* SPDX-License-Identifier: MIT */
/* Ctrl-C, for both modules: this file needs nothing but Lua. lua.c's signal handler sets a
 * debug hook on the main coroutine of its state, which raises `interrupted!` at the next
 * instruction. A wait in C has no next instruction, and a wait inside a coroutine would not see
 * the hook at all: so waits look for it here.
 * THREADS: that of the lua_State. */
#ifndef FUT_VM_INTERRUPT_H
#define FUT_VM_INTERRUPT_H

#include <lua.h>
#include <stdbool.h>

/* fut_interrupt_open(L): learns which C function serves debug.sethook, so that a debugger's
 * hook is not taken for Ctrl-C. Once per state. */
void fut_interrupt_open(lua_State *L);

/* fut_interrupt_due(main): such a hook is set on the main coroutine `main`: not one of
 * debug.sethook, and for every event and every single instruction, as lua.c sets it. */
bool fut_interrupt_due(lua_State *main);

/* fut_interrupt_raised(L, index): the error value at index was raised by Ctrl-C: it says so,
 * and lua.c's signal handler has put the default action back, as it does when it runs. */
bool fut_interrupt_raised(lua_State *L, int index);

/* fut_interrupt_raise(L, main): takes the hook away and runs it in L, the running coroutine,
 * which raises. One Ctrl-C raises once. */
int fut_interrupt_raise(lua_State *L, lua_State *main);

#endif
