/* SPDX-License-Identifier: MIT */
/* The C module `futures.core`: what lua/futures/init.lua builds on. */
#include <errno.h>
#include <lauxlib.h>
#include <lua.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cpu.h"
#include "bind/bare.h"
#include "bind/callback.h"
#include "bind/capi.h"
#include "bind/derive.h"
#include "bind/error.h"
#include "bind/executor.h"
#include "bind/future.h"
#include "bind/gather.h"
#include "bind/home.h"
#include "bind/map.h"
#include "bind/submit.h"
#include "bind/wait.h"
#include "bind/watches.h"
#include "core/fork.h"
#include "vm/lua_worker.h"
#include "vm/stop.h"

#if defined(__GNUC__)
__attribute__((visibility("default")))
#endif
int luaopen_futures_core(lua_State *L);

static bool never(void *arg) {
    (void)arg;
    return false;
}

static int futures_sleep(lua_State *L) {
    struct fut_home *home = fut_home_of(L);
    if (lua_isnoneornil(L, 1)) fut_misuse(L, 1, "sleep", "number expected, got no value");
    struct fut_waiting what = {.deadline = fut_check_timeout(L, 1, 1, "sleep")};
    enum fut_wait end = fut_home_wait(home, L, never, NULL, &what);
    if (end >= FUT_WAIT_INTERRUPTED) fut_home_raise(home, L, end);
    return 0;
}

static int futures_monotonic(lua_State *L) {
    lua_pushnumber(L, (lua_Number)fut_now() / 1e9);
    return 1;
}

static int futures_cpu_count(lua_State *L) {
    lua_pushinteger(L, fut_cpu_count());
    return 1;
}

struct poll {
    struct fut_home *home;
    unsigned before; /* what had run in it */
};

/* Also when they ran in another task, which ran on top of this one. */
static bool some_ran(void *arg) {
    const struct poll *p = arg;
    return fut_waiter_queued(&p->home->inbox) > 0 || p->home->ran != p->before;
}

/* poll(timeout): a wait for a callback to be due. Unlike other waits its default is not to
 * wait. */
static int futures_poll(lua_State *L) {
    struct fut_home *home = fut_home_of(L);
    fut_time deadline = lua_isnoneornil(L, 1) ? 0 : fut_check_timeout(L, 1, 1, "poll");
    struct poll poll = {.home = home, .before = home->ran};
    struct fut_waiting what = {.each = fut_callback_each, .arg = home, .deadline = deadline};
    if (!fut_home_defers(home, L)) {
        enum fut_wait end = fut_home_wait(home, L, some_ran, &poll, &what);
        if (end >= FUT_WAIT_INTERRUPTED) fut_home_raise(home, L, end);
    }
    lua_pushinteger(L, (lua_Integer)(home->ran - poll.before));
    return 1;
}

/* pollfd(): the number of a file descriptor that is readable while a callback is due. The first
 * call makes it; so does the first one after a fork, where the old one is the parent's. */
static int futures_pollfd(lua_State *L) {
    struct fut_home *home = fut_home_of(L);
    fut_home_check_open(home, L);
    fut_callback_look(home);
    if (!fut_event_is_open(&home->event)) {
        if (!fut_event_open(&home->event))
            return fut_error_raise(L, "Error", "cannot open a descriptor to poll: %s",
                                   strerror(errno));
        fut_waiter_show(&home->inbox, &home->event);
    }
    lua_pushinteger(L, home->event.read_fd);
    return 1;
}

/* due(): a safe point. */
static int futures_due(lua_State *L) {
    fut_home_safe_point(fut_home_of(L), L);
    return 0;
}

static int futures_worker(lua_State *L) {
    const struct fut_worker_info *info = fut_lua_worker_info(L);
    if (!info) {
        lua_pushnil(L);
        return 1;
    }
    lua_createtable(L, 0, 4);
    lua_pushstring(L, info->kind);
    lua_setfield(L, -2, "kind");
    lua_pushinteger(L, info->id);
    lua_setfield(L, -2, "id");
    lua_pushstring(L, info->name);
    lua_setfield(L, -2, "name");
    lua_pushinteger(L, (lua_Integer)getpid());
    lua_setfield(L, -2, "pid");
    return 1;
}

/* Future(): a bare one. */
static int futures_future(lua_State *L) {
    fut_bare_new(L);
    return 1;
}

static int futures_isfuture(lua_State *L) {
    lua_pushboolean(L, fut_future_test(L, 1) != NULL);
    return 1;
}

static const luaL_Reg functions[] = {
    {"sleep", futures_sleep},
    {"monotonic", futures_monotonic},
    {"cpu_count", futures_cpu_count},
    {"poll", futures_poll},
    {"pollfd", futures_pollfd},
    {"due", futures_due},
    {"worker", futures_worker},
    {"Future", futures_future}, /* a class in the eyes of Lua: capital */
    {"isfuture", futures_isfuture},
    {NULL, NULL},
};

/* The environment may say which signal interrupts tasks. */
static void choose_signal(lua_State *L) {
    const char *text = getenv("FUTURES_SIGNAL");
    if (!text) return;
    char *end;
    long number = strtol(text, &end, 10);
    bool is_number = *text && !*end && number > 0 && number < NSIG;
    if (!is_number || fut_stop_use_signal((int)number) != FUT_OK)
        luaL_error(L,
                   "FUTURES_SIGNAL: the number of a signal that can be caught expected, "
                   "got '%s'",
                   text);
}

int luaopen_futures_core(lua_State *L) {
    luaL_checkversion(L);
    choose_signal(L);
    fut_fork_watch();
    fut_error_open(L);
    fut_home_open(L);
    fut_future_open(L);
    lua_newtable(L);
    fut_home_set_functions(L, functions);
    fut_derive_open(L);
    fut_executor_open(L);
    fut_submit_open(L);
    fut_pools_open(L);
    fut_gather_open(L);
    fut_watches_open(L);
    fut_wait_open(L);
    fut_map_open(L);
    fut_capi_open(L);
    return 1;
}
