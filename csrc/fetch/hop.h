/* SPDX-License-Identifier: MIT */
/* fut_hop: one exchange of a request: the first one, or the one that a redirect asks for. It
 * says which method, body, headers and credentials go to which URL, and tells libcurl so.
 * STATE: zeroed memory is an empty hop.
 * OWNERSHIP: owns its strings and what libcurl reads while the hop runs: deinit or apply it
 * again only when the easy handle is in no multi handle. The request outlives it.
 * THREADS: one at a time. */
#ifndef FUT_FETCH_HOP_H
#define FUT_FETCH_HOP_H

#include <curl/curl.h>

#include "fetch/failure.h"
#include "fetch/request.h"

struct fut_hop {
    const char *first_url; /* where the user's credentials may go */
    char *url;
    const char *method; /* of the request, or a literal */
    bool with_body;
    bool with_credentials;
    struct curl_slist *headers;
    curl_mime *mime;
};

/* fut_hop_first(h, r, url, failure): the exchange with the URL that the user gave; this string
 * must live as long as the hop. */
void fut_hop_first(struct fut_hop *h, const struct fut_request *r, const char *url,
                   struct fut_failure *failure);

/* fut_hop_follow(h, status, location, failure): turns the hop into the one that a 3xx
 * response to it asks for; a failure of kind redirect when the rules forbid that. */
void fut_hop_follow(struct fut_hop *h, long status, const char *location,
                    struct fut_failure *failure);

/* fut_hop_server(h, out): as fut_url_server; false: no memory. */
bool fut_hop_server(const struct fut_hop *h, char *out);

/* fut_hop_apply(h, r, easy): sets all of the request on an easy handle that was just reset, but
 * not the callbacks. */
CURLcode fut_hop_apply(struct fut_hop *h, const struct fut_request *r, CURL *easy);

/* fut_hop_is_redirect(status): the codes that are followed when they have a Location. */
bool fut_hop_is_redirect(long status);

/* fut_hop_deinit(h): empty again. */
void fut_hop_deinit(struct fut_hop *h);

#endif
