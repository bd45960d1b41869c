/* SPDX-License-Identifier: MIT */
#include "bind/gather.h"

#include <lauxlib.h>
#include <stdlib.h>

#include "bind/future.h"
#include "bind/home.h"
#include "vm/map.h"

#define SEEN_TNAME "futures.seen"

/* The set of futures seen so far, in a userdata so that a memory error leaves nothing
 * behind. */
static int seen_gc(lua_State *L) {
    fut_map_deinit(luaL_checkudata(L, 1, SEEN_TNAME));
    return 0;
}

static struct fut_map *push_seen(lua_State *L) {
    struct fut_map *seen = lua_newuserdatauv(L, sizeof *seen, 0);
    *seen = (struct fut_map){0};
    luaL_setmetatable(L, SEEN_TNAME);
    return seen;
}

static int distinct(lua_State *L) {
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    lua_Integer n = (lua_Integer)lua_rawlen(L, 1), kept = 0;
    struct fut_map *seen = push_seen(L); /* 2 */
    lua_toclose(L, 2);
    lua_createtable(L, (int)n, 0); /* 3 */
    for (lua_Integer i = 1; i <= n; i++) {
        lua_rawgeti(L, 1, i);
        struct fut_future *f = fut_future_test(L, -1);
        if (!f) {
            lua_pushnil(L);
            lua_pushinteger(L, i);
            return 2;
        }
        uint64_t any = 0;
        enum fut_map_answer answer = fut_map_add(seen, (uintptr_t)f, &any);
        if (answer == FUT_MAP_NOMEM) return luaL_error(L, "not enough memory");
        if (answer == FUT_MAP_ADDED)
            lua_rawseti(L, 3, ++kept);
        else
            lua_pop(L, 1);
    }
    return 1;
}

static int keys(lua_State *L) {
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    lua_newtable(L);
    lua_Integer n = 0;
    for (lua_pushnil(L); lua_next(L, 1);) {
        lua_pop(L, 1);
        if (!fut_future_test(L, -1)) {
            lua_pushnil(L);
            lua_insert(L, -2);
            return 2;
        }
        lua_pushvalue(L, -1);
        lua_rawseti(L, 2, ++n);
    }
    return 1;
}

static int earlier(const void *a, const void *b) {
    const struct fut_gathered *x = a, *y = b;
    if (x->done_at != y->done_at) return x->done_at < y->done_at ? -1 : 1;
    return x->position < y->position ? -1 : x->position > y->position;
}

const struct fut_gathered *fut_gather_order(lua_State *L, int index, size_t *n, size_t *done) {
    index = lua_absindex(L, index);
    *n = lua_rawlen(L, index);
    *done = 0;
    struct fut_gathered *order = lua_newuserdatauv(L, *n * sizeof *order, 0);
    for (size_t i = 0; i < *n; i++) {
        lua_rawgeti(L, index, (lua_Integer)i + 1);
        struct fut_future *f = fut_future_check(L, -1);
        bool is_done = fut_future_done(f);
        order[i] = (struct fut_gathered){is_done ? f->done_at : FUT_NEVER, (lua_Integer)i + 1};
        *done += is_done;
        lua_pop(L, 1);
    }
    qsort(order, *n, sizeof *order, earlier);
    return order;
}

static int order_of(lua_State *L) {
    size_t n, done;
    luaL_checktype(L, 1, LUA_TTABLE);
    const struct fut_gathered *order = fut_gather_order(L, 1, &n, &done);
    lua_createtable(L, (int)n, 0);
    for (size_t i = 0; i < n; i++) {
        lua_pushinteger(L, order[i].position);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    lua_pushinteger(L, (lua_Integer)done);
    return 2;
}

static const luaL_Reg functions[] = {
    {"distinct", distinct},
    {"keys", keys},
    {"order", order_of},
    {NULL, NULL},
};

void fut_gather_open(lua_State *L) {
    fut_home_new_type(L, SEEN_TNAME, seen_gc);
    fut_home_set_functions(L, functions);
}
