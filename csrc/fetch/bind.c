/* SPDX-License-Identifier: MIT */
/* The Lua module futures.fetch.core: what lua/futures/fetch/ is built upon. */
#include "fetch/bind.h"

#include <curl/curl.h>
#include <lauxlib.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "fetch/engine.h"
#include "fetch/failure.h"
#include "fetch/url.h"

#define URL_TYPE "futures.fetch.url"
#define USE_TYPE "futures.fetch.use"

__attribute__((visibility("default"))) int luaopen_futures_fetch_core(lua_State *L);

static int url_gc(lua_State *L) {
    fut_url_deinit(luaL_checkudata(L, 1, URL_TYPE));
    return 0;
}

/* The state is being closed: it was made first, so the futures and sessions of the state are
 * gone already. */
static int use_gc(lua_State *L) {
    bool *open = luaL_checkudata(L, 1, USE_TYPE);
    if (*open) fut_engine_close(fut_engine_api()->interrupted(L));
    *open = false;
    return 0;
}

/* parse_url(text [, base]) → url, user, password, or nil, kind, reason. */
static int l_parse_url(lua_State *L) {
    size_t len;
    const char *text = luaL_checklstring(L, 1, &len);
    const char *base = luaL_optstring(L, 2, NULL);
    const char *reason = "";
    struct fut_url *url = lua_newuserdatauv(L, sizeof *url, 0);
    memset(url, 0, sizeof *url);
    luaL_setmetatable(L, URL_TYPE);
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

/* Once for each state, however often the module is opened in it. */
static void use_engine(lua_State *L, const struct fut_api *api) {
    static const char key = 0;
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &key) == LUA_TNIL) {
        bool *open = lua_newuserdatauv(L, sizeof *open, 0);
        *open = false;
        luaL_setmetatable(L, USE_TYPE);
        lua_pushvalue(L, -1);
        lua_rawsetp(L, LUA_REGISTRYINDEX, &key);
        fut_engine_open(api);
        *open = true;
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
}

int luaopen_futures_fetch_core(lua_State *L) {
    static const luaL_Reg functions[] = {
        {"parse_url", l_parse_url}, {"mask_url", l_mask_url}, {NULL, NULL}};
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    const struct fut_api *api = fut_api_get(L);
    pthread_once(&once, global_init);
    if (global_result != CURLE_OK)
        return luaL_error(L, "libcurl: %s", curl_easy_strerror(global_result));
    new_type(L, URL_TYPE, url_gc);
    new_type(L, USE_TYPE, use_gc);
    use_engine(L, api);
    luaL_newlib(L, functions);
    fut_bind_open_request(L);
    fut_bind_open_session(L);
    fut_bind_open_response(L);
    fut_bind_open_problem(L);
    lua_pushstring(L, libcurl_version);
    lua_setfield(L, -2, "libcurl");
    return 1;
}
