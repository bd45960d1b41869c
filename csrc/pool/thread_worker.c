/* SPDX-License-Identifier: MIT */
#include "base/alloc.h"
#include "base/thread.h"
#include "pool/thread_inside.h"

/* The next task, with the executor's count, or NULL when the pool has no more. */
static struct fut_task *take(struct fut_thread_pool *p, struct fut_thread_worker *w) {
    bool may_spin = true;
    fut_thread_lock(p);
    for (;;) {
        if (fut_thread_is_spare(p)) {
            if (!fut_thread_rest(p, w)) {
                fut_thread_unlock(p);
                return NULL;
            }
        } else if (p->queue.length == 0 && !fut_thread_is_over(p)) {
            fut_thread_wait_for_work(p, w, may_spin);
            may_spin = false;
        } else {
            break;
        }
    }
    struct fut_task *t = fut_queue_pop(&p->queue);
    if (t) atomic_fetch_sub_explicit(&p->available, 1, memory_order_relaxed);
    fut_thread_unlock(p);
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
    return call->heap || call->nrefs > 1 || call->needs_task;
}

/* May it run again? */
static bool needs_call(const struct fut_task *t, const struct fut_outcome *out) {
    return fut_rerun_may(t) && (fut_outcome_has_error(out) || fut_future_asked(&t->future));
}

/* The task on top counts no longer before its future is done. */
static void leave_stack(struct fut_thread_pool *p) {
    fut_thread_lock(p);
    p->stacked--;
    fut_thread_unlock(p);
}

/* Runs it on w; when it ended. */
static fut_time run_inside(struct fut_thread_pool *p, struct fut_thread_worker *w,
                           struct fut_task *t, struct fut_outcome *out) {
    fut_time begun = fut_now();
    struct fut_sleeper_frame frame;
    fut_sleeper_enter(&w->sleeper, &frame, t);
    if (t->options && t->options->timeout)
        fut_thread_run_limited(p, w, t, out);
    else
        fut_thread_run_inside(p, w, t, out);
    fut_sleeper_leave(&w->sleeper);
    fut_time ended = fut_now();
    fut_histogram_add(&w->wait, begun - t->future.done_at);
    fut_histogram_add(&w->run, ended - begun);
    fut_task_sign(t, out);
    if (holds_much(&t->call) && !needs_call(t, out)) fut_payload_deinit(&t->call);
    return ended;
}

/* The worker counts as available again, or the task on top no longer, before the future is
 * done: whoever has seen that finds the counts right. */
bool fut_thread_run(struct fut_thread_pool *p, struct fut_thread_worker *w, struct fut_task *t,
                    bool stacked) {
    struct fut_outcome outcome = {0};
    struct fut_task *below = atomic_load_explicit(&w->running, memory_order_relaxed);
    fut_time ended = 0;
    t->worker = (uint32_t)w->id;
    atomic_store_explicit(&w->running, t, memory_order_relaxed);
    /* What was taken off the queue can no longer be cancelled, but it may be asked to end. */
    if (fut_future_start(&t->future)) ended = run_inside(p, w, t, &outcome);
    atomic_store_explicit(&w->running, below, memory_order_relaxed);
    if (stacked) leave_stack(p);
    if (fut_rerun_may(t) && fut_outcome_has_error(&outcome) &&
        fut_thread_rerun(p, t, &outcome, stacked))
        return true;
    bool needed = true;
    if (fut_future_claim(&t->future)) { /* before it is counted: nobody can ask it any more */
        if (!stacked) atomic_fetch_add_explicit(&p->available, 1, memory_order_relaxed);
        count(fut_outcome_is_error(&outcome) ? &w->failed : &w->completed);
        fut_future_settle_claimed(&t->future, &outcome, ended);
    } else {
        fut_outcome_deinit(&outcome);
        needed = fut_thread_end_asked(p, w, t, stacked);
    }
    fut_task_drop(t);
    return needed;
}

/* The reason is that of the first who broke the pool; it stays until the pool is freed. */
static void fail_all(struct fut_thread_pool *p, struct fut_task *t, enum fut_err err) {
    for (struct fut_task *next; t; t = next) {
        next = t->next;
        struct fut_outcome outcome = {0};
        fut_outcome_fail(&outcome, err, p->why_broken);
        fut_future_settle(&t->future, &outcome);
        fut_task_drop(t);
    }
}

void fut_thread_break(struct fut_thread_pool *p, enum fut_err err, char *why) {
    if (!why) why = fut_strdup(fut_err_text(err));
    fut_thread_lock(p);
    bool first = !p->broken;
    if (first) p->why_broken = why;
    p->broken = true;
    fut_thread_close(p);
    p->failed += p->queue.length; /* before a reader of a future can ask for the counts */
    struct fut_task *taken = fut_queue_take_all(&p->queue);
    fut_thread_break_reruns(p, &taken);
    fut_thread_unlock(p);
    fail_all(p, taken, FUT_EBROKEN);
    if (!first) fut_free(why);
}

/* Under the lock: a spare worker leaves before the pool ends. Nobody joins it but the next who
 * leaves, or the end; gives the one who left before it, if there was one. */
static struct fut_thread_worker *leave_list(struct fut_thread_pool *p,
                                            struct fut_thread_worker *w) {
    struct fut_thread_worker **at = &p->workers, *before = p->left;
    while (*at != w) at = &(*at)->next;
    *at = w->next;
    w->next = NULL;
    p->left = w;
    p->nleaving--;
    return before;
}

/* A worker that could not be opened: for lack of memory the others go on without it. What takes
 * its place must not count on it, so it leaves the counts here; the last one does not, and
 * whoever waits for a spare one may wait for this. */
static bool leave_to_others(struct fut_thread_pool *p, enum fut_err err) {
    if (err != FUT_ENOMEM) return false;
    fut_thread_lock(p);
    bool others = p->nworkers - p->nresting - p->nleaving > 1 && !p->waiters;
    if (others) {
        p->nworkers--;
        atomic_fetch_sub_explicit(&p->available, 1, memory_order_relaxed);
    }
    fut_thread_unlock(p);
    return others;
}

void *fut_thread_main(void *arg) {
    struct fut_thread_worker *w = arg;
    struct fut_thread_pool *p = w->pool;
    const struct fut_worker_type *type = p->options.worker;
    struct fut_worker_info info = {"thread", w->id, w->name};
    char *why = NULL;
    bool needed = true;
    fut_thread_set_name(w->name);
    fut_thread_mark_stack();
    fut_executor_set_current(&p->executor);
    fut_thread_set_self(w);
    enum fut_err err = type->open(p->options.config, &info, &w->inside, &why);
    if (err == FUT_OK) {
        for (struct fut_task *t; needed && (t = take(p, w));)
            needed = fut_thread_run(p, w, t, false);
        struct fut_worker *inside = w->inside;
        w->inside = NULL; /* finalizers that wait are no tasks */
        type->close(inside);
    } else if (leave_to_others(p, err)) {
        needed = false;
        fut_free(why);
    } else {
        fut_thread_break(p, err, why);
    }
    fut_thread_lock(p);
    struct fut_thread_worker *left = NULL;
    if (w->leaving)
        left = leave_list(p, w);
    else if (needed)
        atomic_fetch_sub_explicit(&p->available, 1, memory_order_relaxed);
    if (needed) p->nworkers--;
    /* w is gone after join, its counts are not */
    p->completed += atomic_exchange(&w->completed, 0);
    p->failed += atomic_exchange(&w->failed, 0);
    fut_histogram_move(&p->wait, &w->wait);
    fut_histogram_move(&p->run, &w->run);
    fut_thread_unlock(p);
    fut_thread_check_stopped(p);
    if (left) {
        pthread_join(left->thread, NULL); /* short: it was where this one is now */
        fut_free(left);
    }
    fut_executor_drop(&p->executor);
    return NULL;
}
