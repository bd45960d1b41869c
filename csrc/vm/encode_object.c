/* SPDX-License-Identifier: MIT */
#include <lauxlib.h>

#include "vm/encoder.h"
#include "vm/foreign.h"
#include "vm/handle.h"
#include "vm/known.h"
#include "vm/names.h"

enum fut_err fut_encoder_named(struct fut_encoder *e, lua_State *L, const struct fut_known *k) {
    bool member = k->kind == FUT_KNOWN_MEMBER;
    size_t len;
    fut_known_push_names(e->codec, L, k);
    const char *text = lua_tolstring(L, -2, &len);
    enum fut_err err = fut_encoder_tag(e, member ? FUT_TAG_MEMBER : FUT_TAG_MODULE);
    if (err == FUT_OK) err = fut_encoder_put_text(e, text, len);
    if (err == FUT_OK && member) {
        text = lua_tolstring(L, -1, &len);
        err = fut_encoder_put_text(e, text, len);
    }
    lua_pop(L, 3);
    return err;
}

static void refresh(struct fut_encoder *e, lua_State *L) {
    if (!e->fresh) fut_names_refresh(e->codec, L);
    e->fresh = true;
}

static struct fut_known *known_module(struct fut_encoder *e, lua_State *L,
                                      const void *address) {
    uint64_t at;
    refresh(e, L);
    if (!fut_map_get(&e->codec->modules, (uintptr_t)address, &at)) return NULL;
    int index = lua_gettop(L);
    struct fut_known *k = fut_known_find(e->codec, L, index);
    return k && k->kind == FUT_KNOWN_MODULE ? k : fut_known_module(e->codec, L, index);
}

/* __persist of the metatable on the top, which is taken off: pushes its function; FUT_OK
 * without one. */
static enum fut_err find_persist(struct fut_encoder *e, lua_State *L, bool *found) {
    fut_codec_push(e->codec, L, FUT_REF_PERSIST);
    lua_rawget(L, -2);
    lua_replace(L, -2);
    *found = lua_isfunction(L, -1);
    if (*found) return FUT_OK;
    bool literal = lua_isnil(L, -1) || (lua_isboolean(L, -1) && lua_toboolean(L, -1));
    bool refuses = lua_isboolean(L, -1);
    const char *type = luaL_typename(L, -1);
    lua_pop(L, 1);
    if (literal) return FUT_OK;
    if (refuses) return fut_encoder_refuse_value(e, L, -1, "refuses to travel (__persist)");
    return fut_encoder_refuse(e, L, "__persist must be a function or a boolean, not a %s value",
                              type);
}

/* Below the top is the object, on the top its __persist function. */
static enum fut_err persist(struct fut_encoder *e, lua_State *L) {
    lua_pushvalue(L, -2);
    lua_call(L, 1, 1);
    if (!lua_isfunction(L, -1) || lua_iscfunction(L, -1))
        return fut_encoder_refuse(e, L, "__persist must return a Lua function, not a %s value",
                                  luaL_typename(L, -1));
    fut_encoder_anchor(e, L, -1);
    enum fut_err err = fut_encoder_frame(e, L, FUT_FRAME_PERSIST);
    if (err != FUT_OK) return err;
    struct fut_frame *f = fut_encoder_top(e);
    f->slot--; /* of the object */
    f->at = e->out.len - e->start;
    e->persists++;
    err = fut_encoder_tag(e, FUT_TAG_PERSIST);
    return err != FUT_OK ? err : fut_encoder_enter(e, L);
}

static enum fut_err put_globals(struct fut_encoder *e, lua_State *L) {
    lua_pop(L, 1);
    return fut_encoder_tag(e, FUT_TAG_GLOBALS);
}

/* A table that stands for itself wherever it appears: what a loaded module holds goes by
 * name, the others get an identity. */
static enum fut_err put_class(struct fut_encoder *e, lua_State *L, bool meta) {
    struct fut_codec *c = e->codec;
    struct fut_identity id;
    int index = lua_gettop(L);
    if (lua_topointer(L, index) == fut_encoder_globals_table(e, L)) return put_globals(e, L);
    struct fut_known *k = fut_known_find(c, L, index);
    bool has_id = !k && fut_identity_find(c, L, index, &id);
    if (!k && !has_id) {
        refresh(e, L);
        k = fut_known_name(c, L, index);
    }
    if (k) return fut_encoder_named(e, L, k);
    if (!has_id) fut_identity_give(c, L, index, &id);
    if (has_id && e->route.process && e->route.home) {
        if (!fut_identity_push(c, L, id)) {
            lua_pop(L, 1);
            return fut_encoder_put(e, FUT_TAG_IDENTITY, &id, sizeof id);
        }
        lua_pop(L, 1);
    }
    return fut_encoder_table(e, L, meta, &id);
}

static bool has_index(struct fut_encoder *e, lua_State *L) {
    fut_codec_push(e->codec, L, FUT_REF_INDEX);
    bool has = lua_rawget(L, -2) != LUA_TNIL;
    lua_pop(L, 1);
    return has;
}

enum fut_err fut_encoder_object(struct fut_encoder *e, lua_State *L, const void *address) {
    if (address == fut_encoder_globals_table(e, L)) return put_globals(e, L);
    const struct fut_known *k = known_module(e, L, address);
    if (k) return fut_encoder_named(e, L, k);
    bool meta = lua_getmetatable(L, -1);
    if (meta) {
        bool found;
        enum fut_err err = find_persist(e, L, &found);
        if (err != FUT_OK) return err;
        if (found) return persist(e, L);
    }
    if (has_index(e, L)) return put_class(e, L, meta);
    return fut_encoder_table(e, L, meta, NULL);
}

/* The metatable has been met as an ordinary value: from now on that one has an identity. */
static enum fut_err put_identref(struct fut_encoder *e, lua_State *L, uint64_t offset) {
    struct fut_identity id;
    int index = lua_gettop(L);
    if (!fut_identity_find(e->codec, L, index, &id)) fut_identity_give(e->codec, L, index, &id);
    fut_encoder_share(e, offset);
    fut_map_replace(&e->seen, (uintptr_t)lua_topointer(L, -1), e->out.len - e->start);
    enum fut_err err = fut_encoder_put(e, FUT_TAG_IDENTREF, &id, sizeof id);
    unsigned char *to = fut_buf_reserve(&e->out, FUT_VARINT_MAX);
    if (err != FUT_OK || !to) return FUT_ENOMEM;
    e->out.len = (size_t)(fut_put_varint(to, offset) - e->out.data);
    lua_pop(L, 1);
    return FUT_OK;
}

enum fut_err fut_encoder_metatable(struct fut_encoder *e, lua_State *L) {
    uint64_t offset;
    const void *address = lua_topointer(L, -1);
    if (fut_map_get(&e->seen, (uintptr_t)address, &offset)) {
        unsigned char tag = e->out.data[e->start + offset] & (unsigned char)~FUT_TAG_SHARED;
        if ((tag & ~FUT_TABLE_META) == FUT_TAG_TABLE) return put_identref(e, L, offset);
    }
    bool seen;
    enum fut_err err = fut_encoder_seen(e, L, address, &seen);
    if (err == FUT_OK && !seen) {
        bool meta = lua_getmetatable(L, -1);
        if (meta) lua_pop(L, 1);
        return put_class(e, L, meta);
    }
    lua_pop(L, 1);
    return err;
}

static enum fut_err put_packed(struct fut_encoder *e, lua_State *L,
                               const struct fut_handle_class *c) {
    bool seen;
    enum fut_err err = fut_encoder_seen(e, L, lua_topointer(L, -1), &seen);
    if (err == FUT_OK && !seen) return fut_foreign_pack(e, L, c);
    lua_pop(L, 1);
    return err;
}

static enum fut_err put_handle(struct fut_encoder *e, lua_State *L,
                               const struct fut_handle_class *c) {
    uint32_t index;
    if (e->route.process && c->foreign && c->foreign->pack) return put_packed(e, L, c);
    if (e->route.process)
        return fut_encoder_refuse(e, L, "%s cannot travel %s", c->type->name,
                                  fut_encoder_way(e));
    if (e->route.home && !c->home)
        return fut_encoder_refuse(e, L, "%s cannot travel home", c->type->name);
    enum fut_err err = fut_encoder_ref(e, fut_handle_send(L, -1, c), &index);
    lua_pop(L, 1);
    return err != FUT_OK ? err : fut_encoder_put_number(e, FUT_TAG_HANDLE, index);
}

enum fut_err fut_encoder_userdata(struct fut_encoder *e, lua_State *L) {
    const struct fut_handle_class *handle = fut_handle_class_of(L, -1);
    if (handle) return put_handle(e, L, handle);
    bool seen;
    const void *address = lua_topointer(L, -1);
    enum fut_err err = fut_encoder_seen(e, L, address, &seen);
    if (err != FUT_OK || seen) {
        lua_pop(L, 1);
        return err;
    }
    const struct fut_known *k = known_module(e, L, address);
    if (k) return fut_encoder_named(e, L, k);
    bool found = false;
    if (lua_getmetatable(L, -1)) err = find_persist(e, L, &found);
    if (err != FUT_OK) return err;
    if (found) return persist(e, L);
    return fut_encoder_refuse_value(e, L, -1, "cannot travel");
}
