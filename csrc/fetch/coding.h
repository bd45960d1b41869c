/* SPDX-License-Identifier: MIT */
/* fut_coding: undoes the codings that Content-Encoding names, gzip and deflate, and knows
 * whether the body is whole. (libcurl's own decoder takes one that is cut short for a good one,
 * and several gzip members for a bad one.)
 *
 *   bytes as received --stage--> ... --stage--> the taker
 *
 * STATE: zeroed memory undoes nothing: bytes go to the taker as they are. open, then write any
 * number of times, then finish.
 * OWNERSHIP: owns its stages until deinit.
 * THREADS: one at a time. */
#ifndef FUT_FETCH_CODING_H
#define FUT_FETCH_CODING_H

#include "fetch/head.h"

/* What can be undone, as Accept-Encoding says it. */
#define FUT_CODING_NAMES "gzip, deflate"

struct fut_stage;

struct fut_coding {
    struct fut_stage *stages; /* the coding that was applied last comes first */
    int count;
    char why[80]; /* after a result that is not OK: what is wrong, for people */
};

enum fut_coding_result {
    FUT_CODING_OK,
    FUT_CODING_REFUSED, /* by the taker */
    FUT_CODING_UNKNOWN, /* neither gzip nor deflate, or too many of them; undoes nothing */
    FUT_CODING_BAD,
    FUT_CODING_CUT, /* good so far, but its end is missing */
    FUT_CODING_MEMORY,
};

/* fut_coding_open(c, head): as its fields say. */
enum fut_coding_result fut_coding_open(struct fut_coding *c, const struct fut_head *head);

/* fut_coding_write(c, bytes, n, take, taker): what comes of the bytes goes to take, which says
 * false to refuse them. After a result that is not OK no more is to be written. */
typedef bool fut_coding_take(void *taker, const void *bytes, size_t n);
enum fut_coding_result fut_coding_write(struct fut_coding *c, const void *bytes, size_t n,
                                        fut_coding_take *take, void *taker);

/* fut_coding_finish(c): there are no more bytes. A body without any is whole. */
enum fut_coding_result fut_coding_finish(struct fut_coding *c);

/* fut_coding_deinit(c): undoes nothing again. */
void fut_coding_deinit(struct fut_coding *c);

#endif
