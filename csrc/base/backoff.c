/* SPDX-License-Identifier: MIT */
#include "base/backoff.h"

/* Not that of libm, which a module would have to be linked to. */
static double power(double x, int n) {
    double result = 1;
    for (; n > 0; n /= 2, x *= x)
        if (n % 2 == 1) result *= x;
    return result;
}

double fut_backoff_delay(const struct fut_backoff *b, int attempt, double random) {
    if (!(b->first_s > 0)) return 0; /* infinitely often it would be no number */
    double delay = b->first_s * power(b->factor, attempt - 1);
    if (!(delay < b->max_s)) delay = b->max_s;
    return b->jitter ? delay * (0.5 + random / 2) : delay;
}
