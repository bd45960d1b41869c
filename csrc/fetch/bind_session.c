/* SPDX-License-Identifier: MIT */
/* The Session userdata, and submit. What is a session's in Lua (options, methods, views) is in
 * lua/futures/fetch/session.lua. */
#include <lauxlib.h>
#include <string.h>

#include "base/alloc.h"
#include "fetch/bind.h"
#include "fetch/engine.h"
#include "fetch/url.h"

#define OWNER_TNAME "futures.fetch.owner"

static struct fut_session *check(lua_State *L, int index) {
    struct fut_session *s = fut_engine_api()->object_test(L, index, &fut_session_class);
    if (!s) luaL_checkudata(L, index, fut_session_class.name);
    luaL_argcheck(L, s, index, "session was never opened");
    return s;
}

/* ---- making ---- */

/* Beside the handle of the one who made the session, in its user value: collected with it, it
 * closes the session. Handles elsewhere have none. */
static int owner_gc(lua_State *L) {
    struct fut_session **slot = luaL_checkudata(L, 1, OWNER_TNAME);
    struct fut_session *s = *slot;
    *slot = NULL;
    if (!s) return 0;
    bool drop = fut_engine_api()->interrupted(L); /* the user does not want to wait */
    fut_engine_close_session(s, drop ? FUT_CLOSING_CANCEL_ALL : FUT_CLOSING_KEEP);
    fut_session_drop(s);
    return 0;
}

static void check_memory(lua_State *L, const void *block) {
    if (!block) luaL_error(L, "not enough memory");
}

/* session(options) -> handle that owns the new session. */
static int l_session(lua_State *L) {
    const struct fut_api *api = fut_engine_api();
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    api->object_slot(L, &fut_session_class); /* 2 */
    struct fut_session *s = fut_session_new();
    check_memory(L, s);
    api->object_fill(L, 2, s);
    s->options = api->encode(L, 1, 1);
    struct fut_session **owner = lua_newuserdatauv(L, sizeof(*owner), 0); /* 3 */
    *owner = NULL;
    luaL_setmetatable(L, OWNER_TNAME);
    fut_session_hold(s);
    *owner = s;
    lua_newtable(L); /* 4: see session_values */
    lua_pushvalue(L, 3);
    lua_setfield(L, 4, "owner");
    lua_pushvalue(L, 1);
    lua_setfield(L, 4, "options");
    lua_setiuservalue(L, 2, 1);
    lua_settop(L, 2);
    return 1;
}

/* shared() -> the session that all of the process share. */
static int l_shared(lua_State *L) {
    const struct fut_api *api = fut_engine_api();
    api->object_slot(L, &fut_session_class);
    struct fut_session *s = fut_engine_shared();
    check_memory(L, s);
    api->object_fill(L, -1, s);
    return 1;
}

/* values(session) -> a table that Lua may use as it likes, one for each handle, with the
 * session's options in it. */
static int l_values(lua_State *L) {
    struct fut_session *s = check(L, 1);
    lua_settop(L, 1);
    if (lua_getiuservalue(L, 1, 1) == LUA_TTABLE) return 1;
    lua_newtable(L);
    if (s->options)
        fut_engine_api()->decode(L, s->options);
    else
        lua_newtable(L);
    lua_setfield(L, -2, "options");
    lua_pushvalue(L, -1);
    lua_setiuservalue(L, 1, 1);
    return 1;
}

/* ---- submit ---- */

static int refuse(lua_State *L, const char *what, const char *why) {
    lua_pushnil(L);
    lua_pushstring(L, what);
    lua_pushstring(L, why);
    return 3;
}

/* The job for a URL, or NULL: no memory. The URL is empty then. */
static struct fut_job *make_job(struct fut_session *s, struct fut_request *r,
                                struct fut_url *url, const char *name) {
    char server[FUT_URL_SERVER_SIZE];
    fut_url_server(url, server);
    char *text = fut_strdup(url->text), *where = fut_strdup(server);
    fut_url_deinit(url);
    struct fut_job *job = text && where ? fut_job_new(s, r, text, where, name) : NULL;
    if (job) return job;
    fut_free(text);
    fut_free(where);
    return NULL;
}

/* submit(session, request, url [, base [, name]]) -> future, or nil and why not: "credentials"
 * (they are in the URL; that is for Lua to sort out), "closed", "full", or the kind of a
 * FetchError and its reason. */
static int l_submit(lua_State *L) {
    const struct fut_api *api = fut_engine_api();
    struct fut_session *s = check(L, 1);
    struct fut_request *r = fut_bind_check_request(L, 2);
    size_t len;
    const char *text = luaL_checklstring(L, 3, &len);
    const char *base = luaL_optstring(L, 4, NULL), *name = luaL_optstring(L, 5, NULL);
    const char *reason = "";
    lua_settop(L, 5);
    api->future_slot(L); /* 6 */
    struct fut_url url;  /* nothing raises while it is full */
    enum fut_url_verdict verdict = fut_url_parse(&url, text, len, base, &reason);
    if (verdict == FUT_URL_MEMORY) return luaL_error(L, "not enough memory");
    if (verdict == FUT_URL_SCHEME) return refuse(L, fut_kind_name(FUT_KIND_SCHEME), reason);
    if (verdict != FUT_URL_OK) return refuse(L, fut_kind_name(FUT_KIND_URL), reason);
    if (url.user || url.password) {
        fut_url_deinit(&url);
        return refuse(L, "credentials", "");
    }
    if (r->http == FUT_HTTP_2 && strcmp(url.scheme, "https") != 0) {
        fut_url_deinit(&url);
        return refuse(L, fut_kind_name(FUT_KIND_SCHEME),
                      "option 'http_version': HTTP/2 is spoken over https only");
    }
    struct fut_job *job = make_job(s, r, &url, name);
    check_memory(L, job);
    api->future_fill(L, 6, job->future);
    switch (fut_engine_submit(job)) {
    case FUT_OK:
        return 1;
    case FUT_ECLOSED:
        return refuse(L, "closed", "");
    case FUT_EFULL:
        return refuse(L, "full", "");
    case FUT_ETHREAD:
        return luaL_error(L, "cannot start a thread");
    default:
        return luaL_error(L, "not enough memory");
    }
}

/* ---- the life of a session ---- */

/* close(session, how): "keep", "queued", "all": what is cancelled. */
static int l_close(lua_State *L) {
    static const char *const ways[] = {"keep", "queued", "all", NULL};
    struct fut_session *s = check(L, 1);
    fut_engine_close_session(s, (enum fut_closing)luaL_checkoption(L, 2, NULL, ways));
    return 0;
}

static int push_future(lua_State *L, struct fut_future *f) {
    fut_engine_api()->future_fill(L, -1, f);
    return 1;
}

/* stopped(session) -> a future that is done when it is closed and its last job is over; the
 * caller is about to wait for it. */
static int l_stopped(lua_State *L) {
    const struct fut_api *api = fut_engine_api();
    struct fut_session *s = check(L, 1);
    api->future_slot(L);
    fut_engine_drain(s);
    api->future_hold(s->stopped);
    return push_future(L, s->stopped);
}

/* room(session, max_pending) -> a future that is done when it may take a job. */
static int l_room(lua_State *L) {
    struct fut_session *s = check(L, 1);
    lua_Integer max = luaL_checkinteger(L, 2);
    fut_engine_api()->future_slot(L);
    struct fut_future *f = fut_engine_room(s, (size_t)max);
    check_memory(L, f);
    return push_future(L, f);
}

/* join(): when nothing is open, until the engine's thread has ended. */
static int l_join(lua_State *L) {
    (void)L;
    fut_engine_join();
    return 0;
}

/* interrupted() -> has a Ctrl-C ended the last blocking call of this state? */
static int l_interrupted(lua_State *L) {
    lua_pushboolean(L, fut_engine_api()->interrupted(L));
    return 1;
}

static void set_times(lua_State *L, const char *name, const struct fut_times *t) {
    lua_createtable(L, 0, 4);
    lua_pushnumber(L, t->p50);
    lua_setfield(L, -2, "p50");
    lua_pushnumber(L, t->p99);
    lua_setfield(L, -2, "p99");
    lua_pushnumber(L, t->max);
    lua_setfield(L, -2, "max");
    lua_pushnumber(L, t->mean);
    lua_setfield(L, -2, "mean");
    lua_setfield(L, -2, name);
}

static int l_stats(lua_State *L) {
    struct fut_session_stats s;
    struct fut_times wait, run;
    fut_engine_stats(check(L, 1), &s, &wait, &run);
    const struct {
        const char *name;
        uint64_t value;
    } rows[] = {
        {"workers", s.workers},
        {"idle", s.workers - s.running},
        {"pending", s.pending},
        {"running", s.running},
        {"lost", 0},
        {"submitted", s.submitted},
        {"failed", s.failed},
        {"completed", s.completed},
        {"retried", s.retried},
        {"cancelled", s.cancelled},
    };
    lua_createtable(L, 0, 12);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        lua_pushinteger(L, (lua_Integer)rows[i].value);
        lua_setfield(L, -2, rows[i].name);
    }
    set_times(L, "wait", &wait);
    set_times(L, "run", &run);
    return 1;
}

void fut_bind_open_session(lua_State *L) {
    static const luaL_Reg functions[] = {
        {"session", l_session}, {"shared", l_shared},
        {"values", l_values},   {"submit", l_submit},
        {"close", l_close},     {"stopped", l_stopped},
        {"room", l_room},       {"join", l_join},
        {"stats", l_stats},     {"interrupted", l_interrupted},
        {NULL, NULL},
    };
    luaL_setfuncs(L, functions, 0);
    luaL_newmetatable(L, OWNER_TNAME);
    lua_pushcfunction(L, owner_gc);
    lua_setfield(L, -2, "__gc");
    lua_pop(L, 1);
    fut_engine_api()->class_open(L, &fut_session_class);
    lua_setfield(L, -2, "Session");
}
