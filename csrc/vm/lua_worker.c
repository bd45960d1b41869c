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
#include "base/thread.h"
#include "vm/code.h"
#include "vm/decode.h"
#include "vm/run.h"
#include "vm/stop.h"

/* Tasks on top of each other, at most, and of how many the coroutines are kept for the next. */
enum { LEVELS_MAX = 4096, LEVELS_KEPT = 32 };

/* What must be left of the thread's stack for one more: 200 nested C calls of Lua, the most
 * that it allows, took 412 KB. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { STACK_RESERVE = 4 << 20 };
#else
enum { STACK_RESERVE = 1 << 20 };
#endif

struct fut_worker {
    lua_State *L;
    struct fut_worker_info info;
    const struct fut_lua_config *config;
    bool process; /* in a process of its own */
    int depth;    /* tasks that run now, one on top of the other */
    int nlevels;
    lua_State **levels; /* in which those on top run; anchored in the registry */
    pthread_t thread;
    void (*at_rest)(lua_State *L, void *arg); /* or NULL */
    void *at_rest_arg;
};

/* The registry key of the worker in its state. */
static const char worker_key;

const struct fut_worker_info *fut_lua_worker_info(lua_State *L) {
    lua_rawgetp(L, LUA_REGISTRYINDEX, &worker_key);
    const struct fut_worker *w = lua_touserdata(L, -1);
    lua_pop(L, 1);
    return w ? &w->info : NULL;
}

void fut_lua_worker_at_rest(lua_State *L, void (*call)(lua_State *L, void *arg), void *arg) {
    lua_rawgetp(L, LUA_REGISTRYINDEX, &worker_key);
    struct fut_worker *w = lua_touserdata(L, -1);
    lua_pop(L, 1);
    if (!w) return;
    w->at_rest = call;
    w->at_rest_arg = arg;
}

static void come_to_rest(struct fut_worker *w) {
    void (*call)(lua_State * L, void *arg) = w->at_rest;
    w->at_rest = NULL;
    call(w->L, w->at_rest_arg);
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

/* The coroutine of the task that runs. */
static lua_State *state_of_run(const struct fut_worker *w) {
    return w->depth > 1 ? w->levels[w->depth - 2] : w->L;
}

/* coroutine.running: the coroutine of a task on top of another one is its main one. */
static int running(lua_State *L) {
    const struct fut_worker *w = lua_touserdata(L, lua_upvalueindex(1));
    bool is_main = lua_pushthread(L) == 1;
    lua_pushboolean(L, is_main || L == state_of_run(w));
    return 2;
}

static void set_running(lua_State *L, struct fut_worker *w) {
    lua_getglobal(L, "coroutine");
    lua_pushlightuserdata(L, w);
    lua_pushcclosure(L, running, 1);
    lua_setfield(L, -2, "running");
    lua_pop(L, 1);
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
    lua_gc(L, LUA_GCGEN, 0, 0); /* as lua.c: what is made and dropped costs the same */
    fut_stop_open(L);
    lua_pushlightuserdata(L, w);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &worker_key);
    lua_getglobal(L, "os");
    lua_pushcfunction(L, w->process ? exit_process : refuse_exit);
    lua_setfield(L, -2, "exit");
    if (w->process)
        seed_random(L);
    else
        set_running(L, w);
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
    fut_run(w->L, &w->config->initializer, false, NULL, &o);
    bool failed = o.kind != FUT_OUTCOME_VALUES;
    if (failed) {
        lua_pushcfunction(w->L, describe);
        lua_pushlightuserdata(w->L, &o);
        lua_pushlightuserdata(w->L, why);
        if (lua_pcall(w->L, 2, 0, 0) != LUA_OK) lua_pop(w->L, 1);
    }
    fut_outcome_deinit(&o);
    if (w->at_rest) come_to_rest(w);
    return failed ? FUT_EBROKEN : FUT_OK;
}

static void worker_close(struct fut_worker *w) {
    if (w->L) lua_close(w->L);
    fut_free(w->levels);
    fut_free(w);
}

static enum fut_err worker_open(void *config, const struct fut_worker_info *info,
                                struct fut_worker **out, char **why) {
    struct fut_worker *w = fut_zalloc(sizeof *w);
    if (!w) return FUT_ENOMEM;
    w->config = config;
    w->info = *info;
    w->thread = pthread_self();
    w->process = strcmp(info->kind, "process") == 0;
    if (w->process) fut_stop_listen();
    w->L = luaL_newstate();
    enum fut_err err = w->L ? FUT_OK : FUT_ENOMEM;
    if (w->L) {
        lua_pushcfunction(w->L, boot);
        lua_pushlightuserdata(w->L, w);
        int status = lua_pcall(w->L, 1, 0, 0);
        if (status != LUA_OK) {
            *why = fut_strdup(lua_tostring(w->L, -1));
            err = status == LUA_ERRMEM ? FUT_ENOMEM : FUT_EBROKEN;
        }
    }
    if (err == FUT_OK) err = initialize(w, why);
    if (err == FUT_OK)
        *out = w;
    else
        worker_close(w);
    return err;
}

/* ---- tasks on top of others ---- */

/* The registry key of the table of the coroutines in which they run. */
static const char levels_key;

static bool more_levels(struct fut_worker *w) {
    int n = w->nlevels == 0 ? 8 : 2 * w->nlevels;
    lua_State **levels = fut_realloc(w->levels, (size_t)n * sizeof *levels);
    if (!levels) return false;
    for (int i = w->nlevels; i < n; i++) levels[i] = NULL;
    w->levels = levels;
    w->nlevels = n;
    return true;
}

/* make_level(worker): the coroutine for the next task on top. */
static int make_level(lua_State *L) {
    struct fut_worker *w = lua_touserdata(L, 1);
    if (w->depth > w->nlevels && !more_levels(w)) return luaL_error(L, "not enough memory");
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &levels_key) != LUA_TTABLE) {
        lua_newtable(L);
        lua_pushvalue(L, -1);
        lua_rawsetp(L, LUA_REGISTRYINDEX, &levels_key);
    }
    lua_State *level = lua_newthread(L);
    lua_rawseti(L, -2, w->depth);
    w->levels[w->depth - 1] = level;
    return 0;
}

/* The collector's. Allocates nothing, so it cannot raise: the key is in the table. */
static void drop_level(struct fut_worker *w, lua_State *L) {
    w->levels[w->depth - 1] = NULL;
    lua_rawgetp(L, LUA_REGISTRYINDEX, &levels_key);
    lua_pushnil(L);
    lua_rawseti(L, -2, w->depth);
}

bool fut_lua_worker_can_nest(lua_State *L) {
    /* In a finalizer the collector is off, or a task has turned it off: not for others. */
    if (lua_gc(L, LUA_GCISRUNNING) != 1 || fut_thread_stack_left() < STACK_RESERVE ||
        !lua_checkstack(L, 4))
        return false;
    lua_rawgetp(L, LUA_REGISTRYINDEX, &worker_key);
    struct fut_worker *w = lua_touserdata(L, -1);
    lua_pop(L, 1);
    if (!w || w->depth == 0 || w->depth == LEVELS_MAX) return false;
    if (w->depth <= w->nlevels && w->levels[w->depth - 1]) return true;
    lua_pushcfunction(L, make_level);
    lua_pushlightuserdata(L, w);
    bool made = lua_pcall(L, 1, 0, 0) == LUA_OK;
    if (!made) lua_pop(L, 1);
    return made;
}

static void worker_run(struct fut_worker *w, const struct fut_payload *call,
                       const atomic_uint *asked, struct fut_outcome *out) {
    w->depth++;
    lua_State *L = state_of_run(w);
    fut_run(L, call, w->process, asked, out);
    w->depth--;
    if (w->at_rest && w->depth == 0) come_to_rest(w);
    if (w->depth >= LEVELS_KEPT) drop_level(w, L);
}

static void worker_interrupt(struct fut_worker *w) {
    fut_stop_signal(w->thread);
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
    .interrupt = worker_interrupt,
    .interrupt_signal = fut_stop_signal_number,
    .close = worker_close,
    .config_free = config_free,
    .ref_id = fut_code_ref_id,
    .pack = fut_code_pack,
    .unpack = fut_code_unpack,
};
