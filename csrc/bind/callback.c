/* SPDX-License-Identifier: MIT */
#include "bind/callback.h"

/* The registry key of the table that anchors callbacks: light userdata -> userdata. */
static const char anchor_key;

enum { FUNCTION = 1, FUTURE = 2 }; /* user values */

static void push_anchors(lua_State *L) {
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &anchor_key) == LUA_TTABLE) return;
    lua_pop(L, 1);
    lua_newtable(L);
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &anchor_key);
}

void fut_callback_add(struct fut_home *home, lua_State *L, int index,
                      struct fut_future *future) {
    fut_home_check_open(home, L);
    index = lua_absindex(L, index);
    struct fut_callback *c = lua_newuserdatauv(L, sizeof *c, 2);
    fut_watch_init(&c->watch);
    lua_pushvalue(L, -2);
    lua_setiuservalue(L, -2, FUNCTION);
    lua_pushvalue(L, index);
    lua_setiuservalue(L, -2, FUTURE);
    push_anchors(L);
    lua_insert(L, -2);
    lua_rawsetp(L, -2, c); /* the last call that may raise */
    lua_pop(L, 2);
    c->next = home->callbacks;
    c->back = &home->callbacks;
    if (c->next) c->next->back = &c->next;
    home->callbacks = c;
    fut_watch_start(&c->watch, &home->inbox, future);
}

static void unlink_callback(struct fut_callback *c) {
    fut_watch_stop(&c->watch);
    *c->back = c->next;
    if (c->next) c->next->back = c->back;
}

int fut_callback_run(lua_State *L) {
    struct fut_callback *c = lua_touserdata(L, 1);
    push_anchors(L);
    lua_rawgetp(L, -1, c);
    lua_pushnil(L);
    lua_rawsetp(L, -3, c); /* assigning nil to a field that exists needs no memory */
    unlink_callback(c);
    lua_getiuservalue(L, -1, FUNCTION);
    lua_getiuservalue(L, -2, FUTURE);
    lua_call(L, 1, 0);
    return 0;
}

void fut_callback_drop_all(struct fut_home *home) {
    while (home->callbacks) unlink_callback(home->callbacks);
}
