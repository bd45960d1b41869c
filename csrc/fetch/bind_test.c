/* SPDX-License-Identifier: MIT */
#include <curl/curl.h>
#include <lauxlib.h>
#include <lualib.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "fetch/ok_server.h"

int luaopen_futures_fetch_core(lua_State *L);

/* An allocator whose n-th call from now fails, and all after it. */

static long left = -1; /* -1: none fails */

static void *scarce(void *context, void *block, size_t old_size, size_t size) {
    (void)context;
    (void)old_size;
    if (size == 0) {
        free(block);
        return NULL;
    }
    if (left == 0) return NULL;
    if (left > 0) left--;
    return realloc(block, size);
}

static bool is_memory_error(lua_State *L) {
    const char *message = lua_tostring(L, -1);
    return message && strstr(message, "not enough memory");
}

/* Calls `code` again and again, each time with memory for one allocation more, until it
 * succeeds. Each failure must be a clean one; leaks are for the sanitizer to see. */
static void run_with_little_memory(lua_State *L, const char *name, const char *code) {
    long n = 0;
    int result;
    FUT_ASSERT(luaL_loadstring(L, code) == LUA_OK);
    do {
        lua_pushvalue(L, -1);
        lua_pushinteger(L, port);
        left = n++;
        result = lua_pcall(L, 1, 0, 0);
        left = -1;
        if (result == LUA_OK) break;
        if (!is_memory_error(L)) fprintf(stderr, "%s\n", lua_tostring(L, -1));
        FUT_ASSERT(is_memory_error(L));
        lua_pop(L, 1);
    } while (n < 1000);
    FUT_ASSERT(result == LUA_OK && n > 5);
    lua_pop(L, 1);
    printf("ok %s (%ld allocations)\n", name, n);
}

static const char parse[] =
    "local url, user, password = core.parse_url('http://u:p@h/x?y#z')\n"
    "assert(url == 'http://h/x?y#z' and user == 'u' and password == 'p')\n"
    "local none, kind, reason = core.parse_url('file:///x')\n"
    "assert(none == nil and kind == 'scheme' and #reason > 0)\n"
    "assert(core.parse_url('/y', 'http://h/x') == 'http://h/y')\n"
    "assert(core.mask_url('http://u:p@h/') == 'http://***@h/')\n";

static const char respond[] =
    "local ok, r = core.perform {\n"
    "    url = 'http://127.0.0.1:' .. ... .. '/', method = 'POST', user_agent = 'test',\n"
    "    proxy = '', headers = { 'A: 1', 'B: 2' }, scheme = 'basic', user = 'u', password = "
    "'p',\n"
    "    parts = { { name = 'a', body = 'b' }, { name = 'c', body = '', filename = 'd' } },\n"
    "    http_version = '1.1', total = 20, max_body = 100 }\n"
    "assert(ok and r.status == 200 and r.body == 'ok' and r.headers[4] == '1')\n";

static const char fail[] =
    "local ok, failure = core.perform { url = 'http://127.0.0.1:' .. ... .. '/',\n"
    "    method = 'GET', user_agent = 'test', proxy = '', max_body = 1 }\n"
    "assert(not ok and failure.kind == 'too_large')\n";

int main(void) {
    start_server();
    lua_State *L = lua_newstate(scarce, NULL);
    FUT_ASSERT(L);
    luaL_openlibs(L);
    luaL_requiref(L, "core", luaopen_futures_fetch_core, 1);
    lua_pop(L, 1);
    run_with_little_memory(L, "parse", parse);
    run_with_little_memory(L, "respond", respond);
    run_with_little_memory(L, "fail", fail);
    lua_close(L);
    return 0;
}
