/* SPDX-License-Identifier: MIT */
/* Monotonic time in nanoseconds. Inside C only absolute deadlines are passed on, never
 * timeouts, so a wait that is woken and goes on waiting does not start anew. */
#ifndef FUT_BASE_CLOCK_H
#define FUT_BASE_CLOCK_H

#include <stdint.h>

typedef int64_t fut_time; /* ns since some start of the monotonic clock */

#define FUT_NEVER INT64_MAX
#define FUT_MS ((fut_time)1000000)
#define FUT_SECOND ((fut_time)1000000000)

/* fut_now(): the time now. */
fut_time fut_now(void);

/* fut_deadline_after(seconds): now plus that; FUT_NEVER for infinity and for what is too far to
 * count; a negative or zero number gives a deadline that has passed. Not for NaN. */
fut_time fut_deadline_after(double seconds);

#endif
