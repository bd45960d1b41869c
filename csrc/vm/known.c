/* SPDX-License-Identifier: MIT */
#include "vm/known.h"

#include <string.h>

#include "base/alloc.h"
#include "vm/bytecode.h"
#include "vm/names.h"

/* Codes that are kept for functions made anew again and again: more is forgotten at once. */
enum { CODES_MAX = 4096, CODES_BYTES_MAX = 16 << 20 };

static size_t slot_of(const void *address) {
    return (size_t)(((uint64_t)(uintptr_t)address * 0x9E3779B97F4A7C15u) >> 56);
}

static void drop(struct fut_code **code) {
    if (*code) fut_object_drop(&(*code)->object);
    *code = NULL;
}

void fut_known_push_names(struct fut_codec *c, lua_State *L, const struct fut_known *k) {
    lua_Integer slot = k - c->known;
    fut_codec_push(c, L, FUT_REF_NAMES);
    lua_rawgeti(L, -1, slot * 2 + 1);
    lua_rawgeti(L, -2, slot * 2 + 2);
    lua_remove(L, -3);
}

static bool still_named(struct fut_codec *c, lua_State *L, const struct fut_known *k,
                        int index) {
    fut_known_push_names(c, L, k);
    bool same = fut_names_holds(c, L, lua_gettop(L) - 1, index);
    lua_pop(L, 2);
    return same;
}

struct fut_known *fut_known_find(struct fut_codec *c, lua_State *L, int index) {
    const void *address = lua_topointer(L, index);
    struct fut_known *k = &c->known[slot_of(address)];
    if (k->address != address || k->kind == FUT_KNOWN_NOTHING) return NULL;
    /* Another object may be there by now: the weak table says whether it is the same. */
    fut_codec_push(c, L, FUT_REF_KNOWN);
    lua_rawgeti(L, -1, k - c->known + 1);
    bool same = lua_topointer(L, -1) == address;
    lua_pop(L, 2);
    if (!same) return NULL;
    if (k->kind == FUT_KNOWN_MODULE || k->kind == FUT_KNOWN_MEMBER)
        return still_named(c, L, k, index) ? k : NULL;
    return k;
}

/* The slot of the object at index, to be filled; its old content is gone. */
static struct fut_known *take_slot(struct fut_codec *c, lua_State *L, int index) {
    const void *address = lua_topointer(L, index);
    struct fut_known *k = &c->known[slot_of(address)];
    k->kind = FUT_KNOWN_NOTHING;
    k->address = NULL;
    drop(&k->code);
    fut_codec_push(c, L, FUT_REF_KNOWN);
    lua_pushvalue(L, index);
    lua_rawseti(L, -2, k - c->known + 1);
    lua_pop(L, 1);
    k->address = address;
    return k;
}

/* The names on the stack's top, which are taken off, are those of the object at index. */
static struct fut_known *set_names(struct fut_codec *c, lua_State *L, int index,
                                   enum fut_known_kind kind) {
    struct fut_known *k = take_slot(c, L, index);
    lua_Integer slot = k - c->known;
    int module = lua_gettop(L) - 1;
    fut_codec_push(c, L, FUT_REF_NAMES);
    lua_pushvalue(L, module);
    lua_rawseti(L, -2, slot * 2 + 1);
    lua_pushvalue(L, module + 1);
    lua_rawseti(L, -2, slot * 2 + 2);
    lua_settop(L, module - 1);
    k->kind = kind;
    return k;
}

struct fut_known *fut_known_module(struct fut_codec *c, lua_State *L, int index) {
    if (!fut_names_module(c, L, index)) return NULL;
    lua_pushnil(L);
    return set_names(c, L, index, FUT_KNOWN_MODULE);
}

static struct fut_known *find_name(struct fut_codec *c, lua_State *L, int index) {
    struct fut_known *k = fut_known_module(c, L, index);
    if (k) return k;
    if (fut_names_member(c, L, index)) return set_names(c, L, index, FUT_KNOWN_MEMBER);
    return NULL;
}

struct fut_known *fut_known_name(struct fut_codec *c, lua_State *L, int index) {
    fut_codec_hold_gc(c, L);
    struct fut_known *k = find_name(c, L, index);
    fut_codec_release_gc(c, L);
    return k;
}

static struct fut_code *find_code(struct fut_codec *c, uint64_t hash, uint64_t *at) {
    const struct fut_buf *dump = &c->scratch;
    if (!fut_map_get(&c->codes_at, hash, at)) return NULL;
    struct fut_code *code = c->codes[*at];
    return code->len == dump->len && memcmp(code->bytes, dump->data, dump->len) == 0 ? code
                                                                                     : NULL;
}

static void forget_codes(struct fut_codec *c) {
    while (c->ncodes > 0) drop(&c->codes[--c->ncodes]);
    c->codes_bytes = 0;
    fut_map_clear(&c->codes_at);
}

static bool reserve_code(struct fut_codec *c) {
    if (c->ncodes >= CODES_MAX || c->codes_bytes > CODES_BYTES_MAX) forget_codes(c);
    if (c->ncodes < c->codes_cap) return true;
    size_t cap = c->codes_cap ? c->codes_cap * 2 : 16;
    struct fut_code **codes = fut_realloc(c->codes, cap * sizeof *codes);
    if (!codes) return false;
    c->codes = codes;
    c->codes_cap = cap;
    return true;
}

/* Keeps a count of the new code; false, and nothing is kept, when memory is short. */
static bool keep_code(struct fut_codec *c, struct fut_code *code) {
    if (c->closed) return true;
    if (!reserve_code(c)) return false;
    uint64_t at = c->ncodes;
    enum fut_map_answer answer = fut_map_add(&c->codes_at, code->hash, &at);
    if (answer == FUT_MAP_NOMEM) return false;
    if (answer == FUT_MAP_FOUND) return true; /* two dumps with one hash: the first stays */
    fut_object_hold(&code->object);
    c->codes[c->ncodes++] = code;
    c->codes_bytes += code->len + code->factory_len;
    return true;
}

/* The code of a function that is not known by its identity: a new closure of known code costs a
 * dump and a hash. Only new code is looked for in modules, which takes longer. */
static struct fut_known *learn_code(struct fut_codec *c, lua_State *L, int index,
                                    enum fut_err *err) {
    fut_buf_trim(&c->scratch, 1 << 20);
    lua_pushvalue(L, index);
    bool dumped = fut_bytecode_dump(L, false, &c->scratch);
    lua_pop(L, 1);
    *err = FUT_ENOMEM;
    if (!dumped) return NULL;
    uint64_t at, hash = fut_code_hash(c->scratch.data, c->scratch.len);
    struct fut_code *code = find_code(c, hash, &at);
    if (!code) {
        fut_names_refresh(c, L);
        struct fut_known *k = find_name(c, L, index);
        if (k) return k;
    }
    struct fut_known *k = take_slot(c, L, index);
    if (code) {
        fut_object_hold(&code->object);
        k->code = code;
    } else {
        k->code = fut_code_new(L, index, c->scratch.data, c->scratch.len);
        if (!k->code || !keep_code(c, k->code)) return NULL;
    }
    k->kind = FUT_KNOWN_CODE;
    return k;
}

static struct fut_known *learn_cfunction(struct fut_codec *c, lua_State *L, int index,
                                         enum fut_err *err) {
    fut_names_refresh(c, L);
    struct fut_known *k = find_name(c, L, index);
    if (k) return k;
    *err = FUT_ETRANSFER;
    if (lua_getupvalue(L, index, 1)) {
        lua_pop(L, 1);
        return NULL;
    }
    k = take_slot(c, L, index);
    k->kind = FUT_KNOWN_CFUNCTION;
    return k;
}

struct fut_known *fut_known_learn(struct fut_codec *c, lua_State *L, int index,
                                  enum fut_err *err) {
    fut_codec_hold_gc(c, L); /* the dump is in a buffer that all share */
    struct fut_known *k = lua_iscfunction(L, index) ? learn_cfunction(c, L, index, err)
                                                    : learn_code(c, L, index, err);
    fut_codec_release_gc(c, L);
    return k;
}

void fut_known_forget(struct fut_codec *c) {
    for (size_t i = 0; i < FUT_KNOWN_SLOTS; i++) {
        c->known[i].kind = FUT_KNOWN_NOTHING;
        c->known[i].address = NULL;
        drop(&c->known[i].code);
    }
    forget_codes(c);
}
