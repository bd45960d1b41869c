/* SPDX-License-Identifier: MIT */
#include "bind/map.h"

#include <lauxlib.h>

#include "bind/error.h"
#include "bind/executor.h"
#include "bind/future.h"
#include "bind/home.h"
#include "bind/submit.h"
#include "core/task.h"
#include "vm/decode.h"
#include "vm/encode.h"
#include "vm/lua_worker.h"
#include "vm/stop.h"

#define TNAME "futures.Map"

enum { ADVANCE = 1, SOURCES, FUTURE, PROBLEM, SOURCE_ERROR, KEPT, USER_VALUES = KEPT };

struct map {
    lua_Integer row; /* of the sources, read so far */
    lua_Integer nsources;
    lua_Integer kept; /* rows of KEPT, a chunk that did not fit into the queue; or 0 */
    bool ended;       /* a source has; it is not asked again */
    bool failed;  /* a source has raised SOURCE_ERROR behind the rows that were taken last */
    bool arrays;  /* all sources are plain arrays: reading them runs no code */
    bool busy;    /* a step is running that may run other code, which may not step */
    bool reading; /* items up to `last` are to be taken out, from the outcome of FUTURE */
    bool plain;   /* they are scalars: no other code runs */
    bool broken;  /* one could not be decoded, so nobody knows where the next begins: PROBLEM */
    lua_Integer index; /* of the next item */
    lua_Integer last;
    struct fut_decoder reader;
};

static struct map *check_map(lua_State *L) {
    struct map *m = luaL_testudata(L, 1, TNAME);
    if (!m) fut_misuse_self(L, TNAME, "map");
    return m;
}

/* Pushes the next row of the sources table at `sources`; false, with nothing pushed, at the
 * end. */
static bool push_row(lua_State *L, struct map *m, int sources) {
    if (m->ended) return false;
    int top = lua_gettop(L);
    luaL_checkstack(L, (int)m->nsources + 2, "too many sources");
    m->row++;
    for (lua_Integer i = 1; i <= m->nsources; i++) {
        if (lua_rawgeti(L, sources, i) == LUA_TTABLE) {
            lua_geti(L, -1, m->row);
            lua_remove(L, -2);
        } else {
            lua_call(L, 0, 1);
        }
        if (!lua_isnil(L, -1)) continue;
        m->ended = true;
        lua_settop(L, top);
        return false;
    }
    return true;
}

static int later_row(lua_State *L) {
    return push_row(L, lua_touserdata(L, 1), 2) ? lua_gettop(L) - 2 : 0;
}

/* A row of a chunk. When it is not the first one, what came before a source's error is still a
 * chunk, and the error comes with the next. */
static bool push_chunk_row(lua_State *L, struct map *m, int sources, bool first) {
    if (first || m->arrays) return push_row(L, m, sources);
    int top = lua_gettop(L);
    bool raising = fut_stop_raising();
    lua_pushcfunction(L, later_row);
    lua_pushvalue(L, 1);
    lua_pushvalue(L, sources);
    if (lua_pcall(L, 2, LUA_MULTRET, 0) == LUA_OK) return lua_gettop(L) > top;
    if (fut_stop_caught(raising)) fut_stop_raise(L);
    m->failed = true;
    lua_setiuservalue(L, 1, SOURCE_ERROR);
    return false;
}

static void raise_source_error(lua_State *L, struct map *m) {
    if (!m->failed) return;
    m->failed = false;
    lua_getiuservalue(L, 1, SOURCE_ERROR);
    lua_error(L);
}

static int map_row(lua_State *L) {
    struct map *m = check_map(L);
    lua_getiuservalue(L, 1, SOURCES);
    return push_row(L, m, lua_gettop(L)) ? (int)m->nsources : 0;
}

/* ---- packing ---- */

/* Encodes the function at `fn` and up to `size` rows; how many rows there were. */
static lua_Integer pack(lua_State *L, struct map *m, int fn, int sources, lua_Integer size,
                        bool process, struct fut_payload *out) {
    struct fut_encoder *e = fut_encoder_begin(L, (struct fut_route){.process = process});
    enum fut_err err = fut_encoder_byte(e, FUT_CALL_CHUNK);
    if (err == FUT_OK) err = fut_encoder_sequence(e, L, fn, 1, FUT_ROLE_CALL);
    fut_error_check_encoded(L, e, err);
    int top = lua_gettop(L);
    lua_Integer n = 0;
    while (n < size && push_chunk_row(L, m, sources, n == 0)) {
        err = fut_encoder_sequence(e, L, top + 1, (int)m->nsources, FUT_ROLE_ARGUMENTS);
        fut_error_check_encoded(L, e, err);
        lua_settop(L, top);
        n++;
    }
    if (n == 0)
        fut_encoder_abandon(e);
    else
        fut_error_check_encoded(L, e, fut_encoder_end(e, out));
    return n;
}

/* Makes the task of the next chunk, whose handle is left at 6; how many rows it has. */
static lua_Integer make_chunk(lua_State *L, struct map *m, struct fut_executor *ex) {
    lua_Integer size = luaL_checkinteger(L, 4);
    raise_source_error(L, m);
    struct fut_future_handle *h = fut_future_handle_new(L);
    struct fut_task *t = fut_task_new(ex, fut_submit_options(L, 5));
    if (!t) return luaL_error(L, "not enough memory");
    h->future = &t->future;
    lua_getiuservalue(L, 1, SOURCES);
    return pack(L, m, 3, 7, size, ex->process, &t->call);
}

static void set_kept(lua_State *L, struct map *m, lua_Integer n) {
    m->kept = n;
    if (n > 0)
        lua_pushvalue(L, 6);
    else
        lua_pushnil(L);
    lua_setiuservalue(L, 1, KEPT);
}

/* chunk(self, executor, fn, size, options) -> future, number of rows; nothing at the end; false
 * when the queue is full: the next call takes the same rows. */
static int map_chunk(lua_State *L) {
    struct map *m = check_map(L);
    struct fut_executor *ex = fut_executor_check(L, 2);
    lua_settop(L, 5);
    lua_Integer n = m->kept;
    if (n > 0) {
        lua_getiuservalue(L, 1, KEPT);
        set_kept(L, m, 0);
    } else {
        n = make_chunk(L, m, ex);
    }
    if (n == 0) return 0;
    struct fut_task *t = fut_task_of(fut_future_check(L, 6));
    bool submitted = fut_rerun_asks(t->options) ? fut_submit_asking(L, ex, t, 6, 5, false)
                                                : fut_submit(L, ex, t, false);
    if (!submitted) {
        set_kept(L, m, n);
        lua_pushboolean(L, false);
        return 1;
    }
    lua_settop(L, 6); /* the handle */
    lua_pushinteger(L, n);
    return 2;
}

/* ---- taking out ---- */

/* install(self, future, first, rows): the future is done. If it failed as a whole, each of its
 * items raises its error. */
static int map_install(lua_State *L) {
    struct map *m = check_map(L);
    struct fut_future *f = fut_future_check(L, 2);
    bool failed;
    FUT_ASSERT(fut_future_done(f)); /* lua/futures/map.lua has waited for it */
    m->index = luaL_checkinteger(L, 3);
    m->last = m->index + luaL_checkinteger(L, 4) - 1;
    m->reading = true;
    m->plain = false;
    m->broken = fut_future_state(f) == FUT_CANCELLED || f->outcome.kind != FUT_OUTCOME_VALUES;
    if (m->broken) {
        lua_settop(L, 2);
        fut_future_push_outcome(L, 2, f, &failed);
        lua_setiuservalue(L, 1, PROBLEM);
        return 0;
    }
    lua_pushvalue(L, 2);
    lua_setiuservalue(L, 1, FUTURE);
    fut_decoder_init(&m->reader, &f->outcome.payload, fut_future_route(f));
    m->plain = fut_payload_plain(&f->outcome.payload);
    return 0;
}

/* Pushes the index and the results of the reader's next item; an error of the task's is
 * raised. */
static int push_item(lua_State *L, struct map *m) {
    unsigned char what = 0;
    int n = 0;
    lua_Integer index = m->index++;
    lua_pushinteger(L, index);
    m->broken = true; /* until the decoder is behind the item */
    if (fut_decoder_sequence(&m->reader, L, &n) != FUT_OK ||
        fut_decoder_byte(&m->reader, &what) != FUT_OK)
        return fut_error_raise(L, "TransferError", "cannot decode the results of a chunk: %s",
                               m->reader.message);
    m->broken = false;
    if (what == FUT_ITEM_VALUES) return n + 1;
    if (what == FUT_ITEM_TRANSFER)
        return fut_error_raise(L, "TransferError", "%s", lua_tostring(L, -1));
    lua_pop(L, n - 1); /* what is left is the error value, without its traceback */
    return lua_error(L);
}

/* A step that may run other code: a wait with its callbacks, sources, what __persist and
 * require do. Argument 1: the map. */
static int careful_step(lua_State *L) {
    struct map *m = lua_touserdata(L, 1);
    while (!m->reading || m->index > m->last) {
        m->reading = false;
        lua_settop(L, 1);
        lua_getiuservalue(L, 1, ADVANCE);
        lua_pushvalue(L, 1);
        lua_call(L, 1, LUA_MULTRET);
        if (lua_type(L, 2) != LUA_TBOOLEAN) return lua_gettop(L) - 1;
    }
    lua_settop(L, 1);
    if (m->broken) {
        m->index++;
        lua_getiuservalue(L, 1, PROBLEM);
        return lua_error(L);
    }
    lua_getiuservalue(L, 1, FUTURE); /* the reader's bytes live as long as this call does */
    return push_item(L, m);
}

/* The step is the hottest call of a map: it has the metatable as an upvalue of its own. */
enum { UP_MAP = FUT_UP_EXECUTOR + 1, UP_CAREFUL };

static int map_call(lua_State *L) {
    struct map *m = fut_home_test(L, 1, UP_MAP);
    if (!m) m = check_map(L);
    lua_settop(L, 1);
    if (m->busy) return fut_error_raise(L, "Error", "a step of this map is running already");
    if (m->reading && m->plain && !m->broken && m->index <= m->last) return push_item(L, m);
    lua_pushvalue(L, lua_upvalueindex(UP_CAREFUL));
    lua_pushvalue(L, 1);
    m->busy = true;
    int status = lua_pcall(L, 1, LUA_MULTRET, 0);
    m->busy = false;
    if (status == LUA_OK) return lua_gettop(L) - 1;
    if (m->broken) {
        lua_pushvalue(L, -1);
        lua_setiuservalue(L, 1, PROBLEM);
    }
    return lua_error(L);
}

/* stop(self): nothing is left to take out or to read. */
static int map_stop(lua_State *L) {
    struct map *m = check_map(L);
    m->reading = m->broken = false;
    m->ended = true;
    lua_pushnil(L);
    lua_setiuservalue(L, 1, FUTURE);
    return 0;
}

/* map(advance, sources) */
static int new_map(lua_State *L) {
    luaL_checktype(L, 1, LUA_TFUNCTION);
    luaL_checktype(L, 2, LUA_TTABLE);
    struct map *m = lua_newuserdatauv(L, sizeof *m, USER_VALUES);
    *m = (struct map){.nsources = (lua_Integer)lua_rawlen(L, 2), .arrays = true};
    for (lua_Integer i = 1; i <= m->nsources; i++) {
        bool runs_code = lua_rawgeti(L, 2, i) != LUA_TTABLE || lua_getmetatable(L, -1);
        if (runs_code) m->arrays = false;
        lua_settop(L, 3);
    }
    lua_pushvalue(L, 1);
    lua_setiuservalue(L, -2, ADVANCE);
    lua_pushvalue(L, 2);
    lua_setiuservalue(L, -2, SOURCES);
    luaL_setmetatable(L, TNAME);
    return 1;
}

static const luaL_Reg functions[] = {
    {"new", new_map}, /* see bind/map.h */
    {"row", map_row},   {"chunk", map_chunk}, {"install", map_install},
    {"stop", map_stop}, {NULL, NULL},
};

void fut_map_open(lua_State *L) {
    luaL_newmetatable(L, TNAME);
    for (int i = FUT_UP_HOME; i <= FUT_UP_EXECUTOR; i++) fut_home_push_upvalue(L, i);
    lua_pushvalue(L, -UP_MAP);
    for (int i = FUT_UP_HOME; i <= FUT_UP_EXECUTOR; i++) fut_home_push_upvalue(L, i);
    lua_pushcclosure(L, careful_step, FUT_UP_EXECUTOR);
    lua_pushcclosure(L, map_call, UP_CAREFUL);
    lua_setfield(L, -2, "__call");
    lua_newtable(L);
    fut_home_set_functions(L, functions);
    lua_pushvalue(L, -2);
    lua_setfield(L, -2, "metatable"); /* lua/futures/map.lua adds __index and __close */
    lua_setfield(L, -3, "map");
    lua_pop(L, 1);
}
