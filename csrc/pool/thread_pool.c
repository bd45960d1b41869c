/* SPDX-License-Identifier: MIT */
#include "pool/thread_pool.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cpu.h"
#include "base/lock.h"
#include "base/park.h"
#include "base/spin.h"
#include "base/thread.h"
#include "core/queue.h"

struct thread_worker {
    struct thread_pool *pool;
    struct thread_worker *next;      /* in pool->workers */
    struct thread_worker *next_idle; /* in pool->idle */
    struct fut_worker *inside;
    struct fut_parker parker;
    pthread_t thread;
    int id;
    /* How this worker's tasks ended. Only its thread writes them, stats reads them. */
    atomic_uint_fast64_t completed, failed;
    char name[];
};

struct thread_pool {
    struct fut_executor executor; /* first: a pool is an executor */
    pthread_mutex_t joining; /* held while threads are joined; not a lock: that takes a while */
    struct fut_lock lock;    /* guards all that follows, but for the atomics' readers */
    struct fut_queue queue;
    atomic_int submitter_cpu;      /* where the last submit ran */
    atomic_size_t pending;         /* queue.length for those who spin without the lock */
    struct thread_worker *workers; /* all that were started and not joined */
    struct thread_worker *idle;    /* asleep, the latest first: its caches are warm */
    int nworkers;                  /* that run */
    int started;                   /* ever: names and ids */
    int coming;                    /* woken or spinning: about to look at the queue */
    atomic_int available;          /* workers that run no task */
    bool closed;
    bool broken;
    char *why_broken; /* NULL also when memory was too short for it */
    uint64_t submitted, cancelled;
    uint64_t completed, failed; /* of workers that have ended, and of a broken pool's queue */
    struct fut_spin spin;
    struct fut_future *stopped;
    struct fut_thread_pool_options options;
};

static struct thread_pool *pool_of(struct fut_executor *ex) {
    return (struct thread_pool *)ex;
}

static void set_pending(struct thread_pool *p) {
    atomic_store_explicit(&p->pending, p->queue.length, memory_order_relaxed);
}

/* Under the lock: the sleeper to be woken, when there is work and nobody on the way to it. The
 * caller unparks it after the lock: it lives until join, which comes after its thread has
 * ended. */
static struct thread_worker *next_to_wake(struct thread_pool *p) {
    struct thread_worker *w = p->idle;
    if (!w || p->coming > 0 || !p->queue.first) return NULL;
    p->idle = w->next_idle;
    p->coming++;
    return w;
}

static void wake(struct thread_worker *w) {
    if (w) fut_unpark(&w->parker);
}

/* A worker that spins on the processor of the one who submits keeps it from submitting. */
static bool is_in_the_way(struct thread_pool *p) {
    return fut_cpu_current() == atomic_load_explicit(&p->submitter_cpu, memory_order_relaxed);
}

/* Looks at the queue without the lock for a little while: is there work? */
static bool spin_for_work(struct thread_pool *p, fut_time until) {
    do {
        for (int i = 0; i < 32; i++) {
            if (atomic_load_explicit(&p->pending, memory_order_relaxed) > 0) return true;
            fut_pause();
        }
    } while (fut_now() < until && !is_in_the_way(p));
    return false;
}

/* Waits for work. Called and returns under the lock, as one that is no longer `coming`. */
static void wait_for_work(struct thread_pool *p, struct thread_worker *w, bool may_spin) {
    if (may_spin && p->coming == 0 && !is_in_the_way(p)) {
        p->coming++; /* so one worker spins at a time, and a submit need not wake another */
        fut_time until = fut_spin_until(&p->spin);
        fut_unlock(&p->lock);
        bool found = spin_for_work(p, until);
        fut_lock(&p->lock);
        fut_spin_learn(&p->spin, found);
        p->coming--;
        return;
    }
    w->next_idle = p->idle;
    p->idle = w;
    fut_unlock(&p->lock);
    fut_time asleep = fut_now();
    while (!fut_park(&w->parker, FUT_NEVER)) continue;
    bool was_short = fut_now() - asleep < FUT_SPIN_SHORT;
    fut_lock(&p->lock);
    if (was_short) fut_spin_learn(&p->spin, true);
    p->coming--; /* whoever woke this worker counted it and took it off the list */
}

/* The next task, with the executor's count, or NULL when the pool has no more. */
static struct fut_task *take(struct thread_pool *p, struct thread_worker *w) {
    bool may_spin = true;
    fut_lock(&p->lock);
    while (!p->queue.first && !p->closed) {
        wait_for_work(p, w, may_spin);
        may_spin = false;
    }
    struct fut_task *t = fut_queue_pop(&p->queue);
    set_pending(p);
    if (t) atomic_fetch_sub_explicit(&p->available, 1, memory_order_relaxed);
    struct thread_worker *other = next_to_wake(p);
    fut_unlock(&p->lock);
    wake(other);
    return t;
}

/* One writer: no read-modify-write needed. Release: a reader who sees a task among the ended
 * ones sees its worker available, so no task is counted twice. */
static void count(atomic_uint_fast64_t *counter) {
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + 1,
                          memory_order_release);
}

/* Is a call worth giving up before its task's future is? What is large, and what holds futures:
 * else each task of a chain would keep the one before. Not the code of a function, which is
 * shared. */
static bool holds_much(const struct fut_payload *call) {
    if (call->heap || call->nrefs > 1) return true;
    if (call->nrefs == 0) return false;
    const struct fut_object_type *type = fut_payload_refs(call)[0]->type;
    return type == &fut_task_type || type == &fut_future_type;
}

static void run(struct thread_pool *p, struct thread_worker *w, struct fut_task *t) {
    bool started = fut_future_start(&t->future);
    FUT_ASSERT(started); /* what was taken off the queue can no longer be cancelled */
    struct fut_outcome outcome = {0};
    p->options.worker->run(w->inside, &t->call, &outcome);
    if (holds_much(&t->call)) fut_payload_deinit(&t->call);
    atomic_fetch_add_explicit(&p->available, 1, memory_order_relaxed);
    count(fut_outcome_is_error(&outcome) ? &w->failed : &w->completed);
    bool settled = fut_future_settle(&t->future, &outcome);
    FUT_ASSERT(settled); /* only the worker that started a task settles it */
    fut_task_drop(t);
}

/* Under the lock: empties the queue. The caller has the tasks and their counts. */
static struct fut_task *take_all(struct thread_pool *p) {
    struct fut_task *first = p->queue.first;
    for (struct fut_task *t = first; t; t = t->next) t->queued = false;
    p->queue = (struct fut_queue){0};
    set_pending(p);
    return first;
}

/* Under the lock: empties the queue into cancelled futures; the caller drops them after it. */
static struct fut_task *cancel_all(struct thread_pool *p) {
    p->cancelled += p->queue.length;
    struct fut_task *first = take_all(p);
    for (struct fut_task *t = first; t; t = t->next) fut_future_cancel(&t->future);
    return first;
}

static void drop_all(struct fut_task *t) {
    for (struct fut_task *next; t; t = next) {
        next = t->next;
        fut_task_drop(t);
    }
}

/* The reason is that of the first who broke the pool; it stays until the pool is freed. */
static void fail_all(struct thread_pool *p, struct fut_task *t, enum fut_err err) {
    for (struct fut_task *next; t; t = next) {
        next = t->next;
        struct fut_outcome outcome = {0};
        fut_outcome_fail(&outcome, err, p->why_broken);
        fut_future_settle(&t->future, &outcome);
        fut_task_drop(t);
    }
}

/* Under the lock: closes; gives the list of sleepers, whom the caller wakes after it. */
static struct thread_worker *close_locked(struct thread_pool *p) {
    p->closed = true;
    struct thread_worker *sleepers = p->idle;
    p->idle = NULL;
    for (struct thread_worker *w = sleepers; w; w = w->next_idle) p->coming++;
    return sleepers;
}

static void wake_list(struct thread_worker *w) {
    while (w) {
        struct thread_worker *next = w->next_idle; /* read before it runs and changes it */
        wake(w);
        w = next;
    }
}

static void break_pool(struct thread_pool *p, enum fut_err err, char *why) {
    if (!why) why = fut_strdup(fut_err_text(err));
    fut_lock(&p->lock);
    bool first = !p->broken;
    if (first) p->why_broken = why;
    p->broken = true;
    p->failed += p->queue.length; /* before a reader of a future can ask for the counts */
    struct fut_task *taken = take_all(p);
    struct thread_worker *sleepers = close_locked(p);
    fut_unlock(&p->lock);
    wake_list(sleepers);
    fail_all(p, taken, FUT_EBROKEN);
    if (!first) fut_free(why);
}

static void *thread_main(void *arg) {
    struct thread_worker *w = arg;
    struct thread_pool *p = w->pool;
    const struct fut_worker_type *type = p->options.worker;
    struct fut_worker_info info = {"thread", w->id, w->name};
    char *why = NULL;
    fut_thread_set_name(w->name);
    fut_executor_set_current(&p->executor);
    enum fut_err err = type->open(p->options.config, &info, &w->inside, &why);
    if (err == FUT_OK) {
        for (struct fut_task *t; (t = take(p, w));) run(p, w, t);
        type->close(w->inside);
    } else {
        break_pool(p, err, why);
    }
    fut_lock(&p->lock);
    atomic_fetch_sub_explicit(&p->available, 1, memory_order_relaxed);
    /* w is gone after join, its counts are not */
    p->completed += atomic_exchange(&w->completed, 0);
    p->failed += atomic_exchange(&w->failed, 0);
    bool last = --p->nworkers == 0;
    fut_unlock(&p->lock);
    if (last) { /* and closed: a worker leaves only then */
        struct fut_outcome none = {.kind = FUT_OUTCOME_VALUES};
        fut_future_settle(p->stopped, &none);
    }
    fut_executor_drop(&p->executor);
    return NULL;
}

/* Under the lock: makes a worker and counts it; NULL when none is needed or memory is short. */
static struct thread_worker *reserve_worker(struct thread_pool *p) {
    if (p->nworkers >= p->options.max_workers) return NULL;
    int available = atomic_load_explicit(&p->available, memory_order_relaxed);
    if (available >= 0 && p->queue.length <= (size_t)available) return NULL;
    enum { NUMBER = 16 }; /* "_", up to ten digits, the end */
    size_t name_size = strlen(p->options.name_prefix) + NUMBER;
    struct thread_worker *w = fut_zalloc(sizeof *w + name_size);
    if (!w) return NULL;
    w->pool = p;
    fut_parker_init(&w->parker);
    w->id = ++p->started;
    snprintf(w->name, name_size, "%s_%d", p->options.name_prefix, w->id - 1);
    p->nworkers++;
    atomic_fetch_add_explicit(&p->available, 1, memory_order_relaxed);
    return w;
}

/* Under the lock. The thread that is being started waits for it, so it sees itself in the
 * list. */
static enum fut_err start_worker(struct thread_pool *p, struct thread_worker *w) {
    fut_executor_hold(&p->executor); /* the thread's */
    enum fut_err err = fut_thread_start(&w->thread, thread_main, w);
    if (err == FUT_OK) {
        w->next = p->workers;
        p->workers = w;
        return FUT_OK;
    }
    fut_executor_drop(&p->executor);
    p->started--; /* the next one gets its number */
    p->nworkers--;
    atomic_fetch_sub_explicit(&p->available, 1, memory_order_relaxed);
    fut_free(w);
    return err;
}

static enum fut_err start_workers(struct thread_pool *p) {
    for (struct thread_worker *w; (w = reserve_worker(p));) {
        enum fut_err err = start_worker(p, w);
        if (err != FUT_OK) return p->nworkers > 0 ? FUT_OK : err; /* fewer will do */
    }
    return p->nworkers > 0 || !p->queue.first ? FUT_OK : FUT_ENOMEM;
}

/* ---- the executor's operations ---- */

static enum fut_err pool_submit(struct fut_executor *ex, struct fut_task **tasks, size_t n) {
    struct thread_pool *p = pool_of(ex);
    fut_lock(&p->lock);
    atomic_store_explicit(&p->submitter_cpu, fut_cpu_current(), memory_order_relaxed);
    enum fut_err err = p->broken ? FUT_EBROKEN : p->closed ? FUT_ECLOSED : FUT_OK;
    if (err == FUT_OK) {
        for (size_t i = 0; i < n; i++) fut_queue_push(&p->queue, tasks[i]);
        err = start_workers(p);
        if (err == FUT_OK) {
            for (size_t i = 0; i < n; i++) fut_task_hold(tasks[i]);
            p->submitted += n;
        } else { /* nobody can have taken one: there is no worker */
            for (size_t i = 0; i < n; i++) fut_queue_remove(&p->queue, tasks[i]);
        }
    }
    set_pending(p);
    struct thread_worker *sleeper = next_to_wake(p);
    fut_unlock(&p->lock);
    wake(sleeper);
    return err;
}

/* Whoever takes a task off the queue, under the lock, decides about it: so it runs or is
 * cancelled, never both. */
static bool pool_cancel(struct fut_executor *ex, struct fut_task *t) {
    struct thread_pool *p = pool_of(ex);
    fut_lock(&p->lock);
    bool cancelled = t->queued;
    if (cancelled) {
        fut_queue_remove(&p->queue, t);
        set_pending(p);
        fut_future_cancel(&t->future);
        p->cancelled++;
    }
    fut_unlock(&p->lock);
    if (cancelled) fut_task_drop(t);
    return cancelled;
}

static void pool_close(struct fut_executor *ex, bool cancel) {
    struct thread_pool *p = pool_of(ex);
    fut_lock(&p->lock);
    struct fut_task *cancelled = cancel ? cancel_all(p) : NULL;
    struct thread_worker *sleepers = close_locked(p);
    bool stopped = p->nworkers == 0;
    fut_unlock(&p->lock);
    wake_list(sleepers);
    drop_all(cancelled);
    if (stopped) {
        struct fut_outcome none = {.kind = FUT_OUTCOME_VALUES};
        fut_future_settle(p->stopped, &none); /* a second time it changes nothing */
    }
}

static struct fut_future *pool_stopped(struct fut_executor *ex) {
    return pool_of(ex)->stopped;
}

static void pool_join(struct fut_executor *ex) {
    struct thread_pool *p = pool_of(ex);
    pthread_mutex_lock(&p->joining); /* a second caller waits for what the first one joins */
    fut_lock(&p->lock);
    struct thread_worker *all = p->workers;
    p->workers = NULL;
    fut_unlock(&p->lock);
    while (all) {
        struct thread_worker *w = all;
        all = w->next;
        pthread_join(w->thread, NULL);
        fut_free(w);
    }
    pthread_mutex_unlock(&p->joining);
}

static void pool_stats(struct fut_executor *ex, struct fut_executor_stats *out) {
    struct thread_pool *p = pool_of(ex);
    fut_lock(&p->lock);
    *out = (struct fut_executor_stats){
        .workers = (size_t)p->nworkers,
        .pending = p->queue.length,
        .submitted = p->submitted,
        .completed = p->completed,
        .failed = p->failed,
        .cancelled = p->cancelled,
    };
    /* Before `available` is read: see count. */
    for (struct thread_worker *w = p->workers; w; w = w->next) {
        out->completed += atomic_load_explicit(&w->completed, memory_order_acquire);
        out->failed += atomic_load_explicit(&w->failed, memory_order_acquire);
    }
    int available = atomic_load_explicit(&p->available, memory_order_relaxed);
    out->idle = (size_t)available;
    out->running = (size_t)(p->nworkers - available);
    fut_unlock(&p->lock);
}

static char *pool_broken(struct fut_executor *ex) {
    struct thread_pool *p = pool_of(ex);
    fut_lock(&p->lock);
    const char *why = p->why_broken; /* set once */
    fut_unlock(&p->lock);
    return why ? fut_strdup(why) : NULL;
}

static const struct fut_executor_ops thread_pool_ops = {
    .submit = pool_submit,
    .cancel = pool_cancel,
    .close = pool_close,
    .stopped = pool_stopped,
    .join = pool_join,
    .stats = pool_stats,
    .broken = pool_broken,
};

static void pool_free(struct fut_object *o) {
    struct thread_pool *p = (struct thread_pool *)o;
    FUT_ASSERT(p->nworkers == 0 && p->queue.length == 0); /* tasks and threads hold the pool */
    for (struct thread_worker *w = p->workers; w;) {      /* ended, but nobody joined them */
        struct thread_worker *next = w->next;
        pthread_detach(w->thread);
        fut_free(w);
        w = next;
    }
    if (p->options.config) p->options.worker->config_free(p->options.config);
    if (p->stopped) fut_future_drop(p->stopped);
    fut_free((char *)p->options.name_prefix);
    fut_free(p->why_broken);
    fut_lock_deinit(&p->lock);
    pthread_mutex_destroy(&p->joining);
    fut_free(p);
}

const struct fut_object_type fut_thread_pool_type = {"executor", pool_free};

enum fut_err fut_thread_pool_new(const struct fut_thread_pool_options *options,
                                 struct fut_executor **out) {
    struct thread_pool *p = fut_zalloc(sizeof *p);
    if (!p) {
        if (options->config) options->worker->config_free(options->config);
        return FUT_ENOMEM;
    }
    fut_object_init(&p->executor.object, &fut_thread_pool_type);
    p->executor.ops = &thread_pool_ops;
    p->executor.forks = fut_process_forks();
    fut_lock_init(&p->lock);
    pthread_mutex_init(&p->joining, NULL);
    fut_cpu_count_cached(); /* reads files at the first call: not later, under the lock */
    p->options = *options;
    p->options.name_prefix = fut_strdup(options->name_prefix);
    p->stopped = fut_future_new();
    if (!p->options.name_prefix || !p->stopped) {
        fut_executor_drop(&p->executor);
        return FUT_ENOMEM;
    }
    *out = &p->executor;
    return FUT_OK;
}
