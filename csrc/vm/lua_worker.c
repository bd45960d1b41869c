/* SPDX-License-Identifier: MIT */
#include "vm/lua_worker.h"

#include <lauxlib.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "vm/code.h"
#include "vm/decode.h"
#include "vm/run.h"

struct fut_worker {
    lua_State *L;
    struct fut_worker_info info;
    const struct fut_lua_config *config;
    bool process; /* in a process of its own */
};

/* The registry key of the worker in its state. */
static const char worker_key;

const struct fut_worker_info *fut_lua_worker_info(lua_State *L) {
    lua_rawgetp(L, LUA_REGISTRYINDEX, &worker_key);
    const struct fut_worker *w = lua_touserdata(L, -1);
    lua_pop(L, 1);
    return w ? &w->info : NULL;
}

/* os.exit in a worker process ends that, and nothing else: what the program had registered with
 * atexit is the program's. */
static int exit_process(lua_State *L) {
    int status = lua_isboolean(L, 1) ? (lua_toboolean(L, 1) ? EXIT_SUCCESS : EXIT_FAILURE)
                                     : (int)luaL_optinteger(L, 1, EXIT_SUCCESS);
    fflush(NULL);
    _exit(status);
}

/* Lua seeds from the time and from addresses, which are the same in processes forked in one
 * second. */
static void seed_random(lua_State *L) {
    lua_Integer seed[2] = {(lua_Integer)getpid(), (lua_Integer)fut_now()};
    FILE *file = fopen("/dev/urandom", "rb");
    if (file) {
        size_t read = fread(seed, 1, sizeof seed, file);
        (void)read; /* less than that is still different from pid and time */
        fclose(file);
    }
    lua_getglobal(L, "math");
    lua_getfield(L, -1, "randomseed");
    lua_pushinteger(L, seed[0]);
    lua_pushinteger(L, seed[1]);
    lua_call(L, 2, 0);
    lua_pop(L, 1);
}

/* os.exit in a thread would end all tasks of all workers, and the program. */
static int refuse_exit(lua_State *L) {
    return luaL_error(L, "os.exit cannot be called in a worker thread");
}

/* A loader that could not travel: its place is taken by the reason. */
static int missing_loader(lua_State *L) {
    return luaL_error(L, "%s", lua_tostring(L, lua_upvalueindex(1)));
}

static void set_preload(lua_State *L, int loaders) {
    lua_getfield(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
    for (lua_pushnil(L); lua_next(L, loaders);) {
        if (lua_type(L, -1) == LUA_TSTRING) lua_pushcclosure(L, missing_loader, 1);
        lua_pushvalue(L, -2);
        lua_insert(L, -2);
        lua_rawset(L, -4);
    }
    lua_pop(L, 1);
}

static int boot(lua_State *L) {
    struct fut_worker *w = lua_touserdata(L, 1);
    luaL_openlibs(L);
    lua_pushlightuserdata(L, w);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &worker_key);
    lua_getglobal(L, "os");
    lua_pushcfunction(L, w->process ? exit_process : refuse_exit);
    lua_setfield(L, -2, "exit");
    if (w->process) seed_random(L);
    struct fut_decoder d;
    int n, first = lua_gettop(L) + 1;
    fut_decoder_init(&d, &w->config->boot, (struct fut_route){0});
    if (fut_decoder_sequence(&d, L, &n) != FUT_OK)
        return luaL_error(L, "cannot decode the worker's start: %s", d.message);
    lua_getglobal(L, "package");
    lua_pushvalue(L, first);
    lua_setfield(L, -2, "path");
    lua_pushvalue(L, first + 1);
    lua_setfield(L, -2, "cpath");
    set_preload(L, first + 2);
    return 0;
}

/* Why an initializer failed, as a text from fut_alloc. */
static int describe(lua_State *L) {
    struct fut_outcome *o = lua_touserdata(L, 1);
    char **why = lua_touserdata(L, 2);
    if (o->kind == FUT_OUTCOME_ERROR) {
        struct fut_decoder d;
        int n;
        fut_decoder_init(&d, &o->payload, (struct fut_route){.home = true});
        if (fut_decoder_sequence(&d, L, &n) == FUT_OK) *why = fut_strdup(fut_error_text(L, -1));
    } else {
        *why = fut_strdup(o->text ? o->text : fut_err_text(o->err));
    }
    return 0;
}

static enum fut_err initialize(struct fut_worker *w, char **why) {
    if (w->config->initializer.len == 0) return FUT_OK;
    struct fut_outcome o = {0};
    fut_run(w->L, &w->config->initializer, false, &o);
    bool failed = o.kind != FUT_OUTCOME_VALUES;
    if (failed) {
        lua_pushcfunction(w->L, describe);
        lua_pushlightuserdata(w->L, &o);
        lua_pushlightuserdata(w->L, why);
        if (lua_pcall(w->L, 2, 0, 0) != LUA_OK) lua_pop(w->L, 1);
    }
    fut_outcome_deinit(&o);
    return failed ? FUT_EBROKEN : FUT_OK;
}

static void worker_close(struct fut_worker *w) {
    if (w->L) lua_close(w->L);
    fut_free(w);
}

static enum fut_err worker_open(void *config, const struct fut_worker_info *info,
                                struct fut_worker **out, char **why) {
    struct fut_worker *w = fut_zalloc(sizeof *w);
    if (!w) return FUT_ENOMEM;
    w->config = config;
    w->info = *info;
    w->process = strcmp(info->kind, "process") == 0;
    w->L = luaL_newstate();
    enum fut_err err = w->L ? FUT_OK : FUT_ENOMEM;
    if (w->L) {
        lua_pushcfunction(w->L, boot);
        lua_pushlightuserdata(w->L, w);
        if (lua_pcall(w->L, 1, 0, 0) != LUA_OK) {
            *why = fut_strdup(lua_tostring(w->L, -1));
            err = FUT_EBROKEN;
        }
    }
    if (err == FUT_OK) err = initialize(w, why);
    if (err == FUT_OK)
        *out = w;
    else
        worker_close(w);
    return err;
}

static void worker_run(struct fut_worker *w, const struct fut_payload *call,
                       struct fut_outcome *out) {
    fut_run(w->L, call, w->process, out);
}

struct fut_lua_config *fut_lua_config_new(void) {
    return fut_zalloc(sizeof(struct fut_lua_config));
}

static void config_free(void *arg) {
    struct fut_lua_config *config = arg;
    if (!config) return;
    fut_payload_deinit(&config->boot);
    fut_payload_deinit(&config->initializer);
    fut_free(config);
}

const struct fut_worker_type fut_lua_worker_type = {
    .open = worker_open,
    .run = worker_run,
    .close = worker_close,
    .config_free = config_free,
    .ref_id = fut_code_ref_id,
    .pack = fut_code_pack,
    .unpack = fut_code_unpack,
};
