/* SPDX-License-Identifier: MIT */
/* fut_failure: why there is no response: the kind, and what a person is told.
 * STATE: zeroed memory is no failure.
 * THREADS: one at a time; holds no pointers, may be copied. */
#ifndef FUT_FETCH_FAILURE_H
#define FUT_FETCH_FAILURE_H

#include <curl/curl.h>
#include <stdbool.h>

enum fut_kind {
    FUT_KIND_NONE,
    FUT_KIND_URL,
    FUT_KIND_SCHEME,
    FUT_KIND_CONNECT,
    FUT_KIND_DNS,
    FUT_KIND_TIMEOUT,
    FUT_KIND_DENIED,
    FUT_KIND_IO,
    FUT_KIND_TLS,
    FUT_KIND_REDIRECT,
    FUT_KIND_TRUNCATED,
    FUT_KIND_PROTOCOL,
    FUT_KIND_TOO_LARGE,
    FUT_KIND_STATUS,   /* a response, but with raise_for_status */
    FUT_KIND_SHUTDOWN, /* the session was closed */
    FUT_KIND_FORKED,   /* the engine is in the parent process */
    FUT_KIND_MEMORY,   /* not a FetchError: Lua's "not enough memory" */
};

/* How far an exchange has come. */
enum fut_phase {
    FUT_PHASE_CONNECT,    /* name, TCP, TLS */
    FUT_PHASE_FIRST_BYTE, /* the request is being sent, nothing has come back */
    FUT_PHASE_BODY,       /* something has come back */
    FUT_PHASE_DEADLINE,   /* anywhere: the limit over all attempts */
};

struct fut_failure {
    enum fut_kind kind;
    enum fut_phase phase; /* for FUT_KIND_TIMEOUT */
    bool retryable;
    int code; /* of libcurl, 0 when the failure was found by us */
    char text[512];
};

/* fut_kind_name(kind), fut_phase_name(phase): as Lua sees them. */
const char *fut_kind_name(enum fut_kind kind);
const char *fut_phase_name(enum fut_phase phase);

/* fut_failure_set(f, kind, format, ...): sets a failure; the first one stays. */
void fut_failure_set(struct fut_failure *f, enum fut_kind kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* What is known of an exchange that went wrong. */
struct fut_wreck {
    CURLcode code;
    enum fut_phase phase;
    const char *server; /* "host:port" */
    const char *detail; /* of libcurl's error buffer */
    int os_errno;       /* of the last connect, or 0 */
};

/* fut_failure_explain(f, wreck): sets the failure that libcurl's code means at that point. */
void fut_failure_explain(struct fut_failure *f, const struct fut_wreck *wreck);

#endif
