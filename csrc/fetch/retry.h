/* SPDX-License-Identifier: MIT */
/* When a request that failed is tried once more, and after which pause.
 * STATE: zeroed memory never retries. THREADS: any may read. */
#ifndef FUT_FETCH_RETRY_H
#define FUT_FETCH_RETRY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/backoff.h"

enum { FUT_RETRY_STATUS_MIN = 100, FUT_RETRY_STATUS_MAX = 599 };

/* Answers that may be others in a moment. */
#define FUT_RETRY_STATUSES                                                                     \
    { 408, 429, 500, 502, 503, 504 }

struct fut_retry_policy {
    int max;                    /* further attempts; 0: none, or not with this method */
    struct fut_backoff backoff; /* its limit is also that of Retry-After */
    bool respect_retry_after;
    uint64_t statuses[8]; /* a set of them, from FUT_RETRY_STATUS_MIN */
};

/* fut_retry_add_status(p, status): is worth another attempt; others than MIN to MAX never
 * are. */
void fut_retry_add_status(struct fut_retry_policy *p, int status);
bool fut_retry_has_status(const struct fut_retry_policy *p, long status);

/* fut_retry_delay(p, attempt, header, random): seconds between the attempt of this number (from
 * 1) and the next; `header` is what Retry-After says, or NULL; random is from 0 to 1. */
double fut_retry_delay(const struct fut_retry_policy *p, int attempt, const char *header,
                       double random);

#endif
