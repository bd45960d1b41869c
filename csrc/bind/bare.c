/* SPDX-License-Identifier: MIT */
#include "bind/bare.h"

#include <lauxlib.h>

#include "bind/derive.h"
#include "bind/home.h"
#include "vm/registry.h"

enum { KEPT = 2 }; /* the user value */

/* The registry key of a table whose weak keys are all handles of bare futures made here. The
 * collector keeps it true in every case. A list through the handles would need their finalizers
 * for that, and Lua drops a finalizer that finds no stack: one that is due when a recursion
 * without end has used all of it. */
static const char bares_key;

static void push_bares(lua_State *L) {
    fut_registry_table(L, &bares_key, "k");
}

void fut_bare_new(lua_State *L) {
    fut_home_check_open(fut_home_of(L), L);
    struct fut_bare *b = lua_newuserdatauv(L, sizeof *b, KEPT);
    *b = (struct fut_bare){0};
    lua_pushvalue(L, lua_upvalueindex(FUT_UP_FUTURE));
    lua_setmetatable(L, -2);
    push_bares(L);
    lua_pushvalue(L, -2);
    lua_pushboolean(L, true);
    lua_rawset(L, -3);
    lua_pop(L, 1);
    b->handle.future = fut_future_new();
    if (!b->handle.future) luaL_error(L, "not enough memory");
    atomic_store_explicit(&b->handle.future->local, true, memory_order_relaxed);
}

/* Has the handle the second user value? If so pushes it, and tells its type; else nothing. */
static int push_kept(lua_State *L, int index) {
    int type = lua_getiuservalue(L, index, KEPT);
    if (type == LUA_TNONE) lua_pop(L, 1);
    return type;
}

bool fut_bare_keep(lua_State *L, int index, int callback) {
    struct fut_future *f = ((struct fut_future_handle *)lua_touserdata(L, index))->future;
    if (fut_future_done(f) || !fut_future_local(f)) return false;
    int type = push_kept(L, index);
    if (type == LUA_TNONE) return false;
    if (type == LUA_TNIL) {
        lua_pop(L, 1);
        lua_pushvalue(L, callback);
        lua_setiuservalue(L, index, KEPT);
        return true;
    }
    if (type == LUA_TUSERDATA) { /* one so far */
        lua_createtable(L, 0, 2);
        lua_insert(L, -2);
        lua_rawsetp(L, -2, lua_touserdata(L, -1));
        lua_pushvalue(L, -1);
        lua_setiuservalue(L, index, KEPT);
    }
    lua_pushvalue(L, callback);
    lua_rawsetp(L, -2, lua_touserdata(L, callback));
    lua_pop(L, 1);
    return true;
}

void fut_bare_forget(lua_State *L, int index, const struct fut_callback *c) {
    int type = push_kept(L, index);
    if (type == LUA_TNONE) return;
    if (type == LUA_TTABLE) {
        if (lua_rawgetp(L, -1, c) != LUA_TNIL) {
            lua_pushnil(L);
            lua_rawsetp(L, -3, c); /* there is such a field: needs no memory */
        }
        lua_pop(L, 1);
    } else if (lua_touserdata(L, -1) == c) {
        lua_pushnil(L);
        lua_setiuservalue(L, index, KEPT);
    }
    lua_pop(L, 1);
}

/* Takes all that is kept and calls fn(L, index of the callback) for each. */
static void take_kept(lua_State *L, int index, void (*fn)(lua_State *L, int callback)) {
    index = lua_absindex(L, index);
    int type = push_kept(L, index);
    if (type == LUA_TNONE) return;
    lua_pushnil(L);
    lua_setiuservalue(L, index, KEPT);
    if (type == LUA_TUSERDATA) {
        fn(L, lua_gettop(L));
    } else if (type == LUA_TTABLE) {
        for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) fn(L, lua_gettop(L));
    }
    lua_pop(L, 1);
}

void fut_bare_entrust(lua_State *L, int index) {
    take_kept(L, index, fut_callback_anchor);
}

static void drop(lua_State *L, int callback) {
    fut_callback_drop(L, callback);
}

static bool keeps_some(lua_State *L, int index) {
    int type = push_kept(L, index);
    if (type != LUA_TNONE) lua_pop(L, 1);
    return type == LUA_TUSERDATA || type == LUA_TTABLE;
}

bool fut_bare_gc(lua_State *L) {
    if (push_kept(L, 1) == LUA_TNONE) return false;
    lua_pop(L, 1);
    struct fut_bare *b = lua_touserdata(L, 1);
    if (!b->orphan && (keeps_some(L, 1) || fut_derive_is(L, 1))) {
        b->orphan = true;
        lua_getmetatable(L, 1);
        lua_setmetatable(L, 1); /* marks it for a finalizer again */
        return true;
    }
    fut_derive_unlink(L, 1);
    take_kept(L, 1, drop);
    return false;
}

void fut_bare_drop_all(lua_State *L) {
    push_bares(L);
    for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
        struct fut_future_handle *h = lua_touserdata(L, -2);
        if (!h->future) continue;
        take_kept(L, -2, drop);
        fut_future_drop(h->future);
        h->future = NULL;
    }
    lua_pop(L, 1);
}
