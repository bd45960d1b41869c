/* SPDX-License-Identifier: MIT */
#include "bind/submit.h"

#include "bind/asker.h"
#include "bind/callback.h"
#include "bind/error.h"
#include "bind/executor.h"
#include "bind/future.h"
#include "bind/home.h"
#include "vm/encode.h"
#include "vm/lua_worker.h"

#define TNAME "futures.TaskOptions"

/* ---- options ---- */

struct handle {
    struct fut_task_options *options;
};

struct fut_task_options *fut_submit_options(lua_State *L, int index) {
    if (lua_isnoneornil(L, index)) return NULL;
    return ((struct handle *)luaL_checkudata(L, index, TNAME))->options;
}

static double number_field(lua_State *L, int index, const char *name) {
    lua_getfield(L, index, name);
    double value = lua_tonumber(L, -1); /* 0 for nil */
    lua_pop(L, 1);
    return value;
}

static fut_time seconds_field(lua_State *L, int index, const char *name) {
    double seconds = number_field(L, index, name);
    return seconds < 1e9 ? (fut_time)(seconds * (double)FUT_SECOND) : FUT_NEVER;
}

/* The field `retries`, a table, which asks for nothing when it is not there. */
static void retries_field(lua_State *L, int index, struct fut_rerun_rule *rule) {
    if (lua_getfield(L, index, "retries") == LUA_TTABLE) {
        int at = lua_gettop(L);
        rule->max = (unsigned)number_field(L, at, "max");
        rule->backoff.first_s = number_field(L, at, "backoff");
        rule->backoff.factor = number_field(L, at, "factor");
        rule->backoff.max_s = number_field(L, at, "max_delay");
        lua_getfield(L, at, "jitter");
        rule->backoff.jitter = lua_toboolean(L, -1);
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
}

/* task_options{ name, priority, timeout, retries, retry_on }: lua/futures/executor.lua has
 * checked the table. */
static int new_options(lua_State *L) {
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    struct handle *h = lua_newuserdatauv(L, sizeof *h, 1);
    h->options = NULL;
    luaL_setmetatable(L, TNAME);
    size_t len = 0;
    lua_getfield(L, 1, "name");
    const char *name = lua_tolstring(L, -1, &len);
    struct fut_task_options *o = h->options = fut_task_options_new(name, len);
    if (!o) return luaL_error(L, "not enough memory");
    o->priority = number_field(L, 1, "priority");
    o->timeout = seconds_field(L, 1, "timeout");
    retries_field(L, 1, &o->rerun);
    lua_settop(L, 2);
    lua_getfield(L, 1, "retry_on");
    o->rerun.asks = !lua_isnil(L, -1);
    lua_setiuservalue(L, 2, 1);
    return 1;
}

static int options_gc(lua_State *L) {
    struct handle *h = luaL_checkudata(L, 1, TNAME);
    if (h->options) fut_task_options_drop(h->options);
    h->options = NULL;
    return 0;
}

static const luaL_Reg functions[] = {
    {"task_options", new_options},
    {NULL, NULL},
};

void fut_submit_open(lua_State *L) {
    fut_home_set_functions(L, functions);
    fut_asker_open(L);
    fut_home_new_type(L, TNAME, options_gc);
}

/* ---- submit ---- */

static void encode_call(lua_State *L, int first, int n, bool process, struct fut_payload *out) {
    struct fut_encoder *e = fut_encoder_begin(L, (struct fut_route){.process = process});
    enum fut_err err = fut_encoder_byte(e, FUT_CALL_ONE);
    if (err == FUT_OK) err = fut_encoder_sequence(e, L, first, n, FUT_ROLE_CALL);
    if (err == FUT_OK) err = fut_encoder_end(e, out);
    fut_error_check_encoded(L, e, err);
}

/* Waits until another try is worth it; false when the deadline passed first. */
static bool wait_for_room(lua_State *L, struct fut_executor *ex, bool patient,
                          fut_time deadline) {
    struct fut_future_handle *h = fut_future_handle_new(L); /* who owns the future */
    enum fut_err err = ex->ops->room(ex, patient, &h->future);
    if (err != FUT_OK) fut_error_raise_submit(L, ex, err);
    bool room = !h->future || fut_future_wait_room(L, h->future, deadline);
    lua_pop(L, 1);
    return room;
}

bool fut_submit(lua_State *L, struct fut_executor *ex, struct fut_task *t, bool waits) {
    enum fut_err err;
    while ((err = fut_executor_submit(ex, &t, 1)) == FUT_EFULL) {
        if (!waits) return false;
        wait_for_room(L, ex, false, FUT_NEVER);
    }
    if (err != FUT_OK) fut_error_raise_submit(L, ex, err);
    return true;
}

/* submit_protected(executor, task, waits), by light userdata */
static int submit_protected(lua_State *L) {
    bool waits = lua_toboolean(L, 3);
    lua_pushboolean(L, fut_submit(L, lua_touserdata(L, 1), lua_touserdata(L, 2), waits));
    return 1;
}

/* It may fail at once, so somebody has to be there who can be asked; and to go again when it is
 * not submitted. */
bool fut_submit_asking(lua_State *L, struct fut_executor *ex, struct fut_task *t, int handle,
                       int options, bool waits) {
    luaL_checkstack(L, LUA_MINSTACK, "too many arguments");
    lua_getiuservalue(L, options, 1);
    fut_asker_add(L, handle, lua_gettop(L));
    int asker = lua_gettop(L);
    for (int i = FUT_UP_HOME; i <= FUT_UP_EXECUTOR; i++) lua_pushvalue(L, lua_upvalueindex(i));
    lua_pushcclosure(L, submit_protected, FUT_UP_EXECUTOR);
    lua_pushlightuserdata(L, ex);
    lua_pushlightuserdata(L, t);
    lua_pushboolean(L, waits);
    int status = lua_pcall(L, 3, 1, 0);
    bool submitted = status == LUA_OK && lua_toboolean(L, -1);
    if (!submitted) fut_callback_drop(L, asker);
    if (status != LUA_OK) lua_error(L);
    return submitted;
}

enum { OPTIONS = 2 }; /* an argument of _submit_with and _try */

/* Submits the function at stack index `first` with the arguments behind it. Where the executor
 * is full: waits, or gives nothing. */
static int submit(lua_State *L, struct fut_task_options *options, int first, bool waits) {
    struct fut_executor *ex = fut_executor_check(L, 1);
    fut_check_callable(L, first, 1, "submit");
    int top = lua_gettop(L);
    struct fut_future_handle *h = fut_future_handle_new(L);
    struct fut_task *t = fut_task_new(ex, options);
    if (!t) return luaL_error(L, "not enough memory");
    h->future = &t->future;
    encode_call(L, first, top - first + 1, ex->process, &t->call);
    bool submitted = fut_rerun_asks(options)
                         ? fut_submit_asking(L, ex, t, top + 1, OPTIONS, waits)
                         : fut_submit(L, ex, t, waits);
    if (!submitted) return 0;
    lua_settop(L, top + 1); /* the handle */
    return 1;
}

static int executor_submit(lua_State *L) {
    return submit(L, NULL, 2, true);
}

static int executor_submit_with(lua_State *L) {
    return submit(L, fut_submit_options(L, OPTIONS), 3, true);
}

static int executor_try(lua_State *L) {
    return submit(L, fut_submit_options(L, OPTIONS), 3, false);
}

static int executor_room(lua_State *L) {
    struct fut_executor *ex = fut_executor_check(L, 1);
    fut_time deadline = fut_check_timeout(L, 2, 1, "_room");
    bool known = fut_executor_forked(ex); /* in such a child a try says what is wrong */
    lua_pushboolean(L, known || wait_for_room(L, ex, lua_toboolean(L, 3), deadline));
    return 1;
}

const luaL_Reg fut_submit_methods[] = {
    {"submit", executor_submit},
    {"_submit_with", executor_submit_with},
    {"_try", executor_try},
    {"_room", executor_room},
    {NULL, NULL},
};
