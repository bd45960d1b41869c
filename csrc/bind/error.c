/* SPDX-License-Identifier: MIT */
#include "bind/error.h"

#include <lauxlib.h>
#include <math.h>
#include <string.h>
#include <sys/wait.h>

#include "vm/run.h"
#include "vm/stop.h"

/* The registry key of the module futures.errors. */
static const char errors_key;

/* Pushes an object of the class with the message at the top, which it pops. */
static void push_object(lua_State *L, const char *class) {
    lua_createtable(L, 0, 2);
    lua_insert(L, -2);
    lua_setfield(L, -2, "message");
    lua_pushstring(L, class);
    lua_setfield(L, -2, "name");
    lua_rawgetp(L, LUA_REGISTRYINDEX, &errors_key);
    lua_getfield(L, -1, class);
    lua_setmetatable(L, -3);
    lua_pop(L, 1);
}

void fut_error_push(lua_State *L, const char *class, const char *format, ...) {
    va_list args;
    va_start(args, format);
    lua_pushvfstring(L, format, args);
    va_end(args);
    push_object(L, class);
}

int fut_error_raise(lua_State *L, const char *class, const char *format, ...) {
    va_list args;
    va_start(args, format);
    lua_pushvfstring(L, format, args);
    va_end(args);
    push_object(L, class);
    return lua_error(L);
}

/* What closing variables of a task get that is ended early. Where this module is not loaded
 * there are no classes. */
static void push_stopped(lua_State *L, bool timeout) {
    lua_pushstring(L,
                   timeout ? "the task ran longer than its limit" : "the task was cancelled");
    bool classes = lua_rawgetp(L, LUA_REGISTRYINDEX, &errors_key) != LUA_TNIL;
    lua_pop(L, 1);
    if (classes) push_object(L, timeout ? "TimeoutError" : "CancelledError");
}

/* In the table at the top, which it replaces. */
static bool get_table(lua_State *L, const char *key) {
    lua_pushstring(L, key);
    bool is = lua_rawget(L, -2) == LUA_TTABLE;
    lua_replace(L, -2);
    return is;
}

/* An object that came from elsewhere has loaded the classes, and perhaps no more of us. */
static bool is_lost(lua_State *L, int index) {
    int top = lua_gettop(L);
    bool is = lua_istable(L, index) && lua_getmetatable(L, index);
    if (is) {
        lua_pushvalue(L, LUA_REGISTRYINDEX);
        is = get_table(L, LUA_LOADED_TABLE) && get_table(L, "futures.errors") &&
             get_table(L, "WorkerLostError") && lua_rawequal(L, -1, top + 1);
    }
    lua_settop(L, top);
    return is;
}

void fut_error_open(lua_State *L) {
    lua_getglobal(L, "require");
    lua_pushliteral(L, "futures.errors");
    lua_call(L, 1, 1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &errors_key);
    fut_stop_set_reason(push_stopped);
    fut_run_set_lost(is_lost);
}

static const char *broken_class(bool process) {
    return process ? "BrokenProcessPool" : "BrokenThreadPool";
}

static void push_broken(lua_State *L, bool process, const char *why) {
    fut_error_push(L, broken_class(process),
                   "the pool is broken: an initializer or the start of a worker failed: %s",
                   why && *why ? why : "memory was too short to note why");
}

/* The worker died: the object has its pid, and its exit code or the signal that ended it. */
static void push_lost(lua_State *L, const char *class, const struct fut_outcome *o,
                      const char *text) {
    fut_error_push(L, class, "%s", text);
    lua_pushinteger(L, o->pid);
    lua_setfield(L, -2, "pid");
    bool signalled = WIFSIGNALED(o->status);
    lua_pushinteger(L, signalled ? WTERMSIG(o->status) : WEXITSTATUS(o->status));
    lua_setfield(L, -2, signalled ? "signal" : "exitcode");
}

/* Hands a text from fut_alloc to Lua. It goes by way of the C stack, cut to what fits there,
 * for it has to be freed before the call that may raise. */
static void push_text(lua_State *L, char *text) {
    char copy[512];
    size_t n = 0;
    for (; text && text[n] && n < sizeof copy - 1; n++) copy[n] = text[n];
    fut_free(text);
    lua_pushlstring(L, copy, n);
}

void fut_error_push_text(lua_State *L, const char *class, char *text) {
    push_text(L, text);
    push_object(L, class);
}

void fut_error_check_encoded(lua_State *L, struct fut_encoder *e, enum fut_err err) {
    if (err == FUT_OK) return;
    if (err == FUT_ETRANSFER)
        fut_error_push(L, "TransferError", "%s", fut_encoder_message(e));
    else
        lua_pushstring(L, fut_err_text(err));
    fut_encoder_abandon(e);
    lua_error(L);
}

int fut_error_raise_submit(lua_State *L, struct fut_executor *ex, enum fut_err err) {
    if (err == FUT_EBROKEN) {
        push_text(L, ex->ops->broken(ex));
        push_broken(L, ex->process, lua_tostring(L, -1));
        return lua_error(L);
    }
    if (err == FUT_ECLOSED)
        return fut_error_raise(L, "Error", "cannot schedule new futures after shutdown");
    if (err == FUT_EFULL)
        return fut_error_raise(L, "QueueFullError", "as many tasks wait as max_pending allows");
    if (err == FUT_ENOMEM) return luaL_error(L, "not enough memory");
    return fut_error_raise(L, "Error", "%s", fut_err_text(err));
}

void fut_error_push_failure(lua_State *L, const struct fut_outcome *outcome, bool process) {
    const char *text = outcome->text ? outcome->text : fut_err_text(outcome->err);
    switch (outcome->err) {
    case FUT_EBROKEN:
        if (outcome->pid != 0) /* it was ended by terminate_workers or kill_workers */
            push_lost(L, broken_class(process), outcome, text);
        else
            push_broken(L, process, outcome->text);
        break;
    case FUT_ELOST:
        push_lost(L, "WorkerLostError", outcome, text);
        break;
    case FUT_ETRANSFER:
        fut_error_push(L, "TransferError", "%s", text);
        break;
    case FUT_ETIMEDOUT:
        fut_error_push(L, "TimeoutError", "%s", text);
        break;
    case FUT_ENOMEM:
        lua_pushliteral(L, "not enough memory");
        break;
    default:
        fut_error_push(L, "Error", "%s", text);
        break;
    }
}

int fut_misuse(lua_State *L, int n, const char *name, const char *format, ...) {
    luaL_where(L, 1);
    lua_pushfstring(L, "bad argument #%d to '%s' (", n, name);
    va_list args;
    va_start(args, format);
    lua_pushvfstring(L, format, args);
    va_end(args);
    lua_pushliteral(L, ")");
    lua_concat(L, 4);
    return lua_error(L);
}

/* Pushes the key of the value at the top, which it pops, in the table at `index`; or nil. */
static void push_key_of(lua_State *L, int index) {
    int value = lua_gettop(L);
    for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1)) {
        if (!lua_rawequal(L, -1, value)) continue;
        lua_pop(L, 1);
        lua_replace(L, value);
        return;
    }
    lua_pushnil(L);
    lua_replace(L, value);
}

/* The name of a running method or metamethod of that type, which stays on the stack. What Lua
 * calls by itself it names without the underscores. */
static const char *method_name(lua_State *L, const char *tname, lua_Debug *running) {
    luaL_getmetatable(L, tname);
    int type = lua_gettop(L);
    if (lua_getfield(L, type, "__index") == LUA_TTABLE) {
        lua_getinfo(L, "f", running);
        push_key_of(L, type + 1);
        if (lua_isstring(L, -1)) return lua_tostring(L, -1);
    }
    lua_getinfo(L, "f", running);
    push_key_of(L, type);
    const char *event = lua_isstring(L, -1) ? lua_tostring(L, -1) : "?";
    return strncmp(event, "__", 2) == 0 ? event + 2 : event;
}

int fut_misuse_self(lua_State *L, const char *tname, const char *what) {
    lua_Debug running;
    lua_getstack(L, 0, &running);
    lua_getinfo(L, "n", &running);
    bool colon = strcmp(running.namewhat, "method") == 0;
    luaL_checkstack(L, LUA_MINSTACK, "too deep");
    const char *got = luaL_typename(L, 1); /* "no value", too */
    lua_settop(L, 1);
    if (luaL_getmetafield(L, 1, "__name") == LUA_TSTRING) got = lua_tostring(L, -1);
    const char *name = method_name(L, tname, &running);
    luaL_where(L, 1);
    lua_pushfstring(L, colon ? "calling '%s' on bad self" : "bad argument #1 to '%s'", name);
    lua_pushfstring(L, " (%s expected, got %s)", what, got);
    lua_concat(L, 3);
    return lua_error(L);
}

fut_time fut_check_timeout(lua_State *L, int index, int n, const char *name) {
    if (lua_isnoneornil(L, index)) return FUT_NEVER;
    if (lua_type(L, index) != LUA_TNUMBER)
        fut_misuse(L, n, name, "number expected, got %s", luaL_typename(L, index));
    double seconds = lua_tonumber(L, index);
    if (isnan(seconds)) fut_misuse(L, n, name, "number expected, got nan");
    return fut_deadline_after(seconds);
}

void fut_check_callable(lua_State *L, int index, int n, const char *name) {
    if (lua_isfunction(L, index)) return;
    if (luaL_getmetafield(L, index, "__call") == LUA_TNIL)
        fut_misuse(L, n, name, "callable value expected, got %s",
                   lua_isnone(L, index) ? "no value" : luaL_typename(L, index));
    lua_pop(L, 1);
}
