/* SPDX-License-Identifier: MIT */
#include "bind/capi.h"

#include <lauxlib.h>

#include "base/alloc.h"
#include "bind/error.h"
#include "bind/executor.h"
#include "bind/future.h"
#include "bind/home.h"
#include "core/native.h"
#include "core/task.h"
#include "futures.h"
#include "vm/decode.h"
#include "vm/encode.h"
#include "vm/foreign.h"
#include "vm/handle.h"

/* Other modules' functions lack the upvalues of this one: what is needed is looked up. */

static void object_push(lua_State *L, void *object) {
    bool known = fut_handle_push(L, fut_foreign_head(object));
    FUT_ASSERT(known); /* it was made with a class that was opened */
}

/* ---- futures ---- */

static void future_slot(lua_State *L) {
    fut_home_check_open(fut_home_open(L), L);
    struct fut_future_handle *h = lua_newuserdatauv(L, sizeof *h, 1);
    h->future = NULL;
    luaL_setmetatable(L, FUT_FUTURE_TNAME);
}

static void future_fill(lua_State *L, int index, struct fut_future *f) {
    struct fut_future_handle *h = lua_touserdata(L, index);
    FUT_ASSERT(h && !h->future);
    h->future = f;
}

static struct fut_future *future_new(const struct fut_future_class *class, void *context,
                                     const char *name) {
    struct fut_native *n = fut_native_new(class, context, name);
    return n ? &n->future : NULL;
}

static void future_hold(struct fut_future *f) {
    fut_future_hold(f);
}

static void future_drop(struct fut_future *f) {
    fut_future_drop(f);
}

static struct fut_future *future_test(lua_State *L, int index) {
    struct fut_future_handle *h = luaL_testudata(L, index, FUT_FUTURE_TNAME);
    return h ? h->future : NULL;
}

static bool settle(struct fut_future *f, struct fut_outcome *o) {
    bool settled = fut_future_settle(f, o);
    if (!settled) fut_outcome_deinit(o);
    return settled;
}

static bool future_complete(struct fut_future *f, struct fut_result *result) {
    struct fut_outcome o = {0};
    fut_foreign_outcome(&o, result);
    return settle(f, &o);
}

static bool future_fail_memory(struct fut_future *f) {
    struct fut_outcome o = {0};
    fut_outcome_fail(&o, FUT_ENOMEM, NULL);
    return settle(f, &o);
}

static bool future_done(const struct fut_future *f) {
    return fut_future_done(f);
}

static bool future_watched(const struct fut_future *f) {
    return (atomic_load_explicit(&f->state, memory_order_relaxed) & FUT_WATCHED) != 0;
}

static bool future_cancel(struct fut_future *f) {
    struct fut_native *n = fut_native_of(f);
    struct fut_task *t = fut_task_of(f);
    return n ? fut_native_cancel(n) : t ? fut_task_cancel(t) : fut_future_cancel(f);
}

/* ---- values ---- */

#define VALUES_TNAME "futures.values"

struct values_slot {
    struct fut_values *values;
};

static int values_gc(lua_State *L) {
    struct values_slot *slot = luaL_checkudata(L, 1, VALUES_TNAME);
    fut_foreign_values_free(slot->values);
    slot->values = NULL;
    return 0;
}

static struct fut_values *encode(lua_State *L, int first, int n) {
    first = lua_absindex(L, first);
    luaL_checkstack(L, 8, "values");
    struct values_slot *slot = lua_newuserdatauv(L, sizeof *slot, 0);
    slot->values = NULL;
    luaL_setmetatable(L, VALUES_TNAME);
    slot->values = fut_zalloc(sizeof *slot->values);
    if (!slot->values) luaL_error(L, "not enough memory");
    const char *message = NULL;
    enum fut_err err = fut_encode(L, (struct fut_route){0}, first, n, FUT_ROLE_VALUE,
                                  &slot->values->payload, &message);
    if (err == FUT_ETRANSFER) fut_error_raise(L, "TransferError", "%s", message);
    if (err != FUT_OK) luaL_error(L, "%s", fut_err_text(err));
    struct fut_values *values = slot->values;
    slot->values = NULL;
    lua_pop(L, 1);
    return values;
}

static int decode(lua_State *L, const struct fut_values *values) {
    struct fut_decoder d;
    int n = 0;
    fut_decoder_init(&d, &values->payload, (struct fut_route){0});
    if (fut_decoder_sequence(&d, L, &n) != FUT_OK)
        fut_error_raise(L, "TransferError", "cannot decode values: %s", d.message);
    return n;
}

/* ---- tasks ---- */

static struct fut_executor *check_executor(lua_State *L, int index) {
    struct fut_executor_handle *h = luaL_checkudata(L, index, FUT_EXECUTOR_TNAME);
    luaL_argcheck(L, h->executor, index, "executor was never opened");
    if (h->executor->process)
        fut_error_raise(L, "TransferError",
                        "function: a C function without a name cannot "
                        "travel to a process");
    return h->executor;
}

static void submit(lua_State *L, int executor, const struct fut_native_call *call) {
    struct fut_executor *ex = check_executor(L, executor);
    luaL_checkstack(L, 8, "a call");
    future_slot(L);
    struct fut_future_handle *h = lua_touserdata(L, -1);
    struct fut_task *t = fut_task_new(ex, NULL);
    if (!t) luaL_error(L, "not enough memory");
    h->future = &t->future;
    if (fut_foreign_call(call, &t->call) != FUT_OK) luaL_error(L, "not enough memory");
    enum fut_err err = fut_executor_submit(ex, &t, 1);
    if (err == FUT_OK) return;
    fut_foreign_call_disown(&t->call);
    fut_error_raise_submit(L, ex, err);
}

static bool interrupted(lua_State *L) {
    return fut_home_open(L)->interrupted;
}

static const struct fut_api api = {
    .version = FUT_API_VERSION,
    .size = sizeof api,
    .class_open = fut_foreign_open,
    .object_new = fut_foreign_new,
    .object_hold = fut_foreign_hold,
    .object_drop = fut_foreign_drop,
    .object_slot = fut_foreign_slot,
    .object_fill = fut_foreign_fill,
    .object_push = object_push,
    .object_test = fut_foreign_test,
    .future_slot = future_slot,
    .future_fill = future_fill,
    .future_new = future_new,
    .future_hold = future_hold,
    .future_drop = future_drop,
    .future_test = future_test,
    .future_start = fut_future_start,
    .future_complete = future_complete,
    .future_fail_memory = future_fail_memory,
    .future_done = future_done,
    .future_cancel = future_cancel,
    .encode = encode,
    .decode = decode,
    .values_free = fut_foreign_values_free,
    .submit = submit,
    .interrupted = interrupted,
    .future_watched = future_watched,
    .object_sole = fut_foreign_sole,
};

void fut_capi_open(lua_State *L) {
    fut_home_new_type(L, VALUES_TNAME, values_gc);
    lua_pushlightuserdata(L, (void *)&api);
    lua_setfield(L, -2, "api");
}
