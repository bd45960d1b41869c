/* SPDX-License-Identifier: MIT */
/* fut_head: the head of a response: its status line and its header fields, as they arrive.
 * STATE: zeroed memory is an empty head. Filled line by line; an interim response (100, or one
 * that asks for digest authentication) is dropped when the next one begins; trailers are
 * dropped.
 * THREADS: one at a time. */
#ifndef FUT_FETCH_HEAD_H
#define FUT_FETCH_HEAD_H

#include "base/buf.h"

enum {
    FUT_HEAD_LIMIT = 300 * 1024, /* bytes of all heads of one exchange, interim ones included */
};

struct fut_head {
    struct fut_buf lines; /* each ends with a zero byte; the status line is the first */
    size_t received;
    bool complete;
};

enum fut_head_result { FUT_HEAD_OK, FUT_HEAD_TOO_LARGE, FUT_HEAD_MEMORY };

struct fut_field {
    const char *name; /* name_len bytes */
    size_t name_len;
    const char *value; /* value_len bytes and a zero */
    size_t value_len;
};

/* fut_head_feed(h, line, len): one line as received, line end included. */
enum fut_head_result fut_head_feed(struct fut_head *h, const char *line, size_t len);

/* fut_head_clear(h): empty, keeps its memory. */
void fut_head_clear(struct fut_head *h);

/* fut_head_deinit(h): empty, frees its memory. */
void fut_head_deinit(struct fut_head *h);

/* fut_head_reason(h): the reason phrase of the status line, "" when it has none. */
const char *fut_head_reason(const struct fut_head *h);

/* fut_head_next(h, position, field): the field at *position, which starts as 0 and is moved on;
 * false at the end. The strings live until the head changes. */
bool fut_head_next(const struct fut_head *h, size_t *position, struct fut_field *field);

/* fut_head_find(h, name): the value of the first field of that name, in any case, or NULL. */
const char *fut_head_find(const struct fut_head *h, const char *name);

#endif
