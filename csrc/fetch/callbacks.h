/* SPDX-License-Identifier: MIT */
/* What libcurl calls while an exchange runs: the bytes that come, the addresses that it picks.
 * THREADS: the thread that drives the transfer. */
#ifndef FUT_FETCH_CALLBACKS_H
#define FUT_FETCH_CALLBACKS_H

#include "fetch/transfer.h"

/* fut_callbacks_apply(t, easy): sets the callbacks of t. */
CURLcode fut_callbacks_apply(struct fut_transfer *t, CURL *easy);

/* fut_callbacks_sort_body(t): once the head is there, decides where the body goes: a redirect's
 * nowhere, a success to the output, anything else into memory. */
void fut_callbacks_sort_body(struct fut_transfer *t);

#endif
