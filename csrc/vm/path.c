/* SPDX-License-Identifier: MIT */
/* Where in a value the encoder is: "argument 2.rows[7].cb, upvalue 'sock'". Read from the
 * frames, and from the keys on the Lua stack, only when something is refused. */
#include <ctype.h>
#include <lauxlib.h>
#include <stdarg.h>
#include <string.h>

#include "vm/encoder.h"

/* Deep paths show their ends only. */
enum { HEAD_FRAMES = 12, TAIL_FRAMES = 12, KEY_MAX = 40 };

/* The path while it is written. What a buffer holds is on the stack's top: all that is pushed
 * in between must be gone before something is added. */
struct path {
    lua_State *L;
    luaL_Buffer b;
};

static void add(struct path *p, const char *format, ...) {
    va_list args;
    va_start(args, format);
    lua_pushvfstring(p->L, format, args);
    va_end(args);
    luaL_addvalue(&p->b);
}

static bool is_identifier(const char *s, size_t len) {
    if (len == 0 || len > KEY_MAX || isdigit((unsigned char)*s)) return false;
    for (size_t i = 0; i < len; i++) {
        if (!isalnum((unsigned char)s[i]) && s[i] != '_') return false;
    }
    return true;
}

static void add_text_key(struct path *p, const char *s, size_t len) {
    if (is_identifier(s, len)) {
        add(p, ".%s", s);
        return;
    }
    add(p, "[\"");
    for (size_t i = 0; i < len && i < KEY_MAX; i++) {
        unsigned char ch = (unsigned char)s[i];
        bool plain = ch >= ' ' && ch != 0x7f && ch != '"' && ch != '\\';
        if (plain)
            luaL_addchar(&p->b, (char)ch);
        else
            add(p, "\\%d", ch);
    }
    add(p, len > KEY_MAX ? "...\"]" : "\"]");
}

static void add_key(struct path *p, int index) {
    lua_State *L = p->L;
    size_t len;
    const char *s;
    switch (lua_type(L, index)) {
    case LUA_TSTRING:
        s = lua_tolstring(L, index, &len);
        add_text_key(p, s, len);
        break;
    case LUA_TNUMBER:
        if (lua_isinteger(L, index))
            add(p, "[%I]", lua_tointeger(L, index));
        else
            add(p, "[%f]", lua_tonumber(L, index));
        break;
    case LUA_TBOOLEAN:
        add(p, "[%s]", lua_toboolean(L, index) ? "true" : "false");
        break;
    default:
        add(p, "[%s]", luaL_typename(L, index));
        break;
    }
}

static void add_upvalue(struct path *p, const struct fut_frame *f) {
    const char *name = lua_getupvalue(p->L, f->slot, f->u.function.up);
    if (name) lua_pop(p->L, 1);
    if (name && *name && *name != '(')
        add(p, ", upvalue '%s'", name);
    else
        add(p, ", upvalue %d", f->u.function.up);
}

static void add_frame(struct path *p, const struct fut_frame *f) {
    if (f->kind == FUT_FRAME_FUNCTION)
        add_upvalue(p, f);
    else if (f->kind == FUT_FRAME_PERSIST)
        add(p, ", __persist");
    else if (f->part == FUT_PART_KEY)
        add(p, " (key)");
    else if (f->part == FUT_PART_META)
        add(p, ", metatable");
    else
        add_key(p, f->slot + 1);
}

static void add_root(struct path *p, const struct fut_encoder *e) {
    if (e->global) {
        add(p, "global '%s'", e->global);
        return;
    }
    switch (e->role) {
    case FUT_ROLE_CALL:
        if (e->root == 0)
            add(p, "function");
        else
            add(p, "argument %d", e->root);
        break;
    case FUT_ROLE_ARGUMENTS:
        add(p, "argument %d", e->root + 1);
        break;
    case FUT_ROLE_RESULT:
        add(p, "result %d", e->root + 1);
        break;
    case FUT_ROLE_ERROR:
        add(p, "error");
        break;
    case FUT_ROLE_VALUE:
        add(p, "value %d", e->root + 1);
        break;
    }
}

/* A frame that was just made has no key yet: it is the culprit itself. */
static size_t path_depth(const struct fut_encoder *e, int top) {
    if (e->depth == 0) return 0;
    const struct fut_frame *f = &e->frames[e->depth - 1];
    bool begun = f->kind != FUT_FRAME_FUNCTION || f->u.function.up > 0;
    if (f->kind == FUT_FRAME_TABLE && f->part == FUT_PART_VALUE) begun = top > f->slot + 1;
    return begun ? e->depth : e->depth - 1;
}

static void add_path(struct path *p, const struct fut_encoder *e, int top) {
    size_t depth = path_depth(e, top);
    add_root(p, e);
    for (size_t i = 0; i < depth; i++) {
        if (i == HEAD_FRAMES && depth > HEAD_FRAMES + TAIL_FRAMES) {
            add(p, " ... ");
            i = depth - TAIL_FRAMES;
        }
        add_frame(p, &e->frames[i]);
    }
}

enum fut_err fut_encoder_refuse(struct fut_encoder *e, lua_State *L, const char *why, ...) {
    struct path p = {.L = L};
    int top = lua_gettop(L);
    va_list args;
    va_start(args, why);
    lua_pushvfstring(L, why, args);
    va_end(args);
    luaL_buffinit(L, &p.b);
    add_path(&p, e, top);
    add(&p, ": %s", lua_tostring(L, top + 1));
    luaL_pushresult(&p.b);
    e->message = lua_tostring(L, -1);
    lua_rawseti(L, LUA_REGISTRYINDEX, e->codec->refs[FUT_REF_MESSAGE]);
    lua_settop(L, top);
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
