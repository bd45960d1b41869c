/* SPDX-License-Identifier: MIT */
/* What the codec's tests have in common: two states, and Lua code that sends values from one to
 * the other. In the code of a test:
 *   send(f, ...)           the results of f, run in the worker; errors are raised
 *   refusal(f, ...)        the message of the refusal
 *   process                true: the worker is another process, as far as the codec cares
 *   check(condition, ...)  like assert
 *   renew()                closes the worker; the next send starts another
 *   scale                  by what large sizes are to be divided: an eager collector walks the
 *                          stack again and again
 *   preload(name, source)  package.preload in both states */
#ifndef FUT_VM_CODEC_TEST_H
#define FUT_VM_CODEC_TEST_H

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vm/decode.h"
#include "vm/encode.h"

struct test_case {
    const char *name, *code;
};

static lua_State *test_worker;

static const char test_prelude[] =
    "function check(ok, ...) if not ok then error(table.concat({'check failed', ...}, ': '), "
    "2) end "
    "  return ok, ... end\n"
    "function refusal(...) local ok, why = pcall(send, ...) check(not ok, 'it travelled') "
    "  return why end\n"
    "function same(a, b) if a ~= b then error('got ' .. tostring(a) .. ', expected ' .. "
    "  tostring(b), 2) end end\n";

/* How the collector of both states behaves. */
enum test_mode { TEST_NORMAL, TEST_EAGER, TEST_GENERATIONAL, TEST_MODES };
static enum test_mode test_mode;

static inline lua_State *test_state(void) {
    lua_State *L = luaL_newstate();
    luaL_openlibs(L);
    if (test_mode == TEST_EAGER) lua_gc(L, LUA_GCINC, 1, 1000, 5);
    if (test_mode == TEST_GENERATIONAL) lua_gc(L, LUA_GCGEN, 1, 1);
    return L;
}

static inline struct fut_route test_route(lua_State *L, bool home) {
    lua_getglobal(L, "process");
    struct fut_route r = {.process = lua_toboolean(L, -1), .home = home};
    lua_pop(L, 1);
    return r;
}

/* In the worker: runs the call and encodes its results. */
static inline int test_run(lua_State *L) {
    struct fut_payload *call = lua_touserdata(L, 1), *results = lua_touserdata(L, 2);
    struct fut_route *home = lua_touserdata(L, 3);
    struct fut_decoder d;
    int n;
    lua_settop(L, 0);
    fut_decoder_init(&d, call, (struct fut_route){.process = home->process});
    if (fut_decoder_sequence(&d, L, &n) != FUT_OK) return luaL_error(L, "%s", d.message);
    if (lua_gettop(L) != n || !fut_decoder_done(&d))
        return luaL_error(L, "not all was decoded");
    lua_call(L, n - 1, LUA_MULTRET);
    const char *message = NULL;
    enum fut_err err =
        fut_encode(L, *home, 1, lua_gettop(L), FUT_ROLE_RESULT, results, &message);
    if (err != FUT_OK) return luaL_error(L, "%s", message ? message : fut_err_text(err));
    return 0;
}

static inline int test_call_worker(lua_State *L, struct fut_payload *call,
                                   struct fut_payload *results, struct fut_route *home) {
    if (!test_worker) test_worker = test_state();
    lua_pushcfunction(test_worker, test_run);
    lua_pushlightuserdata(test_worker, call);
    lua_pushlightuserdata(test_worker, results);
    lua_pushlightuserdata(test_worker, home);
    int status = lua_pcall(test_worker, 3, 0, 0);
    if (status != LUA_OK) {
        lua_pushstring(L, lua_tostring(test_worker, -1));
        lua_pop(test_worker, 1);
    }
    return status;
}

static inline int test_send(lua_State *L) {
    struct fut_payload call = {0}, results = {0};
    const char *message = NULL;
    struct fut_route home = test_route(L, true);
    int top = lua_gettop(L);
    enum fut_err err =
        fut_encode(L, test_route(L, false), 1, top, FUT_ROLE_CALL, &call, &message);
    if (err != FUT_OK) return luaL_error(L, "%s", message ? message : fut_err_text(err));
    if (lua_gettop(L) != top) return luaL_error(L, "encoding left values on the stack");
    int status = test_call_worker(L, &call, &results, &home);
    fut_payload_deinit(&call);
    if (status != LUA_OK) return lua_error(L);
    struct fut_decoder d;
    int n;
    fut_decoder_init(&d, &results, home);
    err = fut_decoder_sequence(&d, L, &n);
    bool plain = fut_payload_plain(&results);
    for (int i = 0; plain && i < n; i++) plain = lua_type(L, i - n) != LUA_TTABLE;
    bool lies = fut_payload_plain(&results) != plain;
    fut_payload_deinit(&results);
    if (err != FUT_OK) return luaL_error(L, "%s", d.message);
    if (lies) return luaL_error(L, "fut_payload_plain is wrong");
    return n;
}

static inline int test_renew(lua_State *L) {
    (void)L;
    if (test_worker) lua_close(test_worker);
    test_worker = NULL;
    return 0;
}

static inline int test_preload(lua_State *L) {
    const char *name = luaL_checkstring(L, 1), *source = luaL_checkstring(L, 2);
    if (!test_worker) test_worker = test_state();
    lua_State *states[] = {L, test_worker};
    for (int i = 0; i < 2; i++) {
        luaL_getsubtable(states[i], LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
        if (luaL_loadstring(states[i], source) != LUA_OK) return luaL_error(L, "bad source");
        lua_setfield(states[i], -2, name);
        lua_pop(states[i], 1);
    }
    return 0;
}

static inline lua_State *test_open(void) {
    lua_State *L = test_state();
    lua_register(L, "send", test_send);
    lua_register(L, "renew", test_renew);
    lua_register(L, "preload", test_preload);
    lua_pushinteger(L, test_mode == TEST_NORMAL ? 1 : 20);
    lua_setglobal(L, "scale");
    if (luaL_dostring(L, test_prelude) != LUA_OK) abort();
    return L;
}

static inline void test_close(lua_State *L) {
    lua_close(L);
    test_renew(L);
}

/* Each case in states of its own. */
static inline int test_cases(const struct test_case *cases) {
    for (const struct test_case *c = cases; c->name; c++) {
        lua_State *L = test_open();
        if (luaL_loadbuffer(L, c->code, strlen(c->code), c->name) != LUA_OK ||
            lua_pcall(L, 0, 0, 0) != LUA_OK) {
            fprintf(stderr, "%s (mode %d): %s\n", c->name, test_mode, lua_tostring(L, -1));
            return 1;
        }
        test_close(L);
        printf("ok %s%s\n", c->name,
               (const char *[]){"", ", eager", ", generational"}[test_mode]);
    }
    return 0;
}

static inline int test_main(const struct test_case *cases) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (test_mode = 0; test_mode < TEST_MODES; test_mode++) {
        if (test_cases(cases) != 0) return 1;
    }
    return 0;
}

#endif
