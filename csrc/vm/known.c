/* SPDX-License-Identifier: MIT */
#include "vm/known.h"

#include <lauxlib.h>
#include <string.h>

#include "base/alloc.h"
#include "vm/bytecode.h"
#include "vm/names.h"

/* Codes that are kept for functions made anew again and again: more is forgotten at once. */
enum { CODES_MAX = 4096, CODES_BYTES_MAX = 16 << 20, DUMP_KEEP = 1 << 20 };

enum { SEARCH_STACK = 30 };

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

/* The slot of the object at index, to be filled; its old content is gone. Raises nothing:
 * the table has room for all slots. */
static struct fut_known *take_slot(struct fut_codec *c, lua_State *L, int index) {
    const void *address = lua_topointer(L, index);
    struct fut_known *k = &c->known[slot_of(address)];
    drop(&k->code);
    k->kind = FUT_KNOWN_NOTHING;
    k->address = address;
    fut_codec_push(c, L, FUT_REF_KNOWN);
    lua_pushvalue(L, index);
    lua_rawseti(L, -2, k - c->known + 1);
    lua_pop(L, 1);
    return k;
}

static struct fut_known *set_code(struct fut_codec *c, lua_State *L, int index,
                                  struct fut_code *code) {
    struct fut_known *k = take_slot(c, L, index);
    fut_object_hold(&code->object);
    k->code = code;
    k->kind = FUT_KNOWN_CODE;
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

struct fut_known *fut_known_name(struct fut_codec *c, lua_State *L, int index) {
    luaL_checkstack(L, SEARCH_STACK, "names");
    struct fut_known *k = fut_known_module(c, L, index);
    if (k) return k;
    if (fut_names_member(c, L, index)) return set_names(c, L, index, FUT_KNOWN_MEMBER);
    return NULL;
}

static struct fut_code *find_code(struct fut_codec *c) {
    const struct fut_buf *dump = &c->scratch;
    uint64_t at, hash = fut_code_hash(dump->data, dump->len);
    if (!fut_map_get(&c->codes_at, hash, &at)) return NULL;
    struct fut_code *code = c->codes[at];
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

/* Keeps a count of the new code, if there is memory for that. */
static void keep_code(struct fut_codec *c, struct fut_code *code) {
    if (c->closed || !reserve_code(c)) return;
    uint64_t at = c->ncodes;
    /* two dumps with one hash: the first stays */
    if (fut_map_add(&c->codes_at, code->hash, &at) != FUT_MAP_ADDED) return;
    fut_object_hold(&code->object);
    c->codes[c->ncodes++] = code;
    c->codes_bytes += code->len + code->factory_len;
}

/* New code: is the function the field of a module? If not, its code is made. Both take long
 * enough for finalizers to run and learn functions themselves, so the dump has to be our
 * own. */
static struct fut_known *learn_new(struct fut_codec *c, lua_State *L, int index) {
    size_t len;
    luaL_checkstack(L, SEARCH_STACK, "functions");
    lua_pushlstring(L, (const char *)c->scratch.data, c->scratch.len);
    fut_names_refresh(c, L);
    struct fut_known *k = fut_known_name(c, L, index);
    if (!k) {
        const char *bytes = lua_tolstring(L, -1, &len);
        struct fut_code *code = fut_code_new(L, index, (const unsigned char *)bytes, len);
        if (code) {
            k = set_code(c, L, index, code);
            keep_code(c, code);
            drop(&code);
        }
    }
    lua_pop(L, 1);
    return k;
}

/* A new closure of known code costs a dump and a hash. */
static struct fut_known *learn_code(struct fut_codec *c, lua_State *L, int index) {
    fut_buf_trim(&c->scratch, DUMP_KEEP);
    lua_pushvalue(L, index);
    bool dumped = fut_bytecode_dump(L, false, &c->scratch);
    lua_pop(L, 1);
    if (!dumped) return NULL;
    struct fut_code *code = find_code(c);
    return code ? set_code(c, L, index, code) : learn_new(c, L, index);
}

struct fut_known *fut_known_learn(struct fut_codec *c, lua_State *L, int index,
                                  enum fut_err *err) {
    *err = FUT_ENOMEM;
    if (!lua_iscfunction(L, index)) return learn_code(c, L, index);
    fut_names_refresh(c, L);
    struct fut_known *k = fut_known_name(c, L, index);
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

void fut_known_forget(struct fut_codec *c) {
    for (size_t i = 0; i < FUT_KNOWN_SLOTS; i++) {
        c->known[i].kind = FUT_KNOWN_NOTHING;
        c->known[i].address = NULL;
        drop(&c->known[i].code);
    }
    forget_codes(c);
}
