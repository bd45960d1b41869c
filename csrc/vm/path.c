/* SPDX-License-Identifier: MIT */
/* Where in a value the encoder is: "argument 2.rows[7].cb, upvalue 'sock'". Read from the frames,
 * and from the keys on the Lua stack, only when something is refused. */
#include <ctype.h>
#include <lauxlib.h>
#include <stdarg.h>
#include <string.h>

#include "vm/encoder.h"

/* Deep paths show their ends only. */
enum { HEAD_FRAMES = 12, TAIL_FRAMES = 12, KEY_MAX = 40 };

static bool add(struct fut_buf *b, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Appends without the final zero being counted. */
static bool add(struct fut_buf *b, const char *format, ...) {
    va_list args;
    va_start(args, format);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (n < 0) return false;
    unsigned char *to = fut_buf_reserve(b, (size_t)n + 1);
    if (!to) return false;
    va_start(args, format);
    vsnprintf((char *)to, (size_t)n + 1, format, args);
    va_end(args);
    b->len += (size_t)n;
    return true;
}

static bool is_identifier(const char *s, size_t len) {
    if (len == 0 || len > KEY_MAX || isdigit((unsigned char)*s)) return false;
    for (size_t i = 0; i < len; i++) {
        if (!isalnum((unsigned char)s[i]) && s[i] != '_') return false;
    }
    return true;
}

static bool add_text_key(struct fut_buf *b, const char *s, size_t len) {
    if (is_identifier(s, len)) return add(b, ".%s", s);
    if (!add(b, "[\"")) return false;
    for (size_t i = 0; i < len && i < KEY_MAX; i++) {
        unsigned char ch = (unsigned char)s[i];
        bool plain = ch >= ' ' && ch != 0x7f && ch != '"' && ch != '\\';
        if (!add(b, plain ? "%c" : "\\%d", ch)) return false;
    }
    return add(b, len > KEY_MAX ? "...\"]" : "\"]");
}

static bool add_key(struct fut_buf *b, lua_State *L, int index) {
    size_t len;
    switch (lua_type(L, index)) {
    case LUA_TSTRING: {
        const char *s = lua_tolstring(L, index, &len);
        return add_text_key(b, s, len);
    }
    case LUA_TNUMBER:
        if (lua_isinteger(L, index))
            return add(b, "[" LUA_INTEGER_FMT "]", lua_tointeger(L, index));
        return add(b, "[" LUA_NUMBER_FMT "]", lua_tonumber(L, index));
    case LUA_TBOOLEAN:
        return add(b, "[%s]", lua_toboolean(L, index) ? "true" : "false");
    default:
        return add(b, "[%s]", luaL_typename(L, index));
    }
}

static bool add_upvalue(struct fut_buf *b, lua_State *L, const struct fut_frame *f) {
    const char *name = lua_getupvalue(L, f->slot, f->u.function.up);
    lua_pop(L, name ? 1 : 0);
    bool named = name && *name && *name != '(';
    return named ? add(b, ", upvalue '%s'", name) : add(b, ", upvalue %d", f->u.function.up);
}

static bool add_frame(struct fut_buf *b, lua_State *L, const struct fut_frame *f) {
    switch (f->kind) {
    case FUT_FRAME_FUNCTION:
        return add_upvalue(b, L, f);
    case FUT_FRAME_PERSIST:
        return add(b, ", __persist");
    case FUT_FRAME_TABLE:
        break;
    }
    switch (f->part) {
    case FUT_PART_KEY:
        return add(b, " (key)");
    case FUT_PART_META:
        return add(b, ", metatable");
    default:
        return add_key(b, L, f->slot + 1);
    }
}

static bool add_root(struct fut_buf *b, const struct fut_encoder *e) {
    if (e->global) return add(b, "global '%s'", e->global);
    switch (e->role) {
    case FUT_ROLE_CALL:
        return e->root == 0 ? add(b, "function") : add(b, "argument %d", e->root);
    case FUT_ROLE_ARGUMENTS:
        return add(b, "argument %d", e->root + 1);
    case FUT_ROLE_RESULT:
        return add(b, "result %d", e->root + 1);
    case FUT_ROLE_ERROR:
        return add(b, "error");
    case FUT_ROLE_VALUE:
        break;
    }
    return add(b, "value %d", e->root + 1);
}

/* A frame that was just made has no key yet: it is the culprit itself. */
static size_t path_depth(const struct fut_encoder *e, lua_State *L) {
    if (e->depth == 0) return 0;
    const struct fut_frame *f = &e->frames[e->depth - 1];
    bool begun = f->kind != FUT_FRAME_FUNCTION || f->u.function.up > 0;
    if (f->kind == FUT_FRAME_TABLE && f->part == FUT_PART_VALUE)
        begun = lua_gettop(L) > f->slot + 1;
    return begun ? e->depth : e->depth - 1;
}

static bool add_path(struct fut_encoder *e, lua_State *L) {
    struct fut_buf *b = &e->message;
    size_t depth = path_depth(e, L);
    bool ok = add_root(b, e);
    for (size_t i = 0; i < depth && ok; i++) {
        if (i == HEAD_FRAMES && depth > HEAD_FRAMES + TAIL_FRAMES) {
            ok = add(b, " ... ");
            i = depth - TAIL_FRAMES;
        }
        ok = ok && add_frame(b, L, &e->frames[i]);
    }
    return ok;
}

enum fut_err fut_encoder_refuse(struct fut_encoder *e, lua_State *L, const char *why, ...) {
    e->message.len = 0;
    bool ok = add_path(e, L) && add(&e->message, ": ");
    va_list args;
    va_start(args, why);
    const char *reason = lua_pushvfstring(L, why, args);
    va_end(args);
    ok = ok && add(&e->message, "%s", reason);
    if (!ok) fut_buf_deinit(&e->message);
    return FUT_ETRANSFER;
}

enum fut_err fut_encoder_refuse_value(struct fut_encoder *e, lua_State *L, int index,
                                      const char *why) {
    const char *type = luaL_typename(L, index);
    const char *name = NULL;
    if (lua_type(L, index) == LUA_TUSERDATA && luaL_getmetafield(L, index, "__name")) {
        if (lua_type(L, -1) == LUA_TSTRING) name = lua_tostring(L, -1);
    }
    if (name) return fut_encoder_refuse(e, L, "%s (%s) %s", type, name, why);
    return fut_encoder_refuse(e, L, "%s %s", type, why);
}
