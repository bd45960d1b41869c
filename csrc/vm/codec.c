/* SPDX-License-Identifier: MIT */
#include "vm/codec.h"

#include <lauxlib.h>
#include <stdatomic.h>
#include <string.h>

#include "base/alloc.h"
#include "vm/known.h"
#include "vm/loader.h"
#include "vm/names.h"

/* Its address is the registry key. */
static const char codec_key;

/* The codec that this thread has asked for last: three times a task, so a lookup in the
 * registry would be felt. Good as long as no codec anywhere was closed since. */
static _Thread_local struct {
    const void *registry; /* tells the state */
    unsigned epoch;
    struct fut_codec *codec;
} last;

static atomic_uint closed_codecs;

void fut_codec_clear(struct fut_codec *c) {
    fut_known_forget(c);
    fut_map_deinit(&c->codes_at);
    fut_map_deinit(&c->modules);
    fut_map_deinit(&c->standard);
    fut_map_deinit(&c->loaded_at);
    fut_buf_deinit(&c->scratch);
    fut_free(c->codes);
    fut_free(c->loaded);
    c->codes = NULL;
    c->loaded = NULL;
    c->codes_cap = c->loaded_cap = 0;
    c->modules_print = 0;
}

static int codec_gc(lua_State *L) {
    struct fut_codec *c = lua_touserdata(L, 1);
    c->closed = true;
    atomic_fetch_add_explicit(&closed_codecs, 1, memory_order_release);
    if (!c->open) {
        for (int i = 0; i < FUT_CODEC_REFS && c->refs[i] != 0; i++)
            luaL_unref(L, LUA_REGISTRYINDEX, c->refs[i]);
    }
    fut_loader_forget(c, L);
    fut_codec_clear(c);
    return 0;
}

static void push_table(lua_State *L, int narr, const char *mode) {
    lua_createtable(L, narr, 0);
    if (!mode) return;
    lua_createtable(L, 0, 1);
    lua_pushstring(L, mode);
    lua_setfield(L, -2, "__mode");
    lua_setmetatable(L, -2);
}

static void push_initial(struct fut_codec *c, lua_State *L, enum fut_codec_ref ref) {
    switch (ref) {
    case FUT_REF_KNOWN:
        push_table(L, FUT_KNOWN_SLOTS, "v");
        break;
    case FUT_REF_OWN:
        push_table(L, 0, "v");
        break;
    case FUT_REF_IDENTITY:
        push_table(L, 0, "k");
        break;
    case FUT_REF_STANDARD:
        fut_names_standard(c, L);
        break;
    case FUT_REF_LOADED:
        luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
        break;
    case FUT_REF_REQUIRE:
        lua_getglobal(L, "require");
        break;
    case FUT_REF_INDEX:
        lua_pushliteral(L, "__index");
        break;
    case FUT_REF_PERSIST:
        lua_pushliteral(L, "__persist");
        break;
    case FUT_REF_MODE:
        lua_pushliteral(L, "__mode");
        break;
    default:
        push_table(L, 0, NULL);
        break;
    }
}

static struct fut_codec *codec_open(lua_State *L) {
    luaL_checkstack(L, 10, "codec");
    struct fut_codec *c = lua_newuserdatauv(L, sizeof *c, 0);
    memset(c, 0, sizeof *c);
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, codec_gc);
    lua_setfield(L, -2, "__gc");
    lua_setmetatable(L, -2);
    for (int i = 0; i < FUT_CODEC_REFS; i++) {
        push_initial(c, L, (enum fut_codec_ref)i);
        c->refs[i] = luaL_ref(L, LUA_REGISTRYINDEX);
    }
    lua_rawsetp(L, LUA_REGISTRYINDEX, &codec_key);
    c->open = true;
    return c;
}

static struct fut_codec *look_up(lua_State *L) {
    lua_rawgetp(L, LUA_REGISTRYINDEX, &codec_key);
    struct fut_codec *c = lua_touserdata(L, -1);
    lua_pop(L, 1);
    return c ? c : codec_open(L);
}

struct fut_codec *fut_codec_get(lua_State *L) {
    const void *registry = lua_topointer(L, LUA_REGISTRYINDEX);
    /* acquire pairs with codec_gc: the address of a closed state may be that of a new one */
    unsigned epoch = atomic_load_explicit(&closed_codecs, memory_order_acquire);
    if (last.registry == registry && last.epoch == epoch) return last.codec;
    struct fut_codec *c = look_up(L);
    if (!c->closed) {
        last.registry = registry;
        last.epoch = epoch;
        last.codec = c;
    }
    return c;
}

int fut_codec_raise(lua_State *L) {
    lua_pushliteral(L, "not enough memory");
    return lua_error(L);
}
