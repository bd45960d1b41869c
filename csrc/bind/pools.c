/* SPDX-License-Identifier: MIT */
/* Making pools: what their workers start with, and the handle that owns the pool. */
#include <lauxlib.h>
#include <lualib.h>

#include "bind/error.h"
#include "bind/executor.h"
#include "bind/home.h"
#include "pool/process_pool.h"
#include "pool/thread_pool.h"
#include "vm/encode.h"
#include "vm/lua_worker.h"

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

#define CONFIG_TNAME "futures.config"

/* A config that a collector frees when an error comes before the pool has taken it. */
static int config_gc(lua_State *L) {
    struct fut_lua_config **config = luaL_checkudata(L, 1, CONFIG_TNAME);
    if (*config) fut_lua_worker_type.config_free(*config);
    *config = NULL;
    return 0;
}

static struct fut_lua_config **push_config(lua_State *L) {
    struct fut_lua_config **config = lua_newuserdatauv(L, sizeof *config, 0);
    *config = NULL;
    luaL_setmetatable(L, CONFIG_TNAME);
    *config = fut_lua_config_new();
    if (!*config) luaL_error(L, "not enough memory");
    return config;
}

/* Pushes a config for workers that run the initializer at `first` with the arguments behind
 * it (n values in all; 0 or a nil: there is none). */
static struct fut_lua_config **make_config(lua_State *L, int first, int n) {
    struct fut_lua_config **config = push_config(L);
    push_boot(L);
    encode_or_raise(L, lua_gettop(L) - 2, 3, &(*config)->boot);
    lua_pop(L, 3);
    if (n <= 0 || lua_isnil(L, first)) return config;
    struct fut_encoder *e = fut_encoder_begin(L, (struct fut_route){0});
    enum fut_err err = fut_encoder_byte(e, FUT_CALL_QUIET);
    if (err == FUT_OK) err = fut_encoder_sequence(e, L, first, n, FUT_ROLE_CALL);
    if (err == FUT_OK) err = fut_encoder_end(e, &(*config)->initializer);
    fut_error_check_encoded(L, e, err);
    return config;
}

/* The state owns the new pool, whose count the handle has. Leaves the handle on the top. */
static int own(lua_State *L, struct fut_executor_handle *h, int index, enum fut_err err) {
    if (err == FUT_OK) err = fut_home_adopt(fut_home_of(L), h->executor);
    if (err == FUT_ENOMEM) return luaL_error(L, "%s", fut_err_text(err));
    if (err != FUT_OK)
        return fut_error_raise(L, "Error", "cannot make a pool: %s", fut_err_text(err));
    h->owner = true;
    lua_settop(L, index);
    return 1;
}

/* thread_pool(max_workers, name_prefix, max_pending, refuses [, initializer, initargs...]): the
 * arguments were checked in Lua. */
static int new_thread_pool(lua_State *L) {
    fut_home_check_open(fut_home_of(L), L);
    int top = lua_gettop(L);
    struct fut_executor_handle *h = fut_executor_handle_new(L);
    struct fut_lua_config **config = make_config(L, 5, top - 4);
    struct fut_thread_pool_options options = {
        .max_workers = (int)luaL_checkinteger(L, 1),
        .name_prefix = luaL_checkstring(L, 2),
        .max_pending = (size_t)luaL_checkinteger(L, 3),
        .refuses = lua_toboolean(L, 4),
        .worker = &fut_lua_worker_type,
        .config = *config,
    };
    *config = NULL;
    return own(L, h, top + 1, fut_thread_pool_new(&options, &h->executor));
}

/* process_pool(max_workers, name, max_pending, refuses, max_tasks_per_child [, initializer,
 * initargs...]): likewise. */
static int new_process_pool(lua_State *L) {
    fut_home_check_open(fut_home_of(L), L);
    int top = lua_gettop(L);
    struct fut_executor_handle *h = fut_executor_handle_new(L);
    struct fut_lua_config **config = make_config(L, 6, top - 5);
    struct fut_process_pool_options options = {
        .max_workers = (int)luaL_checkinteger(L, 1),
        .name = luaL_checkstring(L, 2),
        .max_pending = (size_t)luaL_checkinteger(L, 3),
        .refuses = lua_toboolean(L, 4),
        .max_tasks_per_child = (unsigned)luaL_checkinteger(L, 5),
        .has_initializer = !lua_isnoneornil(L, 6),
        .worker = &fut_lua_worker_type,
        .config = *config,
    };
    *config = NULL;
    return own(L, h, top + 1, fut_process_pool_new(&options, &h->executor));
}

static const luaL_Reg functions[] = {
    {"thread_pool", new_thread_pool},
    {"process_pool", new_process_pool},
    {NULL, NULL},
};

void fut_pools_open(lua_State *L) {
    fut_home_new_type(L, CONFIG_TNAME, config_gc);
    fut_home_set_functions(L, functions);
}
