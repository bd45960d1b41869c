/* SPDX-License-Identifier: MIT */
#include "base/alloc.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* Allocations until the injected failure; 0 means none is injected, which is the only value
 * that production code ever sees. Relaxed: a test sets it before the threads that it is meant
 * for. */
static atomic_long fail_after;

static int must_fail(void) {
    long left = atomic_load_explicit(&fail_after, memory_order_relaxed);
    /* Exchanged, not subtracted: two threads that see a 2 would make it a 0, which is
     * "none". */
    while (left > 1 &&
           !atomic_compare_exchange_weak_explicit(&fail_after, &left, left - 1,
                                                  memory_order_relaxed, memory_order_relaxed))
        continue;
    return left == 1; /* and stays there: all later ones fail too */
}

void *fut_alloc(size_t size) {
    return must_fail() ? NULL : malloc(size);
}

void *fut_zalloc(size_t size) {
    return must_fail() ? NULL : calloc(1, size);
}

void *fut_alloc_aligned(size_t alignment, size_t size) {
    return must_fail() ? NULL : aligned_alloc(alignment, size);
}

void *fut_realloc(void *block, size_t size) {
    return must_fail() ? NULL : realloc(block, size);
}

void fut_free(void *block) {
    free(block);
}

char *fut_strndup(const char *text, size_t n) {
    char *copy = n < (size_t)-1 ? fut_alloc(n + 1) : NULL;
    if (!copy) return NULL;
    memcpy(copy, text, n);
    copy[n] = '\0';
    return copy;
}

char *fut_strdup(const char *text) {
    size_t size = strlen(text) + 1;
    char *copy = fut_alloc(size);
    return copy ? memcpy(copy, text, size) : NULL;
}

void fut_alloc_fail_after(long n) {
    atomic_store_explicit(&fail_after, n, memory_order_relaxed);
}
