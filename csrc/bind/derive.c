/* SPDX-License-Identifier: MIT */
#include "bind/derive.h"

#include <lauxlib.h>

#include "bind/bare.h"
#include "bind/callback.h"
#include "bind/error.h"
#include "bind/future.h"
#include "vm/interrupt.h"

enum { DERIVED = FUT_CALLBACK_MORE }; /* the user value of a callback of ours */

/* ---- links ---- */

/* A link is a callback, or a userdata without bytes whose user value is an array of them.
 * What a done future keeps is a table. */
bool fut_derive_is(lua_State *L, int index) {
    bool is = lua_getiuservalue(L, index, 1) == LUA_TUSERDATA;
    lua_pop(L, 1);
    return is;
}

void fut_derive_unlink(lua_State *L, int index) {
    index = lua_absindex(L, index);
    if (lua_getiuservalue(L, index, 1) != LUA_TUSERDATA) {
        lua_pop(L, 1);
        return;
    }
    if (lua_rawlen(L, -1) > 0) {
        fut_callback_drop(L, lua_gettop(L));
    } else {
        lua_getiuservalue(L, -1, 1);
        lua_Integer n = (lua_Integer)lua_rawlen(L, -1);
        for (lua_Integer i = 1; i <= n; i++) {
            lua_rawgeti(L, -1, i);
            fut_callback_drop(L, lua_gettop(L));
            lua_pop(L, 1);
        }
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
    lua_pushnil(L);
    lua_setiuservalue(L, index, 1);
}

static int derive_link(lua_State *L) {
    if (fut_future_done(fut_future_check(L, 1))) return 0;
    if (lua_istable(L, 2)) {
        lua_newuserdatauv(L, 0, 1);
        lua_pushvalue(L, 2);
        lua_setiuservalue(L, -2, 1);
        lua_replace(L, 2);
    }
    lua_settop(L, 2);
    lua_setiuservalue(L, 1, 1);
    return 0;
}

static int derive_upstream(lua_State *L) {
    fut_future_check(L, 1);
    if (!fut_derive_is(L, 1)) return 0;
    lua_getiuservalue(L, 1, 1);
    if (lua_rawlen(L, -1) > 0) {
        lua_getiuservalue(L, -1, FUT_CALLBACK_FUTURE);
        return 1;
    }
    lua_getiuservalue(L, -1, 1);
    int callbacks = lua_gettop(L);
    lua_Integer n = (lua_Integer)lua_rawlen(L, callbacks);
    lua_createtable(L, (int)n, 0);
    for (lua_Integer i = 1; i <= n; i++) {
        lua_rawgeti(L, callbacks, i);
        lua_getiuservalue(L, -1, FUT_CALLBACK_FUTURE);
        lua_rawseti(L, callbacks + 1, i);
        lua_pop(L, 1);
    }
    return 1;
}

/* ---- waiting ---- */

bool fut_derive_never_ends(lua_State *L, int index) {
    const struct fut_home *home = fut_home_of(L);
    if (home->asking || !fut_home_defers(home, L)) return false;
    struct fut_future *f = fut_future_check(L, index);
    if (!fut_derive_is(L, index)) return false;
    return !fut_future_done(f) && fut_future_local(f);
}

enum fut_wait fut_derive_refuse_wait(struct fut_home *home) {
    fut_free(home->why);
    home->why = fut_strdup(
        home->in_callback
            ? "the wait can never end: a callback waits for what another callback has to "
              "settle; in a function for 'next', return the future"
            : "the wait can never end: a finalizer waits for what a callback has to settle");
    return FUT_WAIT_NEVER;
}

/* ---- outcomes ---- */

/* settle(handle, ok, ...), without a look at what the handle is */
static int settle(lua_State *L) {
    bool failed = !lua_toboolean(L, 2);
    if (failed && lua_isnil(L, 3)) {
        lua_pushliteral(L, "<no error object>");
        lua_replace(L, 3);
    }
    fut_derive_unlink(L, 1);
    lua_pushboolean(L, fut_future_settle_kept(L, 1, failed, lua_gettop(L) - 2));
    return 1;
}

static int derive_settle(lua_State *L) {
    fut_future_check(L, 1);
    return settle(L);
}

/* pass(handle, future): the outcome of the future, which is done, with its traceback, is that
 * of the handle. */
static int derive_pass(lua_State *L) {
    bool failed;
    fut_future_check(L, 1);
    struct fut_future *f = fut_future_check(L, 2);
    lua_settop(L, 2);
    fut_future_push_traceback(L, 2, f); /* 3 */
    int n = fut_future_push_outcome(L, 2, f, &failed);
    fut_derive_unlink(L, 1);
    bool settled = fut_future_settle_kept(L, 1, failed, n);
    if (settled && !lua_isnil(L, 3)) fut_future_keep_traceback(L, 1);
    return 0;
}

/* The error at the top was raised by the step of a callback. It becomes the outcome, which must
 * come whatever happens: short of memory, the future fails with that. Ctrl-C also goes on to
 * the program, for which it is meant. */
static void step_failed(lua_State *L, int callback) {
    int error = lua_gettop(L);
    lua_getiuservalue(L, callback, DERIVED);
    struct fut_future_handle *h = lua_touserdata(L, -1);
    lua_pushcfunction(L, settle);
    lua_insert(L, -2);
    lua_pushboolean(L, false);
    lua_pushvalue(L, error);
    if (h->future && lua_pcall(L, 3, 0, 0) != LUA_OK) {
        struct fut_outcome o = {0};
        lua_getiuservalue(L, callback, DERIVED);
        fut_bare_entrust(L, lua_gettop(L));
        fut_outcome_fail(&o, FUT_ENOMEM, NULL);
        fut_future_settle(h->future, &o);
    }
    if (fut_interrupt_raised(L, error)) lua_error(L);
    lua_settop(L, error - 1);
}

static int derive_watch(lua_State *L) {
    struct fut_future *f = fut_future_check(L, 2);
    fut_future_check(L, 3);
    fut_callback_add(fut_home_of(L), L, lua_gettop(L), f, step_failed);
    return 1;
}

static int derive_outcome(lua_State *L) {
    bool failed;
    int n = fut_future_push_outcome(L, 1, fut_future_check(L, 1), &failed);
    luaL_checkstack(L, 1, "too many results");
    lua_pushboolean(L, !failed);
    lua_insert(L, -n - 1);
    return n + 1;
}

static const luaL_Reg functions[] = {
    {"watch", derive_watch},
    {"link", derive_link},
    {"upstream", derive_upstream},
    {"settle", derive_settle},
    {"outcome", derive_outcome},
    {"pass", derive_pass},
    {NULL, NULL},
};

void fut_derive_open(lua_State *L) {
    fut_home_set_functions(L, functions);
}
