/* SPDX-License-Identifier: MIT */
#include "fetch/url_plain.h"

#include <string.h>

enum { HOST_MAX = 253 };

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static bool is_lower(char c) {
    return c >= 'a' && c <= 'z';
}

/* Dotted and decimal, as it would be printed: libcurl rewrites other forms of a number. */
static bool is_ipv4(const char *host, size_t len) {
    size_t at = 0;
    for (int part = 0; part < 4; part++) {
        size_t from = at;
        int value = 0;
        while (at < len && at - from < 3 && is_digit(host[at]))
            value = value * 10 + host[at++] - '0';
        bool is_short = at == from || value > 255 || (host[from] == '0' && at - from > 1);
        if (is_short) return false;
        if (part < 3 && (at == len || host[at++] != '.')) return false;
    }
    return at == len;
}

/* Lower case, no empty label; a last label that begins with a digit is a number's. */
static bool is_host(const char *host, size_t len) {
    size_t label = 0;
    if (len == 0 || len > HOST_MAX) return false;
    for (size_t i = 0; i < len; i++) {
        if (host[i] == '.') {
            if (i == label) return false;
            label = i + 1;
        } else if (!is_lower(host[i]) && !is_digit(host[i]) && (host[i] != '-' || i == label)) {
            return false;
        }
    }
    return label < len && (is_lower(host[label]) || is_ipv4(host, len));
}

static bool is_port(const char *port, size_t len) {
    long value = 0;
    if (len == 0 || len > 5 || port[0] == '0') return false;
    for (size_t i = 0; i < len; i++) {
        if (!is_digit(port[i])) return false;
        value = value * 10 + port[i] - '0';
    }
    return value <= 65535;
}

/* Path and query, from the first slash: no segment that begins with a dot, no escapes. */
static bool is_rest(const char *rest, size_t len) {
    bool in_query = false;
    for (size_t i = 0; i < len; i++) {
        char c = rest[i];
        if (is_lower(c) || is_digit(c) || (c >= 'A' && c <= 'Z')) continue;
        if (c == '?' && !in_query && i + 1 < len) { /* libcurl drops an empty query */
            in_query = true;
            continue;
        }
        if (c == '\0' || !strchr("/._~=&+,;:@-", c)) return false;
        if (c == '.' && !in_query && rest[i - 1] == '/') return false;
    }
    return true;
}

bool fut_url_read_plain(struct fut_url_plain *p, const char *text, size_t len) {
    *p = (struct fut_url_plain){.scheme_len = 4};
    if (len < 8 || memcmp(text, "http", 4) != 0) return false;
    if (text[4] == 's') p->scheme_len = 5;
    if (memcmp(text + p->scheme_len, "://", 3) != 0) return false;
    size_t host = p->scheme_len + 3;
    const char *slash = memchr(text + host, '/', len - host);
    size_t end = slash ? (size_t)(slash - text) : len;
    const char *colon = memchr(text + host, ':', end - host);
    size_t host_end = colon ? (size_t)(colon - text) : end;
    p->host_len = host_end - host;
    p->has_path = slash != NULL;
    if (colon) {
        p->port_at = host_end + 1;
        p->port_len = end - p->port_at;
    }
    return is_host(text + host, p->host_len) &&
           (!colon || is_port(text + p->port_at, p->port_len)) &&
           (!slash || is_rest(slash, len - end));
}
