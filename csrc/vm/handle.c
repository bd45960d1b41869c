/* SPDX-License-Identifier: MIT */
#include "vm/handle.h"

#include <lauxlib.h>
#include <stdatomic.h>

#include "base/err.h"

enum { CLASSES_MAX = 16 };

/* Filled once per class at module load, then only read: no lock. */
static _Atomic(const struct fut_handle_class *) classes[CLASSES_MAX];

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

static const struct fut_handle_class *class_of(lua_State *L, int index) {
    if (!lua_getmetatable(L, index)) return NULL;
    const struct fut_handle_class *c;
    bool same = false;
    for (int i = 0; (c = class_at(i)); i++) {
        luaL_getmetatable(L, c->tname);
        same = lua_rawequal(L, -1, -2);
        lua_pop(L, 1);
        if (same) break;
    }
    lua_pop(L, 1);
    return c;
}

struct fut_object *fut_handle_test(lua_State *L, int index) {
    index = lua_absindex(L, index);
    const struct fut_handle_class *c = class_of(L, index);
    if (!c) return NULL;
    if (c->sent) c->sent(L, index);
    return *(struct fut_object **)lua_touserdata(L, index);
}

bool fut_handle_push(lua_State *L, struct fut_object *object) {
    const struct fut_handle_class *c;
    int i = 0;
    while ((c = class_at(i)) && c->type != object->type) i++;
    if (!c) return false;
    bool known = luaL_getmetatable(L, c->tname) != LUA_TNIL;
    lua_pop(L, 1);
    if (!known && c->open) c->open(L);
    c->push(L, object);
    return true;
}
