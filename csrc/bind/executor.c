/* SPDX-License-Identifier: MIT */
#include "bind/executor.h"

#include <lauxlib.h>
#include <lualib.h>

#include "bind/error.h"
#include "bind/future.h"
#include "bind/home.h"
#include "pool/thread_pool.h"
#include "vm/encode.h"
#include "vm/handle.h"
#include "vm/lua_worker.h"

struct executor_handle {
    struct fut_executor *executor;
    bool owner;
};

struct fut_executor *fut_executor_check(lua_State *L, int arg) {
    if (!fut_home_is(L, arg, FUT_UP_EXECUTOR)) luaL_checkudata(L, arg, FUT_EXECUTOR_TNAME);
    struct executor_handle *h = lua_touserdata(L, arg);
    luaL_argcheck(L, h->executor, arg, "executor was never opened");
    return h->executor;
}

static struct executor_handle *new_handle(lua_State *L) {
    struct executor_handle *h = lua_newuserdatauv(L, sizeof *h, 0);
    *h = (struct executor_handle){0};
    luaL_setmetatable(L, FUT_EXECUTOR_TNAME);
    return h;
}

/* ---- submit ---- */

static void encode_call(lua_State *L, int first, int n, struct fut_payload *out) {
    struct fut_encoder *e = fut_encoder_begin(L, (struct fut_route){0});
    enum fut_err err = fut_encoder_byte(e, FUT_CALL_ONE);
    if (err == FUT_OK) err = fut_encoder_sequence(e, L, first, n, FUT_ROLE_CALL);
    if (err == FUT_OK) err = fut_encoder_end(e, out);
    if (err == FUT_OK) return;
    if (err == FUT_ETRANSFER)
        fut_error_push(L, "TransferError", "%s", fut_encoder_message(e));
    else
        lua_pushstring(L, fut_err_text(err));
    fut_encoder_abandon(e);
    lua_error(L);
}

static int executor_submit(lua_State *L) {
    struct fut_executor *ex = fut_executor_check(L, 1);
    fut_check_callable(L, 2, 1, "submit");
    int n = lua_gettop(L) - 1;
    struct fut_future_handle *h = fut_future_handle_new(L);
    struct fut_task *t = fut_task_new(ex);
    if (!t) return luaL_error(L, "not enough memory");
    h->future = &t->future;
    encode_call(L, 2, n, &t->call);
    enum fut_err err = ex->ops->submit(ex, &t, 1);
    if (err != FUT_OK) return fut_error_raise_submit(L, ex, err);
    lua_settop(L, n + 2); /* the handle */
    return 1;
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
    ex->ops->close(ex, lua_toboolean(L, 3));
    bool stopped = wait && fut_future_wait(L, ex->ops->stopped(ex), deadline);
    if (stopped) ex->ops->join(ex);
    lua_pushboolean(L, stopped || !wait);
    return 1;
}

static int executor_gc(lua_State *L) {
    struct executor_handle *h = luaL_checkudata(L, 1, FUT_EXECUTOR_TNAME);
    struct fut_executor *ex = h->executor;
    h->executor = NULL;
    if (!ex) return 0;
    if (h->owner) ex->ops->close(ex, false); /* its queue still runs; the home joins it */
    fut_executor_drop(ex);
    return 0;
}

/* ---- what one can ask ---- */

static int executor_stats(lua_State *L) {
    struct fut_executor *ex = fut_executor_check(L, 1);
    struct fut_executor_stats s;
    ex->ops->stats(ex, &s);
    const struct {
        const char *name;
        uint64_t value;
    } rows[] = {
        {"workers", s.workers}, {"idle", s.idle},           {"pending", s.pending},
        {"running", s.running}, {"submitted", s.submitted}, {"completed", s.completed},
        {"failed", s.failed},   {"cancelled", s.cancelled}, {"lost", s.lost},
        {"retried", s.retried},
    };
    lua_createtable(L, 0, sizeof rows / sizeof rows[0]);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        lua_pushinteger(L, (lua_Integer)rows[i].value);
        lua_setfield(L, -2, rows[i].name);
    }
    return 1;
}

static int executor_tostring(lua_State *L) {
    struct fut_executor *ex = fut_executor_check(L, 1);
    struct fut_executor_stats s;
    ex->ops->stats(ex, &s);
    lua_pushfstring(L, "ThreadPoolExecutor: %p (%d workers, %d pending, %d running)",
                    (void *)ex, (int)s.workers, (int)s.pending, (int)s.running);
    return 1;
}

/* ---- making one ---- */

static void encode_or_raise(lua_State *L, int first, int n, struct fut_payload *out) {
    const char *message;
    enum fut_err err =
        fut_encode(L, (struct fut_route){0}, first, n, FUT_ROLE_VALUE, out, &message);
    if (err == FUT_ETRANSFER) fut_error_raise(L, "TransferError", "%s", message);
    if (err != FUT_OK) luaL_error(L, "%s", fut_err_text(err));
}

/* Can the loader at the top travel? Otherwise the reason takes its place. */
static void keep_loader_or_reason(lua_State *L) {
    struct fut_payload payload = {0};
    const char *message;
    int top = lua_gettop(L);
    enum fut_err err =
        fut_encode(L, (struct fut_route){0}, top, 1, FUT_ROLE_VALUE, &payload, &message);
    fut_payload_deinit(&payload);
    if (err == FUT_OK) return;
    lua_pushfstring(L, "a loader of package.preload could not travel: %s",
                    err == FUT_ETRANSFER ? message : fut_err_text(err));
    lua_replace(L, top);
}

/* Pushes package.path, package.cpath and the preload loaders as the workers will have them. */
static void push_boot(lua_State *L) {
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE); /* whatever the globals are */
    lua_getfield(L, -1, LUA_LOADLIBNAME);
    lua_remove(L, -2);
    if (!lua_istable(L, -1)) luaL_error(L, "futures: this state has no library 'package'");
    int package = lua_gettop(L);
    lua_getfield(L, package, "path");
    lua_getfield(L, package, "cpath");
    lua_newtable(L);
    lua_getfield(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
    for (lua_pushnil(L); lua_next(L, -2);) {
        keep_loader_or_reason(L);
        lua_pushvalue(L, -2);
        lua_insert(L, -2);
        lua_rawset(L, package + 3);
    }
    lua_pop(L, 1);
    lua_remove(L, package);
}

/* A config that a collector frees when an error comes before the pool has taken it. */
static int config_gc(lua_State *L) {
    struct fut_lua_config **config = lua_touserdata(L, 1);
    if (*config) fut_lua_worker_type.config_free(*config);
    *config = NULL;
    return 0;
}

static struct fut_lua_config **push_config(lua_State *L) {
    struct fut_lua_config **config = lua_newuserdatauv(L, sizeof *config, 0);
    *config = NULL;
    if (luaL_newmetatable(L, "futures.config")) {
        lua_pushcfunction(L, config_gc);
        lua_setfield(L, -2, "__gc");
    }
    lua_setmetatable(L, -2);
    *config = fut_lua_config_new();
    if (!*config) luaL_error(L, "not enough memory");
    return config;
}

/* thread_pool(max_workers, name_prefix [, initializer, initargs...]): the arguments were
 * checked in Lua. */
static int new_thread_pool(lua_State *L) {
    fut_home_check_open(fut_home_of(L), L);
    int max_workers = (int)luaL_checkinteger(L, 1);
    const char *prefix = luaL_checkstring(L, 2);
    int n = lua_gettop(L) - 2; /* the initializer and its arguments */
    struct executor_handle *h = new_handle(L);
    struct fut_lua_config **config = push_config(L);
    push_boot(L);
    encode_or_raise(L, lua_gettop(L) - 2, 3, &(*config)->boot);
    if (n > 0 && !lua_isnil(L, 3)) {
        struct fut_encoder *e = fut_encoder_begin(L, (struct fut_route){0});
        enum fut_err err = fut_encoder_byte(e, FUT_CALL_QUIET);
        if (err == FUT_OK) err = fut_encoder_sequence(e, L, 3, n, FUT_ROLE_CALL);
        if (err == FUT_OK) err = fut_encoder_end(e, &(*config)->initializer);
        if (err != FUT_OK)
            return fut_error_raise(L, "TransferError", "%s", fut_encoder_message(e));
    }
    struct fut_thread_pool_options options = {
        .max_workers = max_workers,
        .name_prefix = prefix,
        .worker = &fut_lua_worker_type,
        .config = *config,
    };
    *config = NULL;
    enum fut_err err = fut_thread_pool_new(&options, &h->executor);
    if (err == FUT_OK) err = fut_home_adopt(fut_home_of(L), h->executor);
    if (err != FUT_OK) return luaL_error(L, "%s", fut_err_text(err));
    h->owner = true;
    lua_settop(L, n + 3);
    return 1;
}

/* ---- travelling ---- */

static void make_handle(lua_State *L, struct fut_object *object) {
    struct executor_handle *h = new_handle(L);
    fut_object_hold(object);
    h->executor = (struct fut_executor *)object;
}

static const struct fut_handle_class thread_pool_class = {
    .type = &fut_thread_pool_type,
    .tname = FUT_EXECUTOR_TNAME,
    .make = make_handle,
};

static const luaL_Reg methods[] = {
    {"submit", executor_submit},
    {"_shutdown", executor_shutdown},
    {"stats", executor_stats},
    {NULL, NULL},
};

static const luaL_Reg metamethods[] = {
    {"__gc", executor_gc},
    {"__tostring", executor_tostring},
    {NULL, NULL},
};

static const luaL_Reg functions[] = {
    {"thread_pool", new_thread_pool},
    {NULL, NULL},
};

void fut_executor_open(lua_State *L) {
    fut_home_set_functions(L, functions);
    luaL_getmetatable(L, FUT_EXECUTOR_TNAME);
    fut_home_set_functions(L, metamethods);
    lua_newtable(L);
    fut_home_set_functions(L, methods);
    lua_setfield(L, -2, "__index");
    fut_handle_class_add(&thread_pool_class);
    lua_setfield(L, -2, "Executor"); /* the facade adds methods of its own */
}
