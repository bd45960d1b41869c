/* SPDX-License-Identifier: MIT */
#include "vm/decode.h"

#include <string.h>

#include "vm/decoder.h"

enum { STACK_ROOM = 20 };

void fut_decoder_init(struct fut_decoder *d, const struct fut_payload *payload,
                      struct fut_route route) {
    d->start = d->at = fut_payload_bytes(payload);
    d->end = d->start + payload->len;
    d->refs = fut_payload_refs(payload);
    d->nrefs = payload->nrefs;
    d->route = route;
    d->message = "";
}

enum fut_err fut_decoder_byte(struct fut_decoder *d, unsigned char *byte) {
    if (d->at == d->end) {
        d->message = "corrupt data";
        return FUT_ECORRUPT;
    }
    *byte = *d->at++;
    return FUT_OK;
}

static enum fut_err read_globals(struct fut_reading *r) {
    lua_State *L = r->L;
    for (;;) {
        if (r->at == r->d->end) return fut_reading_corrupt(r);
        if (*r->at == FUT_TAG_NIL) break;
        if (r->d->route.home) return fut_reading_corrupt(r);
        lua_pushglobaltable(L);
        enum fut_err err = fut_reading_next(r);
        if (err == FUT_OK && (r->depth > 0 || lua_type(L, -1) != LUA_TSTRING))
            err = fut_reading_corrupt(r);
        if (err == FUT_OK) err = fut_reading_value(r);
        if (err != FUT_OK) return err;
        lua_rawset(L, -3);
        lua_pop(L, 1);
    }
    r->at++;
    return FUT_OK;
}

/* Only scalars: nothing can be shared, no frames are needed. */
static enum fut_err read_plain(struct fut_reading *r, int n) {
    for (int i = 0; i < n; i++) {
        enum fut_err err = fut_reading_scalar(r);
        if (err != FUT_OK) return err;
    }
    if (r->at == r->d->end || *r->at++ != FUT_TAG_NIL) return fut_reading_corrupt(r);
    return FUT_OK;
}

static enum fut_err read_compound(struct fut_reading *r, int n, bool linked) {
    lua_State *L = r->L;
    r->codec = NULL;
    r->shared = 0;
    r->frames = r->local;
    r->depth = 0;
    r->cap = FUT_DEPTH_SMALL;
    if (linked) {
        lua_newtable(L);
        r->shared = lua_gettop(L);
    }
    enum fut_err err = FUT_OK;
    for (int i = 0; i < n && err == FUT_OK; i++) err = fut_reading_value(r);
    if (err == FUT_OK) err = read_globals(r);
    if (err == FUT_OK && linked) lua_remove(L, r->shared);
    return err;
}

enum fut_err fut_decoder_sequence(struct fut_decoder *d, lua_State *L, int *n) {
    int top = lua_gettop(L);
    uint64_t head;
    struct fut_reading r;
    r.d = d;
    r.L = L;
    r.start = r.at = d->at;
    if (!fut_reading_number(&r, &head)) return fut_reading_corrupt(&r);
    uint64_t count = head >> FUT_HEAD_BITS;
    if (count > (uint64_t)(d->end - r.at)) return fut_reading_corrupt(&r);
    if (count > LUAI_MAXSTACK || !lua_checkstack(L, (int)count + STACK_ROOM))
        return fut_reading_fail(&r, FUT_ECORRUPT, "too many values for the Lua stack");
    enum fut_err err = head & FUT_HEAD_COMPOUND
                           ? read_compound(&r, (int)count, head & FUT_HEAD_LINKED)
                           : read_plain(&r, (int)count);
    if (err != FUT_OK) {
        lua_settop(L, top);
        return err;
    }
    d->at = r.at;
    *n = (int)count;
    return FUT_OK;
}

bool fut_decoder_plain(const struct fut_decoder *d) {
    return d->at < d->end && !(*d->at & FUT_HEAD_COMPOUND); /* the number's lowest bits */
}

/* Passes n scalars; NULL when there is anything else. */
static const unsigned char *skip_scalars(const unsigned char *at, const unsigned char *end,
                                         uint64_t n) {
    for (uint64_t v; n > 0; n--) {
        if (at == end) return NULL;
        unsigned char tag = *at++;
        if (tag >= FUT_TAG_SMALL || tag <= FUT_TAG_TRUE) continue;
        uint64_t len = 0;
        if (tag >= FUT_TAG_SHORT) {
            len = tag & FUT_SHORT_MAX;
        } else if (tag == FUT_TAG_FLOAT) {
            len = sizeof(lua_Number);
        } else if (tag == FUT_TAG_INT || tag == FUT_TAG_STRING) {
            at = fut_get_varint(at, end, &v);
            if (!at) return NULL;
            if (tag == FUT_TAG_STRING) len = v;
        } else {
            return NULL;
        }
        if (len > (uint64_t)(end - at)) return NULL;
        at += len;
    }
    return at;
}

bool fut_payload_plain(const struct fut_payload *payload) {
    const unsigned char *at = fut_payload_bytes(payload), *end = at + payload->len;
    while (at < end) {
        uint64_t head;
        at = fut_get_varint(at, end, &head);
        if (!at || head & FUT_HEAD_COMPOUND) return false;
        at = skip_scalars(at, end, head >> FUT_HEAD_BITS);
        if (!at || at == end || *at++ != FUT_TAG_NIL) return false;
    }
    return true;
}
