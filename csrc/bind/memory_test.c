/* SPDX-License-Identifier: MIT */
/* The library when memory runs out: from the n-th allocation on all fail, for every n until a
 * call needs no more, in Lua's allocator and in the library's, the workers included. The call
 * then says so or does its work; nothing hangs, and the next call finds a sound pool. */
#include "bind/scarce.h"

/* ways: what may fail. Each gets a pool and gives futures to be waited for, or nothing. */
static const char script[] =
    "local futures = require 'futures'\n"
    "local M = {}\n"
    "local function id(...) return ... end\n"
    "function answer() return 42 end\n"
    "M.ways = {\n"
    "    submit = function(ex) return { ex:submit(id, 'one', { 2, { 3 } }) } end,\n"
    "    closure = function(ex)\n"
    "        local t = { 1 }\n"
    "        return { ex:submit(function() t[1] = answer() return t, t end) }\n"
    "    end,\n"
    "    result = function(ex) ex:submit(id, { {}, 's' }):result() end,\n"
    "    failure = function(ex) ex:submit(error, { code = 1 }):exception() end,\n"
    "    map = function(ex) ex:map(id, { 1, 2, 3 }, { 4, 5, 6 }):totable() end,\n"
    "    chunks = function(ex)\n"
    "        ex:with { chunksize = 2 }:map(id, { 1, 2, 3, 4, 5 }):totable()\n"
    "    end,\n"
    "    buffered = function(ex)\n"
    "        local view = ex:with { buffersize = 2, ordered = false, timeout = 60 }\n"
    "        for i, x in view:map(id, { 1, 2, 3, 4 }) do assert(i == x) end\n"
    "    end,\n"
    "    wait = function(ex)\n"
    "        local fs = { ex:submit(id, 1), ex:submit(id, 2) }\n"
    "        local done = futures.wait(fs)\n"
    "        assert(#done == 2)\n"
    "    end,\n"
    "    as_completed = function(ex)\n"
    "        local n, fs = 0, { ex:submit(id, 1), ex:submit(id, 2), ex:submit(id, 3) }\n"
    "        for f in futures.as_completed(fs) do n = n + 1; f:outcome() end\n"
    "        assert(n == 3)\n"
    "    end,\n"
    "    callback = function(ex)\n"
    "        local seen\n"
    "        local f = ex:submit(id, 1)\n"
    "        f:add_done_callback(function() seen = true end)\n"
    "        f:outcome()\n"
    "        futures.poll()\n"
    "        assert(seen)\n"
    "    end,\n"
    "    options = function(ex)\n"
    "        local view = ex:with { priority = 2, name = 'a name' }:with { task_timeout = 60 "
    "}\n"
    "        return { view:submit(id, 1), view:submit(id, 2) }\n"
    "    end,\n"
    "    handles = function(ex)\n"
    "        local f = futures.Future()\n"
    "        f:set_result { 'set' }\n"
    "        return { ex:submit(function(g, own) return g:result(), tostring(own) end, f, ex) "
    "}\n"
    "    end,\n"
    "    looks = function(ex) assert(tostring(ex) .. ex:stats().wait.max) futures.pollfd() "
    "end,\n"
    "    pool = function()\n"
    "        local ex <close> = M.class { max_workers = 2, initializer = id, initargs = { 1 } "
    "}\n"
    "        ex:submit(id, 1):result()\n"
    "    end,\n"
    "    retries = function(ex)\n"
    "        local view = ex:with { retries = 2, retry_on = function() return true end }\n"
    "        local f = view:submit(error, 'memory', 0)\n"
    "        assert(not f:outcome(60) and f:done())\n"
    "        return { view:submit(error, 'memory again', 0) }\n"
    "    end,\n"
    "    cancel = function(ex)\n"
    "        local f = ex:submit(futures.sleep, 60)\n"
    "        f:cancel(true)\n"
    "        return { f }\n"
    "    end,\n"
    "}\n"
    "local function expected(e)\n"
    "    local text = tostring(e)\n"
    "    assert(text:find 'memory' or futures.iserror(e, futures.BrokenExecutor)\n"
    "        or futures.iserror(e, futures.WorkerLostError)\n"
    "        or futures.iserror(e, futures.CancelledError), text)\n"
    "end\n"
    "function M.open(class)\n"
    "    M.class = futures[class]\n"
    "    M.ex = M.class(2)\n"
    "    M.ex:submit(id):result()\n"
    "end\n"
    "function M.try(name) M.fs = nil; M.fs = M.ways[name](M.ex) end\n"
    /* Enough memory again: what was begun comes to an end, and the pool works, or says why
     * not and a new one does. */
    "function M.check(class)\n"
    "    for _, f in ipairs(M.fs or {}) do\n"
    "        local ok, e = f:outcome(30)\n"
    "        assert(f:done(), 'a task was lost')\n"
    "        if not ok then expected(e) end\n"
    "    end\n"
    "    futures.poll()\n"
    "    local ok, e = pcall(function() return M.ex:submit(id, 7):result(30) end)\n"
    "    if not ok then expected(e) M.ex:shutdown() M.open(class) else assert(e == 7) end\n"
    "end\n"
    "function M.expect(e) expected(e) end\n"
    "function M.close() M.ex:shutdown() M.ex, M.fs = nil, nil end\n"
    "return M\n";

static bool load_script(lua_State *L) {
    lua_settop(L, 0);
    return luaL_dostring(L, script) == LUA_OK && lua_istable(L, 1);
}

/* M.name(argument): true, or false and its error is on top. */
static bool call(lua_State *L, const char *name, const char *argument) {
    lua_getfield(L, 1, name);
    lua_pushstring(L, argument);
    return lua_pcall(L, 1, 0, 0) == LUA_OK;
}

static void must(lua_State *L, const char *name, const char *argument) {
    if (call(L, name, argument)) return;
    fprintf(stderr, "%s(%s): %s\n", name, argument, lua_tostring(L, -1));
    CHECK(!"this must pass");
}

/* Ends with the first n at which the call passes and has allocations left. */
static void run(lua_State *L, const char *class, const char *way, bool in_lua) {
    enum { MOST = 2000 };
    for (long n = 1; n < MOST; n++) {
        scarce_limit(in_lua, n);
        bool passed = call(L, "try", way);
        bool enough = passed && !scarce_reached(in_lua);
        scarce_limit(in_lua, 0);
        if (!passed) {
            lua_getfield(L, 1, "expect");
            lua_insert(L, -2);
            if (lua_pcall(L, 1, 0, 0) != LUA_OK) {
                fprintf(stderr, "%s: %s, n %ld: %s\n", class, way, n, lua_tostring(L, -1));
                CHECK(!"an error of too little memory");
            }
        }
        must(L, "check", class);
        if (enough) return;
    }
    CHECK(!"it never needs more memory");
}

static void run_all(const char *class, const char *const *ways, bool in_lua) {
    lua_State *L = scarce_state();
    CHECK(load_script(L));
    must(L, "open", class);
    for (; *ways; ways++) {
        alarm(TEST_SECONDS);
        run(L, class, *ways, in_lua);
    }
    must(L, "close", NULL);
    lua_close(L);
}

static const char *const ways[] = {"submit",  "closure",  "result", "failure",      "map",
                                   "chunks",  "buffered", "wait",   "as_completed", "callback",
                                   "options", "handles",  "looks",  "cancel",       "retries",
                                   "pool",    NULL};

/* The module is opened, too, when memory runs out; and opens once there is enough again. */
static void opening(bool in_lua) {
    bool enough = false;
    for (long n = 1; !enough; n += 1 + n / 64) { /* what is loaded takes many, all alike */
        lua_State *L = scarce_state();
        scarce_limit(in_lua, n);
        enough = load_script(L) && !scarce_reached(in_lua);
        scarce_limit(in_lua, 0);
        CHECK(load_script(L));
        must(L, "open", "ThreadPoolExecutor");
        for (const char *const *way = ways; *way; way++) must(L, "try", *way);
        must(L, "close", NULL);
        lua_close(L);
    }
}

static void opening_lua(void) {
    opening(true);
}

static void opening_library(void) {
    opening(false);
}

static const char *const process_ways[] = {"submit",   "closure", "result",  "failure",
                                           "chunks",   "wait",    "options", "looks",
                                           "callback", "cancel",  "retries", NULL};

static void threads_lua(void) {
    run_all("ThreadPoolExecutor", ways, true);
}

static void threads_library(void) {
    run_all("ThreadPoolExecutor", ways, false);
}

static void processes_lua(void) {
    run_all("ProcessPoolExecutor", process_ways, true);
}

static void processes_library(void) {
    run_all("ProcessPoolExecutor", process_ways, false);
}

static const struct test_case cases[] = {
    {"opening: Lua's memory runs out", opening_lua},
    {"opening: the library's memory runs out", opening_library},
    {"threads: Lua's memory runs out", threads_lua},
    {"threads: the library's memory runs out", threads_library},
    {"processes: Lua's memory runs out", processes_lua},
    {"processes: the library's memory runs out", processes_library},
};

TEST_MAIN(cases)
