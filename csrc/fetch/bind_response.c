/* SPDX-License-Identifier: MIT */
/* The Response userdata. A field becomes a Lua value when it is asked for; those that are
 * costly or tables are kept, in the user value. */
#include <lauxlib.h>
#include <string.h>

#include "fetch/bind.h"
#include "fetch/engine.h"
#include "fetch/response.h"

enum { KB = 1024, STEP_BYTES = 16 * KB };

/* Lua does not see the memory of bodies: so its collector works as if so much had been taken in
 * Lua, once for each. One that was stopped stays so. */
static void tell_collector(lua_State *L, struct fut_response *r) {
    if (r->size < STEP_BYTES || r->path || atomic_exchange(&r->told, true)) return;
    if (lua_gc(L, LUA_GCISRUNNING) == 1) lua_gc(L, LUA_GCSTEP, (int)(r->size / KB));
}

static struct fut_response *check(lua_State *L, int index) {
    struct fut_response *r = fut_engine_api()->object_test(L, index, &fut_response_class);
    if (!r) luaL_checkudata(L, index, fut_response_class.name);
    luaL_argcheck(L, r, index, "empty response");
    if (r) tell_collector(L, r); /* always, which the analyser does not know */
    return r;
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

/* {name, value, name, value, ...}: integer keys only, so that no header is taken for a field;
 * the metatable is lua/futures/fetch/headers.lua. */
static void push_headers(lua_State *L, const struct fut_response *r) {
    size_t position = 0;
    struct fut_field field;
    lua_newtable(L);
    for (lua_Integer n = 1; fut_head_next(&r->head, &position, &field); n += 2) {
        lua_pushlstring(L, field.name, field.name_len);
        lua_rawseti(L, -2, n);
        lua_pushlstring(L, field.value, field.value_len);
        lua_rawseti(L, -2, n + 1);
    }
    lua_getglobal(L, "require");
    lua_pushliteral(L, "futures.fetch.headers");
    lua_call(L, 1, 1);
    lua_setmetatable(L, -2);
}

static void set_number(lua_State *L, const char *key, double value) {
    lua_pushnumber(L, value);
    lua_setfield(L, -2, key);
}

static void push_times(lua_State *L, const struct fut_response *r) {
    lua_createtable(L, 0, 5);
    set_number(L, "dns", r->times.dns);
    set_number(L, "connect", r->times.connect);
    set_number(L, "tls", r->times.tls);
    set_number(L, "first_byte", r->times.first_byte);
    set_number(L, "total", r->times.total);
}

static void push_request(lua_State *L, const struct fut_response *r) {
    lua_createtable(L, 0, 2);
    lua_pushstring(L, r->request_method);
    lua_setfield(L, -2, "method");
    lua_pushstring(L, r->request_url);
    lua_setfield(L, -2, "url");
}

static void push_body(lua_State *L, struct fut_response *r) {
    if (r->path) {
        lua_pushnil(L);
        return;
    }
    lua_pushlstring(L, (const char *)r->body.data, r->body.len);
    fut_response_taken(r);
}

enum field {
    BODY = 1, /* kept */
    HEADERS,
    TIME,
    REQUEST,
    STATUS, /* made anew each time */
    OK,
    REASON,
    URL,
    HTTP_VERSION,
    REDIRECTS,
    ATTEMPTS,
    SIZE,
    PATH,
};

static const char *const names[] = {
    [BODY] = "body",           [HEADERS] = "headers",   [TIME] = "time",
    [REQUEST] = "request",     [STATUS] = "status",     [OK] = "ok",
    [REASON] = "reason",       [URL] = "url",           [HTTP_VERSION] = "http_version",
    [REDIRECTS] = "redirects", [ATTEMPTS] = "attempts", [SIZE] = "size",
    [PATH] = "path",
};
enum { NAMES = sizeof names / sizeof *names };

static void push_kept(lua_State *L, struct fut_response *r, enum field field) {
    if (lua_getiuservalue(L, 1, 1) != LUA_TTABLE) {
        lua_pop(L, 1);
        lua_createtable(L, REQUEST, 0);
        lua_pushvalue(L, -1);
        lua_setiuservalue(L, 1, 1);
    }
    if (lua_rawgeti(L, -1, field) != LUA_TNIL) return;
    lua_pop(L, 1);
    if (field == BODY)
        push_body(L, r);
    else if (field == HEADERS)
        push_headers(L, r);
    else if (field == TIME)
        push_times(L, r);
    else
        push_request(L, r);
    lua_pushvalue(L, -1);
    lua_rawseti(L, -3, field);
    if (field == BODY) fut_response_give_up(r);
}

/* Its body is kept, if it was given up. */
void fut_bind_response_sent(lua_State *L, int index, void *object) {
    struct fut_response *r = object;
    luaL_checkstack(L, 4, "a response");
    bool given_up = r->body.len == 0 && r->size > 0 && !r->path;
    if (!given_up || lua_getiuservalue(L, index, 1) != LUA_TTABLE) {
        if (given_up) lua_pop(L, 1);
        return;
    }
    size_t n = 0;
    lua_rawgeti(L, -1, BODY);
    const char *bytes = lua_tolstring(L, -1, &n);
    bool ok = !bytes || fut_response_put_back(r, bytes, n);
    lua_pop(L, 2);
    if (!ok) luaL_error(L, "not enough memory");
}

static void push_field(lua_State *L, struct fut_response *r, enum field field) {
    switch (field) {
    case STATUS:
        lua_pushinteger(L, r->status);
        break;
    case OK:
        lua_pushboolean(L, r->status >= 200 && r->status < 300);
        break;
    case REASON:
        lua_pushstring(L, fut_head_reason(&r->head));
        break;
    case URL:
        lua_pushstring(L, r->url);
        break;
    case HTTP_VERSION:
        lua_pushstring(L, version_name(r->http));
        break;
    case REDIRECTS:
        lua_pushinteger(L, r->redirects);
        break;
    case ATTEMPTS:
        lua_pushinteger(L, r->attempts);
        break;
    case SIZE:
        lua_pushinteger(L, (lua_Integer)r->size);
        break;
    case PATH:
        lua_pushstring(L, r->path);
        break;
    default:
        push_kept(L, r, field);
        break;
    }
}

/* Upvalues: name -> field, and the methods. */
static int response_index(lua_State *L) {
    struct fut_response *r = check(L, 1);
    lua_settop(L, 2);
    lua_pushvalue(L, 2);
    lua_rawget(L, lua_upvalueindex(1));
    int field = (int)lua_tointeger(L, -1);
    if (field > 0) {
        push_field(L, r, (enum field)field);
    } else {
        lua_pushvalue(L, 2);
        lua_rawget(L, lua_upvalueindex(2));
    }
    return 1;
}

static int next_field(lua_State *L) {
    struct fut_response *r = check(L, 1);
    int field = 0;
    lua_settop(L, 2);
    if (!lua_isnil(L, 2)) {
        lua_pushvalue(L, 2);
        lua_rawget(L, lua_upvalueindex(1));
        field = (int)lua_tointeger(L, -1);
    }
    for (field++; field < NAMES; field++) {
        lua_settop(L, 1);
        lua_pushstring(L, names[field]);
        push_field(L, r, (enum field)field);
        if (!lua_isnil(L, -1)) return 2;
    }
    return 0;
}

/* pairs(response): its fields. */
static int response_pairs(lua_State *L) {
    check(L, 1);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_pushcclosure(L, next_field, 1);
    lua_pushvalue(L, 1);
    return 2;
}

static int response_len(lua_State *L) {
    lua_pushinteger(L, (lua_Integer)check(L, 1)->size);
    return 1;
}

static int response_tostring(lua_State *L) {
    const struct fut_response *r = check(L, 1);
    char total[64];
    lua_Number seconds = r->times.total;
    lua_pushfstring(L, "Response %I %s %I bytes ", (lua_Integer)r->status, r->url,
                    (lua_Integer)r->size);
    int n = snprintf(total, sizeof total, "%.3f s", seconds);
    lua_pushlstring(L, total, (size_t)n);
    lua_concat(L, 2);
    return 1;
}

void fut_bind_open_response(lua_State *L) {
    fut_engine_api()->class_open(L, &fut_response_class);
    lua_createtable(L, 0, NAMES);
    for (int i = 1; i < NAMES; i++) {
        lua_pushinteger(L, i);
        lua_setfield(L, -2, names[i]);
    }
    lua_newtable(L); /* the methods, which lua/futures/fetch/response.lua adds */
    lua_pushvalue(L, -1);
    lua_setfield(L, -4, "methods");
    lua_pushvalue(L, -2);
    lua_pushcclosure(L, response_pairs, 1);
    lua_setfield(L, -4, "__pairs");
    lua_pushcclosure(L, response_index, 2);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, response_len);
    lua_setfield(L, -2, "__len");
    lua_pushcfunction(L, response_tostring);
    lua_setfield(L, -2, "__tostring");
    lua_setfield(L, -2, "Response");
}
