/* SPDX-License-Identifier: MIT */
#include "fetch/retry.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static bool in_range(long status) {
    return status >= FUT_RETRY_STATUS_MIN && status <= FUT_RETRY_STATUS_MAX;
}

void fut_retry_add_status(struct fut_retry_policy *p, int status) {
    unsigned i = (unsigned)(status - FUT_RETRY_STATUS_MIN);
    if (in_range(status)) p->statuses[i / 64] |= (uint64_t)1 << i % 64;
}

bool fut_retry_has_status(const struct fut_retry_policy *p, long status) {
    unsigned i = (unsigned)(status - FUT_RETRY_STATUS_MIN);
    return in_range(status) && p->statuses[i / 64] >> i % 64 & 1;
}

/* Decimal digits, or a date (RFC 9110); -1 when it is neither. */
static double seconds_of(const char *header) {
    size_t digits = strspn(header, "0123456789");
    if (digits > 0 && header[digits] == '\0') return strtod(header, NULL);
    time_t date = curl_getdate(header, NULL);
    if (date == (time_t)-1) return -1;
    double left = difftime(date, time(NULL));
    return left > 0 ? left : 0;
}

double fut_retry_delay(const struct fut_retry_policy *p, int attempt, const char *header,
                       double random) {
    double asked = header && p->respect_retry_after ? seconds_of(header) : -1;
    if (!(asked >= 0)) return fut_backoff_delay(&p->backoff, attempt, random);
    return asked < p->backoff.max_s ? asked : p->backoff.max_s;
}
