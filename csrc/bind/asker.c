/* SPDX-License-Identifier: MIT */
#include "bind/asker.h"

#include <lauxlib.h>

#include "base/alloc.h"
#include "bind/callback.h"
#include "bind/error.h"
#include "bind/future.h"
#include "bind/home.h"
#include "core/executor.h"
#include "vm/decode.h"
#include "vm/lua_worker.h"

#define TNAME "futures.Question"

/* The registry key of `ask`. */
static const char ask_key;

/* The user values of the callback after the handle of the future. */
enum { RETRY_ON = FUT_CALLBACK_MORE, QUESTION, VALUES = QUESTION };

/* A userdata that owns the outcome which is asked about, while that is so. */
struct fut_question {
    struct fut_outcome outcome;
    struct fut_home *home;          /* while retry_on runs, else NULL */
    struct fut_task *task;          /* then: whose handle is on the stack */
    struct fut_question *outer;     /* in home->asking */
    struct fut_sleeper_frame frame; /* on home->asked */
};

static void enter(struct fut_home *home, struct fut_question *q, struct fut_task *t) {
    q->home = home;
    q->task = t;
    q->outer = home->asking;
    home->asking = q;
    home->asked.executor = t->executor;
    fut_sleeper_enter(&home->asked, &q->frame, t);
    q->frame.asks = true;
}

static void leave(struct fut_question *q) {
    if (!q->home) return;
    fut_sleeper_leave(&q->home->asked);
    q->home->asking = q->outer;
    q->home = NULL;
}

/* While retry_on runs this is the end of the state, by os.exit: the answer is no. The handle of
 * the task is older than the question, so it is finalized later. */
static int question_gc(lua_State *L) {
    struct fut_question *q = luaL_checkudata(L, 1, TNAME);
    struct fut_executor *ex = q->home ? q->task->executor : NULL;
    leave(q);
    if (ex && !fut_executor_forked(ex)) ex->ops->answer(ex, q->task, &q->outcome, false);
    fut_outcome_deinit(&q->outcome);
    return 0;
}

struct fut_future *fut_asker_each(void *home, void **at) {
    struct fut_question *q = *at;
    q = q ? q->outer : ((struct fut_home *)home)->asking;
    *at = q;
    return q ? &q->task->future : NULL;
}

/* `ask` has raised the error at the top, before it answered. */
static void ask_failed(lua_State *L, int callback) {
    lua_getiuservalue(L, callback, FUT_CALLBACK_FUTURE);
    struct fut_task *t =
        fut_task_of(((struct fut_future_handle *)lua_touserdata(L, -1))->future);
    lua_getiuservalue(L, callback, QUESTION);
    struct fut_question *q = lua_touserdata(L, -1);
    lua_pop(L, 2);
    leave(q);
    if (q->outcome.kind == FUT_OUTCOME_NONE)
        fut_task_decline(t); /* there was no memory even for the question */
    else
        t->executor->ops->answer(t->executor, t, &q->outcome, false);
    lua_error(L);
}

/* Pushes the callback for the task of the handle at `future`; the values at the other indices
 * are of its user values. */
static void push_asker(lua_State *L, int future, int retry_on, int question) {
    struct fut_task *t =
        fut_task_of(((struct fut_future_handle *)lua_touserdata(L, future))->future);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &ask_key);
    lua_pushvalue(L, future);
    lua_pushvalue(L, retry_on);
    lua_pushvalue(L, question);
    fut_callback_add_asking(fut_home_of(L), L, VALUES, t, ask_failed);
}

/* Calls the function at 2 with the error at the top, which it pops: is that worth another
 * run? */
static bool is_worth_it(lua_State *L, const struct fut_task *t) {
    lua_pushvalue(L, 2);
    lua_insert(L, -2);
    lua_pushinteger(L, atomic_load_explicit(&t->attempts, memory_order_relaxed));
    lua_call(L, 2, 1);
    bool is = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return is;
}

/* The same with the errors of a chunk's items, until one is. */
static bool is_chunk_worth_it(lua_State *L, const struct fut_task *t,
                              const struct fut_outcome *o) {
    struct fut_decoder d;
    fut_decoder_init(&d, &o->payload, fut_future_route(&t->future));
    for (bool is = false; !fut_decoder_done(&d);) {
        unsigned char what = FUT_ITEM_VALUES;
        int n, top = lua_gettop(L);
        if (fut_decoder_sequence(&d, L, &n) != FUT_OK || fut_decoder_byte(&d, &what) != FUT_OK)
            fut_error_raise(L, "TransferError", "cannot decode a chunk: %s", d.message);
        if (what == FUT_ITEM_TRANSFER)
            fut_error_push(L, "TransferError", "%s", lua_tostring(L, -1));
        else
            lua_settop(L, top + 1); /* the error without its traceback */
        if (what != FUT_ITEM_VALUES) is = is_worth_it(L, t);
        if (is) return true;
        lua_settop(L, top);
    }
    return false;
}

/* ask(future, retry_on, question): as a callback, which has been let go. Raises freely. */
static int ask(lua_State *L) {
    struct fut_task *t = fut_task_of(fut_future_check(L, 1));
    const struct fut_executor_ops *ops = t->executor->ops;
    struct fut_question *q = luaL_checkudata(L, 3, TNAME);
    if (fut_executor_forked(t->executor)) return 0;
    if (!ops->question(t->executor, t, &q->outcome)) return 0; /* cancelled meanwhile */
    luaL_checkstack(L, LUA_MINSTACK, "too deep");
    enter(fut_home_of(L), q, t);
    bool again;
    if (fut_outcome_is_error(&q->outcome)) {
        fut_future_push_error(L, &t->future, &q->outcome);
        again = is_worth_it(L, t);
    } else {
        again = is_chunk_worth_it(L, t, &q->outcome);
    }
    leave(q);
    lua_settop(L, 3);
    if (again) push_asker(L, 1, 2, 3); /* before the answer, after which there may be another */
    struct fut_outcome last = {0};
    fut_outcome_move(&last, &q->outcome);
    ops->answer(t->executor, t, &last, again);
    return 0;
}

/* In a worker whose state no task runs in. */
static void decline_all(lua_State *L, void *home) {
    fut_callback_decline_all(home, L);
}

void fut_asker_add(lua_State *L, int future, int retry_on) {
    struct fut_home *home = fut_home_of(L);
    fut_callback_sweep(home, L); /* also where nobody ever waits */
    struct fut_question *q = lua_newuserdatauv(L, sizeof *q, 0);
    *q = (struct fut_question){0};
    luaL_setmetatable(L, TNAME);
    push_asker(L, future, retry_on, lua_gettop(L));
    lua_remove(L, -2);
    fut_lua_worker_at_rest(L, decline_all, home);
}

void fut_asker_open(lua_State *L) {
    fut_home_new_type(L, TNAME, question_gc);
    lua_newtable(L);
    fut_home_set_functions(L, (const luaL_Reg[]){{"ask", ask}, {NULL, NULL}});
    lua_getfield(L, -1, "ask");
    lua_rawsetp(L, LUA_REGISTRYINDEX, &ask_key);
    lua_pop(L, 1);
}
