/* SPDX-License-Identifier: MIT */
#include <lauxlib.h>
#include <string.h>

#include "fetch/bind.h"

static void set_number(lua_State *L, const char *key, double value) {
    lua_pushnumber(L, value);
    lua_setfield(L, -2, key);
}

static void set_integer(lua_State *L, const char *key, lua_Integer value) {
    lua_pushinteger(L, value);
    lua_setfield(L, -2, key);
}

static void set_string(lua_State *L, const char *key, const char *value) {
    lua_pushstring(L, value);
    lua_setfield(L, -2, key);
}

static const char *version_name(long http) {
    switch (http) {
    case CURL_HTTP_VERSION_1_0:
        return "1.0";
    case CURL_HTTP_VERSION_1_1:
        return "1.1";
    case CURL_HTTP_VERSION_2_0:
        return "2";
    default:
        return http > CURL_HTTP_VERSION_2_0 ? "3" : "1.1";
    }
}

static void push_request(lua_State *L, const struct fut_request *r) {
    lua_createtable(L, 0, 2);
    set_string(L, "method", r->method);
    set_string(L, "url", r->url);
}

/* {name, value, name, value, ...}: integer keys only, so that no header is taken for a
 * field. */
static void push_headers(lua_State *L, const struct fut_head *head) {
    size_t position = 0;
    struct fut_field field;
    lua_newtable(L);
    for (lua_Integer n = 1; fut_head_next(head, &position, &field); n += 2) {
        lua_pushlstring(L, field.name, field.name_len);
        lua_rawseti(L, -2, n);
        lua_pushlstring(L, field.value, field.value_len);
        lua_rawseti(L, -2, n + 1);
    }
}

static void push_times(lua_State *L, const struct fut_times *times) {
    lua_createtable(L, 0, 5);
    set_number(L, "dns", times->dns);
    set_number(L, "connect", times->connect);
    set_number(L, "tls", times->tls);
    set_number(L, "first_byte", times->first_byte);
    set_number(L, "total", times->total);
}

static void push_response(lua_State *L, const struct fut_transfer *t) {
    lua_createtable(L, 0, 13);
    set_integer(L, "status", t->status);
    lua_pushboolean(L, t->status >= 200 && t->status < 300);
    lua_setfield(L, -2, "ok");
    set_string(L, "reason", fut_head_reason(&t->head));
    set_string(L, "url", t->hop.url);
    set_string(L, "http_version", version_name(t->http));
    set_integer(L, "redirects", t->redirects);
    set_integer(L, "attempts", 1);
    set_integer(L, "size", (lua_Integer)t->sink.received);
    push_headers(L, &t->head);
    lua_setfield(L, -2, "headers");
    push_times(L, &t->times);
    lua_setfield(L, -2, "time");
    push_request(L, &t->request);
    lua_setfield(L, -2, "request");
    if (t->in_file) {
        set_string(L, "path", t->request.output);
    } else {
        lua_pushlstring(L, (const char *)t->sink.memory.data, t->sink.memory.len);
        lua_setfield(L, -2, "body");
    }
}

static void push_failure(lua_State *L, const struct fut_transfer *t) {
    const struct fut_failure *f = &t->failure;
    lua_createtable(L, 0, 10);
    set_string(L, "kind", fut_kind_name(f->kind));
    set_string(L, "message", f->text);
    set_string(L, "url", t->hop.url ? t->hop.url : t->request.url);
    set_string(L, "method", t->request.method);
    set_integer(L, "attempt", 1);
    set_integer(L, "bytes", (lua_Integer)t->sink.received);
    lua_pushboolean(L, f->retryable);
    lua_setfield(L, -2, "retryable");
    if (t->status > 0) set_integer(L, "status", t->status);
    if (f->code > 0) set_integer(L, "code", f->code);
    if (f->kind == FUT_KIND_TIMEOUT) set_string(L, "phase", fut_phase_name(f->phase));
}

int fut_bind_push_outcome(lua_State *L, const struct fut_transfer *t) {
    if (t->failure.kind == FUT_KIND_MEMORY) return luaL_error(L, "not enough memory");
    lua_pushboolean(L, t->failure.kind == FUT_KIND_NONE);
    if (t->failure.kind == FUT_KIND_NONE)
        push_response(L, t);
    else
        push_failure(L, t);
    return 2;
}
