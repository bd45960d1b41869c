/* SPDX-License-Identifier: MIT */
#include "bind/future.h"

#include <lauxlib.h>

#include "bind/bare.h"
#include "bind/callback.h"
#include "bind/derive.h"
#include "bind/error.h"
#include "bind/home.h"
#include "bind/orphan.h"
#include "core/native.h"
#include "core/task.h"
#include "core/waiter.h"
#include "vm/decode.h"
#include "vm/foreign.h"
#include "vm/handle.h"
#include "vm/stop.h"

struct fut_future_handle *fut_future_handle_new(lua_State *L) {
    fut_home_check_open(fut_home_of(L), L);
    struct fut_future_handle *h = lua_newuserdatauv(L, sizeof *h, 1);
    h->future = NULL;
    lua_pushvalue(L, lua_upvalueindex(FUT_UP_FUTURE));
    lua_setmetatable(L, -2);
    return h;
}

struct fut_future *fut_future_test(lua_State *L, int index) {
    struct fut_future_handle *h = fut_home_test(L, index, FUT_UP_FUTURE);
    if (!h) return NULL;
    struct fut_future *f = h->future;
    if (f) fut_orphan_look(f);
    return f;
}

struct fut_future *fut_future_check(lua_State *L, int arg) {
    struct fut_future *f = fut_future_test(L, arg);
    if (!f) {
        if (arg == 1 && !luaL_testudata(L, 1, FUT_FUTURE_TNAME))
            fut_misuse_self(L, FUT_FUTURE_TNAME, "future");
        luaL_checkudata(L, arg, FUT_FUTURE_TNAME);
        luaL_argerror(L, arg, "future was never submitted");
    }
    return f;
}

/* ---- waiting ---- */

static bool is_done(void *arg) {
    if (!fut_future_done(arg)) return false;
    fut_future_sync(arg);
    return true;
}

/* Its callbacks are due, if it has some. */
static bool is_over(lua_State *L, struct fut_future *f) {
    if (!fut_future_done(f)) return false;
    fut_future_sync(f);
    fut_home_safe_point(fut_home_of(L), L);
    return true;
}

static enum fut_wait wait_for(lua_State *L, struct fut_future *f, struct fut_waiting *what) {
    if (is_over(L, f)) return FUT_WAIT_READY;
    struct fut_home *home = fut_home_of(L);
    struct fut_waiter waiter;
    struct fut_watch watch; /* on the C stack: nothing below raises while it is on a list */
    fut_waiter_init(&waiter, &home->parker);
    fut_watch_init(&watch);
    fut_watch_start(&watch, &waiter, f);
    enum fut_wait end = fut_home_wait(home, L, is_done, f, what);
    fut_watch_stop(&watch);
    fut_waiter_deinit(&waiter);
    return end;
}

static bool wait_or_interrupt(lua_State *L, struct fut_future *f, struct fut_waiting *what) {
    enum fut_wait end = wait_for(L, f, what);
    if (end >= FUT_WAIT_INTERRUPTED) fut_home_raise(fut_home_of(L), L, end);
    return end == FUT_WAIT_READY;
}

bool fut_future_wait(lua_State *L, struct fut_future *f, fut_time deadline) {
    struct fut_waiting what;
    fut_waiting_on(&what, f, deadline);
    return wait_or_interrupt(L, f, &what);
}

bool fut_future_wait_stopped(lua_State *L, struct fut_executor *ex, fut_time deadline) {
    struct fut_waiting what;
    fut_waiting_on(&what, ex->ops->stopped(ex), deadline);
    what.executor = ex;
    what.helps = true; /* its tasks may wait for tasks of the pool that runs this one */
    return wait_or_interrupt(L, ex->ops->stopped(ex), &what);
}

bool fut_future_wait_room(lua_State *L, struct fut_future *room, fut_time deadline) {
    struct fut_waiting what;
    fut_waiting_on(&what, room, deadline);
    what.helps = true; /* it may be in the queue of the pool that runs this one */
    return wait_or_interrupt(L, room, &what);
}

static void push_timeout(lua_State *L) {
    fut_error_push(L, "TimeoutError", "1 (of 1) futures unfinished");
}

/* Waits for f, the future at 1, as argument 2 of the method `name` says. */
static enum fut_wait wait_as_told(lua_State *L, struct fut_future *f, const char *name) {
    fut_time deadline = fut_check_timeout(L, 2, 1, name);
    if (is_over(L, f)) return FUT_WAIT_READY;
    if (deadline == FUT_NEVER && fut_derive_never_ends(L, 1))
        return fut_derive_refuse_wait(fut_home_of(L));
    struct fut_waiting what;
    fut_waiting_on(&what, f, deadline);
    enum fut_wait end = wait_for(L, f, &what);
    if (end == FUT_WAIT_INTERRUPTED) fut_home_raise(fut_home_of(L), L, end);
    return end;
}

/* The same, but raises when the future is not done. */
static void wait_or_raise(lua_State *L, struct fut_future *f, const char *name) {
    enum fut_wait end = wait_as_told(L, f, name);
    if (end == FUT_WAIT_READY) return;
    if (end == FUT_WAIT_NEVER) fut_home_raise(fut_home_of(L), L, end);
    push_timeout(L);
    lua_error(L);
}

/* ---- methods ---- */

static int future_result(lua_State *L) {
    bool failed;
    struct fut_future *f = fut_future_check(L, 1);
    wait_or_raise(L, f, "result");
    int n = fut_future_push_outcome(L, 1, f, &failed);
    return failed ? lua_error(L) : n;
}

/* _take(): the same, of one that nobody will ask again: so it keeps nothing. In the window of a
 * map it has grown old, and the collector comes seldom to what is old. */
static int future_take(lua_State *L) {
    lua_settop(L, 1);
    int n = future_result(L);
    struct fut_future_handle *h = lua_touserdata(L, 1);
    lua_pushnil(L);
    lua_setiuservalue(L, 1, 1);
    if (!fut_native_of(h->future)) return n;
    fut_future_drop(h->future);
    h->future = NULL;
    return n;
}

static int future_exception(lua_State *L) {
    bool failed;
    struct fut_future *f = fut_future_check(L, 1);
    wait_or_raise(L, f, "exception");
    int n = fut_future_push_outcome(L, 1, f, &failed);
    if (failed && fut_future_state(f) == FUT_CANCELLED) return lua_error(L);
    if (failed) return 1;
    lua_pop(L, n);
    lua_pushnil(L);
    return 1;
}

static int future_outcome(lua_State *L) {
    bool failed = true;
    int n = 1;
    struct fut_future *f = fut_future_check(L, 1);
    enum fut_wait end = wait_as_told(L, f, "outcome");
    if (end == FUT_WAIT_READY)
        n = fut_future_push_outcome(L, 1, f, &failed);
    else if (end == FUT_WAIT_NEVER)
        fut_home_push_never(fut_home_of(L), L);
    else
        push_timeout(L);
    luaL_checkstack(L, 1, "too many results");
    lua_pushboolean(L, !failed);
    lua_insert(L, -n - 1);
    return n + 1;
}

/* Pending -> cancelled: f, the future at 1. */
static bool cancel(lua_State *L, struct fut_future *f) {
    struct fut_task *t = fut_task_of(f);
    struct fut_native *n = fut_native_of(f);
    if (!t && !n) fut_bare_entrust(L, 1);
    return t ? fut_task_cancel(t) : n ? fut_native_cancel(n) : fut_future_cancel(f);
}

/* _wait(timeout [, ours]): is it done, at the latest after that time? A future of the caller's
 * own is cancelled when the wait is cut short: no Lua code can be relied on to do that, since a
 * task's end goes through pcall. */
static int future_wait(lua_State *L) {
    struct fut_future *f = fut_future_check(L, 1);
    fut_time deadline = fut_check_timeout(L, 2, 1, "_wait");
    struct fut_waiting what;
    fut_waiting_on(&what, f, deadline);
    enum fut_wait end = wait_for(L, f, &what);
    if (end >= FUT_WAIT_INTERRUPTED) {
        if (lua_toboolean(L, 3)) cancel(L, f);
        fut_home_raise(fut_home_of(L), L, end);
    }
    lua_pushboolean(L, end == FUT_WAIT_READY);
    return 1;
}

/* _awaited(): somebody waits for it in a way of his own. */
static int future_awaited(lua_State *L) {
    fut_native_tell(fut_future_check(L, 1));
    return 0;
}

static int future_traceback(lua_State *L) {
    fut_future_push_traceback(L, 1, fut_future_check(L, 1));
    return 1;
}

static int future_cancel(lua_State *L) {
    struct fut_future *f = fut_future_check(L, 1);
    struct fut_task *t = fut_task_of(f);
    if (!lua_isnoneornil(L, 2) && !lua_isboolean(L, 2))
        fut_misuse(L, 1, "cancel", "boolean expected, got %s", luaL_typename(L, 2));
    bool cancelled = cancel(L, f);
    if (cancelled) fut_derive_unlink(L, 1);
    if (!cancelled && t && lua_toboolean(L, 2)) cancelled = fut_task_interrupt(t);
    cancelled = cancelled || fut_future_state(f) == FUT_CANCELLED;
    fut_home_safe_point(fut_home_of(L), L);
    lua_pushboolean(L, cancelled);
    return 1;
}

/* The state as it is now: a task in another process may have started meanwhile. */
static enum fut_state state_of(struct fut_future *f) {
    struct fut_task *t = fut_task_of(f);
    if (t) fut_task_look(t);
    return fut_future_state(f);
}

static const char *state_name(struct fut_future *f) {
    switch (state_of(f)) {
    case FUT_PENDING:
        return "pending";
    case FUT_RUNNING:
        return "running";
    case FUT_FINISHED:
        return "finished";
    default:
        return "cancelled";
    }
}

static int future_state(lua_State *L) {
    lua_pushstring(L, state_name(fut_future_check(L, 1)));
    return 1;
}

static int future_cancelled(lua_State *L) {
    lua_pushboolean(L, fut_future_state(fut_future_check(L, 1)) == FUT_CANCELLED);
    return 1;
}

static int future_running(lua_State *L) {
    lua_pushboolean(L, state_of(fut_future_check(L, 1)) == FUT_RUNNING);
    return 1;
}

static int future_done(lua_State *L) {
    lua_pushboolean(L, fut_future_done(fut_future_check(L, 1)));
    return 1;
}

/* What nobody counts has started once when it runs or ran. */
static int future_attempts(lua_State *L) {
    struct fut_future *f = fut_future_check(L, 1);
    struct fut_task *t = fut_task_of(f);
    struct fut_native *native = fut_native_of(f);
    enum fut_state state = state_of(f);
    lua_Integer n = state == FUT_RUNNING || state == FUT_FINISHED;
    if (t) n = atomic_load_explicit(&t->attempts, memory_order_relaxed);
    if (native && native->class->attempts) n = native->class->attempts(native->context);
    lua_pushinteger(L, n);
    return 1;
}

static int future_add_done_callback(lua_State *L) {
    struct fut_future *f = fut_future_check(L, 1);
    fut_check_callable(L, 2, 1, "add_done_callback");
    lua_settop(L, 2);
    lua_pushvalue(L, 1);
    fut_callback_add(fut_home_of(L), L, 2, f, NULL);
    if (fut_future_done(f)) fut_home_safe_point(fut_home_of(L), L);
    return 0;
}

static void push_count(lua_State *L, double count) {
    lua_Integer integer;
    if (count < 0)
        lua_pushnil(L);
    else if (lua_numbertointeger(count, &integer))
        lua_pushinteger(L, integer);
    else
        lua_pushnumber(L, count);
}

/* progress() -> how much is done, of how much or nil; nothing when nobody knows. */
static int future_progress(lua_State *L) {
    struct fut_native *n = fut_native_of(fut_future_check(L, 1));
    double done = 0, all = -1;
    if (!n || !n->class->progress) return 0;
    n->class->progress(n->context, &done, &all);
    push_count(L, done);
    push_count(L, all);
    return 2;
}

static int future_tostring(lua_State *L) {
    struct fut_future_handle *h = fut_home_test(L, 1, FUT_UP_FUTURE);
    if (!h) return fut_misuse_self(L, FUT_FUTURE_TNAME, "future");
    struct fut_task *t = h->future ? fut_task_of(h->future) : NULL;
    struct fut_native *n = h->future ? fut_native_of(h->future) : NULL;
    const char *name = t && t->options ? t->options->name : n ? n->name : NULL;
    lua_pushfstring(L, name ? "Future: %p '%s' (%s)" : "Future: %p%s (%s)", (void *)h,
                    name ? name : "", h->future ? state_name(h->future) : "empty");
    return 1;
}

static int future_gc(lua_State *L) {
    struct fut_future_handle *h = fut_home_test(L, 1, FUT_UP_FUTURE);
    if (!h) h = luaL_checkudata(L, 1, FUT_FUTURE_TNAME);
    if (!h->future || (!fut_task_of(h->future) && fut_bare_gc(L))) return 0;
    fut_future_drop(h->future);
    h->future = NULL;
    return 0;
}

/* ---- travelling ---- */

static void make_handle(lua_State *L, struct fut_object *object) {
    struct fut_future_handle *h = lua_newuserdatauv(L, sizeof *h, 1);
    h->future = NULL;
    luaL_setmetatable(L, FUT_FUTURE_TNAME);
    fut_object_hold(object);
    h->future = (struct fut_future *)object;
}

static const struct fut_handle_class bare_class = {
    .type = &fut_future_type,
    .tname = FUT_FUTURE_TNAME,
    .home = true,
    .make = make_handle,
    .sent = fut_future_encode_local,
};

static const struct fut_handle_class task_class = {
    .type = &fut_task_type,
    .tname = FUT_FUTURE_TNAME,
    .home = true,
    .make = make_handle,
};

static const struct fut_handle_class native_class = {
    .type = &fut_native_type,
    .tname = FUT_FUTURE_TNAME,
    .home = true,
    .make = make_handle,
};

static const luaL_Reg methods[] = {
    {"result", future_result},     {"exception", future_exception},
    {"outcome", future_outcome},   {"traceback", future_traceback},
    {"_wait", future_wait},        {"cancel", future_cancel},
    {"_awaited", future_awaited},  {"_take", future_take},
    {"state", future_state},       {"cancelled", future_cancelled},
    {"running", future_running},   {"done", future_done},
    {"attempts", future_attempts}, {"add_done_callback", future_add_done_callback},
    {"progress", future_progress}, {NULL, NULL},
};

static const luaL_Reg metamethods[] = {
    {"__tostring", future_tostring},
    {"__gc", future_gc},
    {NULL, NULL},
};

void fut_future_open(lua_State *L) {
    luaL_getmetatable(L, FUT_FUTURE_TNAME);
    fut_home_set_functions(L, metamethods);
    lua_newtable(L);
    fut_home_set_functions(L, methods);
    fut_home_set_functions(L, fut_future_set_methods);
    lua_setfield(L, -2, "__index");
    fut_handle_class_add(&bare_class);
    fut_handle_class_add(&task_class);
    fut_handle_class_add(&native_class);
    lua_pop(L, 1);
}
