/* SPDX-License-Identifier: MIT */
/* fut_problem: why a job has no response, complete: what Lua makes a FetchError of, in
 * whichever state asks for it.
 * OWNERSHIP: an object of the C API. It never changes.
 * THREADS: any. */
#ifndef FUT_FETCH_PROBLEM_H
#define FUT_FETCH_PROBLEM_H

#include "fetch/job.h"

struct fut_problem {
    enum fut_kind kind;
    enum fut_phase phase; /* of a timeout */
    bool retryable;
    int code, attempt;
    long status; /* 0: none */
    uint64_t bytes;
    char *url, *method;
    char text[]; /* the rest is made when it is pushed */
};

/* Its push makes the FetchError: bind_problem.c. */
extern const struct fut_class fut_problem_class;

/* What went wrong with a job: the failure of its transfer, a response that raise_for_status
 * does not want, the deadline, anything else. With one count, or NULL: no memory. */
struct fut_problem *fut_problem_of_failure(const struct fut_job *job);
struct fut_problem *fut_problem_of_status(const struct fut_job *job);
struct fut_problem *fut_problem_of_deadline(const struct fut_job *job, long status,
                                            uint64_t bytes);
struct fut_problem *fut_problem_of_job(const struct fut_job *job, enum fut_kind kind,
                                       const char *text);

#endif
