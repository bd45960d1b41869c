/* SPDX-License-Identifier: MIT */
/* The Lua module futures.fetch.core: what lua/futures/fetch/ is built upon. */
#include "fetch/bind.h"

#include <curl/curl.h>
#include <lauxlib.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "fetch/handle.h"
#include "fetch/url.h"
#include "vm/interrupt.h"

#define HANDLE_TYPE "futures.fetch.handle"
#define TRANSFER_TYPE "futures.fetch.transfer"
#define URL_TYPE "futures.fetch.url"

__attribute__((visibility("default"))) int luaopen_futures_fetch_core(lua_State *L);

static void *new_empty(lua_State *L, size_t size, const char *type) {
    void *empty = memset(lua_newuserdatauv(L, size, 0), 0, size);
    luaL_setmetatable(L, type);
    return empty;
}

static int handle_gc(lua_State *L) {
    fut_handle_close(luaL_checkudata(L, 1, HANDLE_TYPE));
    return 0;
}

static int transfer_gc(lua_State *L) {
    fut_transfer_deinit(luaL_checkudata(L, 1, TRANSFER_TYPE));
    return 0;
}

static int url_gc(lua_State *L) {
    fut_url_deinit(luaL_checkudata(L, 1, URL_TYPE));
    return 0;
}

/* A state belongs to one thread, so the handle of the state is that of the thread. */
static struct fut_handle *handle_of(lua_State *L) {
    static const char key = 0;
    struct fut_handle *handle;
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &key) == LUA_TUSERDATA) {
        handle = lua_touserdata(L, -1);
        lua_pop(L, 1);
    } else {
        lua_pop(L, 1);
        handle = new_empty(L, sizeof *handle, HANDLE_TYPE);
        lua_rawsetp(L, LUA_REGISTRYINDEX, &key);
    }
    return handle;
}

/* Where Ctrl-C leaves its hook, whatever coroutine calls. */
static lua_State *main_coroutine(lua_State *L) {
    lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
    lua_State *main = lua_tothread(L, -1);
    lua_pop(L, 1);
    return main;
}

static bool is_interrupted(void *main) {
    return fut_interrupt_due(main);
}

/* perform(request) → true, response or false, failure: plain tables. Blocks. */
static int l_perform(lua_State *L) {
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    lua_State *main = main_coroutine(L);
    struct fut_handle *handle = handle_of(L);
    struct fut_transfer *transfer = new_empty(L, sizeof *transfer, TRANSFER_TYPE);
    fut_request_init(&transfer->request);
    fut_bind_read_request(L, 1, &transfer->request);
    luaL_checkstack(L, LUA_MINSTACK, NULL);
    if (!fut_handle_run(handle, transfer, is_interrupted, main)) {
        fut_transfer_deinit(transfer);
        return fut_interrupt_raise(L, main);
    }
    int results = fut_bind_push_outcome(L, transfer);
    fut_transfer_deinit(transfer); /* not when the collector comes to it: bodies are large */
    return results;
}

/* parse_url(text [, base]) → url, user, password, or nil, kind, reason. */
static int l_parse_url(lua_State *L) {
    size_t len;
    const char *text = luaL_checklstring(L, 1, &len);
    const char *base = luaL_optstring(L, 2, NULL);
    const char *reason = "";
    struct fut_url *url = new_empty(L, sizeof *url, URL_TYPE);
    enum fut_url_verdict verdict = fut_url_parse(url, text, len, base, &reason);
    if (verdict == FUT_URL_MEMORY) return luaL_error(L, "not enough memory");
    if (verdict != FUT_URL_OK) {
        lua_pushnil(L);
        lua_pushstring(
            L, fut_kind_name(verdict == FUT_URL_SCHEME ? FUT_KIND_SCHEME : FUT_KIND_URL));
        lua_pushstring(L, reason);
        return 3;
    }
    lua_pushstring(L, url->text);
    lua_pushstring(L, url->user);
    lua_pushstring(L, url->password);
    fut_url_deinit(url);
    return 3;
}

/* mask_url(text) → a form of it that may be shown. */
static int l_mask_url(lua_State *L) {
    enum { SHOWN = 300 };
    size_t len;
    const char *text = luaL_checklstring(L, 1, &len);
    char shown[SHOWN];
    fut_url_mask(shown, sizeof shown, text, len);
    lua_pushstring(L, shown);
    return 1;
}

static CURLcode global_result;
static char libcurl_version[256];

/* curl_version() writes into memory that all threads share. */
static void global_init(void) {
    global_result = curl_global_init(CURL_GLOBAL_DEFAULT);
    snprintf(libcurl_version, sizeof libcurl_version, "%s", curl_version());
}

static void new_type(lua_State *L, const char *name, lua_CFunction gc) {
    luaL_newmetatable(L, name);
    lua_pushcfunction(L, gc);
    lua_setfield(L, -2, "__gc");
    lua_pushboolean(L, false);
    lua_setfield(L, -2, "__metatable");
    lua_pop(L, 1);
}

int luaopen_futures_fetch_core(lua_State *L) {
    static const luaL_Reg functions[] = {{"perform", l_perform},
                                         {"parse_url", l_parse_url},
                                         {"mask_url", l_mask_url},
                                         {NULL, NULL}};
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, global_init);
    if (global_result != CURLE_OK)
        return luaL_error(L, "libcurl: %s", curl_easy_strerror(global_result));
    fut_interrupt_open(L);
    new_type(L, HANDLE_TYPE, handle_gc);
    new_type(L, TRANSFER_TYPE, transfer_gc);
    new_type(L, URL_TYPE, url_gc);
    luaL_newlib(L, functions);
    lua_pushstring(L, libcurl_version);
    lua_setfield(L, -2, "libcurl");
    return 1;
}
