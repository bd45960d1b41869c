/* SPDX-License-Identifier: MIT */
/* coroutine.resume, wrap and close of a worker's state: they do what Lua's own do, and know
 * which coroutine runs (vm/stop.h). */
#include <lauxlib.h>
#include <lualib.h>

#include "vm/stop.h"

/* Closes the pending variables of a coroutine that has failed or is suspended. */
static int reset(lua_State *co, lua_State *L) {
#if LUA_VERSION_RELEASE_NUM >= 50406
    return lua_closethread(co, L);
#else
    (void)L;
    return lua_resetthread(co);
#endif
}

/* What is changed while another coroutine runs. */
struct away {
    struct fut_running *r;
    struct fut_resumer resumer; /* it is in r's list meanwhile */
    bool unwinding, raised;
};

static void leave(struct away *a, lua_State *L, lua_State *co, bool undisturbed) {
    struct fut_running *r = a->r = fut_stop_running;
    if (!r) return;
    a->unwinding = r->unwinding;
    a->raised = r->raised;
    a->resumer = (struct fut_resumer){L, r->resumers};
    r->resumers = &a->resumer;
    if (undisturbed) r->unwinding = true;
    r->now = co;
}

/* A signal that came meanwhile has set the hook of the other one. */
static void come_back(struct away *a, lua_State *L) {
    struct fut_running *r = a->r;
    if (!r) return;
    r->now = L;
    r->resumers = a->resumer.outer;
    r->unwinding = a->unwinding;
    if (fut_stop_asked(r)) fut_stop_arm(r);
}

/* The error that ends the task has ended the coroutine. */
static bool ended(const struct away *a) {
    return a->r && a->r->raised && !a->raised;
}

enum { FAILED = -1 };

/* The number of results on L, or FAILED and the error object on L. */
static int resume(lua_State *L, lua_State *co, int n) {
    if (!lua_checkstack(co, n)) {
        lua_pushliteral(L, "too many arguments to resume");
        return FAILED;
    }
    struct away a;
    lua_xmove(L, co, n);
    leave(&a, L, co, false);
    int status = lua_resume(co, L, n, &n);
    come_back(&a, L);
    if (status == LUA_OK || status == LUA_YIELD) {
        if (!lua_checkstack(L, n + 1)) {
            lua_pop(co, n);
            lua_pushliteral(L, "too many results to resume");
            return FAILED;
        }
        lua_xmove(co, L, n);
        return n;
    }
    if (ended(&a)) {
        reset(co, L);
        fut_stop_raise(L);
    }
    lua_xmove(co, L, 1);
    return FAILED;
}

static lua_State *check_coroutine(lua_State *L) {
    lua_State *co = lua_tothread(L, 1);
    luaL_argexpected(L, co, 1, "thread");
    return co;
}

static int stop_resume(lua_State *L) {
    lua_State *co = check_coroutine(L);
    int n = resume(L, co, lua_gettop(L) - 1);
    lua_pushboolean(L, n != FAILED);
    if (n == FAILED) n = 1;
    lua_insert(L, -(n + 1));
    return n + 1;
}

static int wrapped(lua_State *L) {
    lua_State *co = lua_tothread(L, lua_upvalueindex(1));
    int n = resume(L, co, lua_gettop(L));
    if (n != FAILED) return n;
    int status = lua_status(co);
    if (status != LUA_OK && status != LUA_YIELD) { /* it has failed, it was not refused */
        struct away a;
        leave(&a, L, co, true);
        status = reset(co, L);
        come_back(&a, L);
        lua_xmove(co, L, 1); /* the error of a variable's, if closing one has failed */
    }
    if (status != LUA_ERRMEM && lua_type(L, -1) == LUA_TSTRING) {
        luaL_where(L, 1);
        lua_insert(L, -2);
        lua_concat(L, 2);
    }
    return lua_error(L);
}

/* Lua's own functions; see vm/stop_protected.c. */
static _Atomic(lua_CFunction) lua_create, lua_close_function;

static int stop_wrap(lua_State *L) {
    atomic_load_explicit(&lua_create, memory_order_relaxed)(L);
    lua_pushcclosure(L, wrapped, 1);
    return 1;
}

static bool is_suspended_or_dead(lua_State *L, lua_State *co) {
    lua_Debug ar;
    return co && co != L && (lua_status(co) != LUA_OK || !lua_getstack(co, 0, &ar));
}

static int stop_close(lua_State *L) {
    lua_State *co = lua_tothread(L, 1);
    lua_CFunction close = atomic_load_explicit(&lua_close_function, memory_order_relaxed);
    if (!is_suspended_or_dead(L, co)) return close(L); /* it says what is wrong */
    struct away a;
    leave(&a, L, co, true);
    int n = close(L);
    come_back(&a, L);
    return n;
}

void fut_stop_set_coroutines(lua_State *L) {
    lua_getglobal(L, LUA_COLIBNAME);
    lua_getfield(L, -1, "create");
    atomic_store_explicit(&lua_create, lua_tocfunction(L, -1), memory_order_relaxed);
    lua_getfield(L, -2, "close");
    atomic_store_explicit(&lua_close_function, lua_tocfunction(L, -1), memory_order_relaxed);
    lua_pop(L, 2);
    static const luaL_Reg ours[] = {
        {"resume", stop_resume}, {"wrap", stop_wrap}, {"close", stop_close}, {NULL, NULL}};
    luaL_setfuncs(L, ours, 0);
    lua_pop(L, 1);
}
