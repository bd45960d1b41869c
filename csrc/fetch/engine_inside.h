/* SPDX-License-Identifier: MIT */
/* The engine from the inside, for the files that make it up:
 *   engine.c    what other threads call: inbox, sessions, start and end of the thread
 *   loop.c      the thread: inbox, sockets, timers
 *   flight.c    a job from its start to its outcome
 *   schedule.c  which job starts next
 *   wire.c      libcurl's multi handles and their sockets */
#ifndef FUT_FETCH_ENGINE_INSIDE_H
#define FUT_FETCH_ENGINE_INSIDE_H

#include <curl/curl.h>
#include <pthread.h>

#include "fetch/alarm.h"
#include "fetch/engine.h"
#include "fetch/poller.h"
#include "fetch/request.h"

/* A multi handle. They differ in the HTTP version that was asked for, so that a request for 1.1
 * never finds itself on a connection that speaks 2. */
struct fut_wire {
    struct fut_engine *engine;
    CURLM *multi; /* NULL until it is needed */
    fut_time due; /* when libcurl wants to be called */
};

/* A socket that libcurl watches, by its number. */
struct fut_socket {
    struct fut_wire *wire; /* NULL: none, or a connection between two requests */
    int watched;           /* for what, by the poller; 0: not */
    bool opened;           /* by us, for a connection */
    struct fut_job *job;   /* whose bytes come here, when it is one job's alone; or NULL */
    int next_fd;           /* of the job's, or -1 */
};

struct fut_engine {
    const struct fut_poller_type *type;
    struct fut_poller *poller;
    pthread_t thread;

    /* guarded by the lock */
    struct fut_job *new_first, **new_last; /* in order of submission */
    struct fut_job *dropped, *awaited;
    bool woken;      /* it will look at all this again */
    size_t live;     /* jobs that are not over */
    size_t sessions; /* joined and not left */
    uint64_t last_number;

    /* the thread's own */
    struct fut_wire wires[FUT_HTTP_COUNT];
    struct fut_socket *sockets;
    int socket_cap;
    struct fut_heap alarms;
    struct fut_session *list; /* sessions with a ready host; a count is held of each */
    struct fut_job *over_first, **over_last; /* to be settled */
    size_t over_count;
    size_t in_flight, max_in_flight;
    struct fut_handle **idle; /* clean, or set up for a request */
    size_t idle_count, idle_cap;
    uint64_t random;
};

/* ---- engine.c ---- */

/* What others have left for the engine. A count is held of each dropped and awaited one. */
struct fut_engine_mail {
    struct fut_job *fresh; /* in order */
    struct fut_job *dropped;
    struct fut_job *awaited;
};

/* fut_engine_take(e, mail): all of it, which is the caller's then. False when the engine has
 * ended: nobody knows it any more. */
bool fut_engine_take(struct fut_engine *e, struct fut_engine_mail *mail);

/* fut_engine_lets(s): s is above max_buffered; may a job start all the same, for somebody who
 * waits for room or for the end of s? When it may not, the engine looks again as soon as that
 * changes. */
bool fut_engine_lets(struct fut_session *s);

/* fut_engine_started(job, now): counts it as running. */
void fut_engine_started(struct fut_job *job, fut_time now);

/* fut_engine_count(job, ending, now): before its future is settled. A job that was cancelled
 * after all is counted so. */
void fut_engine_count(struct fut_job *job, enum fut_ending ending, fut_time now);
void fut_engine_count_retry(struct fut_job *job);

/* fut_engine_over(e, job): after it. Drops the engine's count. */
void fut_engine_over(struct fut_engine *e, struct fut_job *job);

/* ---- loop.c ---- */

/* fut_engine_new(type), fut_engine_free(e): all but the thread; NULL: no memory, no file
 * descriptors. */
struct fut_engine *fut_engine_new(const struct fut_poller_type *type);
void fut_engine_free(struct fut_engine *e);

void *fut_engine_main(void *engine);

/* ---- flight.c ---- */

/* fut_flight_admit(e, job, now): a new job. */
void fut_flight_admit(struct fut_engine *e, struct fut_job *job, fut_time now);
/* fut_flight_start(e, job, now): one that fut_schedule_take gave. */
void fut_flight_start(struct fut_engine *e, struct fut_job *job, fut_time now);
/* fut_flight_landed(e, job, code): its exchange is over. */
void fut_flight_landed(struct fut_engine *e, struct fut_job *job, CURLcode code);
/* fut_flight_drop(e, job, now): its future was cancelled. */
void fut_flight_drop(struct fut_engine *e, struct fut_job *job, fut_time now);
/* fut_flight_settle(e): the futures of the jobs that are over. */
void fut_flight_settle(struct fut_engine *e);

/* ---- wire.c ---- */

/* fut_wire_add(e, job): its transfer, which is attached to an easy handle, begins. */
bool fut_wire_add(struct fut_engine *e, struct fut_job *job);
/* fut_wire_remove(e, job): and ends. */
void fut_wire_remove(struct fut_engine *e, struct fut_job *job);
/* fut_wire_event(e, event, now): a socket is ready. */
void fut_wire_event(struct fut_engine *e, const struct fut_poller_event *event, fut_time now);
/* fut_wire_timeout(e, now): calls libcurl where it wants to be. */
void fut_wire_timeout(struct fut_engine *e, fut_time now);
/* fut_wire_landed(e): hands on what is done, to fut_flight_landed; whether there was any. */
bool fut_wire_landed(struct fut_engine *e);
/* fut_wire_due(e): when fut_wire_timeout is to be called. */
fut_time fut_wire_due(const struct fut_engine *e);
/* fut_wire_handle(e): clean or set up for a request; NULL: no memory. fut_wire_give_back(e,
 * handle). */
struct fut_handle *fut_wire_handle(struct fut_engine *e);
void fut_wire_give_back(struct fut_engine *e, struct fut_handle *handle);
void fut_wire_deinit(struct fut_engine *e);

#endif
