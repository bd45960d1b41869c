/* SPDX-License-Identifier: MIT */
#include "bind/watches.h"

#include <lauxlib.h>

#include "base/alloc.h"
#include "bind/error.h"
#include "bind/future.h"
#include "bind/orphan.h"
#include "core/native.h"

#define TNAME "futures.Watches"

struct fut_watches_entry {
    struct fut_watch watch; /* first: the waiter hands out watches */
    struct fut_watches_entry *next, **back;
    lua_Integer number;
};

static void free_entry(struct fut_watches *ws, struct fut_watches_entry *e) {
    fut_watch_stop(&e->watch);
    if (ws->scan == e) ws->scan = e->next;
    if (ws->untold == e) ws->untold = e->next;
    if (e->next)
        e->next->back = e->back;
    else
        ws->last = e->back;
    *e->back = e->next;
    fut_free(e);
    ws->pending--;
}

void fut_watches_stop(struct fut_watches *ws) {
    while (ws->entries) free_entry(ws, ws->entries);
}

struct fut_watches *fut_watches_new(lua_State *L, struct fut_home *home) {
    fut_home_check_open(home, L);
    struct fut_watches **slot = lua_newuserdatauv(L, sizeof *slot, 0);
    *slot = NULL;
    luaL_setmetatable(L, TNAME);
    struct fut_watches *ws = fut_zalloc(sizeof *ws);
    if (!ws) {
        luaL_error(L, "not enough memory");
        return NULL; /* never reached, which the analyser does not know */
    }
    ws->last = &ws->entries;
    ws->forks = fut_process_forks();
    fut_waiter_init(&ws->waiter, &home->parker);
    *slot = ws;
    return ws;
}

struct fut_watches *fut_watches_at(lua_State *L, int index) {
    return *(struct fut_watches **)lua_touserdata(L, index);
}

void fut_watches_add(struct fut_watches *ws, lua_State *L, struct fut_future *f,
                     lua_Integer number) {
    struct fut_watches_entry *e = fut_alloc(sizeof *e);
    if (!e) {
        luaL_error(L, "not enough memory");
        return; /* never reached, which the analyser does not know */
    }
    e->number = number;
    e->next = NULL;
    e->back = ws->last;
    *ws->last = e;
    ws->last = &e->next;
    if (!ws->scan) ws->scan = e;
    if (!ws->untold) ws->untold = e;
    ws->pending++;
    ws->helps = ws->helps || fut_waiting_helps(f);
    ws->tells = ws->tells || fut_native_hears(f);
    fut_watch_init(&e->watch);
    fut_watch_start(&e->watch, &ws->waiter, f);
}

bool fut_watches_shift(struct fut_watches *ws, lua_Integer *number) {
    struct fut_watches_entry *e = (struct fut_watches_entry *)fut_waiter_shift(&ws->waiter);
    if (!e) return false;
    *number = e->number;
    free_entry(ws, e);
    return true;
}

/* Enough are done, or there is nothing left to wait for: a callback may have taken or stopped
 * them. */
static bool has_wanted(void *arg) {
    struct fut_watches *ws = arg;
    size_t wanted = ws->waiter.wanted;
    return fut_waiter_queued(&ws->waiter) >= wanted || ws->pending < wanted;
}

static struct fut_future *each(void *arg, void **at) {
    struct fut_watches_entry *e = *at;
    e = e ? e->next : ((struct fut_watches *)arg)->entries;
    *at = e;
    return e ? e->watch.future : NULL;
}

/* A task that is no longer pending will not be again (but for a retry, which then is not
 * preferred): so all calls together pass each entry once. */
static struct fut_future *next_pending(void *arg, bool skip) {
    struct fut_watches *ws = arg;
    if (skip && ws->scan) ws->scan = ws->scan->next;
    while (ws->scan && fut_future_state(ws->scan->watch.future) != FUT_PENDING)
        ws->scan = ws->scan->next;
    return ws->scan ? ws->scan->watch.future : NULL;
}

/* What wants to hear of it comes one by one; nothing while the first of them does not. */
static struct fut_watches_entry *next_to_tell(struct fut_watches *ws) {
    while (ws->untold && !fut_native_hears(ws->untold->watch.future))
        ws->untold = ws->untold->next;
    return ws->untold && fut_native_attends(ws->untold->watch.future) ? ws->untold : NULL;
}

static void tell_all(void *arg) {
    struct fut_watches *ws = arg;
    for (struct fut_watches_entry *e; (e = next_to_tell(ws)); ws->untold = e->next)
        fut_native_tell(e->watch.future);
}

/* Those that have started, and one more: as much as is waited for. */
static void tell_next(void *arg) {
    struct fut_watches *ws = arg;
    for (struct fut_watches_entry *e; (e = next_to_tell(ws)); ws->untold = e->next) {
        fut_native_tell(e->watch.future);
        if (fut_future_state(e->watch.future) == FUT_PENDING) return;
    }
}

bool fut_watches_wait(struct fut_watches *ws, lua_State *L, size_t wanted, fut_time deadline) {
    struct fut_home *home = fut_home_of(L);
    if (fut_orphan_due(&ws->forks))
        for (struct fut_watches_entry *e = ws->entries; e; e = e->next)
            fut_orphan_look(e->watch.future);
    if (fut_waiter_queued(&ws->waiter) >= wanted) {
        fut_home_safe_point(home, L);
        return true;
    }
    fut_waiter_want(&ws->waiter, wanted);
    struct fut_waiting what = {
        .each = each,
        .next_pending = next_pending,
        .tell = !ws->tells              ? NULL
                : wanted >= ws->pending ? tell_all
                                        : tell_next,
        .arg = ws,
        .helps = ws->helps,
        .all = wanted >= ws->pending,
        .deadline = deadline,
    };
    enum fut_wait end = fut_home_wait(home, L, has_wanted, ws, &what);
    if (end >= FUT_WAIT_INTERRUPTED) fut_home_raise(home, L, end);
    return end == FUT_WAIT_READY;
}

/* ---- as a Lua object ---- */

static int new_watches(lua_State *L) {
    fut_watches_new(L, fut_home_of(L));
    return 1;
}

static struct fut_watches *check_watches(lua_State *L) {
    luaL_checkudata(L, 1, TNAME);
    return fut_watches_at(L, 1);
}

static int watches_add(lua_State *L) {
    struct fut_watches *ws = check_watches(L);
    fut_watches_add(ws, L, fut_future_check(L, 2), luaL_checkinteger(L, 3));
    return 0;
}

static int watches_next(lua_State *L) {
    struct fut_watches *ws = check_watches(L);
    lua_Integer number;
    fut_time deadline = fut_check_timeout(L, 2, 1, "next");
    while (ws->pending > 0 && fut_watches_wait(ws, L, 1, deadline)) {
        if (!fut_watches_shift(ws, &number)) continue;
        lua_pushinteger(L, number);
        return 1;
    }
    return 0;
}

static int watches_stop(lua_State *L) {
    fut_watches_stop(check_watches(L));
    return 0;
}

static int watches_gc(lua_State *L) {
    struct fut_watches *ws = check_watches(L);
    if (!ws) return 0; /* there was no memory for it */
    fut_watches_stop(ws);
    fut_waiter_deinit(&ws->waiter);
    *(struct fut_watches **)lua_touserdata(L, 1) = NULL;
    fut_free(ws);
    return 0;
}

static const luaL_Reg functions[] = {
    {"watches", new_watches},
    {NULL, NULL},
};

static const luaL_Reg methods[] = {
    {"add", watches_add},
    {"next", watches_next},
    {"stop", watches_stop},
    {NULL, NULL},
};

static const luaL_Reg metamethods[] = {
    {"__gc", watches_gc},
    {"__close", watches_stop},
    {NULL, NULL},
};

void fut_watches_open(lua_State *L) {
    fut_home_set_functions(L, functions);
    luaL_newmetatable(L, TNAME);
    fut_home_set_functions(L, metamethods);
    lua_newtable(L);
    fut_home_set_functions(L, methods);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
}
