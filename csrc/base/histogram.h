/* SPDX-License-Identifier: MIT */
/* fut_histogram: how long things took: counts of times in buckets whose width grows with the
 * time, so that what is read off is at most 1/32 off, from a nanosecond to days.
 *
 *   0 .. 15 ns   a bucket each
 *   2^k ns       16 buckets up to 2^(k+1)
 *
 * STATE: zeroed memory is an empty histogram.
 * THREADS: one adds (or those who share a lock), any may read meanwhile: a reader may miss what
 * is being added. */
#ifndef FUT_BASE_HISTOGRAM_H
#define FUT_BASE_HISTOGRAM_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/clock.h"

enum {
    FUT_HISTOGRAM_BITS = 4, /* 16 buckets for each power of two */
    FUT_HISTOGRAM_TOP = 50, /* what is longer than 2^50 ns, 13 days, shares a bucket */
    FUT_HISTOGRAM_BUCKETS = (FUT_HISTOGRAM_TOP - FUT_HISTOGRAM_BITS + 1) << FUT_HISTOGRAM_BITS,
};

struct fut_histogram {
    atomic_uint_fast64_t buckets[FUT_HISTOGRAM_BUCKETS];
    atomic_uint_fast64_t sum, max;
};

/* Read off one or several histograms; seconds. All 0 when they are empty. */
struct fut_times {
    double p50, p99, max, mean;
};

/* fut_histogram_bucket(ns): where it is counted. */
static inline unsigned fut_histogram_bucket(uint64_t ns) {
    if (ns >> FUT_HISTOGRAM_TOP) return FUT_HISTOGRAM_BUCKETS - 1;
    if (ns >> FUT_HISTOGRAM_BITS == 0) return (unsigned)ns;
    unsigned shift = 63 - (unsigned)__builtin_clzll(ns) - FUT_HISTOGRAM_BITS;
    return (shift << FUT_HISTOGRAM_BITS) + (unsigned)(ns >> shift);
}

/* One adds at a time: no read-modify-write is needed. */
static inline void fut_histogram_raise(atomic_uint_fast64_t *word, uint64_t by) {
    uint64_t before = atomic_load_explicit(word, memory_order_relaxed);
    atomic_store_explicit(word, before + by, memory_order_relaxed);
}

/* fut_histogram_add(h, ns): counts one; a negative time is 0: clocks of two processors may
 * differ. */
static inline void fut_histogram_add(struct fut_histogram *h, fut_time ns) {
    uint64_t n = ns > 0 ? (uint64_t)ns : 0;
    fut_histogram_raise(&h->buckets[fut_histogram_bucket(n)], 1);
    fut_histogram_raise(&h->sum, n);
    if (n > atomic_load_explicit(&h->max, memory_order_relaxed))
        atomic_store_explicit(&h->max, n, memory_order_relaxed);
}

/* fut_histogram_merge(to, from): adds all of `from`, which others may add to. */
void fut_histogram_merge(struct fut_histogram *to, const struct fut_histogram *from);

/* fut_histogram_move(to, from): the same, and empties `from`, which nobody adds to or reads. */
void fut_histogram_move(struct fut_histogram *to, struct fut_histogram *from);

/* fut_histogram_read(h): of one that nobody adds to. */
struct fut_times fut_histogram_read(const struct fut_histogram *h);

#endif
