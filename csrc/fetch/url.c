/* SPDX-License-Identifier: MIT */
#include "fetch/url.h"

#include <curl/curl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "fetch/url_plain.h"

static bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static bool is_control(char c) {
    return (unsigned char)c < 0x20 || c == 0x7f;
}

/* The length of the scheme when "://" follows it, else 0. */
static size_t scheme_length(const char *text, size_t len) {
    size_t n = 0;
    while (n < len &&
           (is_letter(text[n]) || (n > 0 && (is_digit(text[n]) || memchr("+-.", text[n], 3)))))
        n++;
    return n > 0 && len - n >= 3 && memcmp(text + n, "://", 3) == 0 ? n : 0;
}

static bool is_web_scheme(const char *text, size_t len) {
    return (len == 4 && strncasecmp(text, "http", 4) == 0) ||
           (len == 5 && strncasecmp(text, "https", 5) == 0);
}

static enum fut_url_verdict check_bytes(const char *text, size_t len, const char **reason) {
    for (size_t i = 0; i < len; i++) {
        if (text[i] == ' ' || is_control(text[i])) {
            *reason = "space or control byte in URL";
            return FUT_URL_MALFORMED;
        }
    }
    return FUT_URL_OK;
}

/* libcurl takes "http:host", "http:/host" and "http:///host"; a user who writes that means
 * something else. */
static enum fut_url_verdict check_absolute(const char *text, size_t len, const char **reason) {
    size_t n = scheme_length(text, len);
    if (n == 0) {
        *reason = "URL without http:// or https://";
        return FUT_URL_MALFORMED;
    }
    if (!is_web_scheme(text, n)) {
        *reason = "URL is neither http nor https";
        return FUT_URL_SCHEME;
    }
    if (n + 3 == len || memchr("/?#", text[n + 3], 3)) {
        *reason = "URL without a host";
        return FUT_URL_MALFORMED;
    }
    return FUT_URL_OK;
}

static enum fut_url_verdict refuse(CURLUcode code, const char **reason) {
    *reason = code == CURLUE_BAD_PORT_NUMBER ? "bad port number in URL"
              : code == CURLUE_NO_HOST       ? "URL without a host"
              : code == CURLUE_URLDECODE     ? "control byte in the credentials of a URL"
                                             : "malformed URL";
#if LIBCURL_VERSION_NUM >= 0x075100
    if (code == CURLUE_BAD_HOSTNAME || code == CURLUE_BAD_IPV6)
        *reason = "bad host name in URL";
#endif
    return code == CURLUE_OUT_OF_MEMORY ? FUT_URL_MEMORY : FUT_URL_MALFORMED;
}

static CURLUcode get_parts(struct fut_url *u, CURLU *handle) {
    CURLUcode code = curl_url_get(handle, CURLUPART_USER, &u->user, CURLU_URLDECODE);
    if (code == CURLUE_OK || code == CURLUE_NO_USER)
        code = curl_url_get(handle, CURLUPART_PASSWORD, &u->password, CURLU_URLDECODE);
    if (code == CURLUE_OK || code == CURLUE_NO_PASSWORD) {
        curl_url_set(handle, CURLUPART_USER, NULL, 0);
        curl_url_set(handle, CURLUPART_PASSWORD, NULL, 0);
        code = curl_url_get(handle, CURLUPART_SCHEME, &u->scheme, 0);
    }
    if (code == CURLUE_OK) code = curl_url_get(handle, CURLUPART_HOST, &u->host, 0);
    if (code == CURLUE_OK)
        code = curl_url_get(handle, CURLUPART_PORT, &u->port, CURLU_DEFAULT_PORT);
    if (code == CURLUE_OK) code = curl_url_get(handle, CURLUPART_URL, &u->text, 0);
    return code;
}

/* What is empty, or a fragment only, is the base itself; to libcurl it is its folder. */
static CURLUcode set_reference(CURLU *handle, const char *text, unsigned flags) {
    if (*text && *text != '#') return curl_url_set(handle, CURLUPART_URL, text, flags);
    bool has_fragment = *text && text[1];
    return curl_url_set(handle, CURLUPART_FRAGMENT, has_fragment ? text + 1 : NULL,
                        strchr(text, ' ') ? CURLU_URLENCODE : 0);
}

static enum fut_url_verdict read_url(struct fut_url *u, const char *base, const char *text,
                                     const char **reason) {
    CURLU *handle = curl_url();
    if (!handle) return FUT_URL_MEMORY;
    unsigned flags = CURLU_URLENCODE | CURLU_NON_SUPPORT_SCHEME;
    CURLUcode code = curl_url_set(handle, CURLUPART_URL, base ? base : text, flags);
    /* A fragment of the base would swallow what is added. */
    if (code == CURLUE_OK && base) code = curl_url_set(handle, CURLUPART_FRAGMENT, NULL, 0);
    if (code == CURLUE_OK && base) code = set_reference(handle, text, flags);
    if (code == CURLUE_OK) code = curl_url_get(handle, CURLUPART_SCHEME, &u->scheme, 0);
    enum fut_url_verdict verdict = FUT_URL_OK;
    if (code == CURLUE_OK && !is_web_scheme(u->scheme, strlen(u->scheme))) {
        *reason = "URL is neither http nor https";
        verdict = FUT_URL_SCHEME;
    } else if (code == CURLUE_OK) {
        curl_free(u->scheme);
        u->scheme = NULL;
        code = get_parts(u, handle);
    }
    curl_url_cleanup(handle);
    if (code != CURLUE_OK) verdict = refuse(code, reason);
    if (verdict != FUT_URL_OK) fut_url_deinit(u);
    return verdict;
}

/* The same without libcurl, for a URL that it would leave as it is. */
static enum fut_url_verdict read_plain(struct fut_url *u, const struct fut_url_plain *p,
                                       const char *text, size_t len) {
    bool is_https = p->scheme_len == 5;
    u->ours = true;
    u->text = fut_alloc(len + 2);
    u->scheme = fut_strndup(text, p->scheme_len);
    u->host = fut_strndup(text + p->scheme_len + 3, p->host_len);
    u->port = p->port_len > 0 ? fut_strndup(text + p->port_at, p->port_len)
                              : fut_strdup(is_https ? "443" : "80");
    if (!u->text || !u->scheme || !u->host || !u->port) {
        fut_url_deinit(u);
        return FUT_URL_MEMORY;
    }
    memcpy(u->text, text, len);
    memcpy(u->text + len, "/", 2);
    if (p->has_path) u->text[len] = '\0';
    return FUT_URL_OK;
}

enum fut_url_verdict fut_url_parse(struct fut_url *u, const char *text, size_t len,
                                   const char *base, const char **reason) {
    struct fut_url_plain plain;
    *u = (struct fut_url){0};
    if (fut_url_read_plain(&plain, text, len)) return read_plain(u, &plain, text, len);
    enum fut_url_verdict verdict = check_bytes(text, len, reason);
    bool is_relative = base && scheme_length(text, len) == 0;
    if (verdict == FUT_URL_OK && !is_relative) verdict = check_absolute(text, len, reason);
    return verdict == FUT_URL_OK ? read_url(u, is_relative ? base : NULL, text, reason)
                                 : verdict;
}

enum fut_url_verdict fut_url_resolve(struct fut_url *u, const char *base, const char *reference,
                                     const char **reason) {
    *u = (struct fut_url){0};
    return read_url(u, base, reference, reason);
}

void fut_url_server(const struct fut_url *u, char out[FUT_URL_SERVER_SIZE]) {
    snprintf(out, FUT_URL_SERVER_SIZE, "%s://%.500s:%s", u->scheme, u->host, u->port);
    for (; *out; out++)
        if (*out >= 'A' && *out <= 'Z') *out = (char)(*out - 'A' + 'a');
}

void fut_url_deinit(struct fut_url *u) {
    void (*release)(void *) = u->ours ? fut_free : curl_free;
    release(u->text);
    release(u->scheme);
    release(u->host);
    release(u->port);
    release(u->user);
    release(u->password);
    *u = (struct fut_url){0};
}

bool fut_url_same_server(const struct fut_url *from, const struct fut_url *to) {
    if (strcasecmp(from->host, to->host) != 0) return false;
    bool same_scheme = strcasecmp(from->scheme, to->scheme) == 0;
    if (same_scheme) return strcmp(from->port, to->port) == 0;
    return strcasecmp(to->scheme, "https") == 0 && strcmp(from->port, "80") == 0 &&
           strcmp(to->port, "443") == 0;
}

bool fut_url_is_downgrade(const struct fut_url *from, const struct fut_url *to) {
    return strcasecmp(from->scheme, "https") == 0 && strcasecmp(to->scheme, "https") != 0;
}

/* Where the credentials end: behind the last '@' of the authority. A password with an unescaped
 * '/', '?' or '#' makes the authority end early, so when what follows the host's colon is no
 * port, look for the '@' in the whole rest. */
static size_t credentials_end(const char *text, size_t from, size_t len) {
    size_t end = from, at = 0, colon = len;
    while (end < len && !memchr("/?#", text[end], 3)) {
        if (text[end] == '@') at = end + 1;
        if (text[end] == ':') colon = end;
        end++;
    }
    if (at) return at;
    bool is_port = true;
    for (size_t i = colon + 1; i < end; i++) is_port = is_port && is_digit(text[i]);
    if (colon == len || is_port) return from;
    for (size_t i = end; i < len; i++)
        if (text[i] == '@') at = i + 1;
    return at ? at : from;
}

void fut_url_mask(char *out, size_t size, const char *text, size_t len) {
    size_t scheme = scheme_length(text, len);
    size_t from = scheme ? scheme + 3 : 0;
    size_t resume = credentials_end(text, from, len);
    size_t n = 0;
    static const char stars[] = "***@", dots[] = "...";
    for (size_t i = 0; i < len && n + 1 < size; i++) {
        if (i == from && resume > from) {
            for (size_t k = 0; stars[k] && n + 1 < size; k++) out[n++] = stars[k];
            i = resume;
            if (i >= len || n + 1 >= size) break;
        }
        out[n++] = is_control(text[i]) ? '?' : text[i];
        if (n + 1 == size && i + 1 < len && size > sizeof dots)
            memcpy(out + size - sizeof dots, dots, sizeof dots - 1);
    }
    out[n] = '\0';
}
