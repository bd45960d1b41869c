/* SPDX-License-Identifier: MIT */
/* Ending a task early, inside of its lua_State. Whoever asks for it sets a bit in the word that
 * the run was given (core/worker.h) and sends a signal to the run's thread.
 *
 *   signal --> handler --sets--> debug hook of the running coroutine --raises--> error
 *
 * The handler runs on the thread itself, so it does what lua.c does at Ctrl-C: it sets a hook,
 * and no other thread ever touches the state. The hook is set when it is needed and at no other
 * time. Lua does not tell which coroutine runs, hands no hook on to one that exists, and a task
 * can catch what is raised: so in a worker's state `coroutine` and the functions that catch
 * errors are ours (fut_stop_open): they know who runs, and raise anew what they have caught.
 * The error is raised once; while it unwinds, closing variables run undisturbed, as do those
 * that are being closed, and finalizers, when the signal comes.
 *
 * STATE: one fut_running per run, on its C stack; those of runs inside of others form a stack.
 * THREADS: all that is here belongs to the thread of the run, its signal handler included. */
#ifndef FUT_VM_STOP_H
#define FUT_VM_STOP_H

#include <lua.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "base/err.h"
#include "core/future.h"

/* A coroutine that waits for one that it has resumed. */
struct fut_resumer {
    lua_State *L;
    struct fut_resumer *outer;
};

struct fut_running {
    const atomic_uint *asked;
    lua_State *L; /* in which it began, and the hook that it had then */
    lua_Hook hook;
    int hook_mask, hook_count;
    lua_State *main;              /* the state's main coroutine */
    lua_State *volatile now;      /* the coroutine that runs; the handler reads it */
    volatile bool raised;         /* the error is on its way, or has arrived */
    volatile bool unwinding;      /* another error is on its way to one of our functions */
    unsigned number;              /* of the run, in this thread */
    struct fut_resumer *resumers; /* of `now` */
    struct fut_running *volatile outer;
};

/* The innermost run of this thread, or NULL. */
extern _Thread_local struct fut_running *volatile fut_stop_running;

/* fut_stop_enter(r, L, asked): the run r begins, in the coroutine L. `asked` may be NULL.
 * fut_stop_leave(r): it ends. */
void fut_stop_enter(struct fut_running *r, lua_State *L, const atomic_uint *asked);
void fut_stop_leave(struct fut_running *r);

/* fut_stop_asked(r): r is to end, and the error has not been raised yet. */
static inline bool fut_stop_asked(const struct fut_running *r) {
    return (atomic_load_explicit(r->asked, memory_order_acquire) & FUT_ASKED) != 0 &&
           !r->raised;
}

/* fut_stop_arm(r): r, which is asked, ends at the next instruction of its running coroutine. */
void fut_stop_arm(struct fut_running *r);

/* fut_stop_due(main): the innermost run, in the state with that main coroutine, is to end now:
 * for blocking calls, which then raise it. False inside of what must not be disturbed. */
bool fut_stop_due(lua_State *main);

/* fut_stop_raise(L): raises the error that ends the run. */
int fut_stop_raise(lua_State *L);

/* fut_stop_caught(): an error was caught, and it was one that ends the run: it must be raised
 * again (fut_stop_raise). For C code that catches errors of tasks. `before` is what
 * fut_stop_raising gave before the protected call. */
bool fut_stop_raising(void);
static inline bool fut_stop_caught(bool before) {
    return !before && fut_stop_raising();
}

/* fut_stop_signal(thread): makes the handler run there; from any thread. The thread has opened
 * a state with fut_stop_open. */
void fut_stop_signal(pthread_t thread);

/* fut_stop_signal_number(): the signal. fut_stop_listen(): handles it in this process, whoever
 * sends it: for worker processes, which begin with no handlers. */
int fut_stop_signal_number(void);
void fut_stop_listen(void);

/* fut_stop_open(L): in a worker's state, on its thread, after luaL_openlibs: functions of ours
 * take the place of some of the standard library's. */
void fut_stop_open(lua_State *L);

/* fut_stop_use_signal(number): another signal than SIGURG; FUT_ESTATE when it is no signal that
 * can be caught, or too late. For the start of the program. */
enum fut_err fut_stop_use_signal(int number);

/* fut_stop_set_reason(push): how an error object is made: push(L, timeout) pushes one. */
void fut_stop_set_reason(void (*push)(lua_State *L, bool timeout));

/* ---- for the files that replace standard functions ---- */

/* How far down a function is looked for. Each look at a level counts them anew. */
enum { FUT_STOP_LEVELS = 200 };

/* fut_stop_closes_in(L, outer): a level of L's stack is a pcall or xpcall that has caught an
 * error, and what it has called closes a variable.
 * fut_stop_silence(L): an error that is raised in L next is not heard by a handler of the
 * program's. */
bool fut_stop_closes_in(lua_State *L, const lua_Debug *outer);
void fut_stop_silence(lua_State *L);

/* fut_stop_set_protected(L), fut_stop_set_coroutines(L): into the globals of L. */
void fut_stop_set_protected(lua_State *L);
void fut_stop_set_coroutines(lua_State *L);

#endif
