/* SPDX-License-Identifier: MIT */
#include <lauxlib.h>
#include <math.h>
#include <stddef.h>

#include "base/alloc.h"
#include "fetch/bind.h"

static void check_memory(lua_State *L, bool ok) {
    if (!ok) luaL_error(L, "not enough memory");
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

static void read_seconds(lua_State *L, int index, const char *key, double *to) {
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

static void read_limits(lua_State *L, int index, struct fut_request *r) {
    read_seconds(L, index, "total", &r->total_s);
    read_seconds(L, index, "connect", &r->connect_s);
    read_seconds(L, index, "idle", &r->idle_s);
    if (lua_getfield(L, index, "max_redirects") == LUA_TNUMBER)
        r->max_redirects = (int)lua_tointeger(L, -1);
    lua_pop(L, 1);
    if (lua_getfield(L, index, "max_body") == LUA_TNUMBER)
        r->max_body = (uint64_t)lua_tointeger(L, -1);
    else if (lua_isboolean(L, -1))
        r->max_body = UINT64_MAX;
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

void fut_bind_read_request(lua_State *L, int index, struct fut_request *r) {
    static const struct {
        const char *key;
        size_t offset;
    } strings[] = {
        {"url", offsetof(struct fut_request, url)},
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
    luaL_argcheck(L, r->url && r->method && r->user_agent, index, "not a request");
    read_headers(L, index, &r->headers);
    r->has_body = read_bytes(L, index, "body", &r->body);
    read_parts(L, index, r);
    read_limits(L, index, r);
    read_choices(L, index, r);
    read_flag(L, index, "compression", &r->compression);
    read_flag(L, index, "verify", &r->verify);
    read_flag(L, index, "deny_private", &r->deny_private);
}
