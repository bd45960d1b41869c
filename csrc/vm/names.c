/* SPDX-License-Identifier: MIT */
#include "vm/names.h"

#include <lauxlib.h>
#include <string.h>

static const char *const standard_modules[] = {
    "_G", "coroutine", "debug", "io", "math", "os", "package", "string", "table", "utf8", NULL};

static const char *const standard_functions[] = {
    "assert",   "collectgarbage", "dofile",  "error",  "getmetatable", "ipairs",   "load",
    "loadfile", "next",           "pairs",   "pcall",  "print",        "rawequal", "rawget",
    "rawlen",   "rawset",         "require", "select", "setmetatable", "tonumber", "tostring",
    "type",     "warn",           "xpcall",  NULL};

static bool is_standard(const char *name) {
    for (const char *const *s = standard_modules; *s; s++) {
        if (strcmp(*s, name) == 0) return true;
    }
    return false;
}

static uint64_t standard_key(const char *name, size_t len, const void *address) {
    return fut_code_hash((const unsigned char *)name, len) ^ (uintptr_t)address;
}

bool fut_names_is_standard(const struct fut_codec *c, lua_State *L, const char *name,
                           size_t len, int index) {
    uint64_t none;
    return fut_map_get(&c->standard, standard_key(name, len, lua_topointer(L, index)), &none);
}

/* A standard name that the program had already replaced is its own: that one travels. */
static void add_standard(struct fut_codec *c, lua_State *L, const char *name, int type) {
    uint64_t none = 0;
    lua_pushstring(L, name);
    lua_pushvalue(L, -1);
    lua_rawget(L, -3);
    if (lua_type(L, -1) != type || (type == LUA_TFUNCTION && !lua_iscfunction(L, -1))) {
        lua_pop(L, 2);
        return;
    }
    uint64_t key = standard_key(name, strlen(name), lua_topointer(L, -1));
    if (fut_map_add(&c->standard, key, &none) == FUT_MAP_NOMEM) fut_codec_raise(L);
    lua_rawset(L, -4);
}

void fut_names_standard(struct fut_codec *c, lua_State *L) {
    lua_newtable(L);
    lua_pushglobaltable(L);
    for (const char *const *s = standard_functions; *s; s++)
        add_standard(c, L, *s, LUA_TFUNCTION);
    for (const char *const *s = standard_modules; *s; s++) add_standard(c, L, *s, LUA_TTABLE);
    add_standard(c, L, "_VERSION", LUA_TSTRING);
    lua_pop(L, 1);
}

static bool may_be_module(int type) {
    return type == LUA_TTABLE || type == LUA_TFUNCTION || type == LUA_TUSERDATA;
}

static void rebuild(struct fut_codec *c, lua_State *L, int loaded) {
    fut_map_clear(&c->modules);
    fut_codec_push(c, L, FUT_REF_MODULES);
    int names = lua_gettop(L);
    uint64_t n = 0;
    for (lua_pushnil(L); lua_next(L, loaded); lua_pop(L, 1)) {
        if (lua_type(L, -2) != LUA_TSTRING || !may_be_module(lua_type(L, -1))) continue;
        uint64_t index = n + 1;
        uint64_t address = (uintptr_t)lua_topointer(L, -1);
        enum fut_map_answer answer = fut_map_add(&c->modules, address, &index);
        if (answer == FUT_MAP_NOMEM) fut_codec_raise(L);
        /* Of several names for one module a standard one is best, since it is always there. */
        if (answer == FUT_MAP_FOUND && !is_standard(lua_tostring(L, -2))) continue;
        if (answer == FUT_MAP_ADDED) n++;
        lua_pushvalue(L, -2);
        lua_rawseti(L, names, (lua_Integer)index);
    }
    lua_pop(L, 1);
}

void fut_names_refresh(struct fut_codec *c, lua_State *L) {
    fut_codec_push(c, L, FUT_REF_LOADED);
    int loaded = lua_gettop(L);
    uint64_t print = 1;
    for (lua_pushnil(L); lua_next(L, loaded); lua_pop(L, 1))
        print = (print ^ (uintptr_t)lua_topointer(L, -1)) * 0x9E3779B97F4A7C15u;
    if (print != c->modules_print) {
        c->modules_print = 0; /* should memory run out meanwhile */
        rebuild(c, L, loaded);
        c->modules_print = print;
    }
    lua_pop(L, 1);
}

static bool has_lua_loader(lua_State *L, int name) {
    lua_getfield(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
    bool found = false;
    if (lua_istable(L, -1)) {
        lua_pushvalue(L, name);
        lua_rawget(L, -2);
        found = lua_isfunction(L, -1) && !lua_iscfunction(L, -1);
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
    return found;
}

/* package.searchpath(name, package[where]) finds a file. A string at the stack's top is the
 * name; package is below it. */
static bool has_file(lua_State *L, int package, int name, const char *where) {
    int top = lua_gettop(L);
    bool found = false;
    lua_pushstring(L, "searchpath");
    lua_rawget(L, package);
    lua_pushvalue(L, name);
    lua_pushstring(L, where);
    lua_rawget(L, package);
    if (lua_isfunction(L, -3) && lua_isstring(L, -1))
        found = lua_pcall(L, 2, 1, 0) == LUA_OK && lua_isstring(L, -1);
    lua_settop(L, top);
    return found;
}

static bool find_loader(struct fut_codec *c, lua_State *L, int name) {
    if (is_standard(lua_tostring(L, name)) || has_lua_loader(L, name)) return true;
    fut_codec_push(c, L, FUT_REF_LOADED);
    lua_pushstring(L, "package");
    lua_rawget(L, -2);
    lua_replace(L, -2);
    int package = lua_gettop(L);
    bool found = lua_istable(L, package) &&
                 (has_file(L, package, name, "path") || has_file(L, package, name, "cpath"));
    lua_pop(L, 1);
    return found;
}

/* Whether another state can require the module named at index `name`. Looked up once: the
 * search goes to the disk. */
static bool is_findable(struct fut_codec *c, lua_State *L, int name) {
    name = lua_absindex(L, name);
    fut_codec_push(c, L, FUT_REF_FINDABLE);
    lua_pushvalue(L, name);
    if (lua_rawget(L, -2) == LUA_TNIL) {
        bool found = find_loader(c, L, name);
        lua_pop(L, 1);
        lua_pushboolean(L, found);
        lua_pushvalue(L, name);
        lua_pushvalue(L, -2);
        lua_rawset(L, -4);
    }
    bool findable = lua_toboolean(L, -1);
    lua_pop(L, 2);
    return findable;
}

bool fut_names_module(struct fut_codec *c, lua_State *L, int index) {
    uint64_t at;
    if (!fut_map_get(&c->modules, (uintptr_t)lua_topointer(L, index), &at)) return false;
    fut_codec_push(c, L, FUT_REF_MODULES);
    lua_rawgeti(L, -1, (lua_Integer)at);
    lua_replace(L, -2);
    if (is_findable(c, L, -1)) return true;
    lua_pop(L, 1);
    return false;
}

/* Pushes the key of the field of the table on the top that is the value at index. */
static bool find_field(lua_State *L, int index) {
    int module = lua_gettop(L);
    for (lua_pushnil(L); lua_next(L, module); lua_pop(L, 1)) {
        if (lua_type(L, -2) == LUA_TSTRING && lua_rawequal(L, -1, index)) {
            lua_pop(L, 1);
            return true;
        }
    }
    return false;
}

/* Looks into one module, whose name and value are on the top; leaves name and field there when
 * found, else nothing. */
static bool look_into(struct fut_codec *c, lua_State *L, int index) {
    if (lua_istable(L, -1) && find_field(L, index)) {
        lua_replace(L, -2);
        if (is_findable(c, L, -2)) return true;
    }
    lua_pop(L, 2);
    return false;
}

/* Of the globals only the standard ones are on the other side. */
static bool standard_global(struct fut_codec *c, lua_State *L, int index) {
    lua_pushstring(L, "_G");
    fut_codec_push(c, L, FUT_REF_STANDARD);
    return look_into(c, L, index);
}

static bool standard_member(struct fut_codec *c, lua_State *L, int index, int loaded) {
    if (lua_iscfunction(L, index) && standard_global(c, L, index)) return true;
    for (const char *const *s = standard_modules + 1; *s; s++) {
        lua_pushstring(L, *s);
        lua_pushvalue(L, -1);
        lua_rawget(L, loaded);
        if (look_into(c, L, index)) return true;
    }
    return false;
}

/* The other modules, after the standard ones. */
static bool other_member(struct fut_codec *c, lua_State *L, int index, int loaded) {
    for (lua_pushnil(L); lua_next(L, loaded); lua_pop(L, 1)) {
        if (lua_type(L, -2) != LUA_TSTRING || is_standard(lua_tostring(L, -2))) continue;
        lua_pushvalue(L, -2);
        lua_pushvalue(L, -2);
        if (look_into(c, L, index)) {
            lua_replace(L, loaded + 2);
            lua_replace(L, loaded + 1);
            return true;
        }
    }
    return false;
}

bool fut_names_member(struct fut_codec *c, lua_State *L, int index) {
    index = lua_absindex(L, index);
    fut_codec_push(c, L, FUT_REF_LOADED);
    int loaded = lua_gettop(L);
    bool found = standard_member(c, L, index, loaded) || other_member(c, L, index, loaded);
    lua_remove(L, loaded);
    return found;
}

bool fut_names_holds(struct fut_codec *c, lua_State *L, int names, int index) {
    int top = lua_gettop(L);
    fut_codec_push(c, L, FUT_REF_LOADED);
    lua_pushvalue(L, names);
    lua_rawget(L, -2);
    bool field = !lua_isnil(L, names + 1);
    if (field && lua_istable(L, -1)) {
        lua_pushvalue(L, names + 1);
        lua_rawget(L, -2);
        field = false;
    }
    bool same = !field && lua_rawequal(L, -1, index);
    lua_settop(L, top);
    return same;
}

void fut_names_require(struct fut_codec *c, lua_State *L, const char *name, size_t len) {
    fut_codec_push(c, L, FUT_REF_LOADED);
    lua_pushlstring(L, name, len);
    lua_pushvalue(L, -1);
    lua_rawget(L, -3);
    if (!lua_toboolean(L, -1)) {
        lua_pop(L, 1);
        fut_codec_push(c, L, FUT_REF_REQUIRE);
        lua_insert(L, -2);
        lua_call(L, 1, 1);
        lua_replace(L, -2);
        return;
    }
    lua_replace(L, -3);
    lua_pop(L, 1);
}

void fut_names_fetch(struct fut_codec *c, lua_State *L, const char *module, size_t mlen,
                     const char *field, size_t flen) {
    fut_names_require(c, L, module, mlen);
    if (lua_istable(L, -1)) {
        lua_pushlstring(L, field, flen);
        lua_rawget(L, -2);
        lua_replace(L, -2);
    } else {
        lua_pop(L, 1);
        lua_pushnil(L);
    }
    if (lua_isnil(L, -1))
        luaL_error(L, "module '%s' has no field '%s' here", lua_pushlstring(L, module, mlen),
                   lua_pushlstring(L, field, flen));
}
