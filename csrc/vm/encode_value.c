/* SPDX-License-Identifier: MIT */
#include <lauxlib.h>
#include <limits.h>
#include <string.h>

#include "base/alloc.h"
#include "vm/encoder.h"

enum {
    STACK_ROOM = 16,   /* slots for one step of a frame */
    UNTRACKED_MAX = 2, /* a REF to so short a string would be no shorter */
    HOLE_MIN = 8       /* a hole that an array part may have whatever its length */
};

enum fut_err fut_encoder_put(struct fut_encoder *e, unsigned char tag, const void *bytes,
                             size_t n) {
    unsigned char *to = fut_buf_reserve(&e->out, n + 1);
    if (!to) return FUT_ENOMEM;
    *to = tag;
    memcpy(to + 1, bytes, n);
    e->out.len += n + 1;
    return FUT_OK;
}

enum fut_err fut_encoder_put_number(struct fut_encoder *e, unsigned char tag, uint64_t v) {
    unsigned char *to = fut_buf_reserve(&e->out, 1 + FUT_VARINT_MAX);
    if (!to) return FUT_ENOMEM;
    *to = tag;
    e->out.len = (size_t)(fut_put_varint(to + 1, v) - e->out.data);
    return FUT_OK;
}

enum fut_err fut_encoder_put_text(struct fut_encoder *e, const char *text, size_t len) {
    unsigned char *to = fut_buf_reserve(&e->out, FUT_VARINT_MAX + len);
    if (!to) return FUT_ENOMEM;
    to = fut_put_varint(to, len);
    if (len) memcpy(to, text, len);
    e->out.len = (size_t)(to - e->out.data) + len;
    return FUT_OK;
}

/* A closure of __persist that leads back to its object would be needed before it is there. */
static bool is_open_persist(const struct fut_encoder *e, uint64_t offset) {
    for (size_t i = 0; i < e->depth; i++) {
        if (e->frames[i].kind == FUT_FRAME_PERSIST && e->frames[i].at == offset) return true;
    }
    return false;
}

/* fut_encoder_seen, for strings, which meet no __persist. */
static inline enum fut_err seen_before(struct fut_encoder *e, const void *address, bool *seen,
                                       uint64_t *offset) {
    *offset = e->out.len - e->start;
    *seen = false;
    switch (fut_map_add(&e->seen, (uintptr_t)address, offset)) {
    case FUT_MAP_ADDED:
        return FUT_OK;
    case FUT_MAP_NOMEM:
        return FUT_ENOMEM;
    case FUT_MAP_FOUND:
        break;
    }
    *seen = true;
    fut_encoder_share(e, *offset);
    return fut_encoder_put_number(e, FUT_TAG_REF, *offset);
}

enum fut_err fut_encoder_seen(struct fut_encoder *e, lua_State *L, const void *address,
                              bool *seen) {
    uint64_t offset;
    enum fut_err err = seen_before(e, address, seen, &offset);
    if (*seen && e->persists > 0 && is_open_persist(e, offset))
        return fut_encoder_refuse(e, L, "the closure of __persist refers to its object");
    return err;
}

static enum fut_err put_string(struct fut_encoder *e, lua_State *L, int index, bool track) {
    size_t len;
    const char *text = lua_tolstring(L, index, &len);
    if (track && len > UNTRACKED_MAX) {
        bool seen;
        uint64_t offset;
        enum fut_err err = seen_before(e, text, &seen, &offset);
        if (err != FUT_OK || seen) return err;
    }
    unsigned char *to = fut_buf_reserve(&e->out, 1 + FUT_VARINT_MAX + len);
    if (!to) return FUT_ENOMEM;
    if (len <= FUT_SHORT_MAX) {
        *to++ = (unsigned char)(FUT_TAG_SHORT + len);
    } else {
        *to++ = FUT_TAG_STRING;
        to = fut_put_varint(to, len);
    }
    memcpy(to, text, len);
    e->out.len = (size_t)(to - e->out.data) + len;
    return FUT_OK;
}

static enum fut_err put_number(struct fut_encoder *e, lua_State *L, int index) {
    if (!lua_isinteger(L, index)) {
        lua_Number v = lua_tonumber(L, index);
        return fut_encoder_put(e, FUT_TAG_FLOAT, &v, sizeof v);
    }
    lua_Integer v = lua_tointeger(L, index);
    if (v < FUT_SMALL_MIN || v > FUT_SMALL_MAX)
        return fut_encoder_put_number(e, FUT_TAG_INT, fut_zigzag(v));
    return fut_encoder_tag(e, (unsigned char)(FUT_TAG_SMALL + (v - FUT_SMALL_MIN)));
}

enum fut_err fut_encoder_scalar(struct fut_encoder *e, lua_State *L, int index, int type,
                                bool track) {
    switch (type) {
    case LUA_TSTRING:
        return put_string(e, L, index, track);
    case LUA_TNUMBER:
        return put_number(e, L, index);
    case LUA_TBOOLEAN:
        return fut_encoder_tag(e, lua_toboolean(L, index) ? FUT_TAG_TRUE : FUT_TAG_FALSE);
    default:
        return fut_encoder_tag(e, FUT_TAG_NIL);
    }
}

enum fut_err fut_encoder_frame(struct fut_encoder *e, lua_State *L, enum fut_frame_kind kind) {
    if (e->depth >= FUT_DEPTH_MAX || !lua_checkstack(L, STACK_ROOM))
        return fut_encoder_refuse(e, L, "nested deeper than %d levels", (int)e->depth);
    if (e->depth == e->frames_cap) {
        size_t cap = e->frames_cap ? e->frames_cap * 2 : 16;
        struct fut_frame *frames = fut_realloc(e->frames, cap * sizeof *frames);
        if (!frames) return FUT_ENOMEM;
        e->frames = frames;
        e->frames_cap = cap;
    }
    struct fut_frame *f = &e->frames[e->depth++];
    if (e->depth > FUT_DEPTH_SMALL) e->flags |= FUT_HEAD_LINKED;
    f->kind = kind;
    f->part = FUT_PART_VALUE;
    f->slot = lua_gettop(L);
    return FUT_OK;
}

void fut_encoder_leave(struct fut_encoder *e, lua_State *L) {
    const struct fut_frame *f = &e->frames[--e->depth];
    if (f->kind == FUT_FRAME_PERSIST) e->persists--;
    lua_settop(L, f->slot - 1);
}

/* What only a weak table holds may be collected while it is encoded, and its address used
 * again. */
static bool is_weak(struct fut_encoder *e, lua_State *L) {
    if (!lua_getmetatable(L, -1)) return false;
    fut_codec_push(e->codec, L, FUT_REF_MODE);
    bool weak = lua_rawget(L, -2) != LUA_TNIL;
    lua_pop(L, 2);
    return weak;
}

enum fut_err fut_encoder_table(struct fut_encoder *e, lua_State *L, bool meta,
                               const struct fut_identity *id) {
    enum fut_err err = fut_encoder_frame(e, L, FUT_FRAME_TABLE);
    if (err != FUT_OK) return err;
    size_t idlen = id ? sizeof *id : 0;
    unsigned char *to = fut_buf_reserve(&e->out, 1 + FUT_TABLE_COUNTS + idlen);
    if (!to) return FUT_ENOMEM;
    *to = (unsigned char)(FUT_TAG_TABLE | (meta ? FUT_TABLE_META : 0) |
                          (id ? FUT_TABLE_IDENTITY : 0));
    if (id) memcpy(to + 1 + FUT_TABLE_COUNTS, id, idlen);
    struct fut_frame *f = fut_encoder_top(e);
    f->at = e->out.len + 1;
    f->u.table.next = 1;
    f->u.table.limit = (lua_Integer)lua_rawlen(L, -1);
    f->u.table.narr = f->u.table.nhash = 0;
    f->u.table.meta = meta;
    f->u.table.weak = meta && is_weak(e, L);
    e->out.len += 1 + FUT_TABLE_COUNTS + idlen;
    lua_pushnil(L);
    return FUT_OK;
}

/* Is the key below the top that of an array item? Items come in order. A small hole before
 * it is filled with nils, so that the border of {1, nil, 3} stays where it was. */
static bool is_item(struct fut_frame *f, lua_State *L, lua_Integer *hole) {
    if (!lua_isinteger(L, -2)) return false;
    lua_Integer key = lua_tointeger(L, -2), next = f->u.table.next;
    if (key == next && key <= f->u.table.limit) {
        *hole = 0;
        return true;
    }
    if (key < next || key > f->u.table.limit) return false;
    *hole = key - next;
    return *hole < next + HOLE_MIN;
}

static enum fut_err put_hole(struct fut_encoder *e, size_t n) {
    unsigned char *to = fut_buf_reserve(&e->out, n);
    if (!to) return FUT_ENOMEM;
    memset(to, FUT_TAG_NIL, n);
    e->out.len += n;
    return FUT_OK;
}

/* Key and value are the topmost slots. *entered: the key became a frame. */
static enum fut_err put_key(struct fut_encoder *e, lua_State *L, struct fut_frame *f,
                            bool *entered) {
    lua_Integer hole;
    if (f->u.table.next && is_item(f, L, &hole)) {
        f->u.table.next += hole + 1;
        f->u.table.narr = (uint64_t)f->u.table.next - 1;
        return hole ? put_hole(e, (size_t)hole) : FUT_OK;
    }
    f->u.table.next = 0;
    f->u.table.nhash++;
    int type = lua_type(L, -2);
    if (fut_is_scalar(type)) return fut_encoder_scalar(e, L, -2, type, true);
    *entered = true;
    f->part = FUT_PART_KEY;
    lua_pushvalue(L, -2);
    if (f->u.table.weak) fut_encoder_anchor(e, L, -1);
    return fut_encoder_enter(e, L);
}

static enum fut_err end_items(struct fut_encoder *e, lua_State *L, struct fut_frame *f) {
    if (f->u.table.narr > INT_MAX || f->u.table.nhash > INT_MAX)
        return fut_encoder_refuse(e, L, "a table with so many items cannot travel");
    uint32_t counts[2] = {(uint32_t)f->u.table.narr, (uint32_t)f->u.table.nhash};
    memcpy(e->out.data + f->at, counts, sizeof counts);
    if (!f->u.table.meta) {
        fut_encoder_leave(e, L);
        return FUT_OK;
    }
    f->part = FUT_PART_META;
    lua_getmetatable(L, f->slot);
    return fut_encoder_metatable(e, L);
}

static enum fut_err table_step(struct fut_encoder *e, lua_State *L) {
    struct fut_frame *f = fut_encoder_top(e);
    if (f->part == FUT_PART_META) {
        fut_encoder_leave(e, L);
        return FUT_OK;
    }
    for (;;) {
        enum fut_err err = FUT_OK;
        if (f->part == FUT_PART_VALUE) {
            bool entered = false;
            if (!lua_next(L, f->slot)) return end_items(e, L, f);
            err = put_key(e, L, f, &entered);
            if (entered || err != FUT_OK) return err;
        }
        f->part = FUT_PART_VALUE;
        int type = lua_type(L, -1);
        if (!fut_is_scalar(type)) {
            if (f->u.table.weak) fut_encoder_anchor(e, L, -1);
            return fut_encoder_enter(e, L);
        }
        err = fut_encoder_scalar(e, L, -1, type, true);
        if (err != FUT_OK) return err;
        lua_pop(L, 1);
    }
}

static enum fut_err enter_table(struct fut_encoder *e, lua_State *L) {
    bool seen;
    const void *address = lua_topointer(L, -1);
    enum fut_err err = fut_encoder_seen(e, L, address, &seen);
    if (err == FUT_OK && !seen) return fut_encoder_object(e, L, address);
    lua_pop(L, 1);
    return err;
}

static enum fut_err enter_light(struct fut_encoder *e, lua_State *L) {
    if (e->route.process)
        return fut_encoder_refuse(e, L, "light userdata cannot travel %s", fut_encoder_way(e));
    void *address = lua_touserdata(L, -1);
    lua_pop(L, 1);
    return fut_encoder_put(e, FUT_TAG_LIGHT, &address, sizeof address);
}

enum fut_err fut_encoder_enter(struct fut_encoder *e, lua_State *L) {
    switch (lua_type(L, -1)) {
    case LUA_TTABLE:
        return enter_table(e, L);
    case LUA_TFUNCTION:
        return fut_encoder_function(e, L);
    case LUA_TUSERDATA:
        return fut_encoder_userdata(e, L);
    case LUA_TLIGHTUSERDATA:
        return enter_light(e, L);
    case LUA_TTHREAD:
        return fut_encoder_refuse(e, L, "coroutine cannot travel");
    default:
        return fut_encoder_refuse(e, L, "%s cannot travel", luaL_typename(L, -1));
    }
}

enum fut_err fut_encoder_value(struct fut_encoder *e, lua_State *L, int index) {
    int type = lua_type(L, index);
    if (fut_is_scalar(type)) return fut_encoder_scalar(e, L, index, type, false);
    lua_pushvalue(L, index);
    enum fut_err err = fut_encoder_enter(e, L);
    while (err == FUT_OK && e->depth > 0) {
        switch (fut_encoder_top(e)->kind) {
        case FUT_FRAME_TABLE:
            err = table_step(e, L);
            break;
        case FUT_FRAME_FUNCTION:
            err = fut_encoder_function_step(e, L);
            break;
        case FUT_FRAME_PERSIST:
            fut_encoder_leave(e, L);
            break;
        }
    }
    return err;
}
