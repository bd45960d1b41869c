/* SPDX-License-Identifier: MIT */
/* What libcurl calls while an exchange runs: the bytes that come, the addresses that it picks.
 * The sockets are those of whoever drives the transfer: he calls fut_callbacks_open_socket.
 * THREADS: the thread that drives the transfer. */
#ifndef FUT_FETCH_CALLBACKS_H
#define FUT_FETCH_CALLBACKS_H

#include "fetch/transfer.h"

/* fut_callbacks_apply(easy): sets the callbacks. */
CURLcode fut_callbacks_apply(CURL *easy);

/* fut_callbacks_aim(easy, t): they are about t; NULL: about none, while nothing is run. */
CURLcode fut_callbacks_aim(CURL *easy, struct fut_transfer *t);

/* fut_callbacks_open_socket(t, address): a socket for a connection of t; CURL_SOCKET_BAD: there
 * is none, or t may not connect there. */
curl_socket_t fut_callbacks_open_socket(struct fut_transfer *t,
                                        const struct curl_sockaddr *address);

/* fut_callbacks_fail_sink(t, result): t has failed, unless the result is OK; errno is that of
 * the sink. */
void fut_callbacks_fail_sink(struct fut_transfer *t, enum fut_sink_result result);

/* fut_callbacks_fail_coding(t, result): likewise. */
void fut_callbacks_fail_coding(struct fut_transfer *t, enum fut_coding_result result);

/* fut_callbacks_sort_body(t): once the head is there, decides where the body goes: a redirect's
 * nowhere, a success to the output, anything else into memory. t has failed when its length
 * makes no sense. */
void fut_callbacks_sort_body(struct fut_transfer *t);

#endif
