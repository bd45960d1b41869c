/* SPDX-License-Identifier: MIT */
/* How many processors this process may use. */
#ifndef FUT_BASE_CPU_H
#define FUT_BASE_CPU_H

/* Bytes that processors take from each other at a time: of some a pair of lines, since the
 * second one is fetched along. */
enum { FUT_CACHE_LINE = 128 };

/* fut_cpu_count(): at least 1: the affinity mask, cut by the CPU quota of the process's cgroup
 * (v2, else v1), rounded up. Reads files: not for hot paths. */
int fut_cpu_count(void);

/* fut_cpu_count_cached(): the first answer of fut_cpu_count, kept. Any thread. */
int fut_cpu_count_cached(void);

/* fut_cpu_current(): the number of the processor that runs this thread; where the system
 * does not say, a negative number that no other thread gets. A few nanoseconds. */
int fut_cpu_current(void);

#endif
