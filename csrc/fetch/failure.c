/* SPDX-License-Identifier: MIT */
#include "fetch/failure.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *fut_kind_name(enum fut_kind kind) {
    static const char *const names[] = {
        "none",      "url",    "scheme",   "connect",  "dns",       "timeout",
        "denied",    "io",     "tls",      "redirect", "truncated", "protocol",
        "too_large", "status", "shutdown", "forked",   "memory"};
    return names[kind];
}

const char *fut_phase_name(enum fut_phase phase) {
    static const char *const names[] = {"connect", "first_byte", "body", "deadline"};
    return names[phase];
}

/* Worth trying again as it is: what may be different in a moment. */
static bool is_retryable(enum fut_kind kind) {
    return kind == FUT_KIND_CONNECT || kind == FUT_KIND_DNS || kind == FUT_KIND_TIMEOUT ||
           kind == FUT_KIND_TRUNCATED;
}

void fut_failure_set(struct fut_failure *f, enum fut_kind kind, const char *format, ...) {
    if (f->kind != FUT_KIND_NONE) return;
    f->kind = kind;
    f->retryable = is_retryable(kind);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(f->text, sizeof f->text, format, arguments);
    va_end(arguments);
}

static enum fut_kind kind_of_tls_code(CURLcode code) {
    switch (code) {
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_ENGINE_NOTFOUND:
    case CURLE_SSL_ENGINE_SETFAILED:
    case CURLE_SSL_ENGINE_INITFAILED:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_USE_SSL_FAILED:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_SHUTDOWN_FAILED:
    case CURLE_SSL_CRL_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
    case CURLE_SSL_INVALIDCERTSTATUS:
    case CURLE_SSL_CLIENTCERT:
        return FUT_KIND_TLS;
    default:
        return FUT_KIND_PROTOCOL;
    }
}

static enum fut_kind kind_of_code(CURLcode code, enum fut_phase phase) {
    switch (code) {
    case CURLE_OUT_OF_MEMORY:
    case CURLE_FAILED_INIT:
        return FUT_KIND_MEMORY;
    case CURLE_URL_MALFORMAT:
        return FUT_KIND_URL;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
        return FUT_KIND_DNS;
    case CURLE_COULDNT_CONNECT:
    case CURLE_INTERFACE_FAILED:
    case CURLE_PROXY:
        return FUT_KIND_CONNECT;
    case CURLE_OPERATION_TIMEDOUT:
        return FUT_KIND_TIMEOUT;
    case CURLE_PARTIAL_FILE:
        return FUT_KIND_TRUNCATED;
    case CURLE_FILESIZE_EXCEEDED:
#if LIBCURL_VERSION_NUM >= 0x080600
    case CURLE_TOO_LARGE:
#endif
        return FUT_KIND_TOO_LARGE;
    case CURLE_READ_ERROR: /* a file of a multipart body */
        return FUT_KIND_IO;
    case CURLE_UNSUPPORTED_PROTOCOL: /* before a connection: libcurl without TLS */
        return phase == FUT_PHASE_CONNECT ? FUT_KIND_SCHEME : FUT_KIND_PROTOCOL;
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR: /* while connecting: the proxy refused */
        return phase == FUT_PHASE_CONNECT ? FUT_KIND_CONNECT : FUT_KIND_PROTOCOL;
    default:
        return kind_of_tls_code(code);
    }
}

static bool begins_with(const char *text, const char *beginning) {
    return strncmp(text, beginning, strlen(beginning)) == 0;
}

/* "Recv failure: Connection reset by peer" shares its code with a chunk header that makes no
 * sense, but is the network's doing. */
static bool is_broken_connection(CURLcode code, const char *detail) {
    return code == CURLE_SEND_ERROR || code == CURLE_GOT_NOTHING ||
           (code == CURLE_RECV_ERROR && begins_with(detail, "Recv failure")) ||
           (code == CURLE_RECV_ERROR && strstr(detail, "SSL_read"));
}

static const char *words_of_kind(enum fut_kind kind) {
    switch (kind) {
    case FUT_KIND_DNS:
        return "cannot resolve the proxy for";
    case FUT_KIND_CONNECT:
        return "cannot connect to";
    case FUT_KIND_TIMEOUT:
        return "timed out:";
    case FUT_KIND_TLS:
        return "no secure connection to";
    case FUT_KIND_TRUNCATED:
        return "body cut short by";
    case FUT_KIND_TOO_LARGE:
        return "response too large from";
    case FUT_KIND_PROTOCOL:
        return "no valid HTTP response from";
    default:
        return "cannot fetch from";
    }
}

/* "Failed to connect to 10.0.0.1 port 3128": another port than the server's is the proxy's. */
static bool names_port_of(const char *detail, const char *server) {
    char words[32];
    const char *colon = strrchr(server, ':');
    snprintf(words, sizeof words, " port %s ", colon ? colon + 1 : "");
    return strstr(detail, words);
}

void fut_failure_explain(struct fut_failure *f, const struct fut_wreck *w) {
    if (f->kind != FUT_KIND_NONE) return;
    bool broken = is_broken_connection(w->code, w->detail);
    enum fut_kind kind = kind_of_code(w->code, w->phase);
    if (broken && w->phase == FUT_PHASE_BODY && w->code != CURLE_GOT_NOTHING)
        kind = FUT_KIND_TRUNCATED;
    /* libcurl quotes a malformed proxy of the environment, credentials and all. */
    bool is_fit = *w->detail && !strchr(w->detail, '@');
    const char *why = is_fit ? w->detail : curl_easy_strerror(w->code);
    if (w->code == CURLE_COULDNT_CONNECT && w->os_errno && names_port_of(w->detail, w->server))
        why = strerror(w->os_errno);
    if (w->code == CURLE_GOT_NOTHING)
        fut_failure_set(f, kind, "empty answer from %s", w->server);
    else if (w->code == CURLE_COULDNT_RESOLVE_HOST)
        fut_failure_set(f, kind, "cannot resolve the name of %s", w->server);
    else
        fut_failure_set(f, kind, "%s %s: %s", words_of_kind(kind), w->server, why);
    f->code = (int)w->code;
    f->phase = w->phase;
    f->retryable =
        f->retryable || broken || w->code == CURLE_HTTP2 || w->code == CURLE_HTTP2_STREAM;
}
