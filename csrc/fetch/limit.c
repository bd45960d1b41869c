/* SPDX-License-Identifier: MIT */
#include "fetch/limit.h"

#include <sys/resource.h>

/* For the program, its other libraries, resolvers, files of `output`. */
enum { OTHERS = 64 };

size_t fut_limit_connections(size_t wanted) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return wanted;
    if (limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur >= OTHERS + wanted) return wanted;
    struct rlimit raised = limit;
    raised.rlim_cur = OTHERS + wanted;
    if (limit.rlim_max != RLIM_INFINITY && raised.rlim_cur > limit.rlim_max)
        raised.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &raised) == 0) limit = raised;
    if (limit.rlim_cur <= OTHERS) return limit.rlim_cur >= 16 ? limit.rlim_cur / 4 : 1;
    size_t possible = (size_t)limit.rlim_cur - OTHERS;
    return possible < wanted ? possible : wanted;
}
