/* SPDX-License-Identifier: MIT */
/* Memory outside of Lua. One place, so that a test can make the n-th allocation fail.
 * THREADS: any thread may call. */
#ifndef FUT_BASE_ALLOC_H
#define FUT_BASE_ALLOC_H

#include <stddef.h>

/* fut_alloc(size): uninitialised memory, or NULL. */
void *fut_alloc(size_t size);

/* fut_zalloc(size): zeroed memory, or NULL. */
void *fut_zalloc(size_t size);

/* fut_alloc_aligned(alignment, size): uninitialised, aligned to a power of two that divides the
 * size. */
void *fut_alloc_aligned(size_t alignment, size_t size);

/* fut_realloc(block, size): like realloc; on NULL the old block lives on. */
void *fut_realloc(void *block, size_t size);

/* fut_alloc_touch(block, size): so many bytes there are about to be written: the system gives
 * their pages at once, which costs it less than a fault for each. It may do nothing. */
void fut_alloc_touch(void *block, size_t size);

/* fut_free(block): takes back what the calls above gave; NULL is fine. */
void fut_free(void *block);

/* fut_strndup(text, n): a copy of n bytes and a zero, or NULL. */
char *fut_strndup(const char *text, size_t n);

/* fut_strdup(text): a copy to be freed with fut_free, or NULL. */
char *fut_strdup(const char *text);

/* fut_alloc_fail_after(n): the n-th allocation from now (1 is the next) and all that follow
 * return NULL; 0 ends that. For tests only. */
void fut_alloc_fail_after(long n);

#endif
