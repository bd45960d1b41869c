/* SPDX-License-Identifier: MIT */
/* fut_buf: bytes that grow at the end.
 * STATE: zeroed memory is an empty buffer.
 * OWNERSHIP: the buffer owns its memory until fut_buf_deinit or fut_buf_steal.
 * THREADS: one at a time. */
#ifndef FUT_BASE_BUF_H
#define FUT_BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct fut_buf {
    unsigned char *data;
    size_t len;
    size_t cap;
};

/* fut_buf_deinit(b): frees the memory; b is empty again. */
void fut_buf_deinit(struct fut_buf *b);

/* fut_buf_grow(b, extra): makes room for `extra` bytes more; false when memory is short (b is
 * unchanged then). Grows by half at least, so n appends cost O(n). */
bool fut_buf_grow(struct fut_buf *b, size_t extra);

/* fut_buf_resize(b, cap): room for exactly `cap` bytes, those that are there included (at least
 * as many); false when memory is short (b is unchanged then). */
bool fut_buf_resize(struct fut_buf *b, size_t cap);

/* fut_buf_trim(b, keep): empties b, and gives its memory back when it holds more than
 * `keep`. */
void fut_buf_trim(struct fut_buf *b, size_t keep);

/* fut_buf_steal(b): hands the memory to the caller, who frees it with fut_free; b is empty. */
unsigned char *fut_buf_steal(struct fut_buf *b);

/* fut_buf_reserve(b, extra): the address of `extra` writable bytes at the end (not yet counted
 * in len), or NULL when memory is short; of an empty buffer and 0 bytes an address, too. */
static inline unsigned char *fut_buf_reserve(struct fut_buf *b, size_t extra) {
    if ((b->cap - b->len < extra || !b->data) && !fut_buf_grow(b, extra)) return NULL;
    return b->data + b->len;
}

/* fut_buf_append(b, bytes, n): false when memory is short. */
static inline bool fut_buf_append(struct fut_buf *b, const void *bytes, size_t n) {
    unsigned char *to = fut_buf_reserve(b, n);
    if (!to) return false;
    if (n) memcpy(to, bytes, n);
    b->len += n;
    return true;
}

#endif
