/* SPDX-License-Identifier: MIT */
/* fut_response: what came back, as it came: Lua makes of it what it is asked for, in whichever
 * state.
 * STATE: never changes, but for `held`.
 * OWNERSHIP: an object of the C API. Its body counts against max_buffered of its session until
 * it was taken, or the response goes.
 * THREADS: any. */
#ifndef FUT_FETCH_RESPONSE_H
#define FUT_FETCH_RESPONSE_H

#include "fetch/job.h"

struct fut_response {
    long status, http;
    int redirects, attempts;
    struct fut_transfer_times times;
    uint64_t size; /* of the body, also of one in a file */
    struct fut_head head;
    struct fut_buf body;
    char *url, *path; /* path: NULL when the body is here */
    char *request_url, *request_method;
    struct fut_session *session; /* a count is held; NULL when it came from elsewhere */
    unsigned forks;
    atomic_bool held; /* counts against max_buffered */
};

extern const struct fut_class fut_response_class;

/* fut_response_of_job(job): moves the results of its transfer; one count, or NULL: no
 * memory. */
struct fut_response *fut_response_of_job(struct fut_job *job);

/* fut_response_taken(r): its body is Lua's now. */
void fut_response_taken(struct fut_response *r);

#endif
