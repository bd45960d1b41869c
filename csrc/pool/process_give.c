/* SPDX-License-Identifier: MIT */
#include "pool/process_inside.h"

enum {
    AHEAD = 32,      /* small tasks that a busy worker is given, the running one included */
    AHEAD_LARGE = 2, /* when one of them is large */
    LARGE = 4096,    /* bytes of its call */
};

/* How many tasks may be at the worker, if the next one is t. */
static unsigned ahead(const struct fut_process_pool *p, const struct fut_process_link *link,
                      const struct fut_task *t) {
    /* Who comes later may have to go first, and cannot overtake. */
    if (p->queue.heap.first) return 1;
    unsigned most = t->call.len > LARGE ? AHEAD_LARGE : AHEAD;
    unsigned limit = p->options.max_tasks_per_child;
    if (limit == 0) return most;
    unsigned left = limit > link->finished ? limit - link->finished : 0;
    return left < most ? left : most;
}

/* The worker that should get the next task: the least loaded one. */
static struct fut_process_link *choose(struct fut_process_pool *p, const struct fut_task *t) {
    struct fut_process_link *best = NULL;
    for (int i = 0; i < p->nlinks; i++) {
        struct fut_process_link *link = &p->links[i];
        if (!fut_link_can_take(link) || (best && link->load >= best->load)) continue;
        if (link->load < ahead(p, link, t)) best = link;
    }
    return best;
}

static size_t idle_workers(const struct fut_process_pool *p) {
    size_t n = 0;
    for (int i = 0; i < p->nlinks; i++)
        n += p->links[i].load == 0 && fut_link_can_take(&p->links[i]);
    return n;
}

/* A link without a worker, for a new one. */
static struct fut_process_link *free_link(struct fut_process_pool *p) {
    for (int i = 0; i < p->nlinks; i++)
        if (p->links[i].state == FUT_LINK_FREE) return &p->links[i];
    struct fut_process_link *link = &p->links[p->nlinks];
    link->slot = fut_process_slot(&p->shared, p->nlinks);
    link->record = fut_process_record(&p->shared, p->nlinks);
    link->type = p->options.worker;
    p->nlinks++;
    return link;
}

/* Opens links while there are more tasks than idle workers. */
static void start_workers(struct fut_process_pool *p) {
    if (p->queue.length == 0 || p->nworkers >= p->options.max_workers) return;
    if (p->start_after > 0 && fut_now() < p->start_after) return;
    p->start_after = 0;
    for (size_t idle = idle_workers(p); idle < p->queue.length; idle++) {
        if (p->nworkers >= p->options.max_workers) return;
        fut_link_open(free_link(p));
        p->nworkers++;
    }
}

/* What the zygote has no room for now is asked again: the collector looks often enough. */
static void ask_zygote(struct fut_process_pool *p) {
    for (int i = 0; i < p->nlinks; i++) {
        struct fut_process_link *link = &p->links[i];
        if (link->unsent) link->unsent = !fut_zygote_spawn(&p->zygote, i);
        if (link->signal && !link->unsent && fut_zygote_signal(&p->zygote, i, link->signal))
            link->signal = 0;
    }
}

static void give(struct fut_process_pool *p, struct fut_process_link *link,
                 struct fut_task *t) {
    t->worker = (uint32_t)(link - p->links);
    enum fut_err err = fut_link_give(link, t);
    if (err == FUT_OK)
        p->window++;
    else
        fut_process_fail(p, t, err, NULL);
}

struct fut_task *fut_process_take_back(struct fut_process_pool *p,
                                       struct fut_process_link *link, uint64_t seq) {
    struct fut_task *t = fut_link_withdraw(link, seq);
    if (t) p->window--;
    return t;
}

/* The oldest task that waits at the busiest worker, off it. */
static struct fut_task *take_from_busiest(struct fut_process_pool *p) {
    struct fut_process_link *busiest = NULL;
    for (int i = 0; i < p->nlinks; i++)
        if (p->links[i].load > 1 && (!busiest || p->links[i].load > busiest->load))
            busiest = &p->links[i];
    for (uint64_t seq = busiest ? busiest->first : 0; busiest && seq < busiest->next; seq++) {
        struct fut_task *t = fut_process_take_back(p, busiest, seq);
        if (t) return t;
    }
    return NULL;
}

/* Nothing is queued, so an idle worker takes over what waits at a busy one. */
static void balance(struct fut_process_pool *p) {
    size_t busy = 0;
    for (int i = 0; i < p->nlinks; i++) busy += p->links[i].load > 0;
    if (busy == p->window) return; /* nothing waits */
    for (int i = 0; i < p->nlinks; i++) {
        struct fut_process_link *link = &p->links[i];
        if (link->load > 0 || link->state != FUT_LINK_READY || !fut_link_can_take(link))
            continue;
        struct fut_task *t = take_from_busiest(p);
        if (!t) return;
        give(p, link, t);
    }
}

void fut_process_clear(struct fut_process_pool *p, struct fut_process_link *link) {
    for (uint64_t seq = link->next; seq > link->first; seq--) {
        struct fut_task *t = fut_process_take_back(p, link, seq - 1);
        if (t) fut_queue_push_front(&p->queue, t);
    }
}

void fut_process_make_way(struct fut_process_pool *p) {
    for (int i = 0; i < p->nlinks; i++) fut_process_clear(p, &p->links[i]);
}

static void say_bye_when_due(struct fut_process_pool *p, struct fut_process_link *link) {
    unsigned limit = p->options.max_tasks_per_child;
    bool used_up = limit > 0 && link->finished >= limit;
    bool over = p->closed && p->queue.length + p->reruns.length == 0;
    bool lives = link->state == FUT_LINK_READY || link->state == FUT_LINK_STARTING;
    if (lives && (used_up || over) && link->load == 0 && !link->writing) fut_link_bye(link);
}

size_t fut_process_running(const struct fut_process_pool *p) {
    size_t n = 0;
    for (int i = 0; i < p->nlinks; i++) {
        const struct fut_process_link *link = &p->links[i];
        n += link->load > 0 && fut_claim_started(link->slot, link->first);
    }
    return n;
}

static size_t waiting(const struct fut_process_pool *p) {
    return p->queue.length + p->window - fut_process_running(p);
}

bool fut_process_has_room(const struct fut_process_pool *p, size_t n) {
    return p->bound.max == 0 || fut_bound_has_room(&p->bound, waiting(p), n);
}

bool fut_process_starts_soon(const struct fut_process_pool *p) {
    for (int i = 0; i < p->nlinks; i++) {
        const struct fut_process_link *link = &p->links[i];
        bool lives = link->state == FUT_LINK_READY || link->state == FUT_LINK_STARTING;
        if (lives && link->load > 0 && !fut_claim_started(link->slot, link->first)) return true;
    }
    return false;
}

void fut_process_tell_room(struct fut_process_pool *p) {
    for (int i = 0; i < p->nlinks; i++) {
        struct fut_process_link *link = &p->links[i];
        if (link->load > 0 && !fut_claim_started(link->slot, link->first))
            fut_start_want(link->slot);
    }
    fut_bound_tell(&p->bound, waiting(p)); /* after that: one may have started just before */
}

void fut_process_dispatch(struct fut_process_pool *p) {
    start_workers(p);
    for (struct fut_task *t; (t = fut_queue_first(&p->queue));) {
        if (fut_process_has_no_time(p, t)) continue;
        struct fut_process_link *link = choose(p, t);
        if (!link) break;
        fut_queue_remove(&p->queue, t);
        give(p, link, t);
        if (link->writing) fut_link_pump(link); /* a large one that fits is no obstacle */
    }
    if (p->queue.length == 0) balance(p);
    for (int i = 0; i < p->nlinks; i++) {
        struct fut_process_link *link = &p->links[i];
        if (link->state == FUT_LINK_FREE) continue;
        say_bye_when_due(p, link);
        /* Counts that make no sense are seen again when something is read. */
        if (link->out.len > 0 || link->writing) fut_link_pump(link);
    }
    ask_zygote(p);
    if (p->bound.room) fut_process_tell_room(p);
}
