/* SPDX-License-Identifier: MIT */
#include "base/clock.h"

#include <time.h>

fut_time fut_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (fut_time)t.tv_sec * FUT_SECOND + t.tv_nsec;
}

fut_time fut_deadline_after(double seconds) {
    fut_time now = fut_now();
    if (seconds <= 0) return now - 1;
    if (seconds >= (double)((FUT_NEVER - now) / FUT_SECOND)) return FUT_NEVER;
    fut_time ns = (fut_time)(seconds * 1e9);
    return now + (ns > 0 ? ns : 1); /* 1e-12 s is still a wait, not a "do not wait" */
}
