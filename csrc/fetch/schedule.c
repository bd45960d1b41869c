/* SPDX-License-Identifier: MIT */
#include "fetch/schedule.h"

#include <string.h>

#include "base/alloc.h"
#include "fetch/engine_inside.h"

enum { FIRST_CAP = 16 };

static bool host_before(const struct fut_heap_node *a, const struct fut_heap_node *b) {
    const struct fut_host *x = (const struct fut_host *)a, *y = (const struct fut_host *)b;
    return fut_line_before(fut_line_first(&x->jobs), fut_line_first(&y->jobs));
}

void fut_schedule_init(struct fut_session *s) {
    s->ready = (struct fut_heap){.before = host_before};
}

void fut_schedule_deinit(struct fut_session *s) {
    for (size_t i = 0; i < s->host_cap; i++) {
        for (struct fut_host *h = s->hosts[i], *next; h; h = next) {
            next = h->next;
            fut_free(h);
        }
    }
    fut_free(s->hosts);
}

/* ---- hosts by name ---- */

static uint64_t hash_of(const char *name) {
    uint64_t h = 14695981039346656037u; /* FNV-1a */
    for (; *name; name++) h = (h ^ (unsigned char)*name) * 1099511628211u;
    return h ^ h >> 32;
}

static bool grow(struct fut_session *s) {
    size_t cap = s->host_cap ? s->host_cap * 2 : FIRST_CAP;
    struct fut_host **hosts = fut_zalloc(cap * sizeof(*hosts));
    if (!hosts) return s->host_cap > 0; /* longer chains will do */
    for (size_t i = 0; i < s->host_cap; i++) {
        for (struct fut_host *h = s->hosts[i], *next; h; h = next) {
            next = h->next;
            h->next = hosts[h->hash & (cap - 1)];
            hosts[h->hash & (cap - 1)] = h;
        }
    }
    fut_free(s->hosts);
    s->hosts = hosts;
    s->host_cap = cap;
    return true;
}

static void on_rate(struct fut_engine *e, struct fut_alarm *t, fut_time now);

static struct fut_host *host_of(struct fut_session *s, const char *name) {
    uint64_t hash = hash_of(name);
    if (s->host_count >= s->host_cap && !grow(s)) return NULL;
    struct fut_host **bucket = &s->hosts[hash & (s->host_cap - 1)];
    for (struct fut_host *h = *bucket; h; h = h->next)
        if (h->hash == hash && strcmp(h->name, name) == 0) return h;
    size_t size = strlen(name) + 1;
    struct fut_host *h = fut_zalloc(sizeof *h + size);
    if (!h) return NULL;
    fut_line_init(&h->jobs);
    h->alarm.fire = on_rate;
    h->session = s;
    h->hash = hash;
    memcpy(h->name, name, size);
    h->next = *bucket;
    *bucket = h;
    s->host_count++;
    return h;
}

/* One that has nothing to do and nothing to remember is forgotten. */
static void forget_idle(struct fut_host *h, fut_time now) {
    struct fut_session *s = h->session;
    if (h->jobs.length > 0 || h->in_flight > 0 || h->next_at > now ||
        fut_heap_has(&h->alarm.node))
        return;
    struct fut_host **at = &s->hosts[h->hash & (s->host_cap - 1)];
    while (*at != h) at = &(*at)->next;
    *at = h->next;
    s->host_count--;
    fut_free(h);
}

/* ---- limits ---- */

static void list_session(struct fut_engine *e, struct fut_session *s) {
    if (s->back) return;
    s->next = e->list;
    s->back = &e->list;
    if (s->next) s->next->back = &s->next;
    e->list = s;
    fut_session_hold(s);
}

void fut_schedule_unlist(struct fut_session *s) {
    if (!s->back || s->ready.length > 0) return;
    *s->back = s->next;
    if (s->next) s->next->back = s->back;
    s->back = NULL;
    fut_session_drop(s);
}

/* Into `ready`, out of it, or to another place there; sets the timer of its rate. */
static void refresh(struct fut_engine *e, struct fut_host *h, fut_time now) {
    struct fut_session *s = h->session;
    const struct fut_job *first = fut_line_first(&h->jobs);
    bool has_job = first && h->in_flight < first->request->max_per_host;
    bool is_early = has_job && first->request->rate > 0 && h->next_at > now;
    fut_alarms_set(&e->alarms, &h->alarm, is_early ? h->next_at : FUT_NEVER);
    if (!has_job || is_early)
        fut_heap_remove(&s->ready, &h->ready);
    else if (fut_heap_has(&h->ready))
        fut_heap_update(&s->ready, &h->ready);
    else
        fut_heap_push(&s->ready, &h->ready);
    if (fut_heap_has(&h->ready)) list_session(e, s);
}

static void on_rate(struct fut_engine *e, struct fut_alarm *t, fut_time now) {
    refresh(e, (struct fut_host *)((char *)t - offsetof(struct fut_host, alarm)), now);
}

/* Requests are spread evenly. One that was held up (by other limits, or by this thread) gives
 * the next ones the right to catch up, for at most a second's worth; an idle host gives
 * none. */
static void spend(struct fut_host *h, double rate, fut_time now) {
    if (rate <= 0) return;
    if (h->next_at < now - FUT_SECOND) h->next_at = now - FUT_SECOND;
    double pause = 1e9 / rate;
    h->next_at += pause < 1e18 ? (fut_time)pause : (fut_time)1e18;
}

/* ---- jobs ---- */

bool fut_schedule_push(struct fut_engine *e, struct fut_job *job, const char *server,
                       fut_time now) {
    struct fut_session *s = job->session;
    struct fut_host *h = host_of(s, server);
    if (!h) return false;
    if (h->jobs.length == 0 && h->next_at < now) h->next_at = now;
    job->host = h;
    job->state = FUT_JOB_QUEUED;
    fut_line_push(&h->jobs, job);
    refresh(e, h, now);
    return true;
}

/* The heap of ready hosts looks at each host's first job: out of it before that changes. */
static void take_out(struct fut_job *job) {
    struct fut_host *h = job->host;
    fut_heap_remove(&h->session->ready, &h->ready);
    fut_line_remove(&h->jobs, job);
}

void fut_schedule_remove(struct fut_engine *e, struct fut_job *job, fut_time now) {
    struct fut_host *h = job->host;
    take_out(job);
    job->host = NULL;
    refresh(e, h, now);
    forget_idle(h, now);
}

/* ---- max_buffered ---- */

void fut_schedule_await(struct fut_job *job) {
    struct fut_session *s = job->session;
    if (job->urgent || job->back_awaited) return;
    job->next_awaited = s->awaited;
    job->back_awaited = &s->awaited;
    if (job->next_awaited) job->next_awaited->back_awaited = &job->next_awaited;
    s->awaited = job;
}

void fut_schedule_forget(struct fut_job *job) {
    if (!job->back_awaited) return;
    *job->back_awaited = job->next_awaited;
    if (job->next_awaited) job->next_awaited->back_awaited = job->back_awaited;
    job->back_awaited = NULL;
}

static void urge(struct fut_engine *e, struct fut_job *job, fut_time now) {
    bool is_queued = job->state == FUT_JOB_QUEUED;
    if (is_queued) take_out(job);
    job->urgent = true;
    if (!is_queued) return; /* when it will be */
    fut_line_push(&job->host->jobs, job);
    refresh(e, job->host, now);
}

/* Only now: while nothing is held back, waiting for one does not change the order. */
static void urge_awaited(struct fut_engine *e, struct fut_session *s, fut_time now) {
    for (struct fut_job *job; (job = s->awaited);) {
        fut_schedule_forget(job);
        urge(e, job, now);
    }
}

static bool is_starved(struct fut_session *s, uint64_t max_buffered) {
    if (atomic_load(&s->buffered) <= max_buffered) return false;
    /* seq_cst: either this sees what was taken meanwhile, or that sees this */
    atomic_store(&s->starved, true);
    if (atomic_load(&s->buffered) > max_buffered) return true;
    atomic_store(&s->starved, false);
    return false;
}

/* Not what somebody waits for: he might take nothing before it has come. */
static bool is_held_back(const struct fut_job *job) {
    struct fut_session *s = job->session;
    return !job->urgent && is_starved(s, job->request->max_buffered) && !fut_engine_lets(s);
}

/* ---- the next one ---- */

/* The first one of a host that may have one more; NULL: none, or the session may not. */
static struct fut_job *first_ready(const struct fut_session *s) {
    const struct fut_host *h = (const struct fut_host *)s->ready.first;
    struct fut_job *job = h ? fut_line_first(&h->jobs) : NULL;
    return job && s->in_flight < job->request->max_connections ? job : NULL;
}

static struct fut_job *find(struct fut_engine *e, struct fut_session *s, fut_time now) {
    struct fut_job *job = first_ready(s);
    if (!job || !is_held_back(job)) return job;
    urge_awaited(e, s, now);
    job = first_ready(s);
    return job && job->urgent ? job : NULL;
}

struct fut_job *fut_schedule_take(struct fut_engine *e, struct fut_session *s, fut_time now) {
    struct fut_job *job = find(e, s, now);
    if (!job) return NULL;
    const struct fut_request *r = job->request;
    struct fut_host *h = job->host;
    take_out(job);
    h->in_flight++;
    s->in_flight++;
    spend(h, r->rate, now);
    refresh(e, h, now);
    return job;
}

void fut_schedule_release(struct fut_engine *e, struct fut_job *job, fut_time now) {
    struct fut_host *h = job->host;
    job->host = NULL;
    h->in_flight--;
    h->session->in_flight--;
    refresh(e, h, now);
    forget_idle(h, now);
}
