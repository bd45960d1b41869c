/* SPDX-License-Identifier: MIT */
/* fut_handle: libcurl for one thread: an easy handle that is used again and again, and the
 * multi handles that keep its connections. Runs one transfer at a time, in the thread that
 * asks.
 * STATE: zeroed memory is a closed handle; the first run opens it.
 * THREADS: one; a process that was forked leaves its parent's connections alone and opens its
 * own.
 *
 * The multi handles differ in the HTTP version that was asked for, so that a request for 1.1
 * never finds itself on a connection that speaks 2. */
#ifndef FUT_FETCH_HANDLE_H
#define FUT_FETCH_HANDLE_H

#include <stdbool.h>
#include <sys/types.h>

#include "fetch/transfer.h"

struct fut_handle {
    pid_t pid;
    CURL *easy;
    CURLM *multi[FUT_HTTP_COUNT];
};

/* Asked every few milliseconds while a transfer runs: is it to be given up? */
typedef bool (*fut_stop_fn)(void *context);

/* fut_handle_run(h, t, stop, context): runs t from begin to its end. False when `stop` ended
 * it: t is neither a response nor a failure then.
 * BLOCKING: for as long as t's limits allow. */
bool fut_handle_run(struct fut_handle *h, struct fut_transfer *t, fut_stop_fn stop,
                    void *context);

/* fut_handle_close(h): closes all connections; those of a parent process are left as they
 * are. */
void fut_handle_close(struct fut_handle *h);

#endif
