/* SPDX-License-Identifier: MIT */
#include "vm/handle.h"

#include <lauxlib.h>
#include <stdatomic.h>
#include <string.h>

#include "base/err.h"
#include "vm/registry.h"

enum { CLASSES_MAX = 16 };

/* Filled once per class at module load, then only read: no lock. */
static _Atomic(const struct fut_handle_class *) classes[CLASSES_MAX];

/* The registry key of the table object -> handle. Its values are weak: the collector clears
 * them before a handle's finalizer drops the object, so an address that is used again is not
 * found. */
static const char known_key;

void fut_handle_class_add(const struct fut_handle_class *c) {
    for (int i = 0; i < CLASSES_MAX; i++) {
        const struct fut_handle_class *free_slot = NULL;
        if (atomic_compare_exchange_strong(&classes[i], &free_slot, c) || free_slot == c)
            return;
    }
    FUT_ASSERT(!"more classes of handles than CLASSES_MAX");
}

static const struct fut_handle_class *class_at(int i) {
    return i < CLASSES_MAX ? atomic_load_explicit(&classes[i], memory_order_acquire) : NULL;
}

static struct fut_object *object_at(lua_State *L, int index) {
    return *(struct fut_object **)lua_touserdata(L, index);
}

const struct fut_handle_class *fut_handle_class_foreign(const struct fut_class *foreign) {
    const struct fut_handle_class *c;
    int i = 0;
    while ((c = class_at(i)) && c->foreign != foreign) i++;
    return c;
}

const struct fut_handle_class *fut_handle_class_named(const char *name, size_t len) {
    const struct fut_handle_class *c;
    for (int i = 0; (c = class_at(i)); i++)
        if (c->foreign && strlen(c->tname) == len && memcmp(c->tname, name, len) == 0) break;
    return c;
}

const struct fut_handle_class *fut_handle_class_of(lua_State *L, int index) {
    if (lua_type(L, index) != LUA_TUSERDATA || !lua_getmetatable(L, index)) return NULL;
    const struct fut_handle_class *c;
    for (int i = 0; (c = class_at(i)); i++) {
        luaL_getmetatable(L, c->tname);
        bool same = lua_rawequal(L, -1, -2);
        lua_pop(L, 1);
        if (same) break;
    }
    lua_pop(L, 1);
    if (!c || !object_at(L, index)) return NULL;
    /* classes may share a metatable: the object's type decides */
    for (int i = 0; c && c->type != object_at(L, index)->type; i++) c = class_at(i);
    return c;
}

static void push_known(lua_State *L) {
    fut_registry_table(L, &known_key, "v");
}

struct fut_object *fut_handle_send(lua_State *L, int index, const struct fut_handle_class *c) {
    index = lua_absindex(L, index);
    luaL_checkstack(L, 8, "a handle");
    if (c->sent) c->sent(L, index);
    push_known(L);
    lua_pushvalue(L, index);
    lua_rawsetp(L, -2, object_at(L, index));
    lua_pop(L, 1);
    return object_at(L, index);
}

static void make(lua_State *L, const struct fut_handle_class *c, struct fut_object *object) {
    bool opened = luaL_getmetatable(L, c->tname) != LUA_TNIL;
    lua_pop(L, 1);
    if (!opened) {
        lua_getglobal(L, "require");
        lua_pushstring(L, c->foreign ? c->foreign->module : "futures");
        lua_call(L, 1, 0);
    }
    c->make(L, object);
}

bool fut_handle_push(lua_State *L, struct fut_object *object) {
    const struct fut_handle_class *c;
    int i = 0;
    while ((c = class_at(i)) && c->type != object->type) i++;
    if (!c) return false;
    luaL_checkstack(L, 8, "a handle");
    if (c->foreign && c->foreign->push) {
        c->make(L, object);
        return true;
    }
    push_known(L);
    if (lua_rawgetp(L, -1, object) != LUA_TUSERDATA) {
        lua_pop(L, 1);
        make(L, c, object);
        lua_pushvalue(L, -1);
        lua_rawsetp(L, -3, object);
    }
    lua_remove(L, -2);
    return true;
}
