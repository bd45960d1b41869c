/* SPDX-License-Identifier: MIT */
/* Fuzz target: bytes from another process, decoded as a worker would and as its parent would.
 * What can be decoded is encoded again and must then be decodable. The first byte says which
 * way. */
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "vm/decode.h"
#include "vm/encode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static lua_State *state;

/* What the bytes may name must not do harm: no module is loaded, nothing is collected but by
 * us. */
static lua_State *new_state(void) {
    lua_State *L = luaL_newstate();
    if (!L) abort();
    luaL_requiref(L, "_G", luaopen_base, 1);
    luaL_requiref(L, "string", luaopen_string, 1);
    lua_settop(L, 0);
    return L;
}

static enum fut_err decode(lua_State *L, const struct fut_payload *p, struct fut_route route,
                           int *n) {
    struct fut_decoder d;
    fut_decoder_init(&d, p, route);
    return fut_decoder_sequence(&d, L, n);
}

static int run(lua_State *L) {
    const struct fut_payload *p = lua_touserdata(L, 1);
    const struct fut_route *route = lua_touserdata(L, 2);
    struct fut_payload again = {0};
    int n, m;
    lua_settop(L, 0);
    fut_payload_plain(p);
    if (decode(L, p, *route, &n) != FUT_OK) return 0;
    if (fut_encode(L, *route, 1, n, FUT_ROLE_VALUE, &again, NULL) != FUT_OK) return 0;
    enum fut_err err = decode(L, &again, *route, &m);
    fut_payload_deinit(&again);
    if (err == FUT_ECORRUPT || (err == FUT_OK && m != n)) abort();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static int rounds;
    if (size == 0) return 0;
    if (rounds++ % 1000 == 0) {
        if (state) lua_close(state);
        state = new_state();
    }
    struct fut_route route = {.process = true, .home = data[0] & 1};
    struct fut_payload p = {.len = size - 1, .heap = true};
    p.bytes.block = malloc(size);
    if (!p.bytes.block) return 0;
    memcpy(p.bytes.block, data + 1, size - 1);
    lua_pushcfunction(state, run);
    lua_pushlightuserdata(state, &p);
    lua_pushlightuserdata(state, &route);
    lua_pcall(state, 2, 0, 0);
    lua_settop(state, 0);
    free(p.bytes.block);
    return 0;
}
