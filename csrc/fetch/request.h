/* SPDX-License-Identifier: MIT */
/* fut_request: what to fetch and how, flat and checked: Lua has refused all that is misuse.
 * STATE: zeroed memory is an empty request; fut_request_init gives the defaults.
 * OWNERSHIP: owns all that it points at until fut_request_deinit.
 * THREADS: one at a time; may be handed from thread to thread. */
#ifndef FUT_FETCH_REQUEST_H
#define FUT_FETCH_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

enum fut_auth { FUT_AUTH_NONE, FUT_AUTH_BASIC, FUT_AUTH_DIGEST, FUT_AUTH_BEARER };

enum fut_http { FUT_HTTP_AUTO, FUT_HTTP_1_1, FUT_HTTP_2, FUT_HTTP_COUNT };

#define FUT_REQUEST_MAX_BODY ((uint64_t)64 << 20) /* bytes, where nobody sets a limit */

/* One part of a multipart body: bytes, or the file `path`. */
struct fut_part {
    char *name;
    char *path;
    char *filename;
    char *type;
    struct fut_buf bytes;
};

struct fut_request {
    char *url; /* as fut_url.text */
    char *method;
    struct fut_buf headers; /* "Name: value" lines, each with a zero byte at its end */
    struct fut_buf body;
    bool has_body; /* also an empty one */
    struct fut_part *parts;
    size_t part_count;

    double total_s; /* INFINITY for no limit */
    double connect_s;
    double idle_s;
    int max_redirects;
    uint64_t max_body; /* UINT64_MAX for no limit */
    char *output;      /* path, or NULL */

    enum fut_auth auth;
    char *user;
    char *password;
    char *token;
    char *user_agent;
    enum fut_http http;
    bool compression;
    bool verify;
    char *ca_file;
    char *cert;
    char *key;
    char *proxy; /* NULL: as the environment says; "": none */
    bool deny_private;
};

/* fut_request_init(r): the defaults, without method and url. */
void fut_request_init(struct fut_request *r);

/* fut_request_deinit(r): r is empty again. */
void fut_request_deinit(struct fut_request *r);

/* fut_request_next_header(r, position): the header line at *position, which starts as 0 and is
 * moved on; NULL at the end. */
const char *fut_request_next_header(const struct fut_request *r, size_t *position);

#endif
