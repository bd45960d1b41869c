/* SPDX-License-Identifier: MIT */
#include <lauxlib.h>
#include <string.h>

#include "base/alloc.h"
#include "vm/encoder.h"
#include "vm/known.h"
#include "vm/names.h"

/* What the _ENV of a function is in the eyes of the reader. */
enum environment {
    ENV_GLOBALS, /* the table of globals */
    ENV_DYNAMIC, /* computes its names (__index): asked for each, becomes the globals */
    ENV_LITERAL, /* any other value: travels as what it is */
};

enum { INDEX_CHAIN_MAX = 16 };

/* Whether a lookup in the table on the top may end in an __index function. */
static bool is_dynamic(struct fut_encoder *e, lua_State *L) {
    int top = lua_gettop(L);
    bool dynamic = false;
    for (int i = 0; i < INDEX_CHAIN_MAX && lua_istable(L, -1); i++) {
        if (lua_topointer(L, -1) == fut_encoder_globals_table(e, L) || !lua_getmetatable(L, -1))
            break;
        fut_codec_push(e->codec, L, FUT_REF_INDEX);
        lua_rawget(L, -2);
        dynamic = lua_isfunction(L, -1);
        lua_replace(L, top + 1);
        lua_settop(L, top + 1);
    }
    lua_settop(L, top);
    return dynamic;
}

/* Pushes _ENV of the function at index. */
static enum environment environment(struct fut_encoder *e, lua_State *L, int index,
                                    const struct fut_code *code) {
    lua_getupvalue(L, index, code->env + 1);
    if (lua_topointer(L, -1) == fut_encoder_globals_table(e, L)) return ENV_GLOBALS;
    return lua_istable(L, -1) && is_dynamic(e, L) ? ENV_DYNAMIC : ENV_LITERAL;
}

static bool reserve_needy(struct fut_encoder *e) {
    if (e->nneedy < e->needy_cap) return true;
    size_t cap = e->needy_cap ? e->needy_cap * 2 : 8;
    struct fut_needy *needy = fut_realloc(e->needy, cap * sizeof *needy);
    if (!needy) return false;
    e->needy = needy;
    e->needy_cap = cap;
    return true;
}

/* Notes that the code needs globals out of the environment on the top, once. */
static enum fut_err note_needy(struct fut_encoder *e, lua_State *L, const struct fut_code *code,
                               enum environment env) {
    uint64_t none = 0;
    if (!reserve_needy(e)) return FUT_ENOMEM;
    switch (fut_map_add(&e->seen, (uintptr_t)code + 1, &none)) {
    case FUT_MAP_ADDED:
        break;
    case FUT_MAP_FOUND:
        return FUT_OK;
    case FUT_MAP_NOMEM:
        return FUT_ENOMEM;
    }
    int at = env == ENV_DYNAMIC ? fut_encoder_anchor(e, L, -1) : 0;
    e->needy[e->nneedy++] = (struct fut_needy){.code = code, .env = at};
    return FUT_OK;
}

/* The function on the top as code with upvalues. */
static enum fut_err put_code(struct fut_encoder *e, lua_State *L, struct fut_code *code) {
    uint32_t ref;
    int index = lua_gettop(L);
    enum environment env = ENV_LITERAL;
    enum fut_err err = fut_encoder_ref(e, &code->object, &ref);
    if (err == FUT_OK && code->env >= 0) {
        env = environment(e, L, index, code);
        if (env != ENV_LITERAL && code->nglobals > 0 && !e->route.home)
            err = note_needy(e, L, code, env);
        lua_settop(L, index);
    }
    if (err != FUT_OK) return err;
    bool only_env = code->nups == 1 && env != ENV_LITERAL && !code->sets_env;
    if (code->nups == 0 || only_env) {
        lua_pop(L, 1);
        return fut_encoder_put_number(e, FUT_TAG_PLAIN, ref);
    }
    err = fut_encoder_frame(e, L, FUT_FRAME_FUNCTION);
    if (err != FUT_OK) return err;
    struct fut_frame *f = fut_encoder_top(e);
    f->at = e->out.len - e->start;
    f->u.function.code = code;
    f->u.function.up = 0;
    f->u.function.globals =
        env == ENV_DYNAMIC || (env == ENV_GLOBALS && !code->sets_env) ? code->env + 1 : 0;
    return fut_encoder_put_number(e, FUT_TAG_FUNCTION, ref);
}

enum fut_err fut_encoder_function(struct fut_encoder *e, lua_State *L) {
    bool seen;
    int index = lua_gettop(L);
    enum fut_err err = fut_encoder_seen(e, L, lua_topointer(L, index), &seen);
    if (err != FUT_OK || seen) {
        lua_pop(L, 1);
        return err;
    }
    struct fut_known *k = fut_known_find(e->codec, L, index);
    if (!k) k = fut_known_learn(e->codec, L, index, &err);
    if (!k && err != FUT_ETRANSFER) return err;
    if (!k)
        return fut_encoder_refuse(
            e, L, "C function cannot travel: no loaded module holds it, and it has upvalues");
    if (k->kind == FUT_KNOWN_CODE) {
        if (e->route.process && e->route.home)
            return fut_encoder_refuse(e, L, "function cannot travel home from a process");
        return put_code(e, L, k->code);
    }
    if (k->kind != FUT_KNOWN_CFUNCTION) return fut_encoder_named(e, L, k);
    if (e->route.process)
        return fut_encoder_refuse(
            e, L, "C function cannot travel %s: no loaded module holds it", fut_encoder_way(e));
    lua_CFunction function = lua_tocfunction(L, -1);
    lua_pop(L, 1);
    return fut_encoder_put(e, FUT_TAG_CFUNCTION, &function, sizeof function);
}

/* The upvalue's cell; *seen: a function before has the same one. */
static enum fut_err put_cell(struct fut_encoder *e, const void *cell, bool *seen) {
    uint64_t offset = e->out.len - e->start;
    switch (fut_map_add(&e->seen, (uintptr_t)cell, &offset)) {
    case FUT_MAP_ADDED:
        *seen = false;
        return fut_encoder_tag(e, FUT_TAG_CELL);
    case FUT_MAP_NOMEM:
        return FUT_ENOMEM;
    case FUT_MAP_FOUND:
        break;
    }
    *seen = true;
    fut_encoder_share(e, offset);
    return fut_encoder_put_number(e, FUT_TAG_CELLREF, offset);
}

enum fut_err fut_encoder_function_step(struct fut_encoder *e, lua_State *L) {
    struct fut_frame *f = fut_encoder_top(e);
    enum fut_err err = FUT_OK;
    while (err == FUT_OK && f->u.function.up < f->u.function.code->nups) {
        int up = ++f->u.function.up;
        if (up == f->u.function.globals) {
            err = fut_encoder_tag(e, FUT_TAG_GLOBALS);
            continue;
        }
        bool seen;
        err = put_cell(e, lua_upvalueid(L, f->slot, up), &seen);
        if (err != FUT_OK || seen) continue;
        lua_getupvalue(L, f->slot, up);
        int type = lua_type(L, -1);
        if (!fut_is_scalar(type)) return fut_encoder_enter(e, L);
        err = fut_encoder_scalar(e, L, -1, type, true);
        lua_pop(L, 1);
    }
    if (err == FUT_OK) fut_encoder_leave(e, L);
    return err;
}

/* Notes the name at index; false when it was noted before. */
static bool note_global(struct fut_encoder *e, lua_State *L, int index) {
    fut_encoder_anchors(e, L);
    lua_pushvalue(L, index);
    bool first = lua_rawget(L, e->anchors) == LUA_TNIL;
    lua_pop(L, 1);
    if (!first) return false;
    lua_pushvalue(L, index);
    lua_pushboolean(L, true);
    lua_rawset(L, e->anchors);
    return true;
}

/* Pushes the value that the name has in the environment at index. */
static int push_global(struct fut_encoder *e, lua_State *L, int index, bool dynamic,
                       const char *name) {
    lua_pushstring(L, name); /* which remembers the addresses that it was given */
    if (!dynamic) return lua_rawget(L, index);
    int type = lua_gettable(L, index);
    fut_encoder_anchor(e, L, -1);
    return type;
}

static enum fut_err put_globals_of(struct fut_encoder *e, lua_State *L,
                                   struct fut_needy needy) {
    const char *name = needy.code->globals;
    int top = lua_gettop(L), index = top + 1;
    if (needy.env == 0) {
        lua_pushglobaltable(L);
    } else {
        lua_rawgeti(L, e->anchors, needy.env);
    }
    for (uint32_t i = 0; i < needy.code->nglobals; i++, name += strlen(name) + 1) {
        size_t len = strlen(name);
        lua_settop(L, index);
        if (push_global(e, L, index, needy.env != 0, name) == LUA_TNIL ||
            fut_names_is_standard(e->codec, L, name, len, -1))
            continue;
        lua_pushstring(L, name);
        if (!note_global(e, L, index + 2)) continue;
        e->global = name;
        enum fut_err err = fut_encoder_scalar(e, L, index + 2, LUA_TSTRING, true);
        if (err == FUT_OK) err = fut_encoder_value(e, L, index + 1);
        if (err != FUT_OK) return err;
    }
    lua_settop(L, top);
    return FUT_OK;
}

enum fut_err fut_encoder_globals(struct fut_encoder *e, lua_State *L) {
    enum fut_err err = FUT_OK;
    for (size_t i = 0; i < e->nneedy && err == FUT_OK; i++)
        err = put_globals_of(e, L, e->needy[i]);
    return err;
}
