/* SPDX-License-Identifier: MIT */
/* Which job starts next: the queues of a session, one for each host, and their limits.
 *
 *   session.ready: hosts whose first job may start now, by that job's turn
 *   host.jobs:     its queue: urgent ones, then by priority, then by number
 *
 * A host leaves `ready` while it has as many transfers as it may, and until its rate allows the
 * next one.
 * THREADS: the engine's. */
#ifndef FUT_FETCH_SCHEDULE_H
#define FUT_FETCH_SCHEDULE_H

#include "fetch/job.h"
#include "fetch/line.h"
#include "fetch/session.h"

struct fut_host {
    struct fut_heap_node ready; /* first; in session->ready */
    struct fut_line jobs;
    struct fut_alarm alarm; /* when its rate allows the next job */
    fut_time next_at;
    size_t in_flight;
    struct fut_session *session;
    struct fut_host *next; /* in its bucket */
    uint64_t hash;
    char name[]; /* "http://host:port" */
};

void fut_schedule_init(struct fut_session *s);
void fut_schedule_deinit(struct fut_session *s);

/* fut_schedule_push(e, job, server, now): queues it for a host ("http://host:port"); false: no
 * memory. */
bool fut_schedule_push(struct fut_engine *e, struct fut_job *job, const char *server,
                       fut_time now);

/* fut_schedule_remove(e, job, now): a queued job out of its queue. */
void fut_schedule_remove(struct fut_engine *e, struct fut_job *job, fut_time now);

/* fut_schedule_await(job): somebody waits for it, whatever its state: when max_buffered holds
 * jobs back it becomes urgent: not this one, and it goes first. fut_schedule_forget(job): it is
 * over. */
void fut_schedule_await(struct fut_job *job);
void fut_schedule_forget(struct fut_job *job);

/* fut_schedule_take(e, s, now): the job that is to start now, counted as in flight; or NULL. */
struct fut_job *fut_schedule_take(struct fut_engine *e, struct fut_session *s, fut_time now);

/* fut_schedule_release(e, job, now): it is no longer in flight. */
void fut_schedule_release(struct fut_engine *e, struct fut_job *job, fut_time now);

/* fut_schedule_unlist(s): off the engine's list of sessions, if it has no ready host; it comes
 * back when it has one. */
void fut_schedule_unlist(struct fut_session *s);

#endif
