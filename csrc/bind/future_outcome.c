/* SPDX-License-Identifier: MIT */
/* What a future that is done gives: its values, kept for the next time, or its error. */
#include <lauxlib.h>

#include "bind/error.h"
#include "bind/future.h"
#include "core/task.h"
#include "vm/decode.h"
#include "vm/stop.h"

void fut_future_keep(lua_State *L, int index, int n) {
    index = lua_absindex(L, index);
    lua_createtable(L, n, 1);
    lua_insert(L, -n - 1);
    for (int i = n; i >= 1; i--) lua_rawseti(L, -i - 1, i);
    lua_pushinteger(L, n);
    lua_setfield(L, -2, "n");
    lua_setiuservalue(L, index, 1);
}

/* In place of the number of kept values: they could not be rebuilt here, and what is kept is
 * the error that this raised. */
enum { NOT_REBUILT = -1 };

/* Pushes the kept values, or nothing and -1 when there are none. */
static int push_kept(lua_State *L, int index, bool *failed) {
    if (lua_getiuservalue(L, index, 1) != LUA_TTABLE) {
        lua_pop(L, 1);
        return -1;
    }
    int kept = lua_gettop(L);
    lua_getfield(L, kept, "n");
    int n = (int)lua_tointeger(L, -1);
    lua_pop(L, 1);
    if (n == NOT_REBUILT) {
        *failed = true;
        n = 1;
    }
    luaL_checkstack(L, n, "too many results");
    for (int i = 1; i <= n; i++) lua_rawgeti(L, kept, i);
    lua_remove(L, kept);
    return n;
}

static bool is_process(const struct fut_future *f) {
    const struct fut_task *t = fut_task_of((struct fut_future *)f);
    return t && t->executor->process;
}

struct fut_route fut_future_route(const struct fut_future *f) {
    return (struct fut_route){.home = true, .process = is_process(f)};
}

/* Scalars are kept nowhere: to decode them again gives the same. -1: it is not only them. */
static int push_plain(lua_State *L, struct fut_future *f) {
    struct fut_decoder d;
    int n;
    fut_decoder_init(&d, &f->outcome.payload, fut_future_route(f));
    return fut_decoder_plain(&d) && fut_decoder_sequence(&d, L, &n) == FUT_OK ? n : -1;
}

static int decode(lua_State *L, const struct fut_future *f, const struct fut_outcome *o) {
    struct fut_decoder d;
    int n;
    fut_decoder_init(&d, &o->payload, fut_future_route(f));
    if (fut_decoder_sequence(&d, L, &n) != FUT_OK)
        return fut_error_raise(L, "TransferError", "cannot decode the outcome: %s", d.message);
    return n;
}

void fut_future_push_error(lua_State *L, const struct fut_future *f,
                           const struct fut_outcome *o) {
    if (o->kind == FUT_OUTCOME_ERROR)
        lua_pop(L, decode(L, f, o) - 1);
    else
        fut_error_push_failure(L, o, is_process(f));
}

static int decode_own(lua_State *L) {
    struct fut_future *f = lua_touserdata(L, 1);
    lua_settop(L, 0);
    return decode(L, f, &f->outcome);
}

/* Rebuilding may run other code: modules are required, __persist closures called. Their error
 * is then the outcome here; only a lack of memory is worth another try. */
static int push_rebuilt(lua_State *L, int index, struct fut_future *f, bool *failed) {
    int top = lua_gettop(L);
    bool raising = fut_stop_raising();
    lua_pushcfunction(L, decode_own);
    lua_pushlightuserdata(L, f);
    int status = lua_pcall(L, 1, LUA_MULTRET, 0);
    if (fut_stop_caught(raising)) return fut_stop_raise(L);
    if (status == LUA_ERRMEM) return lua_error(L);
    fut_future_keep(L, index, lua_gettop(L) - top);
    if (status != LUA_OK) {
        lua_getiuservalue(L, index, 1);
        lua_pushinteger(L, NOT_REBUILT);
        lua_setfield(L, -2, "n");
        lua_pop(L, 1);
    }
    return push_kept(L, index, failed);
}

static int push_failure(lua_State *L, int index, struct fut_future *f, bool *failed) {
    const struct fut_outcome *o = &f->outcome;
    *failed = true;
    if (o->kind == FUT_OUTCOME_FAILURE)
        fut_error_push_failure(L, o, is_process(f));
    else
        fut_error_push(L, "TransferError", "%s", o->text ? o->text : "not enough memory");
    fut_future_keep(L, index, 1);
    return push_kept(L, index, failed);
}

int fut_future_push_outcome(lua_State *L, int index, struct fut_future *f, bool *failed) {
    index = lua_absindex(L, index);
    if (fut_future_state(f) == FUT_CANCELLED) {
        *failed = true;
        fut_error_push(L, "CancelledError", "the future was cancelled");
        return 1;
    }
    const struct fut_outcome *o = &f->outcome;
    *failed = fut_outcome_is_error(o);
    int n = push_plain(L, f);
    if (n < 0) n = push_kept(L, index, failed);
    if (n >= 0) return n;
    bool has_payload =
        o->kind == FUT_OUTCOME_VALUES || o->kind == FUT_OUTCOME_ERROR || o->payload.len > 0;
    if (!has_payload) return push_failure(L, index, f, failed);
    return push_rebuilt(L, index, f, failed);
}

void fut_future_keep_traceback(lua_State *L, int index) {
    index = lua_absindex(L, index);
    lua_getiuservalue(L, index, 1);
    lua_insert(L, -2);
    lua_setfield(L, -2, "traceback");
    lua_pop(L, 1);
}

void fut_future_push_traceback(lua_State *L, int index, struct fut_future *f) {
    const struct fut_outcome *o = &f->outcome;
    if (!fut_future_done(f)) {
        lua_pushnil(L);
    } else if (o->kind == FUT_OUTCOME_ERROR) {
        lua_pushstring(L, o->text); /* NULL is nil */
    } else if (lua_getiuservalue(L, index, 1) == LUA_TTABLE) {
        lua_getfield(L, -1, "traceback");
        lua_remove(L, -2);
    }
}
