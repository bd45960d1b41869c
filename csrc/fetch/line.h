/* SPDX-License-Identifier: MIT */
/* fut_line: the jobs that wait for one host: urgent ones, then by priority, then by number. As
 * a rule they come in that order, so they stand in a list, and to take one looks at no other;
 * those that come out of their turn are in a heap beside it. What the order looks at stays as
 * it is while a job is in line.
 * STATE: initialised by fut_line_init; a job is in one line at the most.
 * THREADS: one at a time. */
#ifndef FUT_FETCH_LINE_H
#define FUT_FETCH_LINE_H

#include "base/heap.h"

struct fut_job;

struct fut_line {
    struct fut_job *first, *last;
    struct fut_heap early; /* before the end of the list when they came */
    size_t length;
};

/* fut_line_before(a, b): it is a's turn before it is b's. */
bool fut_line_before(const struct fut_job *a, const struct fut_job *b);

/* fut_line_init(l): empty. */
void fut_line_init(struct fut_line *l);

/* fut_line_push(l, job), fut_line_remove(l, job): also from the middle. */
void fut_line_push(struct fut_line *l, struct fut_job *job);
void fut_line_remove(struct fut_line *l, struct fut_job *job);

/* fut_line_first(l): whose turn it is; NULL: nobody is there. */
struct fut_job *fut_line_first(const struct fut_line *l);

#endif
