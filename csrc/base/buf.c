/* SPDX-License-Identifier: MIT */
#include "base/buf.h"

#include "base/alloc.h"
#include "base/err.h"

enum { MIN_CAP = 256 };

void fut_buf_deinit(struct fut_buf *b) {
    fut_free(b->data);
    *b = (struct fut_buf){0};
}

bool fut_buf_grow(struct fut_buf *b, size_t extra) {
    if (extra > (size_t)-1 - b->len) return false;
    size_t need = b->len + extra;
    size_t cap = b->cap + b->cap / 2;
    if (cap < need) cap = need;
    return fut_buf_resize(b, cap < MIN_CAP ? MIN_CAP : cap);
}

bool fut_buf_resize(struct fut_buf *b, size_t cap) {
    FUT_ASSERT(cap >= b->len);
    unsigned char *data = fut_realloc(b->data, cap ? cap : 1);
    if (!data) return false;
    b->data = data;
    b->cap = cap;
    return true;
}

void fut_buf_trim(struct fut_buf *b, size_t keep) {
    if (b->cap > keep) fut_buf_deinit(b);
    b->len = 0;
}

unsigned char *fut_buf_steal(struct fut_buf *b) {
    unsigned char *data = b->data;
    *b = (struct fut_buf){0};
    return data;
}
