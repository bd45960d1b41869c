/* SPDX-License-Identifier: MIT */
/* What the tests of the thread pool share: a worker in plain C whose tasks are C functions,
 * gates, and waits. Not for anything but *_test.c. */
#ifndef FUT_POOL_TEST_POOL_H
#define FUT_POOL_TEST_POOL_H

#include <dirent.h>

#include "base/alloc.h"
#include "base/test.h"
#include "core/waiter.h"
#include "pool/thread_pool.h"

/* What the workers of one pool do, and what became of them. It outlives the pool. */
struct test_config {
    const char *why; /* of an open that fails, or NULL */
    void (*on_open)(struct test_config *c, const struct fut_worker_info *info);
    void *arg;               /* for on_open */
    int open_fails_at;       /* the n-th open and all later ones fail; 0 is none */
    enum fut_err open_error; /* with this, or FUT_ELOST */
    atomic_int opened, closed, freed, interrupted;
};

struct fut_worker {
    struct test_config *config;
    pthread_t thread;
};

/* The word of the task that runs on this thread. */
static _Thread_local const atomic_uint *test_asked;

/* A task's call: bytes that hold a function and its argument. */
struct test_call {
    void (*run)(void *arg, struct fut_outcome *out);
    void *arg;
};

static enum fut_err test_worker_open(void *config, const struct fut_worker_info *info,
                                     struct fut_worker **out, char **why) {
    struct test_config *c = config;
    int n = atomic_fetch_add(&c->opened, 1) + 1;
    CHECK(strcmp(info->kind, "thread") == 0 && info->id >= 1 && info->name);
    if (c->on_open) c->on_open(c, info);
    if (c->open_fails_at && n >= c->open_fails_at) {
        *why = c->why ? fut_strdup(c->why) : NULL;
        return c->open_error != FUT_OK ? c->open_error : FUT_ELOST;
    }
    struct fut_worker *w = malloc(sizeof *w);
    CHECK(w);
    w->config = c;
    w->thread = pthread_self();
    *out = w;
    return FUT_OK;
}

static void test_worker_run(struct fut_worker *w, const struct fut_payload *payload,
                            const atomic_uint *asked, struct fut_outcome *out) {
    struct test_call call;
    CHECK(pthread_equal(w->thread, pthread_self()));
    CHECK(out->kind == FUT_OUTCOME_NONE);
    CHECK(payload->len >= sizeof call);
    memcpy(&call, fut_payload_bytes(payload), sizeof call);
    out->kind = FUT_OUTCOME_VALUES;
    test_asked = asked;
    if (call.run) call.run(call.arg, out);
}

static void test_worker_interrupt(struct fut_worker *w) {
    atomic_fetch_add(&w->config->interrupted, 1);
}

static void test_worker_close(struct fut_worker *w) {
    CHECK(pthread_equal(w->thread, pthread_self()));
    atomic_fetch_add(&w->config->closed, 1);
    free(w);
}

static void test_config_free(void *config) {
    atomic_fetch_add(&((struct test_config *)config)->freed, 1);
}

static const struct fut_worker_type test_worker_type = {
    .open = test_worker_open,
    .run = test_worker_run,
    .interrupt = test_worker_interrupt,
    .close = test_worker_close,
    .config_free = test_config_free,
};

static inline struct fut_executor *test_pool(struct test_config *c, int max_workers) {
    struct fut_thread_pool_options options = {
        .max_workers = max_workers,
        .name_prefix = "test",
        .worker = &test_worker_type,
        .config = c,
    };
    struct fut_executor *ex = NULL;
    CHECK(fut_thread_pool_new(&options, &ex) == FUT_OK);
    return ex;
}

/* ---- tasks ---- */

/* With a count of the options, which may be NULL. */
static inline struct fut_task *test_task_with(struct fut_executor *ex,
                                              struct fut_task_options *options,
                                              void (*run)(void *arg, struct fut_outcome *out),
                                              void *arg) {
    struct test_call call = {run, arg};
    struct fut_task *t = fut_task_new(ex, options);
    CHECK(t);
    CHECK(fut_payload_init(&t->call, &call, sizeof call, NULL, 0) == FUT_OK);
    return t;
}

static inline struct fut_task *
test_task(struct fut_executor *ex, void (*run)(void *arg, struct fut_outcome *out), void *arg) {
    return test_task_with(ex, NULL, run, arg);
}

/* A task that the pool has taken; the caller drops it. */
static inline struct fut_task *test_submit(struct fut_executor *ex,
                                           void (*run)(void *arg, struct fut_outcome *out),
                                           void *arg) {
    struct fut_task *t = test_task(ex, run, arg);
    CHECK(ex->ops->submit(ex, &t, 1) == FUT_OK);
    return t;
}

/* Waits until it is done. */
static inline void test_wait(struct fut_future *f) {
    struct fut_parker parker;
    struct fut_waiter waiter;
    struct fut_watch watch;
    fut_parker_init(&parker);
    fut_waiter_init(&waiter, &parker);
    fut_watch_init(&watch);
    fut_watch_start(&watch, &waiter, f);
    while (!fut_future_done(f)) fut_park(&parker, FUT_NEVER);
    fut_watch_stop(&watch);
    fut_waiter_deinit(&waiter);
}

/* The same, but nobody watches it. */
static inline void test_poll(const struct fut_future *f) {
    while (!fut_future_done(f)) sched_yield();
}

static inline void test_wait_and_drop(struct fut_task *t) {
    test_wait(&t->future);
    CHECK(t->future.outcome.kind == FUT_OUTCOME_VALUES);
    fut_task_drop(t);
}

/* A task that fails. */
static inline void test_failing(void *arg, struct fut_outcome *out) {
    out->kind = FUT_OUTCOME_NONE;
    fut_outcome_fail(out, FUT_ETRANSFER, arg);
}

static inline struct fut_executor_stats test_stats(struct fut_executor *ex) {
    struct fut_executor_stats s;
    ex->ops->stats(ex, &s);
    return s;
}

/* Closes the pool, waits until it has stopped, and joins it. */
static inline void test_stop(struct fut_executor *ex) {
    ex->ops->close(ex, false);
    test_wait(ex->ops->stopped(ex));
    ex->ops->join(ex);
}

/* The same, and drops it: nobody else has it. */
static inline void test_end(struct fut_executor *ex, struct test_config *c) {
    test_stop(ex);
    CHECK(atomic_load(&c->freed) == 0);
    fut_executor_drop(ex);
    CHECK(atomic_load(&c->freed) == 1);
}

/* ---- gates: tasks that run until the test lets them go ---- */

struct test_gate {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    int inside; /* that have come so far */
    bool open;
};

#define TEST_GATE                                                                              \
    { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, false }

static inline void test_gate_pass(void *gate, struct fut_outcome *out) {
    struct test_gate *g = gate;
    (void)out;
    pthread_mutex_lock(&g->mutex);
    g->inside++;
    pthread_cond_broadcast(&g->changed);
    while (!g->open) pthread_cond_wait(&g->changed, &g->mutex);
    pthread_mutex_unlock(&g->mutex);
}

/* Waits until n tasks are in the gate. */
static inline void test_gate_await(struct test_gate *g, int n) {
    pthread_mutex_lock(&g->mutex);
    while (g->inside < n) pthread_cond_wait(&g->changed, &g->mutex);
    pthread_mutex_unlock(&g->mutex);
}

static inline void test_gate_open(struct test_gate *g) {
    pthread_mutex_lock(&g->mutex);
    g->open = true;
    pthread_cond_broadcast(&g->changed);
    pthread_mutex_unlock(&g->mutex);
}

/* ---- threads of this process ---- */

static inline int test_threads(void) {
    int n = 0;
    DIR *dir = opendir("/proc/self/task");
    if (!dir) return 0;
    for (struct dirent *e; (e = readdir(dir));) n += e->d_name[0] != '.';
    closedir(dir);
    return n;
}

/* A joined thread may be seen for a moment longer: the kernel wakes the joiner first. */
static inline void test_threads_are(int n) {
    for (int i = 0; i < 5000 && test_threads() != n; i++) usleep(1000);
    CHECK(test_threads() == n);
}

#endif
