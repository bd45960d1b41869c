/* SPDX-License-Identifier: MIT
 *
 * The limit: a pool of two threads with a lua_State each and nothing else. Tasks are integers,
 * the function is loaded beforehand, a future is a bare userdata. No library that gives its
 * tasks functions, values, errors and cancelling can be faster than this.
 *
 * Usage: limit [WORKLOAD | all [SPINS]]   prints lines "workload value unit"
 * SPINS: how often an empty queue or an open future is looked at before the thread sleeps.
 */
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { WORKERS = 2, TASKS = 100000, TRIPS = 10000, SPAWNS = 200, SAMPLES = 3, MB = 1 << 20 };

static void check(bool ok, const char *what) {
    if (!ok) {
        fprintf(stderr, "limit: %s failed\n", what);
        exit(1);
    }
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, size_t n) {
    qsort(values, n, sizeof *values, compare);
    return values[n / 2];
}

static void pause_cpu(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#endif
}

/* The pool */

struct task {
    struct task *next;
    lua_Integer arg, result;
    atomic_bool done;
};

struct pool {
    pthread_mutex_t lock;
    pthread_cond_t work, settled;
    struct task *head, *tail;
    atomic_bool queued;
    int idle, waiting, spins, workers;
    bool closed;
    pthread_t threads[WORKERS];
};

static struct pool pool = {.lock = PTHREAD_MUTEX_INITIALIZER,
                           .work = PTHREAD_COND_INITIALIZER,
                           .settled = PTHREAD_COND_INITIALIZER};

static bool is_set(atomic_bool *flag) {
    return atomic_load_explicit(flag, memory_order_acquire);
}

static void spin_until(atomic_bool *flag) {
    for (int i = 0; i < pool.spins && !is_set(flag); i++) pause_cpu();
}

static void pool_push(struct task *t) {
    t->next = NULL;
    atomic_store_explicit(&t->done, false, memory_order_relaxed);
    pthread_mutex_lock(&pool.lock);
    if (pool.tail)
        pool.tail->next = t;
    else
        pool.head = t;
    pool.tail = t;
    atomic_store_explicit(&pool.queued, true, memory_order_release);
    bool wake = pool.idle > 0;
    pthread_mutex_unlock(&pool.lock);
    if (wake) pthread_cond_signal(&pool.work);
}

static struct task *pool_pop(void) {
    spin_until(&pool.queued);
    pthread_mutex_lock(&pool.lock);
    while (!pool.head && !pool.closed) {
        pool.idle++;
        pthread_cond_wait(&pool.work, &pool.lock);
        pool.idle--;
    }
    struct task *t = pool.head;
    if (t) pool.head = t->next;
    if (!pool.head) {
        pool.tail = NULL;
        atomic_store_explicit(&pool.queued, false, memory_order_release);
    }
    pthread_mutex_unlock(&pool.lock);
    return t;
}

static void task_settle(struct task *t) {
    pthread_mutex_lock(&pool.lock);
    atomic_store_explicit(&t->done, true, memory_order_release);
    bool wake = pool.waiting > 0;
    pthread_mutex_unlock(&pool.lock);
    if (wake) pthread_cond_broadcast(&pool.settled);
}

static void task_wait(struct task *t) {
    spin_until(&t->done);
    if (is_set(&t->done)) return;
    pthread_mutex_lock(&pool.lock);
    while (!is_set(&t->done)) {
        pool.waiting++;
        pthread_cond_wait(&pool.settled, &pool.lock);
        pool.waiting--;
    }
    pthread_mutex_unlock(&pool.lock);
}

static void *worker_main(void *unused) {
    lua_State *L = luaL_newstate();
    check(L != NULL, "luaL_newstate");
    luaL_openlibs(L);
    check(luaL_loadstring(L, "return ...") == LUA_OK, "load");
    for (struct task *t = pool_pop(); t; t = pool_pop()) {
        lua_pushvalue(L, 1);
        lua_pushinteger(L, t->arg);
        check(lua_pcall(L, 1, 1, 0) == LUA_OK, "task");
        t->result = lua_tointeger(L, -1);
        lua_pop(L, 1);
        task_settle(t);
    }
    lua_close(L);
    return unused;
}

static void pool_start(int workers) {
    pool.closed = false;
    for (pool.workers = 0; pool.workers < workers; pool.workers++) {
        pthread_t *thread = &pool.threads[pool.workers];
        check(pthread_create(thread, NULL, worker_main, NULL) == 0, "pthread_create");
    }
}

static void pool_join(void) {
    pthread_mutex_lock(&pool.lock);
    pool.closed = true;
    pthread_cond_broadcast(&pool.work);
    pthread_mutex_unlock(&pool.lock);
    while (pool.workers > 0) pthread_join(pool.threads[--pool.workers], NULL);
}

/* Its face in Lua */

static int l_submit(lua_State *L) {
    lua_Integer arg = luaL_checkinteger(L, 1);
    struct task *t = lua_newuserdatauv(L, sizeof *t, 0);
    t->arg = arg;
    luaL_setmetatable(L, "task");
    pool_push(t);
    return 1;
}

static int l_result(lua_State *L) {
    struct task *t = luaL_checkudata(L, 1, "task");
    task_wait(t);
    lua_pushinteger(L, t->result);
    return 1;
}

static int l_now(lua_State *L) {
    lua_pushnumber(L, now());
    return 1;
}

/* The state of the Lua side, with `submit` and `now`; kept, so that each sample also collects
 * the garbage of the one before. */
static lua_State *lua_side(void) {
    static const luaL_Reg globals[] = {{"submit", l_submit}, {"now", l_now}, {NULL, NULL}};
    static lua_State *L;
    if (L) return L;
    L = luaL_newstate();
    check(L != NULL, "luaL_newstate");
    luaL_openlibs(L);
    lua_pushglobaltable(L);
    luaL_setfuncs(L, globals, 0);
    luaL_newmetatable(L, "task");
    lua_pushvalue(L, -1);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, l_result);
    lua_setfield(L, -2, "result");
    lua_settop(L, 0);
    return L;
}

/* Runs a chunk, which sees `n`, and gives the number that it returns. */
static double lua_figure(const char *chunk, int n) {
    lua_State *L = lua_side();
    lua_pushinteger(L, n);
    lua_setglobal(L, "n");
    check(luaL_dostring(L, chunk) == LUA_OK, lua_tostring(L, -1));
    double figure = lua_tonumber(L, -1);
    lua_settop(L, 0);
    return figure;
}

/* The workloads: each gives one figure */

static double noop(void) {
    return lua_figure("local f, start = {}, now() "
                      "for i = 1, n do f[i] = submit(i) end "
                      "for i = 1, n do f[i]:result() end "
                      "return n / (now() - start)",
                      TASKS);
}

static double roundtrip(void) {
    return lua_figure("local t = {} "
                      "for i = 1, n do "
                      "  local start = now() submit(i):result() t[i] = now() - start "
                      "end "
                      "table.sort(t) return t[n // 2] * 1e6",
                      TRIPS);
}

static double noop_raw(void) {
    struct task *tasks = calloc(TASKS, sizeof *tasks);
    check(tasks != NULL, "calloc");
    double start = now();
    for (int i = 0; i < TASKS; i++) pool_push(&tasks[i]);
    for (int i = 0; i < TASKS; i++) task_wait(&tasks[i]);
    double figure = TASKS / (now() - start);
    free(tasks);
    return figure;
}

static double roundtrip_raw(void) {
    static double times[TRIPS];
    struct task t = {.arg = 1};
    for (int i = 0; i < TRIPS; i++) {
        double start = now();
        pool_push(&t);
        task_wait(&t);
        times[i] = (now() - start) * 1e6;
    }
    return median(times, TRIPS);
}

/* A string that travels is copied once, at the least, and at best within the cache. */
static double string1mb(void) {
    enum { COPIES = 320 };
    char *from = malloc(MB), *to = malloc(MB);
    check(from && to, "malloc");
    memset(from, 'x', MB);
    memset(to, 'y', MB);
    double start = now();
    for (int i = 0; i < COPIES; i++) memcpy(to, from, MB);
    double figure = (double)COPIES * MB / (now() - start) * 1e-9;
    check(to[MB / 2] == 'x', "memcpy");
    free(from);
    free(to);
    return figure;
}

static double start(void) {
    double begin = now();
    for (int i = 0; i < SPAWNS; i++) {
        struct task t = {.arg = i};
        pool_start(1);
        pool_push(&t);
        task_wait(&t);
        pool_join();
    }
    return (now() - begin) / SPAWNS * 1e6;
}

static double state(void) {
    double begin = now();
    for (int i = 0; i < SPAWNS; i++) {
        lua_State *L = luaL_newstate();
        check(L != NULL, "luaL_newstate");
        luaL_openlibs(L);
        lua_close(L);
    }
    return (now() - begin) / SPAWNS * 1e6;
}

static double process(void) {
    double begin = now();
    for (int i = 0; i < SPAWNS; i++) {
        pid_t pid = fork();
        check(pid >= 0, "fork");
        if (pid == 0) _exit(0);
        check(waitpid(pid, NULL, 0) == pid, "waitpid");
    }
    return (now() - begin) / SPAWNS * 1e6;
}

struct workload {
    const char *name, *unit;
    double (*run)(void);
    int workers;
};

static const struct workload workloads[] = {
    {"noop", "tasks/s", noop, WORKERS},
    {"noop_raw", "tasks/s", noop_raw, WORKERS},
    {"roundtrip", "us", roundtrip, WORKERS},
    {"roundtrip_raw", "us", roundtrip_raw, WORKERS},
    {"string1mb", "GB/s", string1mb, 0},
    {"start", "us", start, 0},
    {"state", "us", state, 0},
    {"process", "us", process, 0},
};

/* One run to warm up, then the median of SAMPLES. */
static void measure(const struct workload *w) {
    double samples[SAMPLES];
    pool_start(w->workers);
    w->run();
    for (int i = 0; i < SAMPLES; i++) samples[i] = w->run();
    pool_join();
    printf("%s %.6g %s\n", w->name, median(samples, SAMPLES), w->unit);
}

int main(int argc, char **argv) {
    const char *wanted = argc > 1 ? argv[1] : "all";
    pool.spins = argc > 2 ? atoi(argv[2]) : 0;
    bool found = false;
    for (size_t i = 0; i < sizeof workloads / sizeof *workloads; i++) {
        if (strcmp(wanted, "all") == 0 || strcmp(wanted, workloads[i].name) == 0) {
            found = true;
            measure(&workloads[i]);
        }
    }
    if (!found) printf("%s skip not measured\n", wanted);
    return 0;
}
