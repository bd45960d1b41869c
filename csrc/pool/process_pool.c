/* SPDX-License-Identifier: MIT */
#include "pool/process_pool.h"

#include "base/alloc.h"
#include "base/cpu.h"
#include "base/thread.h"
#include "core/fork.h"
#include "pool/process_inside.h"

struct fut_process_pool *fut_process_pool_of(struct fut_executor *ex) {
    return (struct fut_process_pool *)ex;
}

void fut_process_wake_collector(struct fut_process_pool *p) {
    if (p->shared.memory) fut_bell_ring(fut_process_doorbell(&p->shared));
    p->dormant = false;
}

static enum fut_err pool_submit(struct fut_executor *ex, struct fut_task **tasks, size_t n) {
    struct fut_process_pool *p = fut_process_pool_of(ex);
    fut_time now = fut_now();
    fut_lock(&p->lock);
    enum fut_err err = p->broken ? FUT_EBROKEN : p->closed ? FUT_ECLOSED : FUT_OK;
    if (err == FUT_OK && !fut_process_has_room(p, n)) err = FUT_EFULL;
    bool makes_way = false;
    for (size_t i = 0; i < n && err == FUT_OK; i++) {
        fut_task_hold(tasks[i]);
        tasks[i]->future.done_at = now;
        fut_queue_push(&p->queue, tasks[i]);
        makes_way = makes_way || (tasks[i]->options && tasks[i]->options->priority > 0);
    }
    if (err == FUT_OK) {
        p->counts.submitted += n;
        if (makes_way) fut_process_make_way(p);
        fut_process_dispatch(p);
    }
    if (p->dormant)
        fut_process_wake_collector(p); /* else it is told by a worker, or looks by itself */
    fut_unlock(&p->lock);
    return err;
}

static enum fut_err pool_room(struct fut_executor *ex, bool patient, struct fut_future **out) {
    struct fut_process_pool *p = fut_process_pool_of(ex);
    enum fut_err err = FUT_OK;
    *out = NULL;
    fut_lock(&p->lock);
    if (!p->closed && !fut_process_has_room(p, 1)) {
        bool refuses = p->bound.refuses && !patient && !fut_process_starts_soon(p);
        err = refuses ? FUT_EFULL : fut_bound_wait(&p->bound, out);
        if (err == FUT_OK) fut_process_tell_room(p);
    }
    fut_unlock(&p->lock);
    return err;
}

/* Where a task is that was given to a worker. False when it is not at one any more. */
static bool find(struct fut_process_pool *p, struct fut_task *t,
                 struct fut_process_link **link) {
    if (t->queued || t->pause || t->worker >= (uint32_t)p->nlinks) return false;
    *link = &p->links[t->worker];
    bool in_window = t->place >= (*link)->first && t->place < (*link)->next;
    return in_window && *fut_link_task(*link, t->place) == t;
}

/* A task in the queue is taken off it; one that waits at a worker is taken back, if the worker
 * has not started it. */
static bool pool_cancel(struct fut_executor *ex, struct fut_task *t) {
    struct fut_process_pool *p = fut_process_pool_of(ex);
    struct fut_process_link *link;
    struct fut_outcome last = {0};
    fut_lock(&p->lock);
    bool cancelled = t->queued || t->pause;
    if (t->queued)
        fut_queue_remove(&p->queue, t);
    else if (t->pause)
        fut_reruns_remove(&p->reruns, t, &last);
    else
        cancelled = find(p, t, &link) && fut_process_take_back(p, link, t->place);
    if (cancelled) {
        fut_future_cancel(&t->future);
        p->counts.cancelled++;
        fut_process_dispatch(p);
    }
    fut_unlock(&p->lock);
    fut_outcome_deinit(&last);
    if (cancelled) fut_task_drop(t);
    return cancelled;
}

static bool pool_interrupt(struct fut_executor *ex, struct fut_task *t) {
    struct fut_process_pool *p = fut_process_pool_of(ex);
    struct fut_process_link *link;
    fut_lock(&p->lock);
    bool waits = t->queued || t->pause; /* it has just come back, to run again */
    bool asked = find(p, t, &link) && fut_process_interrupt(p, link, t);
    if (asked) {
        fut_process_dispatch(p);
        fut_process_wake_collector(p); /* it has something to watch */
    }
    fut_unlock(&p->lock);
    return asked || (waits && fut_task_cancel(t));
}

static void pool_look(struct fut_executor *ex, struct fut_task *t) {
    struct fut_process_pool *p = fut_process_pool_of(ex);
    struct fut_process_link *link;
    fut_lock(&p->lock);
    if (find(p, t, &link) && fut_claim_started(link->slot, t->place)) fut_process_started(t);
    fut_unlock(&p->lock);
}

static void cancel_one(struct fut_process_pool *p, struct fut_task *t) {
    if (fut_future_cancel(&t->future)) p->counts.cancelled++;
    fut_task_drop(t);
}

/* Under the lock: cancels all that has not started, in the order of submission per worker. */
static void cancel_pending(struct fut_process_pool *p) {
    for (int i = 0; i < p->nlinks; i++) {
        struct fut_process_link *link = &p->links[i];
        for (uint64_t seq = link->first; seq < link->next; seq++) {
            struct fut_task *t = fut_process_take_back(p, link, seq);
            if (t) cancel_one(p, t);
        }
    }
    for (struct fut_task *t; (t = fut_queue_pop(&p->queue));) cancel_one(p, t);
    struct fut_outcome last = {0};
    for (struct fut_task *t; (t = fut_reruns_pop(&p->reruns, &last));) {
        fut_outcome_deinit(&last);
        cancel_one(p, t);
    }
}

static void pool_close(struct fut_executor *ex, bool cancel) {
    struct fut_process_pool *p = fut_process_pool_of(ex);
    fut_lock(&p->lock);
    p->closed = true;
    fut_bound_end(&p->bound);
    if (cancel) cancel_pending(p);
    fut_process_dispatch(p);
    fut_process_wake_collector(p); /* it is the last one out */
    fut_unlock(&p->lock);
}

static void pool_kill(struct fut_executor *ex, int signal) {
    struct fut_process_pool *p = fut_process_pool_of(ex);
    fut_lock(&p->lock);
    p->closed = p->killed = true;
    fut_bound_end(&p->bound);
    cancel_pending(p);
    for (int i = 0; i < p->nlinks; i++)
        if (p->links[i].state != FUT_LINK_FREE) p->links[i].signal = signal;
    fut_process_dispatch(p);
    fut_process_wake_collector(p);
    fut_unlock(&p->lock);
}

static struct fut_future *pool_stopped(struct fut_executor *ex) {
    return fut_process_pool_of(ex)->stopped;
}

static void pool_join(struct fut_executor *ex) {
    struct fut_process_pool *p = fut_process_pool_of(ex);
    pthread_mutex_lock(&p->joining); /* a second caller waits for what the first one joins */
    if (!p->joined) pthread_join(p->collector, NULL);
    p->joined = true;
    pthread_mutex_unlock(&p->joining);
}

static void pool_stats(struct fut_executor *ex, struct fut_executor_stats *out) {
    struct fut_process_pool *p = fut_process_pool_of(ex);
    fut_lock(&p->lock);
    *out = p->counts;
    out->workers = (size_t)p->nworkers;
    out->running = fut_process_running(p);
    out->idle = out->workers - out->running;
    out->pending = p->queue.length + p->window - out->running + p->reruns.length;
    out->retried = p->reruns.count;
    out->wait = fut_histogram_read(&p->wait);
    out->run = fut_histogram_read(&p->run);
    fut_unlock(&p->lock);
}

static char *pool_broken(struct fut_executor *ex) {
    struct fut_process_pool *p = fut_process_pool_of(ex);
    fut_lock(&p->lock);
    char *why = p->why_broken ? fut_strdup(p->why_broken) : NULL;
    fut_unlock(&p->lock);
    return why;
}

static const struct fut_executor_ops process_pool_ops = {
    .submit = pool_submit,
    .room = pool_room,
    .cancel = pool_cancel,
    .interrupt = pool_interrupt,
    .question = fut_process_question,
    .answer = fut_process_answer,
    .look = pool_look,
    .close = pool_close,
    .stopped = pool_stopped,
    .join = pool_join,
    .stats = pool_stats,
    .broken = pool_broken,
    .kill = pool_kill,
};

static void pool_free(struct fut_object *o) {
    struct fut_process_pool *p = (struct fut_process_pool *)o;
    if (p->links) {
        for (int i = 0; i < p->nlinks; i++) fut_link_deinit(&p->links[i]);
        if (!p->joined && p->stopped && fut_future_done(p->stopped))
            pthread_detach(p->collector);
    }
    if (p->options.config) p->options.worker->config_free(p->options.config);
    if (p->stopped) fut_future_drop(p->stopped);
    fut_process_shared_close(&p->shared);
    fut_free(p->links);
    fut_free((char *)p->options.name);
    fut_free(p->why_broken);
    fut_lock_deinit(&p->lock);
    pthread_mutex_destroy(&p->joining);
    fut_free(p);
}

const struct fut_object_type fut_process_pool_type = {.name = "executor", .free = pool_free};

static enum fut_err start(struct fut_process_pool *p) {
    p->child =
        (struct fut_process_child){p->options.worker, p->options.config, p->options.name};
    enum fut_err err =
        fut_zygote_start(&p->zygote, &p->shared, fut_process_child_main, &p->child);
    if (err != FUT_OK) return err;
    fut_executor_hold(&p->executor); /* the collector's */
    err = fut_thread_start(&p->collector, fut_process_collector, p);
    if (err == FUT_OK) return FUT_OK;
    fut_executor_drop(&p->executor);
    fut_zygote_stop(&p->zygote);
    return err;
}

enum fut_err fut_process_pool_new(const struct fut_process_pool_options *options,
                                  struct fut_executor **out) {
    struct fut_process_pool *p = fut_zalloc(sizeof *p);
    if (!p) {
        if (options->config) options->worker->config_free(options->config);
        return FUT_ENOMEM;
    }
    fut_object_init(&p->executor.object, &fut_process_pool_type);
    p->executor.ops = &process_pool_ops;
    p->executor.process = true;
    p->executor.forks = fut_process_forks();
    fut_lock_init(&p->lock);
    pthread_mutex_init(&p->joining, NULL);
    fut_cpu_count_cached(); /* reads files at the first call: not later, under the lock */
    fut_fork_watch();
    p->options = *options;
    p->bound = (struct fut_bound){.max = options->max_pending, .refuses = options->refuses};
    p->options.name = fut_strdup(options->name);
    p->stopped = fut_future_new();
    p->links = fut_zalloc((size_t)options->max_workers * sizeof *p->links);
    bool has_all = p->options.name && p->stopped && p->links;
    enum fut_err err =
        has_all ? fut_process_shared_open(&p->shared, options->max_workers) : FUT_ENOMEM;
    if (err == FUT_OK) err = start(p);
    if (err == FUT_OK)
        *out = &p->executor;
    else
        fut_executor_drop(&p->executor);
    return err;
}
