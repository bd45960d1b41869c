/* SPDX-License-Identifier: MIT */
/* fut_handle: an easy handle of libcurl. A reset and all options anew cost a tenth of a small
 * exchange, so a handle that has run a plain one stays set up, for the next exchange of the
 * same request.
 *
 *     clean --keep--> set up for a request --reset--> clean
 *
 * STATE: new is clean: as curl_easy_init gives it.
 * OWNERSHIP: owns the easy handle; while it is set up also a count of the request, and the
 * header lines that libcurl reads.
 * THREADS: one at a time. */
#ifndef FUT_FETCH_HANDLE_H
#define FUT_FETCH_HANDLE_H

#include <curl/curl.h>

#include "fetch/request.h"

struct fut_handle {
    CURL *easy;
    struct fut_request *request; /* NULL: it is clean */
    bool tls;                    /* set up for a URL with https */
    struct curl_slist *headers;
};

/* fut_handle_new(): NULL: no memory. fut_handle_free(h): not while it is in a multi handle;
 * NULL is allowed. */
struct fut_handle *fut_handle_new(void);
void fut_handle_free(struct fut_handle *h);

/* fut_handle_fits(h, request, tls): it is set up for that. */
bool fut_handle_fits(const struct fut_handle *h, const struct fut_request *r, bool tls);

/* fut_handle_can_keep(r): nothing of an exchange of r stays behind in a handle, such as cookies
 * or the state of an authentication; and somebody else is going to use r again. */
bool fut_handle_can_keep(struct fut_request *r);

/* fut_handle_keep(h, request, tls, headers): it is set up for that, with these lines. */
void fut_handle_keep(struct fut_handle *h, struct fut_request *r, bool tls,
                     struct curl_slist **headers);

/* fut_handle_reset(h): clean, whatever was set. */
void fut_handle_reset(struct fut_handle *h);

#endif
