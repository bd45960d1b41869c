/* SPDX-License-Identifier: MIT */
#include "core/rerun.h"

#include "base/alloc.h"
#include "core/waiter.h"

static struct fut_task *task_at(const struct fut_heap_node *node) {
    return (struct fut_task *)((char *)node - offsetof(struct fut_task, node));
}

static bool is_due_before(const struct fut_heap_node *a, const struct fut_heap_node *b) {
    return task_at(a)->due < task_at(b)->due;
}

/* ---- pauses ---- */

/* From 0 to 1; xorshift is enough to spread tasks that failed together. */
static double next_random(struct fut_reruns *r, const struct fut_task *t) {
    if (r->random == 0) r->random = ((uint64_t)fut_now() ^ (uint64_t)(uintptr_t)t) | 1;
    r->random ^= r->random << 13;
    r->random ^= r->random >> 7;
    r->random ^= r->random << 17;
    return (double)(r->random >> 11) / (double)((uint64_t)1 << 53);
}

static fut_time due_time(struct fut_reruns *r, const struct fut_task *t) {
    unsigned attempt = atomic_load_explicit(&t->attempts, memory_order_relaxed);
    const struct fut_backoff *b = &t->options->rerun.backoff;
    double delay = fut_backoff_delay(b, (int)attempt, next_random(r, t));
    fut_time now = fut_now();
    return delay < 1e9 ? now + (fut_time)(delay * (double)FUT_SECOND) : FUT_NEVER;
}

static void rest(struct fut_reruns *r, struct fut_task *t) {
    t->pause = FUT_PAUSE_RESTS;
    t->due = due_time(r, t);
    t->node.rank = 0; /* a worker's number stood there */
    r->resting.before = is_due_before;
    fut_heap_push(&r->resting, &t->node);
}

fut_time fut_reruns_due(const struct fut_reruns *r) {
    return r->resting.first ? task_at(r->resting.first)->due : FUT_NEVER;
}

struct fut_task *fut_reruns_pop_due(struct fut_reruns *r, fut_time now) {
    struct fut_task *t = r->resting.first ? task_at(r->resting.first) : NULL;
    if (!t || t->due > now) return NULL;
    struct fut_outcome none = {0};
    fut_reruns_remove(r, t, &none);
    r->count++;
    t->future.done_at = now; /* from here on it waits */
    return t;
}

/* ---- questions ---- */

static void link_asked(struct fut_reruns *r, struct fut_task *t) {
    t->pause = FUT_PAUSE_ASKED;
    t->prev = NULL;
    t->next = r->asked;
    if (t->next) t->next->prev = t;
    r->asked = t;
}

static void unlink_asked(struct fut_reruns *r, struct fut_task *t) {
    if (t->prev)
        t->prev->next = t->next;
    else
        r->asked = t->next;
    if (t->next) t->next->prev = t->prev;
}

/* The one who is asked finds it pending: he needs the executor's lock to learn more. */
static bool ask(struct fut_reruns *r, struct fut_task *t, struct fut_outcome *outcome) {
    struct fut_outcome *last = fut_zalloc(sizeof *last);
    if (!last || !fut_waiter_ask(&t->future)) {
        fut_free(last);
        return false;
    }
    fut_outcome_move(last, outcome);
    t->last = last;
    link_asked(r, t);
    return true;
}

bool fut_reruns_take(struct fut_reruns *r, struct fut_task *t, struct fut_outcome *outcome) {
    if (!fut_rerun_may(t) || !fut_outcome_has_error(outcome)) return false;
    bool lost = outcome->err == FUT_ELOST;
    if (!lost && !(t->options->rerun.asks && ask(r, t, outcome))) return false;
    if (lost) rest(r, t);
    r->length++;
    fut_future_pause(&t->future);
    return true;
}

static void take_last(struct fut_task *t, struct fut_outcome *outcome) {
    if (!t->last) return;
    fut_outcome_move(outcome, t->last);
    fut_free(t->last);
    t->last = NULL;
}

bool fut_reruns_question(struct fut_lock *lock, struct fut_task *t,
                         struct fut_outcome *outcome) {
    fut_lock(lock);
    bool asked = t->pause == FUT_PAUSE_ASKED;
    if (asked) take_last(t, outcome);
    fut_unlock(lock);
    return asked;
}

bool fut_reruns_answer(struct fut_reruns *r, struct fut_task *t, bool again) {
    struct fut_outcome none = {0};
    if (t->pause != FUT_PAUSE_ASKED) return false;
    FUT_ASSERT(!t->last); /* who answers has taken the question */
    if (!again) {
        fut_reruns_remove(r, t, &none);
        return true;
    }
    unlink_asked(r, t);
    rest(r, t);
    return true;
}

/* A chunk has results all the same. */
void fut_reruns_end(struct fut_task *t, struct fut_outcome *outcome, uint64_t *completed,
                    uint64_t *failed) {
    (*(fut_outcome_is_error(outcome) ? failed : completed))++;
    fut_future_settle(&t->future, outcome);
}

void fut_reruns_remove(struct fut_reruns *r, struct fut_task *t, struct fut_outcome *outcome) {
    if (t->pause == FUT_PAUSE_RESTS) {
        fut_heap_remove(&r->resting, &t->node);
    } else {
        take_last(t, outcome);
        unlink_asked(r, t);
    }
    t->pause = FUT_PAUSE_NONE;
    r->length--;
}

struct fut_task *fut_reruns_pop(struct fut_reruns *r, struct fut_outcome *outcome) {
    struct fut_task *t = r->resting.first ? task_at(r->resting.first) : r->asked;
    if (t) fut_reruns_remove(r, t, outcome);
    return t;
}
