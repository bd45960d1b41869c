/* SPDX-License-Identifier: MIT */
/* fut_request: how to fetch, all but the URL, flat and checked: Lua has refused all that is
 * misuse. Many jobs may share one.
 * STATE: fut_request_new gives the defaults; whoever made it fills it in, then it never
 * changes.
 * OWNERSHIP: counted; owns all that it points at.
 * THREADS: any, once it is filled in. */
#ifndef FUT_FETCH_REQUEST_H
#define FUT_FETCH_REQUEST_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "fetch/retry.h"

enum fut_auth { FUT_AUTH_NONE, FUT_AUTH_BASIC, FUT_AUTH_DIGEST, FUT_AUTH_BEARER };

enum fut_http { FUT_HTTP_AUTO, FUT_HTTP_1_1, FUT_HTTP_2, FUT_HTTP_COUNT };

enum { FUT_REQUEST_MAX_CONNECTIONS = 100, FUT_REQUEST_MAX_PER_HOST = 16 };
#define FUT_REQUEST_MAX_BUFFERED ((uint64_t)1 << 30)
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
    atomic_uint refs;
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
    bool raise_for_status;
    bool cookies; /* of the session's jar */

    struct fut_retry_policy retry;
    double deadline_s; /* over all attempts, waiting included; INFINITY for none */
    double priority;   /* higher first */
    size_t max_connections, max_per_host;
    size_t max_pending;    /* SIZE_MAX for any number */
    uint64_t max_buffered; /* bytes of bodies that nobody has taken */
    double rate;           /* requests per second to a host; 0: any number */
};

/* fut_request_new(): the defaults, without a method, and one count; NULL: no memory. */
struct fut_request *fut_request_new(void);
void fut_request_hold(struct fut_request *r);
void fut_request_drop(struct fut_request *r);

/* fut_request_next_header(r, position): the header line at *position, which starts as 0 and is
 * moved on; NULL at the end. */
const char *fut_request_next_header(const struct fut_request *r, size_t *position);

/* fut_request_is_named(line, name): is it the line of that header? fut_request_has_header(r,
 * name): is there one? In any case of letters. */
bool fut_request_is_named(const char *line, const char *name);
bool fut_request_has_header(const struct fut_request *r, const char *name);

#endif
