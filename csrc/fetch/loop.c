/* SPDX-License-Identifier: MIT */
#include "base/alloc.h"
#include "base/thread.h"
#include "fetch/engine_inside.h"
#include "fetch/schedule.h"
#include "fetch/work.h"

enum { EVENTS = 256 };

struct fut_engine *fut_engine_new(const struct fut_poller_type *type) {
    struct fut_engine *e = fut_zalloc(sizeof *e);
    if (!e) return NULL;
    e->type = type;
    e->new_last = &e->new_first;
    e->over_last = &e->over_first;
    e->random = (uint64_t)fut_now();
    fut_alarms_init(&e->alarms);
    for (int i = 0; i < FUT_HTTP_COUNT; i++)
        e->wires[i] = (struct fut_wire){.engine = e, .due = FUT_NEVER};
    e->poller = type->open();
    if (e->poller) return e;
    fut_free(e);
    return NULL;
}

void fut_engine_free(struct fut_engine *e) {
    e->type->close(e->poller);
    fut_free(e->sockets);
    fut_free(e->idle);
    fut_free(e);
}

static void admit_all(struct fut_engine *e, struct fut_job *fresh, fut_time now) {
    for (struct fut_job *job = fresh, *next; job; job = next) {
        next = job->next_new;
        job->next_new = NULL;
        fut_flight_admit(e, job, now);
    }
}

static void await_all(struct fut_job *awaited) {
    for (struct fut_job *job = awaited, *next; job; job = next) {
        next = job->next_told;
        if (job->state != FUT_JOB_OVER) fut_schedule_await(job);
        fut_job_drop(job); /* the count of the list */
    }
}

static void drop_all(struct fut_engine *e, struct fut_job *dropped, fut_time now) {
    for (struct fut_job *job = dropped, *next; job; job = next) {
        next = job->next_dropped;
        fut_flight_drop(e, job, now);
        fut_job_drop(job); /* the count of the list */
    }
}

/* A start may fail at once and make room for the next one. */
static void start_all(struct fut_engine *e, fut_time now) {
    for (struct fut_session *s = e->list, *next; s; s = next) {
        next = s->next;
        for (struct fut_job *job; (job = fut_schedule_take(e, s, now));)
            fut_flight_start(e, job, now);
        fut_schedule_unlist(s);
    }
}

static fut_time deadline_of(const struct fut_engine *e) {
    fut_time timers = fut_alarms_due(&e->alarms), wires = fut_wire_due(e);
    return timers < wires ? timers : wires;
}

static void handle_sockets(struct fut_engine *e, const struct fut_poller_event *events, int n,
                           fut_time now) {
    for (int i = 0; i < n; i++) fut_wire_event(e, &events[i], now);
    fut_wire_timeout(e, now);
    fut_wire_landed(e);
}

void *fut_engine_main(void *arg) {
    struct fut_engine *e = arg;
    struct fut_poller_event events[EVENTS];
    struct fut_engine_mail mail;
    fut_thread_set_name("futures.fetch");
    fut_work_begin();
    while (fut_engine_take(e, &mail)) {
        fut_time now = fut_now();
        admit_all(e, mail.fresh, now);
        await_all(mail.awaited);
        drop_all(e, mail.dropped, now);
        start_all(e, now);
        /* What was started sends its request before others are told of what is done. */
        fut_wire_timeout(e, fut_now());
        bool again = fut_wire_landed(e);
        fut_flight_settle(e);
        fut_time deadline = again ? now : deadline_of(e);
        fut_work_end();
        int n = e->type->wait(e->poller, deadline, events, EVENTS);
        fut_work_begin();
        now = fut_now();
        handle_sockets(e, events, n, now);
        fut_alarms_fire(&e->alarms, e, now);
    }
    fut_wire_deinit(e);
    fut_work_end();
    return NULL;
}
