/* SPDX-License-Identifier: MIT */
#include "pool/process_pool.h"

#include "base/alloc.h"
#include "base/thread.h"
#include "pool/process_inside.h"

static struct fut_process_pool *pool_of(struct fut_executor *ex) {
    return (struct fut_process_pool *)ex;
}

static enum fut_err pool_submit(struct fut_executor *ex, struct fut_task **tasks, size_t n) {
    struct fut_process_pool *p = pool_of(ex);
    fut_lock(&p->lock);
    enum fut_err err = p->broken ? FUT_EBROKEN : p->closed ? FUT_ECLOSED : FUT_OK;
    bool makes_way = false;
    for (size_t i = 0; i < n && err == FUT_OK; i++) {
        fut_task_hold(tasks[i]);
        fut_queue_push(&p->queue, tasks[i]);
        makes_way = makes_way || (tasks[i]->options && tasks[i]->options->priority > 0);
    }
    if (err == FUT_OK) {
        p->counts.submitted += n;
        if (makes_way) fut_process_make_way(p);
        fut_process_dispatch(p);
    }
    fut_unlock(&p->lock);
    return err;
}

/* A task in the queue is taken off it; one that waits at a worker is withdrawn there, if the
 * worker has not claimed it. */
static bool pool_cancel(struct fut_executor *ex, struct fut_task *t) {
    struct fut_process_pool *p = pool_of(ex);
    fut_lock(&p->lock);
    bool queued = t->queued, cancelled = queued;
    if (queued) {
        fut_queue_remove(&p->queue, t);
    } else if (fut_future_state(&t->future) == FUT_PENDING && !t->withdrawn) {
        struct fut_process_link *link = &p->links[t->worker];
        bool there = t->place >= link->first && t->place < link->next &&
                     *fut_link_task(link, t->place) == t;
        cancelled = there && fut_claim_take(link->slot, t->place, FUT_CLAIM_WITHDRAWN);
        t->withdrawn = cancelled;
    }
    if (cancelled) {
        fut_future_cancel(&t->future);
        p->counts.cancelled++;
    }
    fut_unlock(&p->lock);
    if (queued) fut_task_drop(t);
    return cancelled;
}

/* Under the lock: cancels all that has not started. */
static void cancel_pending(struct fut_process_pool *p) {
    for (struct fut_task *t; (t = fut_queue_pop(&p->queue));) {
        if (fut_future_cancel(&t->future)) p->counts.cancelled++;
        fut_task_drop(t);
    }
    for (int i = 0; i < p->options.max_workers; i++) {
        struct fut_process_link *link = &p->links[i];
        for (uint64_t seq = link->first; seq < link->next; seq++) {
            struct fut_task *t = *fut_link_task(link, seq);
            if (!t || t->withdrawn || !fut_claim_take(link->slot, seq, FUT_CLAIM_WITHDRAWN))
                continue;
            t->withdrawn = true;
            fut_future_unstart(&t->future);
            if (fut_future_cancel(&t->future)) p->counts.cancelled++;
        }
        if (link->state != FUT_LINK_FREE) fut_process_skip_withdrawn(link);
    }
}

static void pool_close(struct fut_executor *ex, bool cancel) {
    struct fut_process_pool *p = pool_of(ex);
    fut_lock(&p->lock);
    p->closed = true;
    if (cancel) cancel_pending(p);
    fut_process_dispatch(p);
    fut_unlock(&p->lock);
    fut_bell_ring(&p->shared->doorbell);
}

static void pool_kill(struct fut_executor *ex, int signal) {
    struct fut_process_pool *p = pool_of(ex);
    fut_lock(&p->lock);
    p->closed = p->killed = true;
    cancel_pending(p);
    for (int i = 0; i < p->options.max_workers; i++)
        if (p->links[i].state != FUT_LINK_FREE) fut_zygote_signal(&p->zygote, i, signal);
    fut_unlock(&p->lock);
    fut_bell_ring(&p->shared->doorbell);
}

static struct fut_future *pool_stopped(struct fut_executor *ex) {
    return pool_of(ex)->stopped;
}

static void pool_join(struct fut_executor *ex) {
    struct fut_process_pool *p = pool_of(ex);
    pthread_mutex_lock(&p->joining); /* a second caller waits for what the first one joins */
    if (!p->joined) pthread_join(p->collector, NULL);
    p->joined = true;
    pthread_mutex_unlock(&p->joining);
}

static void pool_stats(struct fut_executor *ex, struct fut_executor_stats *out) {
    struct fut_process_pool *p = pool_of(ex);
    fut_lock(&p->lock);
    *out = p->counts;
    out->pending = p->queue.length;
    for (int i = 0; i < p->options.max_workers; i++) {
        struct fut_process_link *link = &p->links[i];
        if (link->state == FUT_LINK_FREE) continue;
        out->workers++;
        unsigned load = 0;
        for (uint64_t seq = link->first; seq < link->next; seq++) {
            const struct fut_task *t = *fut_link_task(link, seq);
            load += t && !t->withdrawn;
        }
        out->idle += load == 0;
        out->running += load > 0;
        out->pending += load > 0 ? load - 1 : 0;
    }
    fut_unlock(&p->lock);
}

static char *pool_broken(struct fut_executor *ex) {
    struct fut_process_pool *p = pool_of(ex);
    fut_lock(&p->lock);
    char *why = p->why_broken ? fut_strdup(p->why_broken) : NULL;
    fut_unlock(&p->lock);
    return why;
}

static const struct fut_executor_ops process_pool_ops = {
    .submit = pool_submit,
    .cancel = pool_cancel,
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
        for (int i = 0; i < p->options.max_workers; i++) fut_link_deinit(&p->links[i]);
        if (!p->joined && p->stopped && fut_future_done(p->stopped))
            pthread_detach(p->collector);
    }
    if (p->options.config) p->options.worker->config_free(p->options.config);
    if (p->stopped) fut_future_drop(p->stopped);
    fut_process_shared_free(p->shared);
    fut_free(p->links);
    fut_free((char *)p->options.name);
    fut_free(p->why_broken);
    fut_lock_deinit(&p->lock);
    pthread_mutex_destroy(&p->joining);
    fut_free(p);
}

const struct fut_object_type fut_process_pool_type = {"executor", pool_free};

static enum fut_err start(struct fut_process_pool *p) {
    p->child =
        (struct fut_process_child){p->options.worker, p->options.config, p->options.name};
    enum fut_err err =
        fut_zygote_start(&p->zygote, p->shared, fut_process_child_main, &p->child);
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
    p->options = *options;
    p->options.name = fut_strdup(options->name);
    p->stopped = fut_future_new();
    p->links = fut_zalloc((size_t)options->max_workers * sizeof *p->links);
    p->shared = fut_process_shared_new(options->max_workers);
    bool has_all = p->options.name && p->stopped && p->links && p->shared;
    for (int i = 0; has_all && i < options->max_workers; i++) {
        p->links[i].slot = fut_process_slot(p->shared, i);
        p->links[i].type = options->worker;
    }
    enum fut_err err = has_all ? start(p) : FUT_ENOMEM;
    if (err == FUT_OK)
        *out = &p->executor;
    else
        fut_executor_drop(&p->executor);
    return err;
}
