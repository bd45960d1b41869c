/* SPDX-License-Identifier: MIT */
#include "vm/run.h"

#include <lauxlib.h>
#include <string.h>

#include "vm/decode.h"
#include "vm/encode.h"
#include "vm/foreign.h"
#include "vm/lua_worker.h"
#include "vm/stop.h"

struct run {
    const struct fut_payload *call;
    struct fut_route route; /* of the results */
    struct fut_outcome *out;
    bool in_task; /* the task's own code runs: its errors deserve a traceback */
    bool unread;  /* the error is that the call could not be decoded */
    struct fut_running state;
};

/* Where the message handler finds the run: a state runs on one thread, and a run inside of
 * another one (a task that waits runs other tasks) puts the outer one back. */
static _Thread_local struct run *current_run;

/* Keeps the traceback outside of Lua; luaL_traceback is bounded, also for an overflown
 * stack. */
static int on_error(lua_State *L) {
    struct run *r = current_run;
    if (r->state.raised) return 1; /* nobody will read it */
    r->state.unwinding = true;     /* up to the protected call of this run */
    if (lua_isnil(L, 1)) {
        lua_pushliteral(L, "<no error object>");
        lua_replace(L, 1);
    }
    if (r->in_task) {
        const char *message = lua_type(L, 1) == LUA_TSTRING ? lua_tostring(L, 1) : NULL;
        luaL_traceback(L, L, message, 1);
        fut_free(r->out->text); /* a variable that was closed by another error raised this */
        r->out->text = fut_strdup(lua_tostring(L, -1));
    }
    lua_settop(L, 1);
    return 1;
}

typedef bool is_function(lua_State *L, int index);

static _Atomic(is_function *) is_lost;

void fut_run_set_lost(bool (*is)(lua_State *L, int index)) {
    atomic_store_explicit(&is_lost, is, memory_order_relaxed);
}

/* The task has failed with the value at index. */
static void note_error(lua_State *L, struct run *r, int index) {
    is_function *is = atomic_load_explicit(&is_lost, memory_order_relaxed);
    if (is && is(L, index)) r->out->err = FUT_ELOST;
}

static int call_tostring(lua_State *L) {
    luaL_tolstring(L, 1, NULL);
    return 1;
}

const char *fut_error_text(lua_State *L, int index) {
    index = lua_absindex(L, index);
    lua_pushcfunction(L, call_tostring);
    lua_pushvalue(L, index);
    if (lua_pcall(L, 1, 1, 0) != LUA_OK || lua_type(L, -1) != LUA_TSTRING) {
        lua_pop(L, 1);
        lua_pushfstring(L, "(error object is a %s value)", luaL_typename(L, index));
    }
    return lua_tostring(L, -1);
}

static void check_decoded(lua_State *L, struct run *r, enum fut_err err,
                          const struct fut_decoder *d) {
    if (err == FUT_OK) return;
    r->unread = err != FUT_ENOMEM;
    luaL_error(L, "cannot decode the task: %s", d->message);
}

static void fail(struct run *r, enum fut_err err, const char *text) {
    fut_outcome_deinit(r->out);
    fut_outcome_fail(r->out, err, text);
}

static int run_one(lua_State *L, struct run *r, struct fut_decoder *d, bool quiet) {
    int n;
    check_decoded(L, r, fut_decoder_sequence(d, L, &n), d);
    r->in_task = true;
    lua_call(L, n - 1, quiet ? 0 : LUA_MULTRET);
    r->in_task = false;
    const char *message;
    enum fut_err err =
        fut_encode(L, r->route, 1, lua_gettop(L), FUT_ROLE_RESULT, &r->out->payload, &message);
    if (err == FUT_OK)
        r->out->kind = FUT_OUTCOME_VALUES;
    else
        fail(r, err, err == FUT_ETRANSFER ? message : NULL);
    return 0;
}

/* One item's outcome into the encoder: the values above `base`, then the mark that says what
 * they are. What cannot travel becomes a message, so that the other items are not lost. */
static void encode_item(lua_State *L, struct run *r, struct fut_encoder *e, int base, bool ok) {
    enum fut_item mark = ok ? FUT_ITEM_VALUES : FUT_ITEM_ERROR;
    enum fut_role role = ok ? FUT_ROLE_RESULT : FUT_ROLE_ERROR;
    if (!ok) note_error(L, r, base + 1);
    enum fut_err err = fut_encoder_sequence(e, L, base + 1, lua_gettop(L) - base, role);
    if (err == FUT_ETRANSFER) {
        lua_settop(L, base);
        lua_pushstring(L, fut_encoder_message(e));
        mark = FUT_ITEM_TRANSFER;
        err = fut_encoder_sequence(e, L, base + 1, 1, FUT_ROLE_VALUE);
    }
    if (mark != FUT_ITEM_VALUES) r->out->failed = true;
    if (err == FUT_OK) err = fut_encoder_byte(e, (unsigned char)mark);
    if (err != FUT_OK) luaL_error(L, "%s", fut_err_text(err));
}

/* After an error was caught: it, or one meanwhile, may be what ends the run. */
static void check_stop(lua_State *L, struct run *r) {
    r->state.unwinding = false;
    if (r->state.raised) fut_stop_raise(L);
    if (fut_stop_asked(&r->state)) fut_stop_arm(&r->state);
}

static int run_chunk(lua_State *L, struct run *r, struct fut_decoder *d) {
    int n;
    check_decoded(L, r, fut_decoder_sequence(d, L, &n), d);
    lua_pushcfunction(L, on_error);
    struct fut_encoder *e = fut_encoder_begin(L, r->route);
    int base = lua_gettop(L);
    while (!fut_decoder_done(d)) {
        lua_pushvalue(L, 1);
        check_decoded(L, r, fut_decoder_sequence(d, L, &n), d);
        r->in_task = true;
        bool ok = lua_pcall(L, n, LUA_MULTRET, 2) == LUA_OK;
        r->in_task = false;
        if (!ok) check_stop(L, r);
        if (!ok && r->out->text) {
            lua_pushstring(L, r->out->text);
            fut_free(r->out->text);
            r->out->text = NULL;
        }
        encode_item(L, r, e, base, ok);
        lua_settop(L, base);
    }
    enum fut_err err = fut_encoder_end(e, &r->out->payload);
    if (err == FUT_OK)
        r->out->kind = FUT_OUTCOME_VALUES;
    else
        fail(r, err, NULL);
    return 0;
}

static int run_call(lua_State *L) {
    struct run *r = lua_touserdata(L, 1);
    lua_settop(L, 0);
    struct fut_decoder d;
    unsigned char what = 0;
    fut_decoder_init(&d, r->call, (struct fut_route){.process = r->route.process});
    check_decoded(L, r, fut_decoder_byte(&d, &what), &d);
    if (what == FUT_CALL_CHUNK) return run_chunk(L, r, &d);
    return run_one(L, r, &d, what == FUT_CALL_QUIET);
}

static int encode_error(lua_State *L) {
    struct run *r = lua_touserdata(L, 2);
    const char *message;
    if (r->unread) {
        fail(r, FUT_ETRANSFER, lua_tostring(L, 1));
        return 0;
    }
    enum fut_err err =
        fut_encode(L, r->route, 1, 1, FUT_ROLE_ERROR, &r->out->payload, &message);
    if (err == FUT_OK) {
        r->out->kind = FUT_OUTCOME_ERROR;
        note_error(L, r, 1);
        return 0;
    }
    bool worth_reading =
        lua_isstring(L, 1) || luaL_getmetafield(L, 1, "__tostring") != LUA_TNIL;
    if (err == FUT_ETRANSFER && worth_reading)
        message = lua_pushfstring(L, "%s (the error was: %s)", message, fut_error_text(L, 1));
    fail(r, err, err == FUT_ETRANSFER ? message : NULL);
    return 0;
}

void fut_run(lua_State *L, const struct fut_payload *call, bool process,
             const atomic_uint *asked, struct fut_outcome *out) {
    if (call->len == 1 && *fut_payload_bytes(call) == FUT_CALL_NATIVE) {
        fut_foreign_run(call, out);
        return;
    }
    struct run r = {.call = call, .route = {.process = process, .home = true}, .out = out};
    struct run *outer = current_run;
    int base = lua_gettop(L);
    current_run = &r;
    fut_stop_enter(&r.state, L, asked);
    lua_pushcfunction(L, on_error);
    lua_pushcfunction(L, run_call);
    lua_pushlightuserdata(L, &r);
    int status = lua_pcall(L, 1, 0, base + 1);
    r.state.unwinding = false;
    if (r.state.raised) {
        fail(&r, FUT_ECANCELLED, NULL);
    } else if (status != LUA_OK) {
        if (fut_stop_asked(&r.state)) fut_stop_arm(&r.state);
        lua_pushcfunction(L, encode_error);
        lua_insert(L, -2);
        lua_pushlightuserdata(L, &r);
        if (lua_pcall(L, 2, 0, 0) != LUA_OK) fail(&r, FUT_ENOMEM, lua_tostring(L, -1));
    }
    lua_settop(L, base);
    fut_stop_leave(&r.state);
    current_run = outer;
}
