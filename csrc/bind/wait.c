/* SPDX-License-Identifier: MIT */
#include "bind/wait.h"

#include <lauxlib.h>

#include "bind/error.h"
#include "bind/future.h"
#include "bind/watches.h"

/* Pushes watches on all futures of the array at `arg`. */
static struct fut_watches *watch_all(lua_State *L, int arg) {
    luaL_checktype(L, arg, LUA_TTABLE);
    lua_Integer n = (lua_Integer)lua_rawlen(L, arg);
    struct fut_watches *ws = fut_watches_new(L, fut_home_of(L));
    for (lua_Integer i = 1; i <= n; i++) {
        lua_rawgeti(L, arg, i);
        struct fut_future *f = fut_future_test(L, -1);
        if (!f) luaL_error(L, "futures expected, got %s at %I", luaL_typename(L, -1), i);
        fut_watches_add(ws, L, f, i);
        lua_pop(L, 1);
    }
    return ws;
}

/* Has one that is done already failed? Cancelled is no failure. */
static bool has_failed(struct fut_future *f) {
    return fut_future_state(f) == FUT_FINISHED && fut_outcome_is_error(&f->outcome);
}

/* Waits until one of the futures has failed, or all are done. */
static void wait_for_failure(struct fut_watches *ws, lua_State *L, int array, fut_time deadline) {
    bool failed = false;
    while (ws->pending > 0 && !failed && fut_watches_wait(ws, L, 1, deadline)) {
        for (lua_Integer i; !failed && fut_watches_shift(ws, &i);) {
            lua_rawgeti(L, array, i);
            failed = has_failed(fut_future_test(L, -1));
            lua_pop(L, 1);
        }
    }
}

/* wait(array, timeout, mode) -> done, not_done */
static int futures_wait(lua_State *L) {
    static const char *const modes[] = {"ALL_COMPLETED", "FIRST_COMPLETED", "FIRST_EXCEPTION",
                                        NULL};
    fut_time deadline = fut_check_timeout(L, 2);
    int mode = luaL_checkoption(L, 3, "ALL_COMPLETED", modes);
    lua_settop(L, 3);
    struct fut_watches *ws = watch_all(L, 1);
    size_t n = ws->pending;
    if (mode == 2 && n > 0)
        wait_for_failure(ws, L, 1, deadline);
    else
        fut_watches_wait(ws, L, mode == 0 || n == 0 ? n : 1, deadline);
    fut_watches_stop(ws);
    lua_createtable(L, mode == 0 ? (int)n : 0, 0); /* 5 */
    lua_newtable(L);                               /* 6 */
    lua_Integer counts[2] = {0, 0};
    for (lua_Integer i = 1; i <= (lua_Integer)n; i++) {
        lua_rawgeti(L, 1, i);
        int into = fut_future_done(fut_future_test(L, -1)) ? 0 : 1;
        lua_rawseti(L, 5 + into, ++counts[into]);
    }
    return 2;
}

/* as_completed: the iterator's state. Upvalues of the step: home, Future's metatable, watches, array,
 * and this. */
struct steps {
    fut_time deadline;
};

static int as_completed_step(lua_State *L) {
    struct fut_watches *ws = lua_touserdata(L, lua_upvalueindex(3));
    struct steps *s = lua_touserdata(L, lua_upvalueindex(5));
    size_t total = lua_rawlen(L, lua_upvalueindex(4));
    if (ws->pending == 0) {
        fut_home_safe_point(fut_home_of(L), L);
        return 0;
    }
    if (!fut_watches_wait(ws, L, 1, s->deadline))
        return fut_error_raise(L, "TimeoutError", "%I (of %I) futures unfinished",
                               (lua_Integer)ws->pending, (lua_Integer)total);
    lua_Integer i = 0;
    fut_watches_shift(ws, &i);
    lua_rawgeti(L, lua_upvalueindex(4), i);
    return 1;
}

/* as_completed(array, timeout) -> step function */
static int futures_as_completed(lua_State *L) {
    fut_time deadline = fut_check_timeout(L, 2);
    lua_settop(L, 1);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_pushvalue(L, lua_upvalueindex(2));
    watch_all(L, 1);
    lua_pushvalue(L, 1);
    struct steps *s = lua_newuserdatauv(L, sizeof *s, 0);
    s->deadline = deadline;
    lua_pushcclosure(L, as_completed_step, 5);
    return 1;
}

static const luaL_Reg functions[] = {
    {"wait", futures_wait},
    {"as_completed", futures_as_completed},
    {NULL, NULL},
};

void fut_wait_open(lua_State *L) { fut_home_set_functions(L, functions); }
