/* SPDX-License-Identifier: MIT */
#include "fetch/handle.h"

#include "base/alloc.h"

struct fut_handle *fut_handle_new(void) {
    struct fut_handle *h = fut_zalloc(sizeof *h);
    if (!h) return NULL;
    h->easy = curl_easy_init();
    if (h->easy) return h;
    fut_free(h);
    return NULL;
}

static void forget(struct fut_handle *h) {
    fut_request_drop(h->request);
    curl_slist_free_all(h->headers);
    h->request = NULL;
    h->headers = NULL;
}

void fut_handle_free(struct fut_handle *h) {
    if (!h) return;
    curl_easy_cleanup(h->easy);
    forget(h);
    fut_free(h);
}

bool fut_handle_fits(const struct fut_handle *h, const struct fut_request *r, bool tls) {
    return h->request == r && h->tls == tls;
}

/* The counts of a job and of its transfer; with no other one it was an option of one call. */
enum { COUNTS_OF_ONE = 2 };

bool fut_handle_can_keep(struct fut_request *r) {
    return r->auth == FUT_AUTH_NONE && !r->cookies && !r->has_body && r->part_count == 0 &&
           atomic_load_explicit(&r->refs, memory_order_relaxed) > COUNTS_OF_ONE &&
           !fut_request_has_header(r, "Host");
}

void fut_handle_keep(struct fut_handle *h, struct fut_request *r, bool tls,
                     struct curl_slist **headers) {
    if (fut_handle_fits(h, r, tls)) return;
    fut_request_hold(r);
    forget(h);
    h->request = r;
    h->tls = tls;
    h->headers = *headers;
    *headers = NULL;
}

void fut_handle_reset(struct fut_handle *h) {
    curl_easy_reset(h->easy);
    forget(h);
}
