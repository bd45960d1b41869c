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

/* The one place where bytecode enters a state: it comes from lua_dump in this process, or
 * from its parent. */
static enum fut_err load(lua_State *L, const unsigned char *bytes, size_t len) {
    struct chunk chunk = {bytes, len};
    int status = lua_load(L, read_chunk, &chunk, "=code", "b");
    if (status == LUA_OK) return FUT_OK;
    lua_pop(L, 1);
    return status == LUA_ERRMEM ? FUT_ENOMEM : FUT_ECORRUPT;
}

void fut_loader_forget(struct fut_codec *c, lua_State *L) {
    while (c->nloaded > 0) {
        struct fut_loaded *l = &c->loaded[--c->nloaded];
        if (l->closure) luaL_unref(L, LUA_REGISTRYINDEX, l->closure);
        if (l->factory) luaL_unref(L, LUA_REGISTRYINDEX, l->factory);
        fut_object_drop(&l->code->object);
    }
    fut_map_clear(&c->loaded_at);
}

static bool reserve(struct fut_codec *c, lua_State *L) {
    if (c->nloaded >= LOADED_MAX) fut_loader_forget(c, L);
    if (c->nloaded < c->loaded_cap) return true;
    size_t cap = c->loaded_cap ? c->loaded_cap * 2 : 16;
    struct fut_loaded *loaded = fut_realloc(c->loaded, cap * sizeof *loaded);
    if (!loaded) return false;
    c->loaded = loaded;
    c->loaded_cap = cap;
    return true;
}

/* What there is of the code in this state. */
static enum fut_err find(struct fut_codec *c, lua_State *L, struct fut_code *code,
                         struct fut_loaded **out) {
    uint64_t at;
    if (!fut_map_get(&c->loaded_at, (uintptr_t)code, &at)) {
        if (!reserve(c, L)) return FUT_ENOMEM;
        at = c->nloaded;
        if (fut_map_add(&c->loaded_at, (uintptr_t)code, &at) == FUT_MAP_NOMEM)
            return FUT_ENOMEM;
        fut_object_hold(&code->object);
        c->loaded[c->nloaded++] = (struct fut_loaded){.code = code};
    }
    *out = &c->loaded[at];
    return FUT_OK;
}

/* lua_load never lets the collector run: a worker that only loads would grow without bound.
 * This does, when it is due. */
static void let_collect(lua_State *L) {
    lua_pushliteral(L, "");
    lua_pop(L, 1);
}

/* Pushes the closure of the code, or its factory, which is loaded once. */
static enum fut_err once(struct fut_codec *c, lua_State *L, struct fut_code *code,
                         bool factory) {
    struct fut_loaded *l;
    enum fut_err err = find(c, L, code, &l);
    if (err != FUT_OK) return err;
    int *ref = factory ? &l->factory : &l->closure;
    if (*ref) {
        lua_rawgeti(L, LUA_REGISTRYINDEX, *ref);
        return FUT_OK;
    }
    if (factory)
        err = load(L, code->factory, code->factory_len);
    else
        err = load(L, code->bytes, code->len);
    if (err != FUT_OK) return err;
    lua_pushvalue(L, -1);
    *ref = luaL_ref(L, LUA_REGISTRYINDEX);
    let_collect(L);
    return FUT_OK;
}

/* A closure that is kept nowhere. lua_load has put the globals into its first upvalue. */
static enum fut_err load_anew(lua_State *L, struct fut_code *code) {
    enum fut_err err = load(L, code->bytes, code->len);
    if (err != FUT_OK) return err;
    if (code->nups > 0) {
        lua_pushnil(L);
        lua_setupvalue(L, -2, 1);
    }
    let_collect(L);
    return FUT_OK;
}

enum fut_err fut_loader_plain(struct fut_codec *c, lua_State *L, struct fut_code *code) {
    enum fut_err err = c->closed ? load_anew(L, code) : once(c, L, code, false);
    if (err != FUT_OK || code->nups == 0) return err;
    lua_pushglobaltable(L);
    lua_setupvalue(L, -2, 1);
    return FUT_OK;
}

enum fut_err fut_loader_closure(struct fut_codec *c, lua_State *L, struct fut_code *code) {
    if (!code->factory || c->closed) return load_anew(L, code);
    enum fut_err err = once(c, L, code, true);
    if (err == FUT_OK) lua_call(L, 0, 1);
    return err;
}
