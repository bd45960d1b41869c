/* SPDX-License-Identifier: MIT */
/* fut_transfer: one attempt at a request, redirects included, from its start to a response or a
 * failure. It keeps the limits and the state; somebody else drives libcurl:
 *
 *     begin ─→ attach(handle) → [multi handle: callbacks, touch, expire] ─→ detach(code)
 *                  ↑                                                            │
 *                  └────────────────── true: one more exchange ─────────────────┤
 *                                                                               └→ false: done
 *
 * When it is done failure.kind tells which of the two it is.
 *
 * STATE: zeroed memory is empty; then set request and url, begin.
 * OWNERSHIP: a count of the request, and all results; borrows the handle from attach to
 * detach.
 * BLOCKING: never, but for the files of `output` and `multipart`.
 * THREADS: one at a time. No call enters Lua. */
#ifndef FUT_FETCH_TRANSFER_H
#define FUT_FETCH_TRANSFER_H

#include <curl/curl.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "fetch/coding.h"
#include "fetch/failure.h"
#include "fetch/handle.h"
#include "fetch/head.h"
#include "fetch/hop.h"
#include "fetch/request.h"
#include "fetch/sink.h"

/* Seconds from the start of a hop to the end of each step, summed over the hops. */
struct fut_transfer_times {
    double dns;
    double connect;
    double tls;
    double first_byte;
    double total;
};

/* How far the body of a job has come, for whoever wants to know. Only the transfer writes. */
struct fut_progress {
    atomic_uint_least64_t received;
    atomic_uint_least64_t expected; /* plus one; 0: unknown */
};

struct fut_transfer {
    struct fut_request *request;   /* a count is held */
    const char *url;               /* of the job, outlives the transfer */
    struct fut_progress *progress; /* likewise; or NULL */
    struct fut_hop hop;
    struct fut_failure failure;

    /* what came back */
    long status;
    long http; /* CURL_HTTP_VERSION_... of the last exchange */
    int redirects;
    struct fut_head head;
    struct fut_coding coding; /* of the body, on its way to the sink */
    struct fut_sink sink;
    bool in_file; /* the body is in request.output */
    struct fut_transfer_times times;

    /* how far it is */
    struct fut_handle *handle; /* while it is attached */
    CURL *easy;                /* the one in it */
    CURLSH *share;             /* the jar of cookies to use, or NULL */
    enum fut_phase phase;
    bool sorted;      /* it is known where the body of this hop goes */
    bool discards;    /* nowhere: it is a redirect's, which is to be followed */
    size_t discarded; /* bytes of it */
    bool denied;      /* an address was refused */
    bool exclusive;   /* no other transfer can be on its connection: its bytes are t's */
    fut_time began;
    fut_time hop_began;
    fut_time rests_since; /* between two hops; or 0 */
    fut_time last_byte;
    fut_time total_deadline;
    fut_time connect_deadline;
    char detail[CURL_ERROR_SIZE];
};

/* fut_transfer_server(t, out, size): "host:port" of this hop, for people. */
enum { FUT_SHOWN_SERVER = 300 };
void fut_transfer_server(const struct fut_transfer *t, char *out, size_t size);

/* fut_transfer_begin(t): starts the clocks, opens the output. A failure may be set already. */
void fut_transfer_begin(struct fut_transfer *t);

/* fut_transfer_attach(t, handle): prepares it for the next exchange. False when there is
 * nothing to run: t has failed. */
bool fut_transfer_attach(struct fut_transfer *t, struct fut_handle *handle);

/* fut_transfer_touch(t, now): a byte has moved on t's connection. */
void fut_transfer_touch(struct fut_transfer *t, fut_time now);

/* fut_transfer_due(t): when to call fut_transfer_expire next; changes with every byte. */
fut_time fut_transfer_due(const struct fut_transfer *t);

/* fut_transfer_expire(t, now): true when a limit of time has passed: t has failed then and is
 * to be taken out of the multi handle and detached. */
bool fut_transfer_expire(struct fut_transfer *t, fut_time now);

/* fut_transfer_detach(t, code): the exchange is over, the handle is in no multi handle any
 * more: resets it, or leaves it set up for the request. True when a redirect asks for one more
 * exchange: attach again, now or later: the clocks stand still until then. */
bool fut_transfer_detach(struct fut_transfer *t, CURLcode code);

/* fut_transfer_abandon(t): the same for an exchange that nobody wants any more: no result. */
void fut_transfer_abandon(struct fut_transfer *t);

/* fut_transfer_reset(t): as before begin, for one more attempt; keeps request and url. */
void fut_transfer_reset(struct fut_transfer *t);

/* fut_transfer_deinit(t): empty again; an unfinished output file is removed. Not while
 * attached. */
void fut_transfer_deinit(struct fut_transfer *t);

#endif
