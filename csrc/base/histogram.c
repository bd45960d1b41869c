/* SPDX-License-Identifier: MIT */
#include "base/histogram.h"

#include <string.h>

static uint64_t get(const atomic_uint_fast64_t *word) {
    return atomic_load_explicit(word, memory_order_relaxed);
}

void fut_histogram_merge(struct fut_histogram *to, const struct fut_histogram *from) {
    for (int i = 0; i < FUT_HISTOGRAM_BUCKETS; i++) {
        uint64_t n = get(&from->buckets[i]);
        if (n > 0) fut_histogram_raise(&to->buckets[i], n);
    }
    fut_histogram_raise(&to->sum, get(&from->sum));
    uint64_t max = get(&from->max);
    if (max > get(&to->max)) atomic_store_explicit(&to->max, max, memory_order_relaxed);
}

void fut_histogram_move(struct fut_histogram *to, struct fut_histogram *from) {
    fut_histogram_merge(to, from);
    memset(from, 0, sizeof *from);
}

/* The middle of a bucket. */
static double middle(unsigned bucket) {
    enum { ONE = 1 << FUT_HISTOGRAM_BITS };
    if (bucket < ONE) return bucket;
    unsigned shift = (bucket >> FUT_HISTOGRAM_BITS) - 1;
    uint64_t low = (uint64_t)(bucket - (shift << FUT_HISTOGRAM_BITS)) << shift;
    return (double)low + (double)(((uint64_t)1 << shift) - 1) / 2;
}

/* The time that a share of all did not exceed. */
static double quantile(const struct fut_histogram *h, uint64_t count, double share) {
    double wanted = share * (double)count;
    uint64_t seen = 0;
    for (unsigned i = 0; i < FUT_HISTOGRAM_BUCKETS; i++) {
        seen += get(&h->buckets[i]);
        if (seen > 0 && (double)seen >= wanted) return middle(i);
    }
    return 0;
}

struct fut_times fut_histogram_read(const struct fut_histogram *h) {
    uint64_t count = 0;
    for (unsigned i = 0; i < FUT_HISTOGRAM_BUCKETS; i++) count += get(&h->buckets[i]);
    if (count == 0) return (struct fut_times){0};
    double max = (double)get(&h->max), second = (double)FUT_SECOND;
    double p50 = quantile(h, count, 0.5), p99 = quantile(h, count, 0.99);
    if (p50 > max) p50 = max;
    if (p99 > max) p99 = max;
    return (struct fut_times){
        .p50 = p50 / second,
        .p99 = p99 / second,
        .max = max / second,
        .mean = (double)get(&h->sum) / (double)count / second,
    };
}
