/* SPDX-License-Identifier: MIT */
#include "fetch/transfer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fetch/callbacks.h"
#include "fetch/url.h"

/* A file of a multipart body: libcurl would take a folder for an empty one, and wait for who
 * writes to a FIFO while all other transfers wait for it. */
static void check_file(struct fut_transfer *t, const char *path) {
    struct stat file;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    bool is_open = fd >= 0 && fstat(fd, &file) == 0;
    const char *why = !is_open                 ? strerror(errno)
                      : !S_ISREG(file.st_mode) ? "not a regular file"
                                               : NULL;
    if (why) fut_failure_set(&t->failure, FUT_KIND_IO, "cannot read %s: %s", path, why);
    if (fd >= 0) close(fd);
}

/* From a point in the past, which fut_deadline_after cannot do. 1e9 s are 31 years. */
static fut_time later(fut_time from, double seconds) {
    if (seconds >= 1e9) return FUT_NEVER;
    return seconds <= 0 ? from : from + (fut_time)(seconds * 1e9);
}

void fut_transfer_begin(struct fut_transfer *t) {
    const struct fut_request *r = t->request;
    t->began = fut_now();
    t->total_deadline = later(t->began, r->total_s);
    fut_hop_first(&t->hop, r, t->url, &t->failure);
    for (size_t i = 0; i < r->part_count; i++)
        if (r->parts[i].path) check_file(t, r->parts[i].path);
    if (r->output)
        fut_callbacks_fail_sink(t, fut_sink_open_file(&t->sink, r->output, r->max_body));
    else
        fut_sink_open_memory(&t->sink, r->max_body);
}

static bool is_tls(const struct fut_transfer *t) {
    return strncmp(t->hop.url, "http:", 5) != 0;
}

/* libcurl divides this time among the addresses of a host. Our own deadline is the exact one
 * and comes first. */
static long connect_timeout_ms(const struct fut_transfer *t) {
    fut_time deadline =
        t->connect_deadline < t->total_deadline ? t->connect_deadline : t->total_deadline;
    if (deadline == FUT_NEVER) return 0;
    fut_time left_ms = (deadline - t->hop_began) / FUT_MS + 500;
    return left_ms < 1 ? 1 : left_ms > INT32_MAX ? INT32_MAX : (long)left_ms;
}

/* The time that went by between two hops is nobody's. */
static void end_rest(struct fut_transfer *t) {
    fut_time rest = t->hop_began - t->rests_since;
    if (t->rests_since == 0) return;
    t->rests_since = 0;
    t->began += rest;
    if (t->total_deadline != FUT_NEVER) t->total_deadline += rest;
}

/* libcurl's buffer, which it takes anew for each exchange: larger than its own, and small
 * enough that many of them fit a processor's cache: with 128 KB bodies of 100 KB came an eighth
 * slower. The bodies of one request are often alike, and for small ones its own costs less. */
enum { BUFFER_LARGE = 64 * 1024, BUFFER_SMALL = 16 * 1024 };

/* Refused when a name that was not found left the handle with its buffer: that will do, too. */
static void set_buffer(CURL *easy, uint64_t body) {
    bool is_large = body > BUFFER_SMALL;
    curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, (long)(is_large ? BUFFER_LARGE : BUFFER_SMALL));
}

static CURLcode set_up(struct fut_transfer *t) {
    CURL *easy = t->easy;
    set_buffer(easy, UINT64_MAX);
    CURLcode code = fut_hop_apply(&t->hop, t->request, easy);
    if (code == CURLE_OK) code = fut_callbacks_apply(easy);
    if (code == CURLE_OK && t->share) code = curl_easy_setopt(easy, CURLOPT_SHARE, t->share);
    if (code == CURLE_OK && t->share) code = curl_easy_setopt(easy, CURLOPT_COOKIEFILE, "");
    return code;
}

/* A handle that is set up for the request lacks only what each exchange has of its own. */
static CURLcode prepare(struct fut_transfer *t) {
    bool is_ready = t->redirects == 0 && fut_handle_fits(t->handle, t->request, is_tls(t));
    if (!is_ready && t->handle->request) fut_handle_reset(t->handle);
    CURLcode code = is_ready ? curl_easy_setopt(t->easy, CURLOPT_URL, t->hop.url) : set_up(t);
    if (code == CURLE_OK) code = fut_callbacks_aim(t->easy, t);
    if (code != CURLE_OK) return code;
    return curl_easy_setopt(t->easy, CURLOPT_CONNECTTIMEOUT_MS, connect_timeout_ms(t));
}

bool fut_transfer_attach(struct fut_transfer *t, struct fut_handle *handle) {
    if (t->failure.kind != FUT_KIND_NONE) return false;
    fut_head_clear(&t->head);
    fut_coding_deinit(&t->coding);
    t->handle = handle;
    t->easy = handle->easy;
    t->phase = FUT_PHASE_CONNECT;
    t->sorted = t->discards = t->denied = false;
    t->exclusive = t->request->http == FUT_HTTP_1_1 || !is_tls(t);
    t->discarded = 0;
    t->detail[0] = '\0';
    t->hop_began = t->last_byte = fut_now();
    end_rest(t);
    t->connect_deadline = later(t->hop_began, t->request->connect_s);
    CURLcode code = prepare(t);
    if (code == CURLE_OK) return true;
    fut_transfer_detach(t, code);
    return false;
}

void fut_transfer_touch(struct fut_transfer *t, fut_time now) {
    t->last_byte = now;
}

static fut_time idle_deadline(const struct fut_transfer *t) {
    return t->phase == FUT_PHASE_CONNECT ? FUT_NEVER : later(t->last_byte, t->request->idle_s);
}

fut_time fut_transfer_due(const struct fut_transfer *t) {
    fut_time due = idle_deadline(t);
    if (t->phase == FUT_PHASE_CONNECT && t->connect_deadline < due) due = t->connect_deadline;
    return t->total_deadline < due ? t->total_deadline : due;
}

void fut_transfer_server(const struct fut_transfer *t, char *out, size_t size) {
    struct fut_url url;
    const char *reason;
    const char *text = t->hop.url;
    if (fut_url_parse(&url, text, strlen(text), NULL, &reason) != FUT_URL_OK) {
        fut_url_mask(out, size, text, strlen(text));
        return;
    }
    snprintf(out, size, "%.250s:%s", url.host, url.port);
    fut_url_deinit(&url);
}

bool fut_transfer_expire(struct fut_transfer *t, fut_time now) {
    static const char *const doing[] = {"connecting to", "waiting for the first byte from",
                                        "receiving from", "on the way to"};
    if (now < fut_transfer_due(t)) return false;
    char server[FUT_SHOWN_SERVER];
    fut_transfer_server(t, server, sizeof server);
    const char *what = now >= t->total_deadline        ? "timed out after"
                       : t->phase == FUT_PHASE_CONNECT ? "not connected after"
                                                       : "no byte for";
    double seconds = now >= t->total_deadline        ? t->request->total_s
                     : t->phase == FUT_PHASE_CONNECT ? t->request->connect_s
                                                     : t->request->idle_s;
    fut_failure_set(&t->failure, FUT_KIND_TIMEOUT, "%s %g s while %s %s", what, seconds,
                    doing[t->phase], server);
    t->failure.phase = t->phase;
    return true;
}

static double seconds_of(CURL *easy, CURLINFO which) {
    curl_off_t us = 0;
    curl_easy_getinfo(easy, which, &us);
    return (double)us / 1e6;
}

static void take_times(struct fut_transfer *t) {
    struct fut_transfer_times *s = &t->times;
    double dns = seconds_of(t->easy, CURLINFO_NAMELOOKUP_TIME_T);
    double connect = seconds_of(t->easy, CURLINFO_CONNECT_TIME_T);
    s->dns += dns;
    s->connect += connect > dns ? connect : dns; /* 0 where a connection was open already */
    s->tls += seconds_of(t->easy, CURLINFO_APPCONNECT_TIME_T);
    s->first_byte = (double)(t->hop_began - t->began) / 1e9 +
                    seconds_of(t->easy, CURLINFO_STARTTRANSFER_TIME_T);
    s->total = (double)(fut_now() - t->began) / 1e9;
}

/* What libcurl is told by a callback that gave up is not what the user shall read. */
static void fail(struct fut_transfer *t, CURLcode code) {
    char server[FUT_SHOWN_SERVER];
    fut_transfer_server(t, server, sizeof server);
    /* What libcurl 7.88 says of a header line over 100 KB. */
    bool is_long_line = code == CURLE_OUT_OF_MEMORY && t->phase != FUT_PHASE_CONNECT;
    if (is_long_line && !t->head.complete)
        fut_failure_set(&t->failure, FUT_KIND_TOO_LARGE, "header line too long");
    if (t->denied)
        fut_failure_set(&t->failure, FUT_KIND_DENIED, "%s has no public address", server);
    long os_errno = 0;
    curl_easy_getinfo(t->easy, CURLINFO_OS_ERRNO, &os_errno);
    struct fut_wreck wreck = {code, t->phase, server, t->detail, (int)os_errno};
    fut_failure_explain(&t->failure, &wreck);
}

/* A connection that is closed in the middle of the head is a good end to libcurl. */
static void fail_head(struct fut_transfer *t) {
    char server[FUT_SHOWN_SERVER];
    if (t->failure.kind != FUT_KIND_NONE) return;
    fut_transfer_server(t, server, sizeof server);
    fut_failure_set(&t->failure, FUT_KIND_PROTOCOL, "header cut short by %s", server);
    t->failure.retryable = true;
}

static bool must_follow(struct fut_transfer *t, const char *location) {
    if (!location) return false;
    if (t->redirects < t->request->max_redirects) return true;
    char shown[256];
    fut_url_mask(shown, sizeof shown, location, strlen(location));
    fut_failure_set(&t->failure, FUT_KIND_REDIRECT, "more than %d redirects, the next to %s",
                    t->request->max_redirects, shown);
    return false;
}

static void complete(struct fut_transfer *t) {
    fut_callbacks_fail_coding(t, fut_coding_finish(&t->coding));
    if (t->failure.kind != FUT_KIND_NONE) return;
    t->in_file = t->sink.part_path != NULL;
    fut_callbacks_fail_sink(t, fut_sink_finish(&t->sink, t->request->output));
}

static void keep_handle(struct fut_transfer *t) {
    fut_handle_keep(t->handle, t->request, is_tls(t), &t->hop.headers);
    fut_callbacks_aim(t->easy, NULL);
    set_buffer(t->easy, t->sink.received);
    t->handle = NULL;
    t->easy = NULL;
}

bool fut_transfer_detach(struct fut_transfer *t, CURLcode code) {
    take_times(t);
    /* A handle that was used before may know the status of then. */
    if (t->head.lines.len > 0) curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &t->status);
    curl_easy_getinfo(t->easy, CURLINFO_HTTP_VERSION, &t->http);
    /* A response without a body came by no callback. */
    if (t->head.complete) fut_callbacks_sort_body(t);
    /* What a redirect says besides its Location is of no interest, broken or not. */
    if (code != CURLE_OK && !t->discards) fail(t, code);
    if (!t->head.complete) fail_head(t);
    const char *location = t->discards ? fut_head_find(&t->head, "Location") : NULL;
    bool follow = t->failure.kind == FUT_KIND_NONE && must_follow(t, location);
    if (follow) {
        fut_hop_follow(&t->hop, t->status, location, &t->failure);
        if (t->failure.kind == FUT_KIND_NONE) t->redirects++;
        follow = t->failure.kind == FUT_KIND_NONE;
    } else if (t->failure.kind == FUT_KIND_NONE) {
        complete(t);
    }
    bool is_plain = code == CURLE_OK && t->failure.kind == FUT_KIND_NONE && t->redirects == 0;
    if (is_plain && fut_handle_can_keep(t->request))
        keep_handle(t);
    else
        fut_transfer_abandon(t);
    if (follow) t->rests_since = fut_now();
    return follow;
}

/* The handle must not keep addresses of memory that goes with t. A reset does not touch the
 * share. */
void fut_transfer_abandon(struct fut_transfer *t) {
    /* A reset forgets the list of cookie files without freeing it (7.88). */
    if (t->share) curl_easy_setopt(t->easy, CURLOPT_COOKIEFILE, NULL);
    fut_handle_reset(t->handle);
    if (t->share) curl_easy_setopt(t->easy, CURLOPT_SHARE, NULL);
    t->handle = NULL;
    t->easy = NULL;
}

static void clear_results(struct fut_transfer *t) {
    fut_hop_deinit(&t->hop);
    fut_head_deinit(&t->head);
    fut_coding_deinit(&t->coding);
    fut_sink_clear(&t->sink);
}

void fut_transfer_reset(struct fut_transfer *t) {
    clear_results(t);
    *t = (struct fut_transfer){
        .request = t->request, .url = t->url, .progress = t->progress, .share = t->share};
}

void fut_transfer_deinit(struct fut_transfer *t) {
    clear_results(t);
    fut_request_drop(t->request);
    t->request = NULL;
}
