/* SPDX-License-Identifier: MIT */
/* A C module on include/futures.h:
 *   native.sum(ex, from, to) -> future    adds numbers on a thread of the pool, without Lua
 *   native.after(seconds, text) -> future  is completed by a thread of the module's own */
#include <lauxlib.h>
#include <lua.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "futures.h"

int luaopen_native(lua_State *L);

static const struct fut_api *api;

/* ---- a C function in a pool ---- */

struct range {
    int64_t from, to;
};

static void sum_run(void *context, struct fut_result *result) {
    const struct range *r = context;
    int64_t sum = 0;
    for (int64_t i = r->from; i <= r->to; i++) sum += i;
    result->count = 1;
    result->values[0] = (struct fut_value){.kind = FUT_INTEGER, .as.integer = sum};
}

/* A block that the collector frees until a call has taken it. */
static int block_gc(lua_State *L) {
    void **block = lua_touserdata(L, 1);
    free(*block);
    *block = NULL;
    return 0;
}

static int native_sum(lua_State *L) {
    lua_Integer from = luaL_checkinteger(L, 2), to = luaL_checkinteger(L, 3);
    void **block = lua_newuserdatauv(L, sizeof(*block), 0);
    *block = NULL;
    luaL_setmetatable(L, "native.block");
    struct range *r = malloc(sizeof *r);
    if (!r) return luaL_error(L, "not enough memory");
    *block = r;
    *r = (struct range){from, to};
    api->submit(L, 1, &(struct fut_native_call){sum_run, free, r}); /* may raise */
    *block = NULL;
    return 1;
}

/* ---- a future that a thread completes ---- */

struct timer {
    struct fut_future *future; /* a count is held */
    struct timespec pause;
    char text[]; /* the result */
};

static void *timer_main(void *arg) {
    struct timer *t = arg;
    nanosleep(&t->pause, NULL);
    struct fut_result result = {.count = 1};
    result.values[0] = (struct fut_value){
        .kind = FUT_STRING, .as.string = {.bytes = t->text, .length = strlen(t->text)}};
    api->future_complete(t->future, &result); /* unless somebody has cancelled it */
    api->future_drop(t->future);
    free(t);
    return NULL;
}

static int native_after(lua_State *L) {
    static const struct fut_future_class plain; /* needs to hear of nothing */
    double seconds = luaL_checknumber(L, 1);
    const char *text = luaL_checkstring(L, 2);
    pthread_t thread;
    luaL_argcheck(L, seconds >= 0 && seconds < 1e6, 1, "seconds expected");
    api->future_slot(L); /* the userdata first, then what it will own */
    struct fut_future *f = api->future_new(&plain, NULL, "after");
    if (!f) return luaL_error(L, "not enough memory");
    api->future_fill(L, -1, f);
    size_t size = strlen(text) + 1;
    struct timer *t = malloc(sizeof *t + size);
    if (!t) return luaL_error(L, "not enough memory");
    t->pause.tv_sec = (time_t)seconds;
    t->pause.tv_nsec = (long)((seconds - (double)t->pause.tv_sec) * 1e9);
    memcpy(t->text, text, size);
    t->future = f;
    api->future_hold(f);
    if (pthread_create(&thread, NULL, timer_main, t) != 0) {
        api->future_drop(f);
        free(t);
        return luaL_error(L, "cannot start a thread");
    }
    pthread_detach(thread);
    return 1;
}

#if defined(__GNUC__)
__attribute__((visibility("default")))
#endif
int luaopen_native(lua_State *L) {
    static const luaL_Reg functions[] = {
        {"sum", native_sum}, {"after", native_after}, {NULL, NULL}};
    api = fut_api_get(L);
    luaL_newmetatable(L, "native.block");
    lua_pushcfunction(L, block_gc);
    lua_setfield(L, -2, "__gc");
    luaL_newlib(L, functions);
    return 1;
}
