/* SPDX-License-Identifier: MIT */
#include "pool/process_inside.h"

enum {
    AHEAD = 8,          /* tasks that a busy worker is given, the running one included */
    AHEAD_BYTES = 4096, /* larger calls wait until a worker is free */
};

static unsigned ahead(const struct fut_process_pool *p, const struct fut_process_link *link) {
    if (p->queue.heap) return 1; /* who comes later may have to go first, and cannot overtake */
    unsigned left = p->options.max_tasks_per_child;
    if (left == 0 || left - link->given > AHEAD) return AHEAD;
    return fut_link_load(link) + left - link->given;
}

/* The worker that should get the next task: one that has none, else the least loaded one if
 * the task is small. */
static struct fut_process_link *choose(struct fut_process_pool *p, const struct fut_task *t) {
    struct fut_process_link *best = NULL;
    for (int i = 0; i < p->options.max_workers; i++) {
        struct fut_process_link *link = &p->links[i];
        if (!fut_link_can_take(link) || fut_link_load(link) >= ahead(p, link)) continue;
        if (fut_link_load(link) > 0 && t->call.len > AHEAD_BYTES) continue;
        if (!best || fut_link_load(link) < fut_link_load(best)) best = link;
    }
    return best;
}

static size_t idle_workers(const struct fut_process_pool *p) {
    size_t n = 0;
    for (int i = 0; i < p->options.max_workers; i++)
        n += fut_link_can_take(&p->links[i]) && fut_link_load(&p->links[i]) == 0;
    return n;
}

/* Starts workers while there are more tasks than idle workers. */
static void start_workers(struct fut_process_pool *p) {
    size_t idle = idle_workers(p);
    for (int i = 0; i < p->options.max_workers && idle < p->queue.length; i++) {
        if (p->links[i].state != FUT_LINK_FREE) continue;
        fut_link_open(&p->links[i]);
        p->nworkers++;
        idle++;
        if (!fut_zygote_spawn(&p->zygote, i)) return; /* the collector sees that it is gone */
    }
}

/* What waits at workers is plain: see ahead. The head of a window runs, or will in a moment. */
void fut_process_make_way(struct fut_process_pool *p) {
    for (int i = 0; i < p->options.max_workers; i++) {
        struct fut_process_link *link = &p->links[i];
        for (uint64_t seq = link->next; seq > link->first + 1; seq--) {
            struct fut_task **at = fut_link_task(link, seq - 1), *t = *at;
            if (!t || t->withdrawn) continue;
            if (!fut_claim_take(link->slot, seq - 1, FUT_CLAIM_WITHDRAWN)) break;
            *at = NULL;
            link->given--;
            fut_queue_push_front(&p->queue, t);
        }
    }
}

/* The head of a worker's window runs now, or will in a moment. */
void fut_process_mark_running(struct fut_process_link *link) {
    if (fut_link_load(link) == 0) return;
    struct fut_task *t = *fut_link_task(link, link->first);
    if (!t->withdrawn) fut_future_start(&t->future);
}

static void say_bye_when_due(struct fut_process_pool *p, struct fut_process_link *link) {
    bool used_up =
        p->options.max_tasks_per_child > 0 && link->given >= p->options.max_tasks_per_child;
    bool over = p->closed && p->queue.length == 0 && fut_link_load(link) == 0;
    bool lives = link->state == FUT_LINK_READY || link->state == FUT_LINK_STARTING;
    if (lives && (used_up || over) && !link->body) fut_link_bye(link);
}

void fut_process_fail(struct fut_process_pool *p, struct fut_task *t, enum fut_err err) {
    struct fut_outcome outcome = {0};
    fut_outcome_fail(&outcome, err, err == FUT_EBROKEN ? p->why_broken : NULL);
    p->counts.failed++;
    fut_future_settle(&t->future, &outcome);
    fut_task_drop(t);
}

/* Moves tasks from the queue to workers, and bytes to their rings. */
void fut_process_dispatch(struct fut_process_pool *p) {
    start_workers(p);
    for (struct fut_task *t; (t = fut_queue_first(&p->queue));) {
        struct fut_process_link *link = choose(p, t);
        if (!link) break;
        fut_queue_remove(&p->queue, t);
        t->worker = (uint32_t)(link - p->links);
        enum fut_err err = fut_link_give(link, t);
        if (err != FUT_OK) {
            fut_process_fail(p, t, err);
            continue;
        }
        if (fut_link_load(link) == 1) fut_process_mark_running(link);
        fut_link_pump(link);
    }
    for (int i = 0; i < p->options.max_workers; i++) {
        if (p->links[i].state == FUT_LINK_FREE) continue;
        say_bye_when_due(p, &p->links[i]);
        fut_link_pump(&p->links[i]);
    }
}
