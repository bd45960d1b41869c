/* SPDX-License-Identifier: MIT */
/* Values and functions between two states, and back. */
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vm/decode.h"
#include "vm/encode.h"

static lua_State *worker;

static struct fut_route route(lua_State *L, bool home) {
    lua_getglobal(L, "process");
    struct fut_route r = {.process = lua_toboolean(L, -1), .home = home};
    lua_pop(L, 1);
    return r;
}

/* In the worker: arg 1 is the call's payload, arg 2 gets that of the results. */
static int run(lua_State *L) {
    struct fut_payload *call = lua_touserdata(L, 1), *results = lua_touserdata(L, 2);
    struct fut_route *r = lua_touserdata(L, 3);
    struct fut_decoder d;
    int n;
    lua_settop(L, 0);
    fut_decoder_init(&d, call, (struct fut_route){.process = r->process});
    if (fut_decoder_sequence(&d, L, &n) != FUT_OK) return luaL_error(L, "%s", d.message);
    if (lua_gettop(L) != n) return luaL_error(L, "%d values for %d", lua_gettop(L), n);
    lua_call(L, n - 1, LUA_MULTRET);
    const char *message;
    if (fut_encode(L, *r, 1, lua_gettop(L), FUT_ROLE_RESULT, results, &message) != FUT_OK)
        return luaL_error(L, "home: %s", message);
    return 0;
}

/* send(f, ...): calls f in the worker and gives its results. */
static int l_send(lua_State *L) {
    struct fut_payload call = {0}, results = {0};
    const char *message = NULL;
    struct fut_route home = route(L, true);
    enum fut_err err =
        fut_encode(L, route(L, false), 1, lua_gettop(L), FUT_ROLE_CALL, &call, &message);
    if (err != FUT_OK) return luaL_error(L, "%s", message ? message : fut_err_text(err));
    lua_pushcfunction(worker, run);
    lua_pushlightuserdata(worker, &call);
    lua_pushlightuserdata(worker, &results);
    lua_pushlightuserdata(worker, &home);
    int status = lua_pcall(worker, 3, 0, 0);
    fut_payload_deinit(&call);
    if (status != LUA_OK) {
        lua_pushstring(L, lua_tostring(worker, -1));
        lua_pop(worker, 1);
        return lua_error(L);
    }
    struct fut_decoder d;
    int n;
    fut_decoder_init(&d, &results, home);
    err = fut_decoder_sequence(&d, L, &n);
    fut_payload_deinit(&results);
    if (err != FUT_OK) return luaL_error(L, "%s", d.message);
    return n;
}

static lua_State *new_state(void) {
    lua_State *L = luaL_newstate();
    luaL_openlibs(L);
    return L;
}

int main(int argc, char **argv) {
    lua_State *L = new_state();
    worker = new_state();
    lua_register(L, "send", l_send);
    for (int i = 1; i < argc; i++) {
        if (luaL_dofile(L, argv[i]) != LUA_OK) {
            fprintf(stderr, "%s\n", lua_tostring(L, -1));
            return 1;
        }
    }
    lua_close(worker);
    lua_close(L);
    return 0;
}
