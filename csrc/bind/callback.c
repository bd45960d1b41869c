/* SPDX-License-Identifier: MIT */
#include "bind/callback.h"

#include "bind/bare.h"
#include "bind/orphan.h"
#include "core/native.h"
#include "vm/registry.h"

/* The registry key of the table that anchors callbacks: address -> userdata, or false while the
 * handle of the future keeps it. So there is an entry when it is to be anchored later, which
 * must not fail. */
static const char anchor_key;

static void push_anchors(lua_State *L) {
    fut_registry_table(L, &anchor_key, NULL);
}

static void link_callback(struct fut_callback *c) {
    c->next = c->home->callbacks;
    c->back = &c->home->callbacks;
    if (c->next) c->next->back = &c->next;
    c->home->callbacks = c;
    c->home->helpful += c->helps;
}

/* At the end: the first ones are told first. */
static void link_untold(struct fut_callback *c) {
    c->next_untold = NULL;
    c->back_untold = c->home->untold_last;
    *c->back_untold = c;
    c->home->untold_last = &c->next_untold;
}

static void unlink_untold(struct fut_callback *c) {
    if (!c->back_untold) return;
    *c->back_untold = c->next_untold;
    if (c->next_untold)
        c->next_untold->back_untold = c->back_untold;
    else
        c->home->untold_last = c->back_untold;
    c->back_untold = NULL;
}

/* Makes one of the n values at the top, which it pops, and pushes it; it does not watch yet. */
static struct fut_callback *push_new(struct fut_home *home, lua_State *L, int n,
                                     struct fut_future *future, fut_callback_failed *failed) {
    fut_home_check_open(home, L);
    struct fut_callback *c = lua_newuserdatauv(L, sizeof *c, n);
    fut_watch_init(&c->watch);
    c->home = home;
    c->back = NULL;
    c->back_untold = NULL;
    c->n = n;
    c->failed = failed;
    c->helps = fut_waiting_helps(future);
    c->live = c->asks = false;
    lua_insert(L, -n - 1);
    for (int i = n; i >= 1; i--) lua_setiuservalue(L, -i - 1, i);
    int index = lua_gettop(L);
    lua_getiuservalue(L, index, FUT_CALLBACK_FUTURE);
    bool kept = fut_bare_keep(L, index + 1, index);
    push_anchors(L);
    if (kept)
        lua_pushboolean(L, false);
    else
        lua_pushvalue(L, index);
    lua_rawsetp(L, -2, c); /* the last call that may raise */
    lua_settop(L, index);
    c->live = true;
    if (!kept) link_callback(c);
    return c;
}

struct fut_callback *fut_callback_add(struct fut_home *home, lua_State *L, int n,
                                      struct fut_future *future, fut_callback_failed *failed) {
    struct fut_callback *c = push_new(home, L, n, future, failed);
    fut_watch_start(&c->watch, &home->inbox, future);
    if (fut_native_hears(future)) link_untold(c);
    return c;
}

struct fut_callback *fut_callback_add_asking(struct fut_home *home, lua_State *L, int n,
                                             struct fut_task *task,
                                             fut_callback_failed *failed) {
    struct fut_callback *c = push_new(home, L, n, &task->future, failed);
    c->asks = true;
    fut_watch_start(&c->watch, &home->askers, &task->future);
    return c;
}

bool fut_callback_asks(const struct fut_watch *watch) {
    return ((const struct fut_callback *)watch)->asks;
}

/* An open question is declined only after the watch has stopped: no other one can come. */
static void stop_watch(struct fut_callback *c, bool declines) {
    struct fut_task *t = declines ? fut_task_of(c->watch.future) : NULL;
    if (t) fut_task_hold(t);
    fut_watch_stop(&c->watch);
    if (!t) return;
    fut_task_decline(t);
    fut_task_drop(t);
}

static void end_callback(struct fut_callback *c, bool declines) {
    stop_watch(c, declines);
    unlink_untold(c);
    c->live = false;
    if (!c->back) return;
    *c->back = c->next;
    if (c->next) c->next->back = c->back;
    c->back = NULL;
    c->home->helpful -= c->helps;
}

/* Pops a value and makes it the entry of c, which has one: that needs no memory. */
static void set_entry(lua_State *L, const struct fut_callback *c) {
    push_anchors(L);
    lua_insert(L, -2);
    lua_rawsetp(L, -2, c);
    lua_pop(L, 1);
}

static void release(lua_State *L, struct fut_callback *c, bool declines) {
    lua_pushnil(L);
    set_entry(L, c);
    end_callback(c, declines);
}

void fut_callback_drop(lua_State *L, int index) {
    struct fut_callback *c = lua_touserdata(L, index);
    if (!c->live) return;
    lua_getiuservalue(L, index, FUT_CALLBACK_FUTURE);
    fut_bare_forget(L, lua_gettop(L), c);
    lua_pop(L, 1);
    release(L, c, c->asks);
}

void fut_callback_sweep(struct fut_home *home, lua_State *L) {
    struct fut_watch *watch;
    if (!lua_checkstack(L, LUA_MINSTACK)) return;
    while ((watch = fut_waiter_first(&home->askers)))
        release(L, (struct fut_callback *)watch, false);
}

void fut_callback_decline_all(struct fut_home *home, lua_State *L) {
    if (!lua_checkstack(L, LUA_MINSTACK)) return;
    for (struct fut_callback *c = home->callbacks, *next; c; c = next) {
        next = c->next;
        if (c->asks) release(L, c, true);
    }
}

void fut_callback_anchor(lua_State *L, int index) {
    struct fut_callback *c = lua_touserdata(L, index);
    if (!c->live) return; /* memory ran out when it was added */
    lua_pushvalue(L, index);
    set_entry(L, c);
    link_callback(c);
}

int fut_callback_run(lua_State *L) {
    struct fut_callback_call *call = lua_touserdata(L, 1);
    struct fut_callback *c = call->callback;
    call->begun = true;
    call->what = c->asks ? "retry_on" : "a callback";
    push_anchors(L);
    lua_rawgetp(L, -1, c);
    int index = lua_gettop(L);
    release(L, c, false);
    for (int i = 1; i <= c->n; i++) lua_getiuservalue(L, index, i);
    if (!c->failed)
        lua_call(L, c->n - 1, 0);
    else if (lua_pcall(L, c->n - 1, 0, 0) != LUA_OK)
        c->failed(L, index);
    return 0;
}

/* Those of a question that can no longer come are left out: they wait to be swept. */
struct fut_future *fut_callback_each(void *home, void **at) {
    struct fut_callback *c = *at;
    c = c ? c->next : ((struct fut_home *)home)->callbacks;
    while (c && c->asks && fut_future_done(c->watch.future)) c = c->next;
    *at = c;
    return c ? c->watch.future : NULL;
}

void fut_callback_look(struct fut_home *home) {
    if (!fut_orphan_due(&home->forks)) return;
    for (struct fut_callback *c = home->callbacks; c; c = c->next)
        fut_orphan_look(c->watch.future);
}

void fut_callback_tell(struct fut_home *home) {
    for (struct fut_callback *c; (c = home->untold); unlink_untold(c)) {
        struct fut_future *f = c->watch.future;
        if (!fut_native_attends(f)) return;
        fut_native_tell(f);
        if (fut_future_state(f) == FUT_PENDING) return; /* one at a time */
    }
}

void fut_callback_drop_all(struct fut_home *home) {
    while (home->callbacks) {
        struct fut_callback *c = home->callbacks;
        end_callback(c, c->asks);
    }
}
