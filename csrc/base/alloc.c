/* SPDX-License-Identifier: MIT */
#include "base/alloc.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* Allocations until the injected failure; 0 means none is injected, which is the only value that
 * production code ever sees. Relaxed: a test sets it before the threads that it is meant for. */
static atomic_long fail_after;

static int must_fail(void) {
    long left = atomic_load_explicit(&fail_after, memory_order_relaxed);
    if (left == 0) return 0;
    if (left == 1) return 1; /* and stays there: all later ones fail too */
    atomic_fetch_sub_explicit(&fail_after, 1, memory_order_relaxed);
    return 0;
}

void *fut_alloc(size_t size) { return must_fail() ? NULL : malloc(size); }

void *fut_zalloc(size_t size) { return must_fail() ? NULL : calloc(1, size); }

void *fut_realloc(void *block, size_t size) { return must_fail() ? NULL : realloc(block, size); }

void fut_free(void *block) { free(block); }

char *fut_strdup(const char *text) {
    size_t size = strlen(text) + 1;
    char *copy = fut_alloc(size);
    return copy ? memcpy(copy, text, size) : NULL;
}

void fut_alloc_fail_after(long n) {
    atomic_store_explicit(&fail_after, n, memory_order_relaxed);
}
