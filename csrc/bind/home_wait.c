/* SPDX-License-Identifier: MIT */
/* What a blocking call of this state does: runs the callbacks that are due, and sleeps. */
#include <lauxlib.h>

#include "base/alloc.h"
#include "bind/asker.h"
#include "bind/callback.h"
#include "bind/error.h"
#include "bind/home.h"
#include "vm/interrupt.h"
#include "vm/lua_worker.h"
#include "vm/run.h"
#include "vm/stop.h"

/* ---- callbacks ---- */

/* Warns of an error in a callback: "futures: error in a callback: ...". */
static int warn_of(lua_State *L) {
    const char *text = lua_isnil(L, 1) ? "<no error object>" : fut_error_text(L, 1);
    lua_pushfstring(L, "futures: error in %s: %s", lua_tostring(L, 2), text);
    lua_warning(L, lua_tostring(L, -1), 0);
    return 0;
}

/* Runs one; false when it is to be tried another time. *interrupted: it was ended by what is
 * meant for the program or for the task: Ctrl-C, or the task's end. Else its error goes to
 * `warn`. */
static bool run_callback(lua_State *L, struct fut_watch *watch, bool *interrupted) {
    bool raising = fut_stop_raising();
    struct fut_callback_call call = {.callback = (struct fut_callback *)watch};
    lua_pushcfunction(L, fut_callback_run);
    lua_pushlightuserdata(L, &call);
    if (lua_pcall(L, 1, 0, 0) == LUA_OK) return true;
    *interrupted = fut_stop_caught(raising) || (call.begun && fut_interrupt_raised(L, -1));
    if (!*interrupted && call.begun) {
        lua_pushcfunction(L, warn_of);
        lua_insert(L, -2);
        lua_pushstring(L, call.what);
        int status = lua_pcall(L, 2, 0, 0);
        *interrupted = fut_stop_caught(raising); /* by the error value's __tostring */
        if (status == LUA_OK) return true;
    }
    lua_pop(L, 1);
    return call.begun || *interrupted;
}

/* Where callbacks are deferred only questions: what one waits for there may be a task that is
 * asked about. */
static struct fut_watch *next_due(struct fut_home *home, bool defers) {
    if (fut_waiter_queued(&home->inbox) == 0) return NULL;
    return defers ? fut_waiter_find(&home->inbox, fut_callback_asks)
                  : fut_waiter_first(&home->inbox);
}

int fut_home_run_due(struct fut_home *home, lua_State *L, bool *interrupted) {
    int ran = 0;
    bool inside = home->in_callback;
    bool defers = fut_waiter_queued(&home->inbox) > 0 && fut_home_defers(home, L);
    if (fut_waiter_queued(&home->askers) > 0) fut_callback_sweep(home, L);
    if (home->closed || !lua_checkstack(L, LUA_MINSTACK)) return 0;
    home->in_callback = true;
    for (struct fut_watch *watch; !*interrupted && (watch = next_due(home, defers)); ran++)
        if (!run_callback(L, watch, interrupted)) break;
    home->in_callback = inside;
    home->ran += (unsigned)ran;
    return ran;
}

/* ---- why a wait was cut short ---- */

static const char left_alone[] = "the wait can never end: all workers of the pool wait for "
                                 "queued tasks, and no more can be started";

void fut_home_push_never(struct fut_home *home, lua_State *L) {
    char *why = home->why;
    home->why = NULL;
    if (why)
        fut_error_push_text(L, "Error", why);
    else
        fut_error_push(L, "Error", "%s", left_alone);
}

int fut_home_raise(struct fut_home *home, lua_State *L, enum fut_wait end) {
    if (end == FUT_WAIT_NEVER) {
        fut_home_push_never(home, L);
        return lua_error(L);
    }
    if (fut_stop_due(home->main) || fut_stop_raising()) return fut_stop_raise(L);
    home->interrupted = true;
    if (fut_interrupt_due(home->main)) return fut_interrupt_raise(L, home->main);
    return luaL_error(L, "interrupted!"); /* a callback has taken the hook */
}

/* ---- sleeping ---- */

/* Ctrl-C wakes a wait with EINTR when the signal reaches this thread. Should another thread of
 * the program take it, or should it come just before the sleep, the wait looks again after
 * this. */
enum { LOOK_MS = 50 };

/* Looks without sleeping for a short while. */
static void spin(struct fut_home *home, fut_time deadline) {
    fut_time until = fut_spin_until(&home->spin);
    if (until > deadline) until = deadline;
    bool found = false;
    do {
        for (int i = 0; i < 32 && !found; i++) {
            found = fut_parker_poll(&home->parker);
            fut_pause();
        }
    } while (!found && fut_now() < until);
    fut_spin_learn(&home->spin, found);
}

/* In a task by its end: its hook looks like that of Ctrl-C, but may have to wait. */
static bool is_interrupted(struct fut_home *home) {
    return fut_stop_running ? fut_stop_due(home->main) : fut_interrupt_due(home->main);
}

enum fut_wait fut_home_sleep(struct fut_home *home, fut_time deadline) {
    fut_callback_tell(home);
    if (is_interrupted(home)) return FUT_WAIT_INTERRUPTED;
    fut_time now = fut_now();
    if (now >= deadline) return FUT_WAIT_TIMEOUT;
    spin(home, deadline);
    fut_time until = now + LOOK_MS * FUT_MS;
    bool woken = fut_park(&home->parker, until < deadline ? until : deadline);
    if (woken && fut_now() - now < 2 * FUT_SPIN_SHORT) fut_spin_learn(&home->spin, true);
    return FUT_WAIT_READY;
}

/* ---- waiting ---- */

/* A callback of this state may be what settles the future: one of `next`, say. */
static bool may_help(const struct fut_home *home, const struct fut_waiting *what) {
    return what->helps || (what->each && home->helpful > 0);
}

/* In a task of a pool of threads: sleeps, or runs another task meanwhile. READY: look again. A
 * callback that waits has no other task on top: what that waits for may be another callback,
 * and none runs inside of one. */
static enum fut_wait help_or_sleep(struct fut_home *home, lua_State *L,
                                   bool (*ready)(void *arg), void *arg,
                                   struct fut_waiting *what) {
    struct fut_executor *ex = fut_executor_current();
    if (is_interrupted(home)) return FUT_WAIT_INTERRUPTED;
    if (fut_now() >= what->deadline) return FUT_WAIT_TIMEOUT;
    what->sources = home;
    what->each_source = NULL; /* callbacks, which may be many: looked at after a first sleep */
    for (;;) { /* what ends the wait is seen before `again` is promised, not after it */
        if (what->tell) what->tell(what->arg);
        what->parker = &home->parker;
        what->may_stack = !home->in_callback && fut_lua_worker_can_nest(L);
        enum fut_help help = ex->ops->wait_begin(ex, what);
        if (help == FUT_HELP_RAN) return FUT_WAIT_READY;
        if (help == FUT_HELP_NEVER) {
            fut_free(home->why); /* of one that nobody raised */
            home->why = what->why;
            return FUT_WAIT_NEVER;
        }
        enum fut_wait end = fut_home_sleep(home, what->deadline);
        bool again = end == FUT_WAIT_READY && !is_interrupted(home) && !ready(arg) &&
                     fut_waiter_queued(&home->inbox) == 0;
        ex->ops->wait_end(ex, again);
        if (!again) return end;
        what->each_source = fut_callback_each;
    }
}

static enum fut_wait sleep_once(struct fut_home *home, lua_State *L, bool (*ready)(void *arg),
                                void *arg, struct fut_waiting *what) {
    struct fut_executor *ex = fut_executor_current();
    bool in_task = ex && ex->ops->wait_begin && !fut_executor_forked(ex);
    if (in_task && may_help(home, what)) return help_or_sleep(home, L, ready, arg, what);
    if (what->tell) what->tell(what->arg);
    return fut_home_sleep(home, what->deadline);
}

/* Inside of retry_on. Others look at a copy, for help_or_sleep writes to `what`. */
static enum fut_wait sleep_asked(struct fut_home *home, lua_State *L, bool (*ready)(void *arg),
                                 void *arg, struct fut_waiting *what) {
    struct fut_waiting seen = *what;
    seen.each_source = fut_asker_each;
    seen.sources = home;
    fut_free(home->why); /* of a wait that nobody raised */
    home->why = NULL;
    if (!fut_sleeper_begin(&home->asked, &seen, &home->why)) return FUT_WAIT_NEVER;
    enum fut_wait end = sleep_once(home, L, ready, arg, what);
    fut_sleeper_end(&home->asked);
    return end;
}

enum fut_wait fut_home_wait(struct fut_home *home, lua_State *L, bool (*ready)(void *arg),
                            void *arg, struct fut_waiting *what) {
    bool asked = home->asking && what->deadline == FUT_NEVER;
    home->interrupted = false;
    fut_callback_look(home);
    for (;;) {
        bool interrupted = false;
        bool is_ready = ready(arg); /* first: the callbacks of what is ready are due now */
        fut_home_run_due(home, L, &interrupted);
        if (interrupted) return FUT_WAIT_INTERRUPTED;
        if (is_ready) return FUT_WAIT_READY;
        enum fut_wait end = asked ? sleep_asked(home, L, ready, arg, what)
                                  : sleep_once(home, L, ready, arg, what);
        if (end != FUT_WAIT_READY) return end;
    }
}
