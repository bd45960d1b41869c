/* SPDX-License-Identifier: MIT */
#include <lauxlib.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "fetch/bind.h"
#include "fetch/limit.h"

static _Noreturn void raise_memory(lua_State *L) {
    luaL_error(L, "not enough memory");
    abort(); /* never reached, which the compiler does not know */
}

static void check_memory(lua_State *L, bool ok) {
    if (!ok) raise_memory(L);
}

/* The strings of all kinds are copied, so that the request can leave the thread of its
 * state. */
static void read_string(lua_State *L, int index, const char *key, char **to) {
    if (lua_getfield(L, index, key) == LUA_TSTRING) {
        *to = fut_strdup(lua_tostring(L, -1));
        check_memory(L, *to != NULL);
    }
    lua_pop(L, 1);
}

static bool read_bytes(lua_State *L, int index, const char *key, struct fut_buf *to) {
    bool found = lua_getfield(L, index, key) == LUA_TSTRING;
    if (found) {
        size_t len;
        const char *bytes = lua_tolstring(L, -1, &len);
        if (len > 0) check_memory(L, fut_buf_append(to, bytes, len));
    }
    lua_pop(L, 1);
    return found;
}

static void read_number(lua_State *L, int index, const char *key, double *to) {
    if (lua_getfield(L, index, key) == LUA_TNUMBER) *to = lua_tonumber(L, -1);
    lua_pop(L, 1);
}

static void read_flag(lua_State *L, int index, const char *key, bool *to) {
    if (lua_getfield(L, index, key) == LUA_TBOOLEAN) *to = lua_toboolean(L, -1);
    lua_pop(L, 1);
}

static void read_choice(lua_State *L, int index, const char *key, const char *const *names,
                        int *to) {
    if (lua_getfield(L, index, key) == LUA_TSTRING) *to = luaL_checkoption(L, -1, NULL, names);
    lua_pop(L, 1);
}

static void read_headers(lua_State *L, int index, struct fut_buf *to) {
    if (lua_getfield(L, index, "headers") == LUA_TTABLE) {
        for (lua_Integer i = 1; lua_rawgeti(L, -1, i) == LUA_TSTRING; i++) {
            const char *line = lua_tostring(L, -1);
            check_memory(L, fut_buf_append(to, line, strlen(line) + 1));
            lua_pop(L, 1);
        }
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
}

static void read_part(lua_State *L, int index, struct fut_part *p) {
    read_string(L, index, "name", &p->name);
    read_string(L, index, "path", &p->path);
    read_string(L, index, "filename", &p->filename);
    read_string(L, index, "type", &p->type);
    read_bytes(L, index, "body", &p->bytes);
}

static void read_parts(lua_State *L, int index, struct fut_request *r) {
    if (lua_getfield(L, index, "parts") == LUA_TTABLE) {
        size_t count = lua_rawlen(L, -1);
        r->parts = fut_zalloc((count + 1) * sizeof *r->parts);
        check_memory(L, r->parts != NULL);
        r->part_count = r->parts ? count : 0;
        for (size_t i = 0; i < r->part_count; i++) {
            lua_rawgeti(L, -1, (lua_Integer)i + 1);
            read_part(L, lua_gettop(L), &r->parts[i]);
            lua_pop(L, 1);
        }
    }
    lua_pop(L, 1);
}

static void read_size(lua_State *L, int index, const char *key, size_t *to) {
    if (lua_getfield(L, index, key) == LUA_TNUMBER) *to = (size_t)lua_tointeger(L, -1);
    lua_pop(L, 1);
}

static void read_limits(lua_State *L, int index, struct fut_request *r) {
    read_number(L, index, "total", &r->total_s);
    read_number(L, index, "connect", &r->connect_s);
    read_number(L, index, "idle", &r->idle_s);
    read_number(L, index, "deadline", &r->deadline_s);
    read_number(L, index, "priority", &r->priority);
    read_number(L, index, "rate", &r->rate);
    read_size(L, index, "max_connections", &r->max_connections);
    read_size(L, index, "max_per_host", &r->max_per_host);
    read_size(L, index, "max_pending", &r->max_pending);
    if (lua_getfield(L, index, "max_buffered") == LUA_TNUMBER)
        r->max_buffered = (uint64_t)lua_tointeger(L, -1);
    lua_pop(L, 1);
    if (lua_getfield(L, index, "max_redirects") == LUA_TNUMBER)
        r->max_redirects = (int)lua_tointeger(L, -1);
    lua_pop(L, 1);
    if (lua_getfield(L, index, "max_body") == LUA_TNUMBER)
        r->max_body = (uint64_t)lua_tointeger(L, -1);
    else if (lua_isboolean(L, -1))
        r->max_body = UINT64_MAX;
    lua_pop(L, 1);
}

static void read_retry(lua_State *L, int index, struct fut_retry_policy *p) {
    if (lua_getfield(L, index, "retry") == LUA_TTABLE) {
        int at = lua_gettop(L);
        lua_getfield(L, at, "max");
        p->max = (int)lua_tointeger(L, -1);
        lua_pop(L, 1);
        read_number(L, at, "backoff", &p->backoff.first_s);
        read_number(L, at, "factor", &p->backoff.factor);
        read_number(L, at, "max_delay", &p->backoff.max_s);
        read_flag(L, at, "jitter", &p->backoff.jitter);
        read_flag(L, at, "respect_retry_after", &p->respect_retry_after);
        lua_getfield(L, at, "statuses");
        for (lua_Integer i = 1; lua_rawgeti(L, -1, i) == LUA_TNUMBER; i++) {
            fut_retry_add_status(p, (int)lua_tointeger(L, -1));
            lua_pop(L, 1);
        }
        lua_pop(L, 2);
    }
    lua_pop(L, 1);
}

static void read_choices(lua_State *L, int index, struct fut_request *r) {
    static const char *const schemes[] = {"none", "basic", "digest", "bearer", NULL};
    static const char *const versions[] = {"auto", "1.1", "2", NULL};
    int auth = FUT_AUTH_NONE, http = FUT_HTTP_AUTO;
    read_choice(L, index, "scheme", schemes, &auth);
    read_choice(L, index, "http_version", versions, &http);
    r->auth = (enum fut_auth)auth;
    r->http = (enum fut_http)http;
}

static void read_request(lua_State *L, int index, struct fut_request *r) {
    static const struct {
        const char *key;
        size_t offset;
    } strings[] = {
        {"method", offsetof(struct fut_request, method)},
        {"output", offsetof(struct fut_request, output)},
        {"user", offsetof(struct fut_request, user)},
        {"password", offsetof(struct fut_request, password)},
        {"token", offsetof(struct fut_request, token)},
        {"ca_file", offsetof(struct fut_request, ca_file)},
        {"user_agent", offsetof(struct fut_request, user_agent)},
        {"cert", offsetof(struct fut_request, cert)},
        {"key", offsetof(struct fut_request, key)},
        {"proxy", offsetof(struct fut_request, proxy)},
    };
    for (size_t i = 0; i < sizeof strings / sizeof *strings; i++)
        read_string(L, index, strings[i].key, (char **)((char *)r + strings[i].offset));
    luaL_argcheck(L, r->method && r->user_agent, index, "not a request");
    read_headers(L, index, &r->headers);
    r->has_body = read_bytes(L, index, "body", &r->body);
    read_parts(L, index, r);
    read_limits(L, index, r);
    read_retry(L, index, &r->retry);
    read_choices(L, index, r);
    read_flag(L, index, "cookies", &r->cookies);
    read_flag(L, index, "raise_for_status", &r->raise_for_status);
    read_flag(L, index, "compression", &r->compression);
    read_flag(L, index, "verify", &r->verify);
    read_flag(L, index, "deny_private", &r->deny_private);
}

/* ---- the userdata ---- */

#define TNAME "futures.fetch.Request"

struct fut_request *fut_bind_check_request(lua_State *L, int index) {
    struct fut_request **slot = luaL_checkudata(L, index, TNAME);
    luaL_argcheck(L, *slot, index, "not a request");
    return *slot;
}

static int request_gc(lua_State *L) {
    struct fut_request **slot = luaL_checkudata(L, 1, TNAME);
    fut_request_drop(*slot);
    *slot = NULL;
    return 0;
}

/* request(flat) -> userdata, and the number of connections that the system allows when it is
 * smaller than max_connections. */
static int l_request(lua_State *L) {
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    struct fut_request **slot = lua_newuserdatauv(L, sizeof(*slot), 0);
    *slot = NULL;
    luaL_setmetatable(L, TNAME);
    struct fut_request *r = *slot = fut_request_new();
    check_memory(L, r != NULL);
    read_request(L, 1, r);
    size_t possible = fut_limit_connections(r->max_connections);
    if (possible >= r->max_connections) return 1;
    r->max_connections = possible;
    lua_pushinteger(L, (lua_Integer)possible);
    return 2;
}

void fut_bind_open_request(lua_State *L) {
    luaL_newmetatable(L, TNAME);
    lua_pushcfunction(L, request_gc);
    lua_setfield(L, -2, "__gc");
    lua_pop(L, 1);
    lua_pushcfunction(L, l_request);
    lua_setfield(L, -2, "request");
}
