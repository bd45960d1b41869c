/* SPDX-License-Identifier: MIT */
#include "pool/thread_pool.h"

#include <string.h>

#include "base/alloc.h"
#include "base/cpu.h"
#include "pool/thread_inside.h"

/* Under the lock: empties the queue into cancelled futures; the caller drops them after it. */
static struct fut_task *cancel_all(struct fut_thread_pool *p) {
    p->cancelled += p->queue.length + p->reruns.length;
    struct fut_task *first = fut_queue_take_all(&p->queue);
    struct fut_outcome last = {0};
    for (struct fut_task *t; (t = fut_reruns_pop(&p->reruns, &last)); first = t) {
        fut_outcome_deinit(&last);
        t->next = first;
    }
    for (struct fut_task *t = first; t; t = t->next) fut_future_cancel(&t->future);
    return first;
}

static void drop_all(struct fut_task *t) {
    for (struct fut_task *next; t; t = next) {
        next = t->next;
        fut_task_drop(t);
    }
}

/* ---- the executor's operations ---- */

static bool needs_timer(struct fut_task **tasks, size_t n) {
    for (size_t i = 0; i < n; i++) {
        const struct fut_task_options *o = tasks[i]->options;
        if (o && (o->timeout || o->rerun.backoff.first_s > 0)) return true;
    }
    return false;
}

static enum fut_err pool_submit(struct fut_executor *ex, struct fut_task **tasks, size_t n) {
    struct fut_thread_pool *p = fut_thread_pool_of(ex);
    if (needs_timer(tasks, n) && fut_thread_prepare_timers(p) != FUT_OK) return FUT_ETHREAD;
    fut_time now = fut_now();
    int cpu = fut_cpu_current(); /* written when it has changed: it is looked at by who spins */
    if (atomic_load_explicit(&p->submitter_cpu, memory_order_relaxed) != cpu)
        atomic_store_explicit(&p->submitter_cpu, cpu, memory_order_relaxed);
    for (size_t i = 0; i < n; i++) {
        tasks[i]->future.done_at = now;
        fut_task_hold(tasks[i]);
    }
    if (fut_inbox_put(&p->inbox, tasks, n)) return FUT_OK;
    fut_thread_lock(p);
    enum fut_err err = p->broken ? FUT_EBROKEN : p->closed ? FUT_ECLOSED : FUT_OK;
    if (err == FUT_OK && !fut_bound_has_room(&p->bound, p->queue.length, n)) err = FUT_EFULL;
    if (err == FUT_OK) {
        for (size_t i = 0; i < n; i++) fut_queue_push(&p->queue, tasks[i]);
        p->submitted += n;
        err = fut_thread_start_workers(p);
        if (err != FUT_OK) { /* nobody can have taken one: there is no worker */
            for (size_t i = 0; i < n; i++) fut_queue_remove(&p->queue, tasks[i]);
            p->submitted -= n;
        }
    }
    fut_thread_unlock(p);
    for (size_t i = 0; i < n && err != FUT_OK; i++)
        fut_task_drop(tasks[i]); /* the caller has a count, too */
    return err;
}

/* Under the lock: are workers on their way to the queue? Then it is not full for long. */
static bool is_about_to_take(struct fut_thread_pool *p) {
    return atomic_load_explicit(&p->available, memory_order_relaxed) > 0;
}

static enum fut_err pool_room(struct fut_executor *ex, bool patient, struct fut_future **out) {
    struct fut_thread_pool *p = fut_thread_pool_of(ex);
    enum fut_err err = FUT_OK;
    *out = NULL;
    fut_thread_lock(p);
    bool worth_a_try = p->closed || fut_bound_has_room(&p->bound, p->queue.length, 1);
    bool refuses = p->bound.refuses && !patient && !is_about_to_take(p);
    if (!worth_a_try) err = refuses ? FUT_EFULL : fut_bound_wait(&p->bound, out);
    fut_thread_unlock(p);
    return err;
}

/* Whoever takes a task off the queue, under the lock, decides about it: so it runs or is
 * cancelled, never both. */
static bool pool_cancel(struct fut_executor *ex, struct fut_task *t) {
    struct fut_thread_pool *p = fut_thread_pool_of(ex);
    struct fut_outcome last = {0};
    fut_thread_lock(p);
    bool rests = t->pause != FUT_PAUSE_NONE, cancelled = rests || t->queued;
    if (t->queued) {
        fut_queue_remove(&p->queue, t);
    } else if (rests) {
        fut_reruns_remove(&p->reruns, t, &last);
    }
    if (cancelled) {
        fut_future_cancel(&t->future);
        p->cancelled++;
    }
    if (rests)
        fut_thread_go_on(p);
    else
        fut_thread_unlock(p);
    fut_outcome_deinit(&last);
    if (cancelled) fut_task_drop(t);
    return cancelled;
}

void fut_thread_check_stopped(struct fut_thread_pool *p) {
    fut_thread_lock(p);
    bool stopped = fut_thread_is_over(p) && p->nworkers == 0;
    fut_thread_unlock(p);
    if (!stopped) return;
    struct fut_outcome none = {.kind = FUT_OUTCOME_VALUES};
    fut_future_settle(p->stopped, &none); /* a second time it changes nothing */
}

static void pool_close(struct fut_executor *ex, bool cancel) {
    struct fut_thread_pool *p = fut_thread_pool_of(ex);
    fut_thread_lock(p);
    fut_thread_close(p);
    struct fut_task *cancelled = cancel ? cancel_all(p) : NULL;
    fut_thread_unlock(p);
    drop_all(cancelled);
    fut_thread_check_stopped(p);
}

static struct fut_future *pool_stopped(struct fut_executor *ex) {
    return fut_thread_pool_of(ex)->stopped;
}

static void pool_join(struct fut_executor *ex) {
    struct fut_thread_pool *p = fut_thread_pool_of(ex);
    pthread_mutex_lock(&p->joining); /* a second caller waits for what the first one joins */
    fut_thread_lock(p);
    struct fut_thread_worker *all = p->workers, *left = p->left;
    p->workers = p->left = NULL;
    for (struct fut_thread_worker **at = &all, *w; (w = *at);) {
        if (w->stuck) { /* nobody can wait for it; it leaves when it can */
            *at = w->next;
            w->next = p->workers;
            p->workers = w;
        } else {
            at = &w->next;
        }
    }
    fut_thread_unlock(p);
    if (left) {
        left->next = all;
        all = left;
    }
    while (all) {
        struct fut_thread_worker *w = all;
        all = w->next;
        pthread_join(w->thread, NULL);
        fut_free(w);
    }
    fut_thread_drop_timers(p);
    pthread_mutex_unlock(&p->joining);
}

/* What a worker that has ended counted is the pool's. */
static void pool_stats(struct fut_executor *ex, struct fut_executor_stats *out) {
    struct fut_thread_pool *p = fut_thread_pool_of(ex);
    struct fut_histogram wait = {0}, run = {0};
    fut_thread_lock(p);
    *out = (struct fut_executor_stats){
        .workers = (size_t)p->nworkers,
        .pending = p->queue.length + p->reruns.length,
        .submitted = p->submitted,
        .completed = p->completed,
        .failed = p->failed,
        .cancelled = p->cancelled,
        .retried = p->reruns.count,
    };
    fut_histogram_merge(&wait, &p->wait);
    fut_histogram_merge(&run, &p->run);
    /* Before `available` is read: see count. */
    for (struct fut_thread_worker *w = p->workers; w; w = w->next) {
        out->completed += atomic_load_explicit(&w->completed, memory_order_acquire);
        out->failed += atomic_load_explicit(&w->failed, memory_order_acquire);
        fut_histogram_merge(&wait, &w->wait);
        fut_histogram_merge(&run, &w->run);
    }
    int available = atomic_load_explicit(&p->available, memory_order_relaxed);
    int idle = available + p->nresting + p->nleaving;
    out->idle = (size_t)idle;
    int running = p->nworkers - idle + p->stacked;
    out->running = (size_t)running;
    fut_thread_unlock(p);
    out->wait = fut_histogram_read(&wait);
    out->run = fut_histogram_read(&run);
}

static char *pool_broken(struct fut_executor *ex) {
    struct fut_thread_pool *p = fut_thread_pool_of(ex);
    fut_thread_lock(p);
    const char *why = p->why_broken; /* set once */
    fut_thread_unlock(p);
    return why ? fut_strdup(why) : NULL;
}

static const struct fut_executor_ops thread_pool_ops = {
    .submit = pool_submit,
    .room = pool_room,
    .cancel = pool_cancel,
    .close = pool_close,
    .stopped = pool_stopped,
    .join = pool_join,
    .interrupt = fut_thread_interrupt,
    .question = fut_thread_question,
    .answer = fut_thread_answer,
    .stats = pool_stats,
    .broken = pool_broken,
    .wait_begin = fut_thread_wait_begin,
    .wait_end = fut_thread_wait_end,
};

static void pool_free(struct fut_object *o) {
    struct fut_thread_pool *p = (struct fut_thread_pool *)o;
    FUT_ASSERT(p->nworkers == 0 &&
               p->queue.length + p->reruns.length == 0); /* tasks and threads hold the pool */
    if (p->left) {
        p->left->next = p->workers;
        p->workers = p->left;
    }
    for (struct fut_thread_worker *w = p->workers; w;) { /* ended, but nobody joined them */
        struct fut_thread_worker *next = w->next;
        pthread_detach(w->thread);
        fut_free(w);
        w = next;
    }
    fut_thread_drop_timers(p);
    if (p->options.config) p->options.worker->config_free(p->options.config);
    if (p->stopped) fut_future_drop(p->stopped);
    fut_free((char *)p->options.name_prefix);
    fut_free(p->why_broken);
    fut_lock_deinit(&p->lock);
    pthread_mutex_destroy(&p->joining);
    fut_free(p);
}

const struct fut_object_type fut_thread_pool_type = {.name = "executor", .free = pool_free};

enum fut_err fut_thread_pool_new(const struct fut_thread_pool_options *options,
                                 struct fut_executor **out) {
    struct fut_thread_pool *p = fut_alloc_aligned(FUT_CACHE_LINE, sizeof *p);
    if (!p) {
        if (options->config) options->worker->config_free(options->config);
        return FUT_ENOMEM;
    }
    memset(p, 0, sizeof *p);
    fut_object_init(&p->executor.object, &fut_thread_pool_type);
    p->executor.ops = &thread_pool_ops;
    p->executor.forks = fut_process_forks();
    fut_lock_init(&p->lock);
    fut_inbox_init(&p->inbox);
    pthread_mutex_init(&p->joining, NULL);
    fut_cpu_count_cached(); /* reads files at the first call: not later, under the lock */
    p->options = *options;
    p->bound = (struct fut_bound){.max = options->max_pending, .refuses = options->refuses};
    p->options.name_prefix = fut_strdup(options->name_prefix);
    p->stopped = fut_future_new();
    if (!p->options.name_prefix || !p->stopped) {
        fut_executor_drop(&p->executor);
        return FUT_ENOMEM;
    }
    *out = &p->executor;
    return FUT_OK;
}
