/* SPDX-License-Identifier: MIT */
#include "bind/home.h"

#include <lauxlib.h>
#include <string.h>

#include "base/alloc.h"
#include "bind/bare.h"
#include "bind/callback.h"
#include "bind/executor.h"
#include "bind/future.h"
#include "vm/interrupt.h"

struct fut_home_executor {
    struct fut_executor *executor;
    struct fut_home_executor *next;
};

/* The registry key of the home. */
static const char home_key;

/* Nothing is to be waited for: it has stopped, or it is another process's. */
static bool executor_done(struct fut_executor *ex) {
    return fut_executor_forked(ex) || fut_future_done(ex->ops->stopped(ex));
}

/* BLOCKING until the executor's workers have finished: outside of Lua, at the end of its
 * state. */
static void wait_stopped(struct fut_executor *ex) {
    if (executor_done(ex)) return;
    struct fut_parker parker;
    struct fut_waiter waiter;
    struct fut_watch watch;
    fut_parker_init(&parker);
    fut_waiter_init(&waiter, &parker);
    fut_watch_init(&watch);
    fut_watch_start(&watch, &waiter, ex->ops->stopped(ex));
    while (!executor_done(ex)) fut_park(&parker, FUT_NEVER);
    fut_watch_stop(&watch);
    fut_waiter_deinit(&waiter);
}

static void release(struct fut_executor *ex) {
    if (!fut_executor_forked(ex)) ex->ops->join(ex);
    fut_executor_drop(ex);
}

/* Lets go of the executors that have stopped: shut down, or collected and finished. */
static void sweep(struct fut_home *home) {
    for (struct fut_home_executor **at = &home->executors; *at;) {
        struct fut_home_executor *e = *at;
        if (!executor_done(e->executor)) {
            at = &e->next;
            continue;
        }
        *at = e->next;
        release(e->executor);
        fut_free(e);
    }
}

void fut_home_check_open(struct fut_home *home, lua_State *L) {
    if (home->closed) luaL_error(L, "futures: the Lua state is being closed");
}

enum fut_err fut_home_adopt(struct fut_home *home, struct fut_executor *ex) {
    sweep(home);
    struct fut_home_executor *e = fut_alloc(sizeof *e);
    if (!e) return FUT_ENOMEM;
    fut_executor_hold(ex);
    e->executor = ex;
    e->next = home->executors;
    home->executors = e;
    return FUT_OK;
}

/* The state closes: what was submitted still runs, as at the end of a Python program. */
static int home_gc(lua_State *L) {
    struct fut_home *home = lua_touserdata(L, 1);
    home->closed = true;
    fut_callback_drop_all(home);
    fut_bare_drop_all(L);
    for (struct fut_home_executor *e = home->executors; e; e = e->next)
        fut_executor_close(e->executor, false);
    while (home->executors) {
        struct fut_home_executor *e = home->executors;
        home->executors = e->next;
        wait_stopped(e->executor);
        release(e->executor);
        fut_free(e);
    }
    fut_waiter_show(&home->inbox, NULL);
    fut_event_close(&home->event);
    fut_waiter_deinit(&home->inbox);
    fut_waiter_deinit(&home->askers);
    fut_free(home->why);
    return 0;
}

struct fut_home *fut_home_open(lua_State *L) {
    lua_rawgetp(L, LUA_REGISTRYINDEX, &home_key);
    struct fut_home *home = lua_touserdata(L, -1);
    lua_pop(L, 1);
    if (home) return home;
    home = lua_newuserdatauv(L, sizeof *home, 0);
    memset(home, 0, sizeof *home);
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, home_gc);
    lua_setfield(L, -2, "__gc");
    lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
    home->main = lua_tothread(L, -1);
    lua_pop(L, 1);
    fut_interrupt_open(L);
    home->forks = fut_process_forks();
    home->untold_last = &home->untold;
    fut_parker_init(&home->parker);
    fut_waiter_init(&home->inbox, &home->parker);
    fut_waiter_init(&home->askers, &home->parker);
    fut_waiter_want(&home->askers, SIZE_MAX); /* wakes nobody */
    fut_waiter_take_questions(&home->askers, &home->inbox);
    lua_setmetatable(L, -2);
    /* Empty so far: the functions need them as upvalues. */
    luaL_newmetatable(L, FUT_FUTURE_TNAME);
    luaL_newmetatable(L, FUT_EXECUTOR_TNAME);
    lua_pop(L, 2);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &home_key);
    return home;
}

void fut_home_new_type(lua_State *L, const char *tname, lua_CFunction gc) {
    luaL_newmetatable(L, tname);
    lua_pushcfunction(L, gc);
    lua_setfield(L, -2, "__gc");
    lua_pushcfunction(L, gc);
    lua_setfield(L, -2, "__close");
    lua_pop(L, 1);
}

void fut_home_push_upvalue(lua_State *L, enum fut_upvalue which) {
    if (which == FUT_UP_HOME)
        lua_rawgetp(L, LUA_REGISTRYINDEX, &home_key);
    else
        luaL_getmetatable(L, which == FUT_UP_FUTURE ? FUT_FUTURE_TNAME : FUT_EXECUTOR_TNAME);
}

void fut_home_set_functions(lua_State *L, const luaL_Reg *functions) {
    for (int i = FUT_UP_HOME; i <= FUT_UP_EXECUTOR; i++) fut_home_push_upvalue(L, i);
    luaL_setfuncs(L, functions, FUT_UP_EXECUTOR);
}

void *fut_home_test(lua_State *L, int index, int metatable) {
    void *p = lua_touserdata(L, index);
    if (!p || !lua_getmetatable(L, index)) return NULL;
    bool is = lua_topointer(L, -1) == lua_topointer(L, lua_upvalueindex(metatable));
    lua_pop(L, 1);
    return is ? p : NULL;
}
