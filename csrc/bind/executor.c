/* SPDX-License-Identifier: MIT */
#include "bind/executor.h"

#include <lauxlib.h>
#include <lualib.h>

#include "bind/error.h"
#include "bind/future.h"
#include "bind/home.h"
#include "bind/submit.h"
#include "pool/process_pool.h"
#include "pool/thread_pool.h"
#include "vm/handle.h"

struct fut_executor *fut_executor_check(lua_State *L, int arg) {
    struct fut_executor_handle *h = fut_home_test(L, arg, FUT_UP_EXECUTOR);
    if (!h && arg == 1) fut_misuse_self(L, FUT_EXECUTOR_TNAME, "executor");
    if (!h) h = luaL_checkudata(L, arg, FUT_EXECUTOR_TNAME);
    luaL_argcheck(L, h->executor, arg, "executor was never opened");
    return h->executor;
}

struct fut_executor_handle *fut_executor_handle_new(lua_State *L) {
    struct fut_executor_handle *h = lua_newuserdatauv(L, sizeof *h, 0);
    *h = (struct fut_executor_handle){0};
    luaL_setmetatable(L, FUT_EXECUTOR_TNAME);
    return h;
}

/* ---- the end of an executor ---- */

/* shutdown(wait, cancel_futures, timeout): plain arguments, the options were checked in Lua. */
static int executor_shutdown(lua_State *L) {
    struct fut_executor *ex = fut_executor_check(L, 1);
    bool wait = lua_toboolean(L, 2);
    fut_time deadline = fut_check_timeout(L, 4, 1, "shutdown");
    if (wait && fut_executor_current() == ex)
        return fut_error_raise(L, "Error",
                               "cannot wait for the shutdown of an executor in a task of "
                               "its own: it would wait for itself");
    if (fut_executor_forked(ex)) { /* nothing of it is in this process */
        lua_pushboolean(L, true);
        return 1;
    }
    ex->ops->close(ex, lua_toboolean(L, 3));
    bool stopped = wait && fut_future_wait_stopped(L, ex, deadline);
    if (stopped) ex->ops->join(ex);
    lua_pushboolean(L, stopped || !wait);
    return 1;
}

/* _kill(method, signal): what the method of that name does. */
static int executor_kill(lua_State *L) {
    struct fut_executor *ex = fut_executor_check(L, 1);
    if (!ex->ops->kill)
        return fut_error_raise(L, "Error",
                               "'%s' is for pools of processes: a thread cannot "
                               "be ended from outside",
                               luaL_checkstring(L, 2));
    if (fut_executor_forked(ex))
        return fut_error_raise(L, "Error", "%s", fut_err_text(FUT_EFORKED));
    ex->ops->kill(ex, (int)luaL_checkinteger(L, 3));
    fut_home_safe_point(fut_home_of(L), L);
    return 0;
}

static int executor_gc(lua_State *L) {
    struct fut_executor_handle *h = luaL_checkudata(L, 1, FUT_EXECUTOR_TNAME);
    struct fut_executor *ex = h->executor;
    h->executor = NULL;
    if (!ex) return 0;
    if (h->owner) fut_executor_close(ex, false); /* its queue still runs; the home joins it */
    fut_executor_drop(ex);
    return 0;
}

/* ---- what one can ask ---- */

static void push_times(lua_State *L, const struct fut_times *t) {
    lua_createtable(L, 0, 4);
    lua_pushnumber(L, t->p50);
    lua_setfield(L, -2, "p50");
    lua_pushnumber(L, t->p99);
    lua_setfield(L, -2, "p99");
    lua_pushnumber(L, t->max);
    lua_setfield(L, -2, "max");
    lua_pushnumber(L, t->mean);
    lua_setfield(L, -2, "mean");
}

static int executor_stats(lua_State *L) {
    struct fut_executor *ex = fut_executor_check(L, 1);
    struct fut_executor_stats s;
    fut_executor_stats_of(ex, &s);
    const struct {
        const char *name;
        uint64_t value;
    } rows[] = {
        {"workers", s.workers}, {"idle", s.idle},           {"pending", s.pending},
        {"running", s.running}, {"submitted", s.submitted}, {"completed", s.completed},
        {"failed", s.failed},   {"cancelled", s.cancelled}, {"lost", s.lost},
        {"retried", s.retried},
    };
    lua_createtable(L, 0, sizeof rows / sizeof rows[0] + 2);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        lua_pushinteger(L, (lua_Integer)rows[i].value);
        lua_setfield(L, -2, rows[i].name);
    }
    push_times(L, &s.wait);
    lua_setfield(L, -2, "wait");
    push_times(L, &s.run);
    lua_setfield(L, -2, "run");
    return 1;
}

static int executor_tostring(lua_State *L) {
    struct fut_executor *ex = fut_executor_check(L, 1);
    struct fut_executor_stats s;
    fut_executor_stats_of(ex, &s);
    lua_pushfstring(L, "%s: %p (%d workers, %d pending, %d running)",
                    ex->process ? "ProcessPoolExecutor" : "ThreadPoolExecutor", (void *)ex,
                    (int)s.workers, (int)s.pending, (int)s.running);
    return 1;
}

/* ---- travelling ---- */

static void make_handle(lua_State *L, struct fut_object *object) {
    struct fut_executor_handle *h = fut_executor_handle_new(L);
    fut_object_hold(object);
    h->executor = (struct fut_executor *)object;
}

static const struct fut_handle_class thread_pool_class = {
    .type = &fut_thread_pool_type,
    .tname = FUT_EXECUTOR_TNAME,
    .make = make_handle,
};

static const struct fut_handle_class process_pool_class = {
    .type = &fut_process_pool_type,
    .tname = FUT_EXECUTOR_TNAME,
    .make = make_handle,
};

static const luaL_Reg methods[] = {
    {"_shutdown", executor_shutdown},
    {"_kill", executor_kill},
    {"stats", executor_stats},
    {NULL, NULL},
};

static const luaL_Reg metamethods[] = {
    {"__gc", executor_gc},
    {"__tostring", executor_tostring},
    {NULL, NULL},
};

void fut_executor_open(lua_State *L) {
    luaL_getmetatable(L, FUT_EXECUTOR_TNAME);
    fut_home_set_functions(L, metamethods);
    lua_newtable(L);
    fut_home_set_functions(L, methods);
    fut_home_set_functions(L, fut_submit_methods);
    lua_setfield(L, -2, "__index");
    fut_handle_class_add(&thread_pool_class);
    fut_handle_class_add(&process_pool_class);
    lua_setfield(L, -2, "Executor"); /* the facade adds methods of its own */
}
