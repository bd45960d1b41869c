/* SPDX-License-Identifier: MIT */
#include "bind/wait.h"

#include <lauxlib.h>

#include "bind/derive.h"
#include "bind/error.h"
#include "bind/future.h"
#include "bind/gather.h"
#include "bind/watches.h"

/* Watches the futures of the array at 1 that are done, in the order in which they were done (a
 * watch on a done future is queued at once), then the others. */
static void watch_all(lua_State *L, struct fut_watches *ws) {
    size_t n, done;
    const struct fut_gathered *order = fut_gather_order(L, 1, &n, &done);
    for (size_t k = 0; k < n; k++) {
        lua_rawgeti(L, 1, order[k].position);
        fut_watches_add(ws, L, fut_future_check(L, -1), order[k].position);
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
}

/* Refuses a wait without end for the futures of the array at 1, for all or for one of them,
 * that cannot end. */
static void check_can_end(lua_State *L, fut_time deadline, bool all) {
    if (deadline != FUT_NEVER || !fut_home_defers(fut_home_of(L), L)) return;
    lua_Integer n = (lua_Integer)lua_rawlen(L, 1), never = 0;
    for (lua_Integer i = 1; i <= n; i++) {
        lua_rawgeti(L, 1, i);
        never += fut_derive_never_ends(L, -1);
        lua_pop(L, 1);
    }
    if (all ? never > 0 : n > 0 && never == n)
        fut_home_raise(fut_home_of(L), L, fut_derive_refuse_wait(fut_home_of(L)));
}

/* Has one that is done already failed? Cancelled is no failure. */
static bool has_failed(struct fut_future *f) {
    return fut_future_state(f) == FUT_FINISHED && fut_outcome_is_error(&f->outcome);
}

/* Waits until one of the futures has failed, or all are done. */
static void wait_for_failure(struct fut_watches *ws, lua_State *L, int array,
                             fut_time deadline) {
    bool failed = false;
    while (ws->pending > 0 && !failed && fut_watches_wait(ws, L, 1, deadline)) {
        for (lua_Integer i; !failed && fut_watches_shift(ws, &i);) {
            lua_rawgeti(L, array, i);
            failed = has_failed(fut_future_test(L, -1));
            lua_pop(L, 1);
        }
    }
}

enum wait_mode { ALL_COMPLETED, FIRST_COMPLETED, FIRST_EXCEPTION };

/* wait(array, timeout, mode) -> done, not_done */
static int futures_wait(lua_State *L) {
    static const char *const modes[] = {"ALL_COMPLETED", "FIRST_COMPLETED", "FIRST_EXCEPTION",
                                        NULL};
    fut_time deadline = fut_check_timeout(L, 2, 2, "wait");
    enum wait_mode mode = (enum wait_mode)luaL_checkoption(L, 3, modes[ALL_COMPLETED], modes);
    check_can_end(L, deadline, mode == ALL_COMPLETED);
    lua_settop(L, 3);
    struct fut_watches *ws = fut_watches_new(L, fut_home_of(L));
    watch_all(L, ws);
    size_t n = ws->pending;
    if (mode == FIRST_EXCEPTION && n > 0)
        wait_for_failure(ws, L, 1, deadline);
    else
        fut_watches_wait(ws, L, mode == ALL_COMPLETED || n == 0 ? n : 1, deadline);
    fut_watches_stop(ws);
    lua_createtable(L, mode == ALL_COMPLETED ? (int)n : 0, 0); /* 5 */
    lua_newtable(L);                                           /* 6 */
    lua_Integer counts[2] = {0, 0};
    for (lua_Integer i = 1; i <= (lua_Integer)n; i++) {
        lua_rawgeti(L, 1, i);
        int into = fut_future_done(fut_future_test(L, -1)) ? 0 : 1;
        lua_rawseti(L, 5 + into, ++counts[into]);
    }
    return 2;
}

/* The step function of as_completed has these upvalues after those of every function. */
enum { WATCHES = FUT_UP_EXECUTOR + 1, ARRAY, STEPS };

struct steps {
    fut_time deadline;
};

static int as_completed_step(lua_State *L) {
    struct fut_watches *ws = fut_watches_at(L, lua_upvalueindex(WATCHES));
    struct steps *s = lua_touserdata(L, lua_upvalueindex(STEPS));
    size_t total = lua_rawlen(L, lua_upvalueindex(ARRAY));
    if (ws->pending == 0) {
        fut_home_safe_point(fut_home_of(L), L);
        return 0;
    }
    lua_Integer i;
    do {
        if (!fut_watches_wait(ws, L, 1, s->deadline))
            return fut_error_raise(L, "TimeoutError", "%I (of %I) futures unfinished",
                                   (lua_Integer)ws->pending, (lua_Integer)total);
        if (ws->pending == 0) return 0; /* a callback has taken the last step meanwhile */
    } while (!fut_watches_shift(ws, &i));
    lua_rawgeti(L, lua_upvalueindex(ARRAY), i);
    return 1;
}

/* as_completed(array, timeout) -> step function */
static int futures_as_completed(lua_State *L) {
    fut_time deadline = fut_check_timeout(L, 2, 2, "as_completed");
    check_can_end(L, deadline, false);
    lua_settop(L, 1);
    for (int i = FUT_UP_HOME; i <= FUT_UP_EXECUTOR; i++) lua_pushvalue(L, lua_upvalueindex(i));
    watch_all(L, fut_watches_new(L, fut_home_of(L)));
    lua_pushvalue(L, 1);
    struct steps *s = lua_newuserdatauv(L, sizeof *s, 0);
    s->deadline = deadline;
    lua_pushcclosure(L, as_completed_step, STEPS);
    return 1;
}

static const luaL_Reg functions[] = {
    {"wait", futures_wait},
    {"as_completed", futures_as_completed},
    {NULL, NULL},
};

void fut_wait_open(lua_State *L) {
    fut_home_set_functions(L, functions);
}
