/* SPDX-License-Identifier: MIT */
/* fut_response: what came back, as it came: Lua makes of it what it is asked for, in whichever
 * state.
 * STATE: never changes, but for what is said of the body.
 * OWNERSHIP: an object of the C API. Its body counts against max_buffered of its session until
 * it was taken, or the response goes. Once Lua has it as a string it is freed here, if only one
 * state knows the response, and put back when that sends it on.
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
    struct fut_buf body; /* empty also while only Lua has it: then `size` is more */
    char *url, *path;    /* path: NULL when the body is here */
    char *request_url, *request_method;
    struct fut_session *session; /* a count is held; NULL when it came from elsewhere */
    unsigned forks;
    atomic_bool held; /* counts against max_buffered */
    atomic_bool told; /* some collector knows of it */
};

extern const struct fut_class fut_response_class;

/* For the class, from bind_response.c. */
void fut_bind_response_sent(struct lua_State *L, int index, void *object);

/* fut_response_of_job(job): moves the results of its transfer; one count, or NULL: no
 * memory. */
struct fut_response *fut_response_of_job(struct fut_job *job);

/* fut_response_taken(r): its body is Lua's now. fut_response_give_up(r): and stays there, for
 * the caller, who has a count of r: it is freed here, if nobody else can look. */
void fut_response_taken(struct fut_response *r);
void fut_response_give_up(struct fut_response *r);

/* fut_response_put_back(r, bytes, n): what was given up; false: no memory. */
bool fut_response_put_back(struct fut_response *r, const void *bytes, size_t n);

#endif
