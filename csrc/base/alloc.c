/* SPDX-License-Identifier: MIT */
#include "base/alloc.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

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

/* Of Linux 5.14; older headers do not name it, and older kernels refuse it. */
#if defined(__linux__) && !defined(MADV_POPULATE_WRITE)
#define MADV_POPULATE_WRITE 23
#endif

void fut_alloc_touch(void *block, size_t size) {
#ifdef __linux__
    const uintptr_t page = 4096; /* or a multiple: then it is refused */
    /* Also those at the ends: what else is on them stays as it is. */
    uintptr_t from = (uintptr_t)block & ~(page - 1);
    uintptr_t to = ((uintptr_t)block + size + page - 1) & ~(page - 1);
    if (to > from) madvise((void *)from, to - from, MADV_POPULATE_WRITE);
#else
    (void)block;
    (void)size;
#endif
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
