/* SPDX-License-Identifier: MIT */
/* URLs that need no parser: those that libcurl would give back as they are, but for the "/" of
 * an empty path. Nearly all are such; libcurl's parser costs some 12,000 instructions.
 * THREADS: any. */
#ifndef FUT_FETCH_URL_PLAIN_H
#define FUT_FETCH_URL_PLAIN_H

#include <stdbool.h>
#include <stddef.h>

struct fut_url_plain {
    size_t scheme_len;        /* 4 or 5; the host begins 3 bytes behind */
    size_t host_len;          /* no credentials in front of it */
    size_t port_at, port_len; /* 0: none is named */
    bool has_path;
};

/* fut_url_read_plain(p, text, len): false for all that is not surely plain. */
bool fut_url_read_plain(struct fut_url_plain *p, const char *text, size_t len);

#endif
