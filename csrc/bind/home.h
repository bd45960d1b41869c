/* SPDX-License-Identifier: MIT */
/* fut_home: what the library keeps per lua_State: where its blocking calls sleep, which
 * callbacks are due in it, which executors were made in it.
 *
 * STATE: a userdata in the registry, the first that the module makes, so it is the last that
 * lua_close finalizes: it then drops the callbacks and joins the executors.
 * THREADS: that of its lua_State; only the parker and the inbox are touched by others. */
#ifndef FUT_BIND_HOME_H
#define FUT_BIND_HOME_H

#include <lauxlib.h>
#include <lua.h>
#include <stdbool.h>

#include "base/clock.h"
#include "base/spin.h"
#include "core/executor.h"
#include "core/sleeper.h"
#include "core/waiter.h"
#include "core/waiting.h"

struct fut_callback;
struct fut_question;

struct fut_home {
    lua_State *main; /* the main coroutine: where Ctrl-C leaves its hook */
    struct fut_parker parker;
    struct fut_waiter inbox;        /* of callbacks whose future is done, and of questions */
    struct fut_waiter askers;       /* of those that have nothing to ask any more */
    struct fut_event event;         /* shows whether there are some, for event loops */
    struct fut_callback *callbacks; /* those of the registry (bind/callback.h) */
    size_t helpful;                 /* so many of them wait for what could need help */
    struct fut_callback *untold, **untold_last; /* of futures that want to hear of waits */
    struct fut_spin spin;
    struct fut_question *asking; /* what retry_on is asked now, the innermost first */
    struct fut_sleeper asked;    /* waits on behalf of the tasks that it is asked about */
    bool in_callback;
    unsigned ran; /* so many callbacks and questions did */
    bool closed;
    char *why;        /* the last wait could never end, until it is raised; from fut_alloc */
    bool interrupted; /* a Ctrl-C has ended the last wait */
    struct fut_home_executor *executors;
    unsigned forks; /* of this process, when orphans were looked for last */
};

/* The upvalues of every C function of the module: what a hot call would else look up by
 * name. */
enum fut_upvalue { FUT_UP_HOME = 1, FUT_UP_FUTURE, FUT_UP_EXECUTOR };

/* fut_home_open(L): the home of this state, made at the first call. Pushes nothing. */
struct fut_home *fut_home_open(lua_State *L);

/* fut_home_of(L): from the upvalue of the running C function. */
static inline struct fut_home *fut_home_of(lua_State *L) {
    return lua_touserdata(L, lua_upvalueindex(FUT_UP_HOME));
}

/* fut_home_new_type(L, tname, gc): the registry's metatable of that name, for userdata that gc
 * frees, also where it is a variable to be closed. When the module opens: one that is made when
 * first needed would be left half done where memory runs out. */
void fut_home_new_type(lua_State *L, const char *tname, lua_CFunction gc);

/* fut_home_set_functions(L, functions): into the table at the top, each with those upvalues. */
void fut_home_set_functions(lua_State *L, const luaL_Reg *functions);

/* fut_home_push_upvalue(L, which): pushes one of them, for closures that have more. */
void fut_home_push_upvalue(lua_State *L, enum fut_upvalue which);

/* fut_home_test(L, index, metatable): the userdata at index, which has the metatable in that
 * upvalue, or NULL. */
void *fut_home_test(lua_State *L, int index, int metatable);

/* fut_home_check_open(home, L): raises when the state is being closed: what is made then is
 * never finalized, so nobody would stop it. */
void fut_home_check_open(struct fut_home *home, lua_State *L);

/* fut_home_adopt(home, ex): the executor was made here: it is joined when the state closes.
 * Takes a count on success. */
enum fut_err fut_home_adopt(struct fut_home *home, struct fut_executor *ex);

/* From FUT_WAIT_INTERRUPTED on: cut short. */
enum fut_wait { FUT_WAIT_READY, FUT_WAIT_TIMEOUT, FUT_WAIT_INTERRUPTED, FUT_WAIT_NEVER };

/* fut_home_wait(home, L, ready, arg, what): runs the callbacks that are due, and sleeps until
 * ready(arg), what->deadline or Ctrl-C. Whatever makes ready true must unpark the home's
 * parker. `what` says what is waited for; its sources, may_stack and parker are set here: in a
 * task of a pool of threads other tasks may run meanwhile. FUT_WAIT_NEVER: the wait cannot end.
 * BLOCKING. Never raises, so the caller may have watches on its C stack; when it was cut short
 * it cleans up and calls fut_home_raise. */
enum fut_wait fut_home_wait(struct fut_home *home, lua_State *L, bool (*ready)(void *arg),
                            void *arg, struct fut_waiting *what);

/* fut_home_sleep(home, deadline): one sleep of such a wait: until something may have changed.
 * READY means no more than that. BLOCKING. */
enum fut_wait fut_home_sleep(struct fut_home *home, fut_time deadline);

/* fut_home_push_never(home, L): after FUT_WAIT_NEVER: pushes the Error that says why. */
void fut_home_push_never(struct fut_home *home, lua_State *L);

/* fut_home_raise(home, L, end): raises why a wait was cut short: `interrupted!` or an
 * Error. */
int fut_home_raise(struct fut_home *home, lua_State *L, enum fut_wait end);

/* fut_home_defers(home, L): no callback runs now: inside of another one, and in a finalizer,
 * which may have interrupted any code. The collector says where that is from Lua 5.4.4 on. */
static inline bool fut_home_defers(const struct fut_home *home, lua_State *L) {
    return home->in_callback || lua_gc(L, LUA_GCISRUNNING) < 0;
}

/* fut_home_run_due(home, L, interrupted): runs the callbacks that are due, and answers
 * questions; where callbacks are deferred only these. How many there were. *interrupted stays
 * false unless one of them was ended by Ctrl-C. Never raises. */
int fut_home_run_due(struct fut_home *home, lua_State *L, bool *interrupted);

/* fut_home_safe_point(home, L): a safe point that does not wait: runs what is due; may raise
 * `interrupted!`. */
static inline void fut_home_safe_point(struct fut_home *home, lua_State *L) {
    if (fut_waiter_queued(&home->inbox) == 0 || home->in_callback) return;
    bool interrupted = false;
    fut_home_run_due(home, L, &interrupted);
    if (interrupted) fut_home_raise(home, L, FUT_WAIT_INTERRUPTED);
}

#endif
