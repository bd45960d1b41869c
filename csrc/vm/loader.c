/* SPDX-License-Identifier: MIT */
#include "vm/loader.h"

#include <lauxlib.h>

#include "base/alloc.h"

enum { LOADED_MAX = 1024 };

struct chunk {
    const unsigned char *bytes;
    size_t len;
};

static const char *read_chunk(lua_State *L, void *arg, size_t *len) {
    struct chunk *chunk = arg;
    (void)L;
    *len = chunk->len;
    chunk->len = 0;
    return (const char *)chunk->bytes;
}

/* The one place where bytecode enters a state: it comes from lua_dump in this process, or from its
 * parent. */
static enum fut_err load(lua_State *L, const unsigned char *bytes, size_t len) {
    struct chunk chunk = {bytes, len};
    int status = lua_load(L, read_chunk, &chunk, "=code", "b");
    if (status == LUA_OK) return FUT_OK;
    lua_pop(L, 1);
    return status == LUA_ERRMEM ? FUT_ENOMEM : FUT_ECORRUPT;
}

void fut_loader_forget(struct fut_codec *c) {
    while (c->nloaded > 0) fut_object_drop(&c->loaded[--c->nloaded]->object);
    fut_map_clear(&c->loaded_at);
}

static bool reserve(struct fut_codec *c, lua_State *L) {
    if (c->nloaded >= LOADED_MAX) {
        fut_loader_forget(c);
        lua_newtable(L);
        lua_rawseti(L, LUA_REGISTRYINDEX, c->refs[FUT_REF_CODE]);
    }
    if (c->nloaded < c->loaded_cap) return true;
    size_t cap = c->loaded_cap ? c->loaded_cap * 2 : 16;
    struct fut_code **loaded = fut_realloc(c->loaded, cap * sizeof(*loaded));
    if (!loaded) return false;
    c->loaded = loaded;
    c->loaded_cap = cap;
    return true;
}

/* The code's index in c->loaded, where a count of it is held. */
static enum fut_err index_of(struct fut_codec *c, lua_State *L, struct fut_code *code,
                             uint64_t *at) {
    if (fut_map_get(&c->loaded_at, (uintptr_t)code, at)) return FUT_OK;
    if (!reserve(c, L)) return FUT_ENOMEM;
    *at = c->nloaded;
    if (fut_map_add(&c->loaded_at, (uintptr_t)code, at) == FUT_MAP_NOMEM) return FUT_ENOMEM;
    fut_object_hold(&code->object);
    c->loaded[c->nloaded++] = code;
    return FUT_OK;
}

/* Pushes what is kept at the slot of the code: 1 its closure, 2 its factory; loaded when it is not
 * there yet. */
static enum fut_err kept(struct fut_codec *c, lua_State *L, struct fut_code *code, int which) {
    uint64_t at;
    if (c->closed) {
        if (which == 1) return load(L, code->bytes, code->len);
        return load(L, code->factory, code->factory_len);
    }
    enum fut_err err = index_of(c, L, code, &at);
    if (err != FUT_OK) return err;
    lua_Integer slot = (lua_Integer)at * 2 + which;
    fut_codec_push(c, L, FUT_REF_CODE);
    if (lua_rawgeti(L, -1, slot) == LUA_TNIL) {
        lua_pop(L, 1);
        if (which == 1)
            err = load(L, code->bytes, code->len);
        else
            err = load(L, code->factory, code->factory_len);
        if (err != FUT_OK) {
            lua_pop(L, 1);
            return err;
        }
        lua_pushvalue(L, -1);
        lua_rawseti(L, -3, slot);
    }
    lua_replace(L, -2);
    return FUT_OK;
}

enum fut_err fut_loader_plain(struct fut_codec *c, lua_State *L, struct fut_code *code) {
    enum fut_err err = kept(c, L, code, 1);
    if (err != FUT_OK || code->nups == 0) return err;
    lua_pushglobaltable(L);
    lua_setupvalue(L, -2, 1);
    return FUT_OK;
}

enum fut_err fut_loader_closure(struct fut_codec *c, lua_State *L, struct fut_code *code) {
    enum fut_err err;
    if (code->factory) {
        err = kept(c, L, code, 2);
        if (err == FUT_OK) lua_call(L, 0, 1);
        return err;
    }
    err = load(L, code->bytes, code->len);
    if (err != FUT_OK || code->nups == 0) return err;
    lua_pushnil(L); /* lua_load has put the globals there */
    lua_setupvalue(L, -2, 1);
    return FUT_OK;
}
