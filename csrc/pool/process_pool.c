/* SPDX-License-Identifier: MIT */
#include "pool/process_pool.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "base/alloc.h"
#include "base/lock.h"
#include "base/park.h"
#include "base/spin.h"
#include "base/thread.h"
#include "core/queue.h"
#include "pool/process_child.h"
#include "pool/process_link.h"
#include "pool/zygote.h"

enum {
    AHEAD = 8,          /* tasks that a busy worker is given, the running one included */
    AHEAD_BYTES = 4096, /* larger calls wait until a worker is free */
    START_FAILURES =
        3,        /* workers in a row that die before they are ready: the pool is broken */
    LOOK_MS = 20, /* the collector looks whether the zygote lives */
    SETTLED_AT_ONCE = 32, /* outcomes that are collected before the lock is let go */
};

struct settled {
    struct fut_task *task;
    struct fut_outcome outcome;
};

struct process_pool {
    struct fut_executor executor; /* first: a pool is an executor */
    struct fut_lock lock;         /* guards all that follows */
    struct fut_queue queue;
    struct fut_process_link *links; /* max_workers of them */
    int nworkers;                   /* links that are not free */
    int start_failures;
    bool closed, killed, stopping;
    char *why_broken;
    struct fut_executor_stats counts;
    struct fut_process_shared *shared;
    struct fut_zygote zygote;
    struct fut_process_child
        child; /* what the zygote's children are; read after the fork only */
    struct fut_process_pool_options options;
    struct fut_future *stopped;
    pthread_t collector;
    bool joined;
    struct fut_spin spin;
    struct settled done[SETTLED_AT_ONCE]; /* the collector's */
    int ndone;
};

static struct process_pool *pool_of(struct fut_executor *ex) {
    return (struct process_pool *)ex;
}

/* ---- giving tasks to workers, under the lock ---- */

static unsigned ahead(const struct process_pool *p, const struct fut_process_link *link) {
    unsigned left = p->options.max_tasks_per_child;
    if (left == 0 || left - link->given > AHEAD) return AHEAD;
    return fut_link_load(link) + left - link->given;
}

/* The worker that should get the next task: one that has none, else the least loaded one if the task
 * is small. */
static struct fut_process_link *choose(struct process_pool *p, const struct fut_task *t) {
    struct fut_process_link *best = NULL;
    for (int i = 0; i < p->options.max_workers; i++) {
        struct fut_process_link *link = &p->links[i];
        if (!fut_link_can_take(link) || fut_link_load(link) >= ahead(p, link)) continue;
        if (fut_link_load(link) > 0 && t->call.len > AHEAD_BYTES) continue;
        if (!best || fut_link_load(link) < fut_link_load(best)) best = link;
    }
    return best;
}

static size_t idle_workers(const struct process_pool *p) {
    size_t n = 0;
    for (int i = 0; i < p->options.max_workers; i++)
        n += fut_link_can_take(&p->links[i]) && fut_link_load(&p->links[i]) == 0;
    return n;
}

/* Starts workers while there are more tasks than idle workers. */
static void start_workers(struct process_pool *p) {
    size_t idle = idle_workers(p);
    for (int i = 0; i < p->options.max_workers && idle < p->queue.length; i++) {
        if (p->links[i].state != FUT_LINK_FREE) continue;
        fut_link_open(&p->links[i]);
        p->nworkers++;
        idle++;
        if (!fut_zygote_spawn(&p->zygote, i)) return; /* the collector sees that it is gone */
    }
}

/* The head of a worker's window runs now, or will in a moment. */
static void mark_running(struct fut_process_link *link) {
    if (fut_link_load(link) == 0) return;
    struct fut_task *t = *fut_link_task(link, link->first);
    if (!t->withdrawn) fut_future_start(&t->future);
}

static void say_bye_when_due(struct process_pool *p, struct fut_process_link *link) {
    bool used_up =
        p->options.max_tasks_per_child > 0 && link->given >= p->options.max_tasks_per_child;
    bool over = p->closed && !p->queue.first && fut_link_load(link) == 0;
    bool lives = link->state == FUT_LINK_READY || link->state == FUT_LINK_STARTING;
    if (lives && (used_up || over) && !link->body) fut_link_bye(link);
}

static void fail_task(struct process_pool *p, struct fut_task *t, enum fut_err err) {
    struct fut_outcome outcome = {0};
    fut_outcome_fail(&outcome, err, err == FUT_EBROKEN ? p->why_broken : NULL);
    p->counts.failed++;
    fut_future_settle(&t->future, &outcome);
    fut_task_drop(t);
}

/* Moves tasks from the queue to workers, and bytes to their rings. */
static void dispatch(struct process_pool *p) {
    start_workers(p);
    while (p->queue.first) {
        struct fut_process_link *link = choose(p, p->queue.first);
        if (!link) break;
        struct fut_task *t = fut_queue_pop(&p->queue);
        t->worker = (uint32_t)(link - p->links);
        enum fut_err err = fut_link_give(link, t);
        if (err != FUT_OK) {
            fail_task(p, t, err);
            continue;
        }
        if (fut_link_load(link) == 1) mark_running(link);
        fut_link_pump(link);
    }
    for (int i = 0; i < p->options.max_workers; i++) {
        if (p->links[i].state == FUT_LINK_FREE) continue;
        say_bye_when_due(p, &p->links[i]);
        fut_link_pump(&p->links[i]);
    }
}

/* ---- what comes back, on the collector's thread, under the lock ---- */

/* Puts a task whose worker cannot run it any more back to the front of the queue. */
static void take_back(struct process_pool *p, struct fut_task *t) {
    fut_future_unstart(&t->future);
    fut_queue_push_front(&p->queue, t);
}

static void pop(struct fut_process_link *link) {
    link->first++;
}

/* Drops tasks at the head of the window that were withdrawn: the worker skips them without a word. */
static void skip_withdrawn(struct fut_process_link *link) {
    while (fut_link_load(link) > 0) {
        struct fut_task *t = *fut_link_task(link, link->first);
        if (!t->withdrawn || link->body == &t->call) return;
        pop(link);
        fut_task_drop(t);
    }
}

/* A RESULT frame: false when it makes no sense. */
static bool take_result(struct process_pool *p, struct fut_process_link *link) {
    const struct fut_frame_head *head = &link->head;
    skip_withdrawn(link);
    if (fut_link_load(link) == 0 || link->first != head->seq) return false;
    struct fut_task *t = *fut_link_task(link, link->first);
    struct settled *s = &p->done[p->ndone];
    s->task = t;
    s->outcome = (struct fut_outcome){.kind = (unsigned char)head->what,
                                      .err = (enum fut_err)(head->what >> 8)};
    if (s->outcome.kind < FUT_OUTCOME_VALUES || s->outcome.kind > FUT_OUTCOME_FAILURE)
        return false;
    enum fut_err err = FUT_OK;
    if (head->text > 0) {
        s->outcome.text = fut_strndup((char *)link->in.data, (size_t)head->text);
        if (head->body > 0)
            err = fut_payload_init(&s->outcome.payload, link->in.data + head->text,
                                   (size_t)head->body, NULL, 0);
    } else if (head->body > 0) {
        err = fut_payload_init_buf(&s->outcome.payload, &link->in, NULL, 0);
    }
    if (err != FUT_OK) {
        fut_outcome_deinit(&s->outcome);
        fut_outcome_fail(&s->outcome, err, NULL);
    }
    pop(link);
    p->ndone++;
    skip_withdrawn(link);
    mark_running(link);
    return true;
}

static void break_pool(struct process_pool *p, const char *why, size_t len) {
    if (!p->why_broken) p->why_broken = fut_strndup(why, len);
    p->closed = true;
    for (struct fut_task *t; (t = fut_queue_pop(&p->queue));) fail_task(p, t, FUT_EBROKEN);
}

static bool take_frame(struct process_pool *p, struct fut_process_link *link) {
    switch (link->head.type) {
    case FUT_FRAME_READY:
        if (link->state == FUT_LINK_STARTING) link->state = FUT_LINK_READY;
        p->start_failures = 0;
        return true;
    case FUT_FRAME_FAILED:
        break_pool(p, (char *)link->in.data, (size_t)link->head.text);
        return true;
    case FUT_FRAME_RESULT:
        return take_result(p, link);
    default:
        return false;
    }
}

/* Reads all frames that are there; true when there was one. A worker that talks nonsense is killed. */
static bool receive(struct process_pool *p, struct fut_process_link *link) {
    bool any = false;
    while (p->ndone < SETTLED_AT_ONCE) {
        bool ready;
        enum fut_err err = fut_link_receive(link, &ready);
        if (err == FUT_OK && !ready) break;
        if (err != FUT_OK || !take_frame(p, link)) {
            fut_zygote_signal(&p->zygote, (int)(link - p->links), SIGKILL);
            break;
        }
        fut_link_next(link);
        any = true;
    }
    return any;
}

static void describe_end(char *text, size_t size, int pid, int status) {
    if (status == FUT_STATUS_NO_FORK)
        snprintf(text, size, "no process could be forked");
    else if (WIFSIGNALED(status))
        snprintf(text, size, "worker %d was ended by signal %d", pid, WTERMSIG(status));
    else
        snprintf(text, size, "worker %d ended with exit code %d", pid, WEXITSTATUS(status));
}

static void lose(struct process_pool *p, struct fut_task *t, int pid, int status) {
    char text[96];
    struct fut_outcome outcome = {0};
    describe_end(text, sizeof text, pid, status);
    fut_outcome_fail(&outcome, p->killed ? FUT_EBROKEN : FUT_ELOST, text);
    outcome.pid = pid;
    outcome.status = status;
    p->counts.failed++;
    p->counts.lost++;
    fut_future_start(&t->future); /* it did run, whether anybody has noticed or not */
    fut_future_settle(&t->future, &outcome);
    fut_task_drop(t);
}

/* The worker of this link has ended and all that it said was read. The task that it was running is
 * lost, the others go back. */
static void bury(struct process_pool *p, struct fut_process_link *link) {
    int pid = atomic_load(&link->slot->pid), status = atomic_load(&link->slot->status);
    bool never_ready = link->state == FUT_LINK_STARTING;
    while (fut_link_load(link) > 0) { /* from the last to the first: each goes to the front */
        uint64_t seq = --link->next;
        struct fut_task *t = *fut_link_task(link, seq);
        if (t->withdrawn)
            fut_task_drop(t);
        else if (fut_claim_started(link->slot, seq))
            lose(p, t, pid, status);
        else if (p->why_broken || p->killed)
            fail_task(p, t, FUT_EBROKEN);
        else
            take_back(p, t);
    }
    fut_link_close(link);
    p->nworkers--;
    if (never_ready && !p->why_broken && !p->killed && ++p->start_failures >= START_FAILURES) {
        char text[96];
        describe_end(text, sizeof text, pid, status);
        break_pool(p, text, strlen(text));
    }
}

static bool has_ended(const struct fut_process_link *link) {
    return link->state != FUT_LINK_FREE && atomic_load(&link->slot->ended) == link->started;
}

/* The zygote is gone, and its workers with it: nothing can be started any more. */
static void bury_all(struct process_pool *p) {
    static const char why[] = "the process that forks the workers has ended";
    break_pool(p, why, sizeof why - 1);
    for (int i = 0; i < p->options.max_workers; i++) {
        struct fut_process_link *link = &p->links[i];
        if (link->state == FUT_LINK_FREE) continue;
        receive(p, link);
        atomic_store(&link->slot->status, SIGKILL);
        bury(p, link);
    }
}

/* One look at everything; true when something happened. */
static bool collect(struct process_pool *p) {
    bool any = false;
    for (int i = 0; i < p->options.max_workers; i++) {
        struct fut_process_link *link = &p->links[i];
        if (link->state == FUT_LINK_FREE) continue;
        bool ended = has_ended(link); /* before reading: all that it said is there then */
        any |= receive(p, link);
        if (ended && p->ndone < SETTLED_AT_ONCE) {
            bury(p, link);
            any = true;
        }
    }
    dispatch(p);
    return any;
}

static void settle_done(struct process_pool *p, int n) {
    for (int i = 0; i < n; i++) {
        struct settled *s = &p->done[i];
        if (!fut_future_settle(&s->task->future, &s->outcome)) fut_outcome_deinit(&s->outcome);
        fut_task_drop(s->task);
    }
}

static bool look_for_ring(struct process_pool *p, unsigned seen) {
    fut_time until = fut_spin_until(&p->spin);
    bool rung = false;
    do {
        for (int i = 0; i < 32 && !rung; i++) {
            rung = fut_bell_count(&p->shared->doorbell) != seen;
            fut_pause();
        }
    } while (!rung && fut_now() < until);
    fut_spin_learn(&p->spin, rung);
    return rung;
}

static void wait_for_ring(struct process_pool *p, unsigned seen) {
    if (look_for_ring(p, seen)) return;
    fut_time now = fut_now();
    fut_bell_wait(&p->shared->doorbell, seen, now + LOOK_MS * FUT_MS);
    if (fut_now() - now < FUT_SPIN_SHORT) fut_spin_learn(&p->spin, true);
}

static void *collector_main(void *arg) {
    struct process_pool *p = arg;
    fut_thread_set_name("futures-collect");
    for (bool over = false; !over;) {
        unsigned seen = fut_bell_count(&p->shared->doorbell);
        fut_lock(&p->lock);
        bool any = collect(p);
        if (!any && fut_zygote_lost(&p->zygote)) bury_all(p);
        for (int i = 0; i < p->ndone; i++) {
            bool failed = fut_outcome_is_error(&p->done[i].outcome);
            (*(failed ? &p->counts.failed : &p->counts.completed))++;
        }
        int n = p->ndone;
        p->ndone = 0;
        over = p->closed && p->nworkers == 0 && !p->queue.first;
        fut_unlock(&p->lock);
        settle_done(p, n);
        if (!any && n == 0 && !over) wait_for_ring(p, seen);
    }
    fut_zygote_stop(&p->zygote);
    struct fut_outcome none = {.kind = FUT_OUTCOME_VALUES};
    fut_future_settle(p->stopped, &none);
    fut_executor_drop(&p->executor);
    return NULL;
}

/* ---- the executor's operations ---- */

static enum fut_err pool_submit(struct fut_executor *ex, struct fut_task **tasks, size_t n) {
    struct process_pool *p = pool_of(ex);
    fut_lock(&p->lock);
    enum fut_err err = p->why_broken ? FUT_EBROKEN : p->closed ? FUT_ECLOSED : FUT_OK;
    for (size_t i = 0; i < n && err == FUT_OK; i++) {
        fut_task_hold(tasks[i]);
        fut_queue_push(&p->queue, tasks[i]);
    }
    if (err == FUT_OK) {
        p->counts.submitted += n;
        dispatch(p);
    }
    fut_unlock(&p->lock);
    return err;
}

/* A task in the queue is taken off it; one that waits at a worker is withdrawn there, if the worker has
 * not claimed it. */
static bool pool_cancel(struct fut_executor *ex, struct fut_task *t) {
    struct process_pool *p = pool_of(ex);
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
static void cancel_pending(struct process_pool *p) {
    for (struct fut_task *t; (t = fut_queue_pop(&p->queue));) {
        if (fut_future_cancel(&t->future)) p->counts.cancelled++;
        fut_task_drop(t);
    }
    for (int i = 0; i < p->options.max_workers; i++) {
        struct fut_process_link *link = &p->links[i];
        for (uint64_t seq = link->first; seq < link->next; seq++) {
            struct fut_task *t = *fut_link_task(link, seq);
            if (t->withdrawn || !fut_claim_take(link->slot, seq, FUT_CLAIM_WITHDRAWN)) continue;
            t->withdrawn = true;
            fut_future_unstart(&t->future);
            if (fut_future_cancel(&t->future)) p->counts.cancelled++;
        }
        if (link->state != FUT_LINK_FREE) skip_withdrawn(link);
    }
}

static void pool_close(struct fut_executor *ex, bool cancel) {
    struct process_pool *p = pool_of(ex);
    fut_lock(&p->lock);
    p->closed = true;
    if (cancel) cancel_pending(p);
    dispatch(p);
    fut_unlock(&p->lock);
    fut_bell_ring(&p->shared->doorbell);
}

static void pool_kill(struct fut_executor *ex, int signal) {
    struct process_pool *p = pool_of(ex);
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
    struct process_pool *p = pool_of(ex);
    fut_lock(&p->lock);
    bool first = !p->joined;
    p->joined = true;
    fut_unlock(&p->lock);
    if (first) pthread_join(p->collector, NULL);
}

static void pool_stats(struct fut_executor *ex, struct fut_executor_stats *out) {
    struct process_pool *p = pool_of(ex);
    fut_lock(&p->lock);
    *out = p->counts;
    out->pending = p->queue.length;
    for (int i = 0; i < p->options.max_workers; i++) {
        struct fut_process_link *link = &p->links[i];
        if (link->state == FUT_LINK_FREE) continue;
        out->workers++;
        unsigned load = 0;
        for (uint64_t seq = link->first; seq < link->next; seq++)
            load += !(*fut_link_task(link, seq))->withdrawn;
        out->idle += load == 0;
        out->running += load > 0;
        out->pending += load > 0 ? load - 1 : 0;
    }
    fut_unlock(&p->lock);
}

static char *pool_broken(struct fut_executor *ex) {
    struct process_pool *p = pool_of(ex);
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
    struct process_pool *p = (struct process_pool *)o;
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
    fut_free(p);
}

const struct fut_object_type fut_process_pool_type = {"executor", pool_free};

static enum fut_err start(struct process_pool *p) {
    p->child =
        (struct fut_process_child){p->options.worker, p->options.config, p->options.name};
    enum fut_err err =
        fut_zygote_start(&p->zygote, p->shared, fut_process_child_main, &p->child);
    if (err != FUT_OK) return err;
    fut_executor_hold(&p->executor); /* the collector's */
    err = fut_thread_start(&p->collector, collector_main, p);
    if (err == FUT_OK) return FUT_OK;
    fut_executor_drop(&p->executor);
    fut_zygote_stop(&p->zygote);
    return err;
}

enum fut_err fut_process_pool_new(const struct fut_process_pool_options *options,
                                  struct fut_executor **out) {
    struct process_pool *p = fut_zalloc(sizeof *p);
    if (!p) {
        if (options->config) options->worker->config_free(options->config);
        return FUT_ENOMEM;
    }
    fut_object_init(&p->executor.object, &fut_process_pool_type);
    p->executor.ops = &process_pool_ops;
    p->executor.process = true;
    p->executor.forks = fut_process_forks();
    fut_lock_init(&p->lock);
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
