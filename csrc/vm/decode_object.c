/* SPDX-License-Identifier: MIT */
#include <lauxlib.h>
#include <string.h>

#include "vm/decoder.h"
#include "vm/foreign.h"
#include "vm/handle.h"
#include "vm/loader.h"
#include "vm/names.h"

static bool from_outside(const struct fut_reading *r) {
    return r->d->route.process && r->d->route.home;
}

static enum fut_err read_code(struct fut_reading *r, struct fut_code **code) {
    uint64_t index;
    if (from_outside(r))
        return fut_reading_fail(r, FUT_ECORRUPT, "corrupt data: a function from a process");
    if (!fut_reading_number(r, &index) || index >= r->d->nrefs) return fut_reading_corrupt(r);
    struct fut_object *object = r->d->refs[index];
    if (!fut_loader_has(fut_reading_codec(r), object) && object->type != &fut_code_type)
        return fut_reading_corrupt(r);
    *code = (struct fut_code *)object;
    return FUT_OK;
}

static enum fut_err loaded(struct fut_reading *r, enum fut_err err) {
    if (err == FUT_OK) return err;
    return fut_reading_fail(r, err,
                            err == FUT_ENOMEM ? "not enough memory" : "corrupt bytecode");
}

static enum fut_err read_plain(struct fut_reading *r) {
    struct fut_code *code;
    enum fut_err err = read_code(r, &code);
    if (err != FUT_OK) return err;
    if (code->nups > 1 || (code->nups == 1 && code->env != 0)) return fut_reading_corrupt(r);
    return loaded(r, fut_loader_plain(fut_reading_codec(r), r->L, code));
}

static enum fut_err read_function(struct fut_reading *r, uint64_t offset, bool shared) {
    struct fut_code *code;
    enum fut_err err = read_code(r, &code);
    if (err == FUT_OK) err = loaded(r, fut_loader_closure(fut_reading_codec(r), r->L, code));
    if (err == FUT_OK) err = fut_reading_frame(r, FUT_FILL_FUNCTION);
    if (err != FUT_OK) return err;
    struct fut_fill *f = fut_reading_top(r);
    f->u.function.up = 0;
    f->u.function.nups = code->nups;
    return shared ? fut_reading_share(r, offset) : FUT_OK;
}

/* A shared cell is remembered as its function, at its own offset, and, at minus the offset, the
 * number of the upvalue. */
static enum fut_err share_cell(struct fut_reading *r, const struct fut_fill *f,
                               uint64_t offset) {
    lua_pushvalue(r->L, f->slot);
    enum fut_err err = fut_reading_share(r, offset);
    lua_pop(r->L, 1);
    if (err != FUT_OK) return err;
    lua_pushinteger(r->L, f->u.function.up);
    lua_rawseti(r->L, r->shared, -(lua_Integer)offset - 1);
    return FUT_OK;
}

static enum fut_err join_cell(struct fut_reading *r, const struct fut_fill *f) {
    uint64_t offset;
    lua_State *L = r->L;
    if (!fut_reading_number(r, &offset)) return fut_reading_corrupt(r);
    if (fut_reading_shared(r, offset) != LUA_TFUNCTION) return fut_reading_corrupt(r);
    if (lua_rawgeti(L, r->shared, -(lua_Integer)offset - 1) != LUA_TNUMBER)
        return fut_reading_corrupt(r);
    lua_upvaluejoin(L, f->slot, f->u.function.up, -2, (int)lua_tointeger(L, -1));
    lua_pop(L, 2);
    return FUT_OK;
}

/* Passes a CELL tag; *joined: a CELLREF instead, and the upvalue is done. */
static enum fut_err read_cell(struct fut_reading *r, const struct fut_fill *f, bool *joined) {
    *joined = false;
    if (r->at >= f->limit) return fut_reading_corrupt(r);
    switch (*r->at) {
    case FUT_TAG_CELLREF:
        r->at++;
        *joined = true;
        return join_cell(r, f);
    case FUT_TAG_CELL | FUT_TAG_SHARED:
        r->at++;
        return share_cell(r, f, (uint64_t)(r->at - 1 - r->start));
    case FUT_TAG_CELL:
        r->at++;
        return FUT_OK;
    default:
        return FUT_OK;
    }
}

enum fut_err fut_reading_function_step(struct fut_reading *r) {
    struct fut_fill *f = fut_reading_top(r);
    size_t depth = r->depth;
    while (f->waiting || f->u.function.up < f->u.function.nups) {
        if (!f->waiting) {
            bool joined;
            f->u.function.up++;
            enum fut_err err = read_cell(r, f, &joined);
            if (err == FUT_OK && joined) continue;
            if (err == FUT_OK) err = fut_reading_next(r);
            if (err != FUT_OK || r->depth > depth) return err;
        }
        f->waiting = false;
        lua_setupvalue(r->L, f->slot, f->u.function.up);
    }
    r->depth--;
    return FUT_OK;
}

/* The frame's slot is where the function will be, and then the value that it makes. */
static enum fut_err read_persist(struct fut_reading *r, uint64_t offset, bool shared) {
    enum fut_err err = fut_reading_frame(r, FUT_FILL_PERSIST);
    if (err != FUT_OK) return err;
    struct fut_fill *f = fut_reading_top(r);
    f->slot++;
    f->u.share = shared ? offset + 1 : 0;
    return FUT_OK;
}

enum fut_err fut_reading_persist_step(struct fut_reading *r) {
    struct fut_fill *f = fut_reading_top(r);
    if (!f->waiting) {
        size_t depth = r->depth;
        enum fut_err err = fut_reading_next(r);
        if (err != FUT_OK || r->depth > depth) return err;
    }
    if (!lua_isfunction(r->L, -1) || lua_iscfunction(r->L, -1)) return fut_reading_corrupt(r);
    uint64_t share = f->u.share;
    lua_call(r->L, 0, 1);
    r->depth--;
    /* It may be a key somewhere, and nil says that nothing is shared there. NaN is not equal to
     * itself. */
    if (share && (lua_isnil(r->L, -1) || !lua_rawequal(r->L, -1, -1)))
        return fut_reading_fail(r, FUT_ETRANSFER, "a closure of __persist gave nil or NaN");
    return share ? fut_reading_share(r, share - 1) : FUT_OK;
}

static const char *read_text(struct fut_reading *r, uint64_t *len) {
    if (!fut_reading_number(r, len)) return NULL;
    return (const char *)fut_reading_bytes(r, *len);
}

static enum fut_err read_name(struct fut_reading *r, bool member) {
    uint64_t mlen, flen = 0;
    const char *module = read_text(r, &mlen);
    const char *field = member && module ? read_text(r, &flen) : NULL;
    if (!module || (member && !field)) return fut_reading_corrupt(r);
    if (member)
        fut_names_fetch(fut_reading_codec(r), r->L, module, (size_t)mlen, field, (size_t)flen);
    else
        fut_names_require(fut_reading_codec(r), r->L, module, (size_t)mlen);
    return FUT_OK;
}

static enum fut_err read_identity(struct fut_reading *r, bool ref) {
    struct fut_identity id;
    uint64_t offset;
    const unsigned char *bytes = fut_reading_bytes(r, sizeof id);
    if (!bytes) return fut_reading_corrupt(r);
    memcpy(&id, bytes, sizeof id);
    if (ref) {
        if (!fut_reading_number(r, &offset)) return fut_reading_corrupt(r);
        if (fut_reading_shared(r, offset) != LUA_TTABLE) return fut_reading_corrupt(r);
        int copy = lua_gettop(r->L);
        if (fut_identity_push(fut_reading_codec(r), r->L, id))
            lua_replace(r->L, copy);
        else
            fut_identity_adopt(fut_reading_codec(r), r->L, copy, id);
        return FUT_OK;
    }
    if (fut_identity_push(fut_reading_codec(r), r->L, id)) return FUT_OK;
    return fut_reading_fail(r, FUT_ETRANSFER, "a metatable is not known here");
}

static enum fut_err read_handle(struct fut_reading *r) {
    uint64_t index;
    if (r->d->route.process || !fut_reading_number(r, &index) || index >= r->d->nrefs)
        return fut_reading_corrupt(r);
    return fut_handle_push(r->L, r->d->refs[index]) ? FUT_OK : fut_reading_corrupt(r);
}

static enum fut_err read_address(struct fut_reading *r, bool function) {
    lua_CFunction address;
    void *light;
    const unsigned char *bytes = fut_reading_bytes(r, sizeof(void *));
    if (r->d->route.process || !bytes) return fut_reading_corrupt(r);
    if (function) {
        memcpy(&address, bytes, sizeof address);
        lua_pushcfunction(r->L, address);
    } else {
        memcpy(&light, bytes, sizeof light);
        lua_pushlightuserdata(r->L, light);
    }
    return FUT_OK;
}

enum fut_err fut_reading_container(struct fut_reading *r, unsigned char tag, uint64_t offset,
                                   bool shared) {
    return tag == FUT_TAG_PERSIST ? read_persist(r, offset, shared)
                                  : read_function(r, offset, shared);
}

enum fut_err fut_reading_object(struct fut_reading *r, unsigned char tag) {
    switch (tag) {
    case FUT_TAG_PLAIN:
        return read_plain(r);
    case FUT_TAG_GLOBALS:
        lua_pushglobaltable(r->L);
        return FUT_OK;
    case FUT_TAG_MODULE:
        return read_name(r, false);
    case FUT_TAG_MEMBER:
        return read_name(r, true);
    case FUT_TAG_IDENTREF:
        return read_identity(r, true);
    case FUT_TAG_IDENTITY:
        return read_identity(r, false);
    case FUT_TAG_HANDLE:
        return read_handle(r);
    case FUT_TAG_CFUNCTION:
        return read_address(r, true);
    case FUT_TAG_LIGHT:
        return read_address(r, false);
    case FUT_TAG_PACKED:
        return fut_foreign_unpack(r);
    default:
        return fut_reading_corrupt(r);
    }
}
