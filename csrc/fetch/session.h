/* SPDX-License-Identifier: MIT */
/* fut_session: requests that are counted together: how many are under way, to one host, per
 * second; how many wait. Each brings its own limits, and starts when the counts are below them.
 * All sessions of a process share its engine and its connections.
 *
 * STATE: open, then closed; stopped when it is closed and its last job is over. In a forked
 * child a session starts anew (fut_session_check_fork).
 * OWNERSHIP: an object of the C API (include/futures.h), counted: handles, jobs, and responses
 * whose bodies nobody has taken.
 * LOCKS: what other threads look at is guarded by the engine's lock; the rest belongs to the
 * engine's thread. */
#ifndef FUT_FETCH_SESSION_H
#define FUT_FETCH_SESSION_H

#include <curl/curl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/heap.h"
#include "base/histogram.h"
#include "futures.h"

struct fut_job;
struct fut_host;

/* Nobody dies with a request here. A worker is a place for a request that is under way, made
 * when there is no idle one: as many as there were at once. */
struct fut_session_stats {
    size_t workers, pending, running;
    uint64_t submitted, completed, failed, cancelled, retried;
};

struct fut_session {
    struct fut_values *options; /* of the requests, as Lua wrote them; or NULL */
    unsigned forks;

    /* guarded by the engine's lock */
    bool closed;
    bool joined; /* the engine counts it */
    bool drains; /* somebody waits until it has stopped */
    struct fut_session_stats stats;
    struct fut_histogram wait, run; /* from submit to start, and from there to the end */
    struct fut_job *jobs;           /* those that are not over */
    struct fut_future *stopped;     /* settled at the end */
    struct fut_future *room;        /* or NULL; settled when pending falls */

    /* the engine's thread's */
    struct fut_heap ready; /* hosts with a job that may start */
    struct fut_host **hosts;
    size_t host_count, host_cap; /* the cap is 0 or a power of two */
    size_t in_flight;
    struct fut_job *awaited; /* that somebody waits for, and are not urgent yet */
    CURLSH *jar;
    struct fut_session *next, **back; /* of those that the engine looks after */

    /* anybody's */
    atomic_uint_least64_t buffered;
    atomic_bool starved; /* the engine has stopped for want of room */
};

extern const struct fut_class fut_session_class;

/* fut_session_new(): with one count, or NULL. */
struct fut_session *fut_session_new(void);

/* fut_session_hold(s), fut_session_drop(s). */
void fut_session_hold(struct fut_session *s);
void fut_session_drop(struct fut_session *s);

/* fut_session_jar(s): its cookies, made at the first call; NULL: no memory. The engine's
 * thread. */
CURLSH *fut_session_jar(struct fut_session *s);

/* fut_session_check_fork(s): forgets what the parent process does with it, if this one was
 * forked since. Under the engine's lock. */
void fut_session_check_fork(struct fut_session *s);

#endif
