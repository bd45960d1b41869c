/* SPDX-License-Identifier: MIT */
/* fut_backoff: pauses between attempts, each longer than the one before, up to a limit.
 * STATE: zeroed memory is no pause. THREADS: any may read. */
#ifndef FUT_BASE_BACKOFF_H
#define FUT_BASE_BACKOFF_H

#include <stdbool.h>

struct fut_backoff {
    double first_s; /* after the first attempt */
    double factor;  /* so many times as long after each later one */
    double max_s;
    bool jitter; /* from half of that to all of it, by chance */
};

/* fut_backoff_delay(b, attempt, random): seconds between the attempt of this number (from 1)
 * and the next; random is from 0 to 1. */
double fut_backoff_delay(const struct fut_backoff *b, int attempt, double random);

#endif
