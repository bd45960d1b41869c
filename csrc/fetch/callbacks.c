/* SPDX-License-Identifier: MIT */
#include "fetch/callbacks.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "fetch/address.h"

/* So much of a redirect's body is read to keep the connection; then the connection goes. */
enum { DISCARD_LIMIT = 256 * 1024 };

/* Known no sooner: libcurl falls back without a word. */
static void fail_version(struct fut_transfer *t) {
    char server[FUT_SHOWN_SERVER];
    fut_transfer_server(t, server, sizeof server);
    fut_failure_set(&t->failure, FUT_KIND_PROTOCOL, "HTTP/1.1 is all that %s speaks", server);
}

static size_t on_header(char *line, size_t size, size_t count, void *context) {
    struct fut_transfer *t = context;
    /* The clock is asked once for all lines, where the driver says that bytes have come. */
    if (!t->exclusive || t->phase != FUT_PHASE_BODY) t->last_byte = fut_now();
    t->phase = FUT_PHASE_BODY;
    bool is_old = size * count > 7 && memcmp(line, "HTTP/1.", 7) == 0;
    if (is_old) t->exclusive = true;
    if (is_old && t->request->http == FUT_HTTP_2) {
        fail_version(t);
        return 0;
    }
    switch (fut_head_feed(&t->head, line, size * count)) {
    case FUT_HEAD_OK:
        return size * count;
    case FUT_HEAD_TOO_LARGE:
        fut_failure_set(&t->failure, FUT_KIND_TOO_LARGE, "header over %d KiB",
                        FUT_HEAD_LIMIT / 1024);
        break;
    case FUT_HEAD_MEMORY:
        fut_failure_set(&t->failure, FUT_KIND_MEMORY, "not enough memory");
        break;
    }
    return 0;
}

static void fail_size(struct fut_transfer *t) {
    fut_failure_set(&t->failure, FUT_KIND_TOO_LARGE, "body over %llu bytes",
                    (unsigned long long)t->sink.limit);
}

/* libcurl takes a length that its signed 64 bits do not hold for none at all. */
static bool is_too_long(const char *length) {
    static const char most[] = "9223372036854775807";
    length += strspn(length, "0");
    size_t digits = strspn(length, "0123456789"), limit = sizeof most - 1;
    if (length[digits] != '\0') return false; /* no number: libcurl says so */
    return digits > limit || (digits == limit && strcmp(length, most) > 0);
}

static void check_length(struct fut_transfer *t) {
    bool has_body = strcmp(t->hop.method, "HEAD") != 0 && t->status != 204 && t->status != 304;
    const char *length = has_body && !fut_head_find(&t->head, "Transfer-Encoding")
                             ? fut_head_find(&t->head, "Content-Length")
                             : NULL;
    if (!length || !is_too_long(length)) return;
    if (t->sink.limit < UINT64_MAX) {
        fail_size(t);
        return;
    }
    char server[FUT_SHOWN_SERVER];
    fut_transfer_server(t, server, sizeof server);
    fut_failure_set(&t->failure, FUT_KIND_PROTOCOL,
                    "no valid HTTP response from %s: Content-Length over 2^63 - 1", server);
}

void fut_callbacks_sort_body(struct fut_transfer *t) {
    if (t->sorted) return;
    t->sorted = true;
    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &t->status);
    const char *location = t->request->max_redirects > 0 && fut_hop_is_redirect(t->status)
                               ? fut_head_find(&t->head, "Location")
                               : NULL;
    bool is_redirect = location && *location;
    bool is_success = t->status >= 200 && t->status < 300;
    t->discards = is_redirect;
    if (!is_redirect && !is_success && t->sink.part_path) {
        uint64_t limit = t->request->max_body; /* "none" was said of a file, not of memory */
        fut_sink_open_memory(&t->sink, limit == UINT64_MAX ? FUT_REQUEST_MAX_BODY : limit);
    }
    if (!is_redirect) check_length(t);
}

/* The length of the body, where the bytes that are announced are those that we count; or -1. */
static curl_off_t announced_length(struct fut_transfer *t) {
    curl_off_t announced = -1;
    curl_easy_getinfo(t->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &announced);
    return t->coding.count > 0 ? -1 : announced;
}

static void tell_progress(const struct fut_transfer *t) {
    if (t->progress)
        atomic_store_explicit(&t->progress->received, t->sink.received, memory_order_relaxed);
}

void fut_callbacks_fail_sink(struct fut_transfer *t, enum fut_sink_result result) {
    const char *why = "";
    switch (result) {
    case FUT_SINK_OK:
        return;
    case FUT_SINK_FULL:
        fail_size(t);
        return;
    case FUT_SINK_MEMORY:
        fut_failure_set(&t->failure, FUT_KIND_MEMORY, "not enough memory");
        return;
    case FUT_SINK_FILE:
        why = strerror(errno);
        break;
    case FUT_SINK_ODD:
        why = "not a regular file";
        break;
    case FUT_SINK_BUSY:
        why = "another request is writing it";
        break;
    }
    fut_failure_set(&t->failure, FUT_KIND_IO, "cannot write %s: %s", t->request->output, why);
}

void fut_callbacks_fail_coding(struct fut_transfer *t, enum fut_coding_result result) {
    char server[FUT_SHOWN_SERVER];
    const char *why = t->coding.why;
    if (result == FUT_CODING_OK || result == FUT_CODING_REFUSED) return;
    bool is_first = t->failure.kind == FUT_KIND_NONE;
    fut_transfer_server(t, server, sizeof server);
    if (result == FUT_CODING_MEMORY)
        fut_failure_set(&t->failure, FUT_KIND_MEMORY, "not enough memory");
    else if (result == FUT_CODING_CUT)
        fut_failure_set(&t->failure, FUT_KIND_PROTOCOL, "%s body cut short by %s", why, server);
    else
        fut_failure_set(&t->failure, FUT_KIND_PROTOCOL, "no valid body from %s: %s", server,
                        why);
    /* A proxy that lost its server halfway, say. */
    if (is_first && result == FUT_CODING_CUT) t->failure.retryable = true;
}

/* What the user asked for by a header of his own he takes as it comes, if it is unknown here; a
 * part of a body cannot be decoded by itself. */
static bool open_coding(struct fut_transfer *t) {
    const struct fut_request *r = t->request;
    if (!r->compression || t->status == 206) return true;
    enum fut_coding_result result = fut_coding_open(&t->coding, &t->head);
    if (result == FUT_CODING_UNKNOWN && fut_request_has_header(r, "Accept-Encoding"))
        return true;
    fut_callbacks_fail_coding(t, result);
    return result == FUT_CODING_OK;
}

/* At the first byte. False: it makes no sense, or will be too much. */
static bool look_ahead(struct fut_transfer *t) {
    if (!open_coding(t)) return false;
    curl_off_t announced = announced_length(t);
    if (announced > 0 && (uint64_t)announced > t->sink.limit) {
        fail_size(t);
        return false;
    }
    if (announced > 0) fut_sink_expect(&t->sink, (uint64_t)announced);
    if (t->progress)
        atomic_store_explicit(&t->progress->expected, (uint64_t)announced + 1,
                              memory_order_relaxed);
    return true;
}

static bool take_body(void *transfer, const void *bytes, size_t n) {
    struct fut_transfer *t = transfer;
    enum fut_sink_result result = fut_sink_write(&t->sink, bytes, n);
    fut_callbacks_fail_sink(t, result);
    return result == FUT_SINK_OK;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *context) {
    struct fut_transfer *t = context;
    size_t n = size * count;
    bool is_first = !t->sorted;
    t->phase = FUT_PHASE_BODY;
    if (!is_first || !t->exclusive) t->last_byte = fut_now(); /* else as in on_header */
    fut_callbacks_sort_body(t);
    if (t->discards) {
        t->discarded += n;
        return t->discarded > DISCARD_LIMIT ? 0 : n;
    }
    if (t->failure.kind != FUT_KIND_NONE || (is_first && !look_ahead(t))) return 0;
    enum fut_coding_result result = fut_coding_write(&t->coding, bytes, n, take_body, t);
    fut_callbacks_fail_coding(t, result);
    if (result != FUT_CODING_OK) return 0;
    tell_progress(t);
    return n;
}

curl_socket_t fut_callbacks_open_socket(struct fut_transfer *t,
                                        const struct curl_sockaddr *address) {
    if (t->request->deny_private && !fut_address_is_public(&address->addr)) {
        t->denied = true;
        return CURL_SOCKET_BAD;
    }
    int type = address->socktype;
#ifdef SOCK_CLOEXEC
    type |= SOCK_CLOEXEC;
#endif
    return socket(address->family, type, address->protocol);
}

/* The request is about to be sent, perhaps on a connection that an earlier request opened. */
/* NOLINTNEXTLINE(readability-non-const-parameter): libcurl fixes the type */
static int on_connected(void *context, char *ip, char *local_ip, int port, int local_port) {
    struct fut_transfer *t = context;
    (void)local_ip;
    (void)port;
    (void)local_port;
    t->denied = t->request->deny_private && !fut_address_text_is_public(ip);
    if (t->denied) return CURL_PREREQFUNC_ABORT;
    t->phase = FUT_PHASE_FIRST_BYTE;
    t->last_byte = fut_now();
    return CURL_PREREQFUNC_OK;
}

static void note(CURLcode *first, CURLcode code) {
    if (*first == CURLE_OK) *first = code;
}

CURLcode fut_callbacks_apply(CURL *easy) {
    CURLcode code = curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    note(&code, curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body));
    note(&code, curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_connected));
    return code;
}

CURLcode fut_callbacks_aim(CURL *easy, struct fut_transfer *t) {
    CURLcode code = curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, t ? t->detail : NULL);
    note(&code, curl_easy_setopt(easy, CURLOPT_HEADERDATA, t));
    note(&code, curl_easy_setopt(easy, CURLOPT_WRITEDATA, t));
    note(&code, curl_easy_setopt(easy, CURLOPT_PREREQDATA, t));
    return code;
}
