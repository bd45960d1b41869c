/* SPDX-License-Identifier: MIT */
/* fut_job: one request on its way: from submit, through queue, attempts and pauses, to the
 * outcome of its future.
 *
 *   NEW --> QUEUED --> RUNNING --> OVER
 *             ^ ^-------/ |  \------> (any state, when it is cancelled or its deadline passes)
 *             |  redirect |
 *             \-- PAUSED -/
 *
 * OWNERSHIP: counted: by its future, whose context it is, and by the engine until it is over.
 * THREADS: the engine's, but for what is marked. */
#ifndef FUT_FETCH_JOB_H
#define FUT_FETCH_JOB_H

#include "base/heap.h"
#include "fetch/alarm.h"
#include "fetch/session.h"
#include "fetch/transfer.h"

enum fut_job_state {
    FUT_JOB_NEW, /* the engine has not seen it yet */
    FUT_JOB_QUEUED,
    FUT_JOB_RUNNING,
    FUT_JOB_PAUSED, /* between two attempts */
    FUT_JOB_OVER,   /* its outcome is known, its future is settled soon (flight.c) */
};

/* How a job ended. */
enum fut_ending { FUT_ENDING_COMPLETED, FUT_ENDING_FAILED, FUT_ENDING_CANCELLED };

struct fut_job {
    atomic_uint refs;
    unsigned forks;
    struct fut_session *session; /* a count is held */
    struct fut_request *request; /* a count is held; NULL when it is over */
    char *url;                   /* as fut_url.text; NULL when it is over */
    char *server;                /* "http://host:port" of the URL; likewise */
    struct fut_future *future;   /* a count is held until it is over */
    uint64_t number;             /* in order of submission */
    fut_time submitted, deadline;
    fut_time started_at; /* the first attempt; guarded by the engine's lock */

    struct fut_engine *engine; /* from admission on */
    enum fut_job_state state;
    int first_fd;                   /* of the sockets whose bytes are this job's, or -1 */
    struct fut_host *host;          /* while QUEUED or RUNNING */
    struct fut_job *ahead, *behind; /* in host->jobs */
    struct fut_heap_node early;     /* or this */
    struct fut_job *next_awaited, **back_awaited; /* in session->awaited */
    bool urgent;                                  /* max_buffered does not hold it back */
    struct fut_alarm alarm;
    struct fut_transfer *transfer; /* from the first attempt on */
    fut_time again_at;             /* while PAUSED */
    bool midway;                   /* while QUEUED: for the next hop of its attempt */
    void *object;                  /* while OVER: what its future is settled with, or NULL */
    struct fut_job *next_over;

    struct fut_progress progress; /* any thread may read it */
    atomic_int attempts;          /* likewise */
    atomic_bool awaited;          /* likewise: somebody waits for it, and the engine knows */

    enum fut_ending how; /* while OVER */

    /* guarded by the engine's lock */
    struct fut_job *next, **back; /* in session->jobs */
    struct fut_job *next_new, *next_dropped, *next_told, *next_victim;
    struct fut_future *victim; /* of the closing that cancels it; a count is held */
    enum fut_ending ending;
    bool started; /* counted as running, no longer as pending */
    bool counted; /* counted as `ending` */
    bool dropped; /* on the list of those that were cancelled, or was */
    bool over;
};

extern const struct fut_future_class fut_job_class;

/* fut_job_new(s, request, url, server, name): takes url and server (from fut_alloc) and makes
 * the future, whose count is the caller's and in job->future, too. NULL: no memory; both are
 * still the caller's. One count, which is the future's. */
struct fut_job *fut_job_new(struct fut_session *s, struct fut_request *request, char *url,
                            char *server, const char *name);

void fut_job_hold(struct fut_job *job);
void fut_job_drop(struct fut_job *job);

static inline struct fut_job *fut_job_of_alarm(struct fut_alarm *t) {
    return (struct fut_job *)((char *)t - offsetof(struct fut_job, alarm));
}

#endif
