/* SPDX-License-Identifier: MIT */
#include "vm/encode.h"

#include <lauxlib.h>
#include <string.h>

#include "base/alloc.h"
#include "vm/encoder.h"
#include "vm/known.h"

/* What an encoder keeps between uses; more is given back. */
enum { KEEP_BYTES = 1 << 20, KEEP_SLOTS = 1 << 16, KEEP_FRAMES = 4096 };

static void drop_refs(struct fut_encoder *e) {
    while (e->nrefs > 0) fut_object_drop(e->refs[--e->nrefs]);
}

static void clear(struct fut_encoder *e) {
    drop_refs(e);
    fut_free(e->refs);
    fut_free(e->frames);
    fut_free(e->needy);
    e->refs = NULL;
    e->frames = NULL;
    e->needy = NULL;
    e->refs_cap = 0;
    e->frames_cap = e->needy_cap = 0;
    fut_buf_deinit(&e->out);
    fut_map_deinit(&e->seen);
}

static int encoder_gc(lua_State *L) {
    clear(lua_touserdata(L, 1));
    return 0;
}

/* Pushes a new encoder, which is the state's one from now on. */
static struct fut_encoder *encoder_new(struct fut_codec *c, lua_State *L) {
    struct fut_encoder *e = lua_newuserdatauv(L, sizeof *e, 0);
    memset(e, 0, sizeof *e);
    e->codec = c;
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, encoder_gc);
    lua_setfield(L, -2, "__gc");
    lua_setmetatable(L, -2);
    lua_pushvalue(L, -1);
    lua_rawseti(L, LUA_REGISTRYINDEX, c->refs[FUT_REF_ENCODER]);
    c->encoder = e;
    return e;
}

static void release(struct fut_encoder *e) {
    struct fut_codec *c = e->codec;
    e->busy = false;
    if (c->closed) {
        clear(e);
        fut_codec_clear(c);
        return;
    }
    fut_buf_trim(&e->out, KEEP_BYTES);
    fut_map_trim(&e->seen, KEEP_SLOTS);
    if (e->frames_cap > KEEP_FRAMES) {
        fut_free(e->frames);
        e->frames = NULL;
        e->frames_cap = 0;
    }
}

/* The state's encoder, or a new one when that is busy: in use further down the C stack, or
 * left so by an error. It is on the stack since the next one to come takes its place in the
 * registry. */
struct fut_encoder *fut_encoder_begin(lua_State *L, struct fut_route route) {
    luaL_checkstack(L, 10, "encoder");
    struct fut_codec *c = fut_codec_get(L);
    struct fut_encoder *e = c->encoder;
    if (e && !e->busy)
        fut_codec_push(c, L, FUT_REF_ENCODER);
    else
        e = encoder_new(c, L);
    e->busy = true;
    e->fresh = false;
    e->route = route;
    e->message = "";
    return e;
}

void fut_encoder_anchors(struct fut_encoder *e, lua_State *L) {
    if (!lua_isnil(L, e->anchors)) return;
    lua_newtable(L);
    lua_replace(L, e->anchors);
}

int fut_encoder_anchor(struct fut_encoder *e, lua_State *L, int index) {
    index = lua_absindex(L, index);
    fut_encoder_anchors(e, L);
    lua_pushvalue(L, index);
    lua_rawseti(L, e->anchors, ++e->nanchors);
    return e->nanchors;
}

static bool reserve_ref(struct fut_encoder *e) {
    if (e->nrefs < e->refs_cap) return true;
    uint32_t cap = e->refs_cap ? e->refs_cap * 2 : 8;
    if (cap < e->refs_cap) return false;
    struct fut_object **refs = fut_realloc(e->refs, cap * sizeof(*refs));
    if (!refs) return false;
    e->refs = refs;
    e->refs_cap = cap;
    return true;
}

enum fut_err fut_encoder_ref(struct fut_encoder *e, struct fut_object *object,
                             uint32_t *index) {
    uint64_t at = e->nrefs;
    if (!reserve_ref(e)) return FUT_ENOMEM;
    switch (fut_map_add(&e->seen, (uintptr_t)object, &at)) {
    case FUT_MAP_NOMEM:
        return FUT_ENOMEM;
    case FUT_MAP_ADDED:
        fut_object_hold(object);
        e->refs[e->nrefs++] = object;
        break;
    case FUT_MAP_FOUND:
        break;
    }
    *index = (uint32_t)at;
    return FUT_OK;
}

static void start(struct fut_encoder *e, lua_State *L, enum fut_role role) {
    fut_map_clear(&e->seen);
    e->flags = FUT_HEAD_COMPOUND;
    e->globals = NULL;
    lua_pushnil(L);
    e->anchors = lua_gettop(L);
    e->nanchors = 0;
    e->depth = 0;
    e->persists = 0;
    e->nneedy = 0;
    e->role = role;
    e->global = NULL;
}

/* The values from the i-th one on, which is no scalar, and the globals that they need. */
static enum fut_err put_compound(struct fut_encoder *e, lua_State *L, int first, int i, int n,
                                 enum fut_role role) {
    luaL_checkstack(L, 20, "values to encode");
    int top = lua_gettop(L);
    uint32_t nrefs = e->nrefs;
    enum fut_err err = FUT_OK;
    start(e, L, role);
    for (e->root = i; e->root < n && err == FUT_OK; e->root++)
        err = fut_encoder_value(e, L, first + e->root);
    if (err == FUT_OK && e->nneedy > 0) err = fut_encoder_globals(e, L);
    if (err == FUT_OK)
        e->out.data[e->start] |= e->flags;
    else
        while (e->nrefs > nrefs) fut_object_drop(e->refs[--e->nrefs]);
    lua_settop(L, top);
    return err;
}

enum fut_err fut_encoder_sequence(struct fut_encoder *e, lua_State *L, int first, int n,
                                  enum fut_role role) {
    int i = 0, type;
    enum fut_err err = FUT_OK;
    e->start = e->out.len;
    unsigned char *to = fut_buf_reserve(&e->out, FUT_VARINT_MAX);
    if (!to) return FUT_ENOMEM;
    e->out.len = (size_t)(fut_put_varint(to, (uint64_t)n << FUT_HEAD_BITS) - e->out.data);
    for (; i < n && err == FUT_OK && fut_is_scalar(type = lua_type(L, first + i)); i++)
        err = fut_encoder_scalar(e, L, first + i, type, false);
    if (err == FUT_OK && i < n) err = put_compound(e, L, first, i, n, role);
    if (err == FUT_OK) err = fut_encoder_tag(e, FUT_TAG_NIL);
    if (err != FUT_OK) e->out.len = e->start;
    return err;
}

enum fut_err fut_encoder_byte(struct fut_encoder *e, unsigned char byte) {
    return fut_buf_append(&e->out, &byte, 1) ? FUT_OK : FUT_ENOMEM;
}

enum fut_err fut_encoder_end(struct fut_encoder *e, struct fut_payload *out) {
    enum fut_err err = fut_payload_init_buf(out, &e->out, e->refs, e->nrefs);
    if (err == FUT_OK) e->nrefs = 0;
    drop_refs(e);
    release(e);
    return err;
}

void fut_encoder_abandon(struct fut_encoder *e) {
    drop_refs(e);
    release(e);
}

const char *fut_encoder_message(const struct fut_encoder *e) {
    return e->message;
}

enum fut_err fut_encode(lua_State *L, struct fut_route route, int first, int n,
                        enum fut_role role, struct fut_payload *out, const char **message) {
    struct fut_encoder *e = fut_encoder_begin(L, route);
    enum fut_err err = fut_encoder_sequence(e, L, first, n, role);
    if (err == FUT_OK) {
        err = fut_encoder_end(e, out);
    } else {
        if (message) *message = fut_encoder_message(e);
        fut_encoder_abandon(e);
    }
    lua_pop(L, 1);
    return err;
}
