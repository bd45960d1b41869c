/* SPDX-License-Identifier: MIT */
#include <lauxlib.h>

#include "base/alloc.h"
#include "fetch/bind.h"
#include "fetch/engine.h"
#include "fetch/problem.h"
#include "fetch/url.h"

enum { SHOWN_URL = 300 };

static void set_integer(lua_State *L, const char *key, lua_Integer value) {
    lua_pushinteger(L, value);
    lua_setfield(L, -2, key);
}

static void set_string(lua_State *L, const char *key, const char *value) {
    lua_pushstring(L, value);
    lua_setfield(L, -2, key);
}

static void push_class(lua_State *L) {
    lua_getglobal(L, "require");
    lua_pushliteral(L, "futures.fetch.errors");
    lua_call(L, 1, 1);
    lua_getfield(L, -1, "FetchError");
    lua_remove(L, -2);
}

/* Pushes the FetchError. */
static void problem_push(lua_State *L, void *object) {
    const struct fut_problem *p = object;
    char shown[SHOWN_URL];
    fut_url_mask(shown, sizeof shown, p->url, strlen(p->url));
    luaL_checkstack(L, 8, "an error");
    lua_createtable(L, 0, 11);
    set_string(L, "name", "FetchError");
    lua_pushfstring(L, "%s (%s %s)", p->text, p->method, shown);
    lua_setfield(L, -2, "message");
    set_string(L, "kind", fut_kind_name(p->kind));
    set_string(L, "url", p->url);
    set_integer(L, "attempt", p->attempt);
    set_integer(L, "bytes", (lua_Integer)p->bytes);
    lua_pushboolean(L, p->retryable);
    lua_setfield(L, -2, "retryable");
    if (p->status > 0) set_integer(L, "status", p->status);
    if (p->code > 0) set_integer(L, "code", p->code);
    if (p->kind == FUT_KIND_TIMEOUT) set_string(L, "phase", fut_phase_name(p->phase));
    push_class(L);
    lua_setmetatable(L, -2);
}

static void problem_deinit(void *object) {
    struct fut_problem *p = object;
    fut_free(p->url);
    fut_free(p->method);
}

const struct fut_class fut_problem_class = {
    .name = "futures.fetch.Problem",
    .module = "futures.fetch",
    .deinit = problem_deinit,
    .push = problem_push,
};

void fut_bind_open_problem(lua_State *L) {
    fut_engine_api()->class_open(L, &fut_problem_class);
    lua_pop(L, 1);
}
