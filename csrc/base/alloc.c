/* SPDX-License-Identifier: MIT */
#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>

#include "base/fault.h"

static struct fut_fault fault;

void *fut_alloc(size_t size) {
    return fut_fault_hit(&fault) ? NULL : malloc(size);
}

void *fut_zalloc(size_t size) {
    return fut_fault_hit(&fault) ? NULL : calloc(1, size);
}

void *fut_alloc_aligned(size_t alignment, size_t size) {
    return fut_fault_hit(&fault) ? NULL : aligned_alloc(alignment, size);
}

void *fut_realloc(void *block, size_t size) {
    return fut_fault_hit(&fault) ? NULL : realloc(block, size);
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
    fut_fault_after(&fault, n);
}
