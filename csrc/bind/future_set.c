/* SPDX-License-Identifier: MIT */
/* Bare futures: outcomes that Lua code sets. The values stay uncopied in the state that set
 * them; a copy is encoded only when another state can know the future (it was sent to a
 * task). */
#include <lauxlib.h>

#include "bind/bare.h"
#include "bind/derive.h"
#include "bind/error.h"
#include "bind/future.h"
#include "core/task.h"
#include "vm/encode.h"

static const char *encode_kept(lua_State *L, struct fut_payload *payload, int first, int n,
                               bool error) {
    const char *message = NULL;
    enum fut_role role = error ? FUT_ROLE_ERROR : FUT_ROLE_RESULT;
    enum fut_err err =
        fut_encode(L, (struct fut_route){.home = true}, first, n, role, payload, &message);
    if (err == FUT_ENOMEM) luaL_error(L, "not enough memory");
    return err == FUT_OK ? NULL : message;
}

void fut_future_encode_local(lua_State *L, int index) {
    index = lua_absindex(L, index);
    struct fut_future *f = ((struct fut_future_handle *)lua_touserdata(L, index))->future;
    fut_bare_entrust(L, index);
    bool was_local = atomic_exchange_explicit(&f->local, false, memory_order_relaxed);
    if (!was_local || !fut_future_done(f) || f->outcome.kind != FUT_OUTCOME_LOCAL) return;
    /* Only this state knows it so far, so nobody reads the outcome that grows its payload
     * here. */
    int top = lua_gettop(L);
    lua_getiuservalue(L, index, 1);
    lua_getfield(L, -1, "n");
    int n = (int)lua_tointeger(L, -1);
    lua_pop(L, 1);
    luaL_checkstack(L, n, "too many results");
    for (int i = 1; i <= n; i++) lua_rawgeti(L, top + 1, i);
    const char *why = encode_kept(L, &f->outcome.payload, top + 2, n, f->outcome.failed);
    if (why) f->outcome.text = fut_strdup(why); /* whoever asks elsewhere is told */
    lua_settop(L, top);
}

bool fut_future_settle_kept(lua_State *L, int index, bool failed, int n) {
    index = lua_absindex(L, index);
    struct fut_future *f = ((struct fut_future_handle *)lua_touserdata(L, index))->future;
    struct fut_outcome o = {.kind = FUT_OUTCOME_LOCAL, .failed = failed};
    if (!fut_future_done(f) && !fut_future_local(f)) {
        const char *why = encode_kept(L, &o.payload, lua_absindex(L, -n), n, failed);
        if (why) o.text = fut_strdup(why);
    }
    fut_future_keep(L, index, n);
    fut_bare_entrust(L, index);
    if (fut_future_settle(f, &o)) return true;
    /* The outcome that stands is decoded when it is asked for. */
    fut_outcome_deinit(&o);
    lua_pushnil(L);
    lua_setiuservalue(L, index, 1);
    return false;
}

/* Others have somebody who settles them. */
static bool is_bare(const struct fut_future *f) {
    return f->object.type == &fut_future_type;
}

/* Settles the future at 1 with the values from 2 on. */
static int set(lua_State *L, bool failed) {
    struct fut_future *f = fut_future_check(L, 1);
    int n = lua_gettop(L) - 1;
    if (!is_bare(f))
        return fut_error_raise(L, "InvalidStateError",
                               "only its executor sets the outcome of a task");
    if (fut_future_done(f))
        return fut_error_raise(L, "InvalidStateError", "the future is done already: %s",
                               fut_future_state(f) == FUT_CANCELLED ? "cancelled" : "finished");
    if (fut_derive_is(L, 1))
        return fut_error_raise(L, "InvalidStateError",
                               "the outcome of a derived future comes from others");
    struct fut_outcome o = {.kind = FUT_OUTCOME_LOCAL, .failed = failed};
    if (!fut_future_local(f)) {
        const char *why = encode_kept(L, &o.payload, 2, n, failed);
        if (why) return fut_error_raise(L, "TransferError", "%s", why);
    }
    fut_bare_entrust(L, 1);
    if (!fut_future_settle(f, &o)) { /* another state was quicker */
        fut_outcome_deinit(&o);
        return fut_error_raise(L, "InvalidStateError", "the future is done already");
    }
    fut_future_keep(L, 1, n);
    return 0;
}

static int future_set_result(lua_State *L) {
    return set(L, false);
}

static int future_set_exception(lua_State *L) {
    fut_future_check(L, 1);
    luaL_checkany(L, 2);
    lua_settop(L, 2);
    if (lua_isnil(L, 2)) {
        lua_pushliteral(L, "<no error object>");
        lua_replace(L, 2);
    }
    return set(L, true);
}

static int future_set_running(lua_State *L) {
    struct fut_future *f = fut_future_check(L, 1);
    bool bare = is_bare(f) && !fut_derive_is(L, 1);
    bool started = bare && fut_future_start(f);
    if (!started && (!bare || fut_future_state(f) != FUT_CANCELLED))
        return fut_error_raise(L, "InvalidStateError", "the future is not pending");
    lua_pushboolean(L, started);
    return 1;
}

const luaL_Reg fut_future_set_methods[] = {
    {"set_result", future_set_result},
    {"set_exception", future_set_exception},
    {"set_running_or_notify_cancel", future_set_running},
    {NULL, NULL},
};
