/* SPDX-License-Identifier: MIT */
#include <limits.h>
#include <string.h>

#include "vm/decoder.h"

enum { STACK_ROOM = 12 };

enum fut_err fut_reading_share(struct fut_reading *r, uint64_t offset) {
    if (!r->shared) return fut_reading_corrupt(r);
    lua_pushvalue(r->L, -1);
    lua_rawseti(r->L, r->shared, (lua_Integer)offset + 1);
    return FUT_OK;
}

int fut_reading_shared(struct fut_reading *r, uint64_t offset) {
    if (!r->shared || offset >= (uint64_t)(r->d->end - r->start)) {
        lua_pushnil(r->L);
        return LUA_TNIL;
    }
    return lua_rawgeti(r->L, r->shared, (lua_Integer)offset + 1);
}

/* How many bytes at least the frame's values after the current one take. */
static uint64_t rest(const struct fut_fill *f) {
    if (f->kind == FUT_FILL_FUNCTION) return (uint64_t)(f->u.function.nups - f->u.function.up);
    if (f->kind == FUT_FILL_PERSIST) return 0;
    uint64_t n = (uint64_t)f->u.table.narr + 2 * (uint64_t)f->u.table.nhash;
    switch (f->u.table.part) {
    case FUT_FILL_ITEM:
        return n - 1;
    case FUT_FILL_KEY:
        return n - 1;
    case FUT_FILL_VALUE:
        return n - 2;
    case FUT_FILL_META:
        break;
    }
    return 0;
}

static void grow_frames(struct fut_reading *r) {
    size_t cap = r->cap * 2;
    lua_pushboolean(r->L, 0);
    struct fut_fill *frames = lua_newuserdatauv(r->L, cap * sizeof *frames, 0);
    memcpy(frames, r->frames, r->depth * sizeof *frames);
    lua_rawset(r->L, r->shared);
    r->frames = frames;
    r->cap = cap;
}

enum fut_err fut_reading_frame(struct fut_reading *r, enum fut_fill_kind kind) {
    int slot = lua_gettop(r->L);
    if (r->depth >= FUT_DEPTH_MAX || !lua_checkstack(r->L, STACK_ROOM))
        return fut_reading_fail(r, FUT_ECORRUPT, "corrupt data: nested too deep");
    if (r->depth == r->cap) {
        if (!r->shared) return fut_reading_corrupt(r);
        grow_frames(r);
    }
    const unsigned char *limit = r->d->end;
    if (r->depth > 0) {
        struct fut_fill *outer = fut_reading_top(r);
        uint64_t after = rest(outer);
        if (after > (uint64_t)(outer->limit - r->at)) return fut_reading_corrupt(r);
        limit = outer->limit - after;
        outer->waiting = true;
    }
    struct fut_fill *f = &r->frames[r->depth++];
    f->kind = kind;
    f->waiting = false;
    f->slot = slot;
    f->limit = limit;
    return FUT_OK;
}

/* The table's counts promise so many values, a byte each at least: are there so many bytes?
 * Checked before anything is allocated for them, against what the containers around it have
 * promised. */
static enum fut_err check_counts(struct fut_reading *r, uint32_t narr, uint32_t nhash) {
    const unsigned char *limit = r->d->end;
    uint64_t after = 0;
    if (r->depth > 0) {
        limit = fut_reading_top(r)->limit;
        after = rest(fut_reading_top(r));
    }
    uint64_t need = (uint64_t)narr + 2 * (uint64_t)nhash + after;
    if (r->at > limit || need > (uint64_t)(limit - r->at) || narr > INT_MAX || nhash > INT_MAX)
        return fut_reading_corrupt(r);
    return FUT_OK;
}

/* Pushes the table of this state that the identity means, and a table to be thrown away,
 * which takes the content; or one new table that takes both. */
static void push_tables(struct fut_reading *r, uint32_t narr, uint32_t nhash,
                        const struct fut_identity *id) {
    bool own = id && fut_identity_push(fut_reading_codec(r), r->L, *id);
    lua_createtable(r->L, (int)narr, (int)nhash);
    if (id && !own) fut_identity_adopt(fut_reading_codec(r), r->L, lua_gettop(r->L), *id);
}

static enum fut_err read_table(struct fut_reading *r, unsigned char tag, uint64_t offset,
                               bool shared) {
    uint32_t counts[2];
    struct fut_identity id;
    bool has_id = tag & FUT_TABLE_IDENTITY;
    const unsigned char *bytes = fut_reading_bytes(r, sizeof counts);
    if (!bytes) return fut_reading_corrupt(r);
    memcpy(counts, bytes, sizeof counts);
    if (has_id) {
        bytes = fut_reading_bytes(r, sizeof id);
        if (!bytes) return fut_reading_corrupt(r);
        memcpy(&id, bytes, sizeof id);
    }
    enum fut_err err = check_counts(r, counts[0], counts[1]);
    if (err != FUT_OK) return err;
    int slot = lua_gettop(r->L) + 1;
    push_tables(r, counts[0], counts[1], has_id ? &id : NULL);
    err = fut_reading_frame(r, FUT_FILL_TABLE);
    if (err != FUT_OK) return err;
    struct fut_fill *f = fut_reading_top(r);
    f->u.table.into = f->slot;
    f->slot = slot;
    f->u.table.part = FUT_FILL_ITEM;
    f->u.table.meta = tag & FUT_TABLE_META;
    f->u.table.narr = counts[0];
    f->u.table.nhash = counts[1];
    f->u.table.next = 1;
    if (!shared) return FUT_OK;
    lua_pushvalue(r->L, slot);
    err = fut_reading_share(r, offset);
    lua_pop(r->L, 1);
    return err;
}

static inline enum fut_err read_string(struct fut_reading *r, uint64_t len) {
    const unsigned char *bytes = fut_reading_bytes(r, len);
    if (!bytes) return fut_reading_corrupt(r);
    lua_pushlstring(r->L, (const char *)bytes, (size_t)len);
    return FUT_OK;
}

static enum fut_err read_long_string(struct fut_reading *r) {
    uint64_t len;
    if (!fut_reading_number(r, &len)) return fut_reading_corrupt(r);
    return read_string(r, len);
}

static enum fut_err read_int(struct fut_reading *r) {
    uint64_t v;
    if (!fut_reading_number(r, &v)) return fut_reading_corrupt(r);
    lua_pushinteger(r->L, fut_unzigzag(v));
    return FUT_OK;
}

static enum fut_err read_float(struct fut_reading *r) {
    lua_Number v;
    const unsigned char *bytes = fut_reading_bytes(r, sizeof v);
    if (!bytes) return fut_reading_corrupt(r);
    memcpy(&v, bytes, sizeof v);
    lua_pushnumber(r->L, v);
    return FUT_OK;
}

static enum fut_err read_ref(struct fut_reading *r) {
    uint64_t offset;
    if (!fut_reading_number(r, &offset)) return fut_reading_corrupt(r);
    return fut_reading_shared(r, offset) == LUA_TNIL ? fut_reading_corrupt(r) : FUT_OK;
}

/* A scalar other than those that are all in their tag. */
static inline enum fut_err read_scalar(struct fut_reading *r, unsigned char tag) {
    switch (tag) {
    case FUT_TAG_NIL:
        lua_pushnil(r->L);
        return FUT_OK;
    case FUT_TAG_FALSE:
        lua_pushboolean(r->L, 0);
        return FUT_OK;
    case FUT_TAG_TRUE:
        lua_pushboolean(r->L, 1);
        return FUT_OK;
    case FUT_TAG_INT:
        return read_int(r);
    case FUT_TAG_FLOAT:
        return read_float(r);
    case FUT_TAG_STRING:
        return read_long_string(r);
    default:
        return fut_reading_corrupt(r);
    }
}

static inline void push_small(struct fut_reading *r, unsigned char tag) {
    lua_pushinteger(r->L, (lua_Integer)tag - FUT_TAG_SMALL + FUT_SMALL_MIN);
}

enum fut_err fut_reading_scalar(struct fut_reading *r) {
    if (r->at == r->d->end) return fut_reading_corrupt(r);
    unsigned char tag = *r->at++;
    if (tag >= FUT_TAG_SMALL) {
        push_small(r, tag);
        return FUT_OK;
    }
    return tag >= FUT_TAG_SHORT ? read_string(r, tag & FUT_SHORT_MAX) : read_scalar(r, tag);
}

enum fut_err fut_reading_next(struct fut_reading *r) {
    const unsigned char *limit = r->depth > 0 ? fut_reading_top(r)->limit : r->d->end;
    if (r->at >= limit) return fut_reading_corrupt(r);
    uint64_t offset = (uint64_t)(r->at - r->start);
    unsigned char tag = *r->at++;
    if (tag >= FUT_TAG_SMALL) {
        push_small(r, tag);
        return FUT_OK;
    }
    bool shared = tag & FUT_TAG_SHARED;
    tag &= (unsigned char)~FUT_TAG_SHARED;
    enum fut_err err;
    if (tag >= FUT_TAG_SHORT)
        err = read_string(r, tag & FUT_SHORT_MAX);
    else if (tag == FUT_TAG_REF)
        return read_ref(r);
    else if (tag < FUT_TAG_REF)
        err = shared && tag != FUT_TAG_STRING ? fut_reading_corrupt(r) : read_scalar(r, tag);
    else if (tag >= FUT_TAG_TABLE && tag < FUT_TAG_FUNCTION)
        return read_table(r, tag, offset, shared);
    else if (tag == FUT_TAG_FUNCTION || tag == FUT_TAG_PERSIST)
        return fut_reading_container(r, tag, offset, shared);
    else
        err = fut_reading_object(r, tag);
    return err == FUT_OK && shared ? fut_reading_share(r, offset) : err;
}

static void store_item(lua_State *L, struct fut_fill *f) {
    if (lua_isnil(L, -1))
        lua_pop(L, 1);
    else
        lua_rawseti(L, f->u.table.into, f->u.table.next);
    f->u.table.next++;
    f->u.table.narr--;
}

static bool is_key(lua_State *L) {
    return !lua_isnil(L, -1) && lua_rawequal(L, -1, -1); /* NaN is not equal to itself */
}

static enum fut_err not_a_key(struct fut_reading *r) {
    return fut_reading_fail(r, FUT_ECORRUPT, "a key of a table is nil or NaN here");
}

/* Strings, integers, and what was shared, which is neither nil nor NaN, are keys for sure. */
static bool is_sure_key(unsigned char tag) {
    return tag >= FUT_TAG_SHORT || tag == FUT_TAG_REF || tag == FUT_TAG_INT;
}

/* Stores the value on the top, which was a container, where it belongs. */
static enum fut_err store(struct fut_reading *r, struct fut_fill *f) {
    lua_State *L = r->L;
    f->waiting = false;
    switch (f->u.table.part) {
    case FUT_FILL_ITEM:
        store_item(L, f);
        break;
    case FUT_FILL_KEY:
        if (!is_key(L)) return not_a_key(r);
        f->u.table.part = FUT_FILL_VALUE;
        break;
    case FUT_FILL_VALUE:
        lua_rawset(L, f->u.table.into);
        f->u.table.nhash--;
        f->u.table.part = FUT_FILL_KEY;
        break;
    case FUT_FILL_META:
        if (!lua_istable(L, -1)) return fut_reading_corrupt(r);
        if (f->u.table.into == f->slot) lua_setmetatable(L, f->slot);
        f->u.table.meta = false;
        break;
    }
    return FUT_OK;
}

/* Items until they are done, or a container among them begins. */
static enum fut_err fill_items(struct fut_reading *r, struct fut_fill *f) {
    size_t depth = r->depth;
    while (f->u.table.narr > 0) {
        enum fut_err err = fut_reading_next(r);
        if (err != FUT_OK || r->depth > depth) return err;
        store_item(r->L, f);
    }
    if (f->u.table.part == FUT_FILL_ITEM) f->u.table.part = FUT_FILL_KEY;
    return FUT_OK;
}

static enum fut_err fill_pairs(struct fut_reading *r, struct fut_fill *f) {
    size_t depth = r->depth;
    while (f->u.table.nhash > 0) {
        enum fut_err err;
        if (f->u.table.part == FUT_FILL_KEY) {
            bool sure = r->at < f->limit && is_sure_key(*r->at);
            err = fut_reading_next(r);
            if (err != FUT_OK || r->depth > depth) return err;
            if (!sure && !is_key(r->L)) return not_a_key(r);
            f->u.table.part = FUT_FILL_VALUE;
        }
        err = fut_reading_next(r);
        if (err != FUT_OK || r->depth > depth) return err;
        lua_rawset(r->L, f->u.table.into);
        f->u.table.nhash--;
        f->u.table.part = FUT_FILL_KEY;
    }
    return FUT_OK;
}

static enum fut_err table_step(struct fut_reading *r) {
    struct fut_fill *f = fut_reading_top(r);
    size_t depth = r->depth;
    enum fut_err err = f->waiting ? store(r, f) : FUT_OK;
    if (err == FUT_OK) err = fill_items(r, f);
    if (err == FUT_OK && r->depth == depth) err = fill_pairs(r, f);
    if (err != FUT_OK || r->depth > depth) return err;
    if (f->u.table.meta) {
        f->u.table.part = FUT_FILL_META;
        err = fut_reading_next(r);
        if (err != FUT_OK || r->depth > depth) return err;
        err = store(r, f);
        if (err != FUT_OK) return err;
    }
    lua_settop(r->L, f->slot);
    r->depth--;
    return FUT_OK;
}

enum fut_err fut_reading_value(struct fut_reading *r) {
    enum fut_err err = fut_reading_next(r);
    while (err == FUT_OK && r->depth > 0) {
        switch (fut_reading_top(r)->kind) {
        case FUT_FILL_TABLE:
            err = table_step(r);
            break;
        case FUT_FILL_FUNCTION:
            err = fut_reading_function_step(r);
            break;
        case FUT_FILL_PERSIST:
            err = fut_reading_persist_step(r);
            break;
        }
    }
    return err;
}
