/* SPDX-License-Identifier: MIT */
/* fut_event: a file descriptor that is readable while the event is up, for those who wait with
 * poll, epoll or an event loop. An eventfd on Linux, a pipe elsewhere; close-on-exec.
 *
 * STATE: zeroed memory is closed. It belongs to the process that opened it: in a forked child,
 * where the descriptor is a way into the parent's event, it counts as closed.
 * BLOCKING: never.
 * THREADS: raise and lower from any, one at a time; open and close when nobody calls those. */
#ifndef FUT_BASE_EVENT_H
#define FUT_BASE_EVENT_H

#include <stdbool.h>

struct fut_event {
    bool opened;
    unsigned forks; /* fut_process_forks() when it was opened */
    int read_fd;    /* what to wait for */
    int write_fd;   /* the same, of an eventfd */
};

/* fut_event_is_open(e): opened, and by this process. */
bool fut_event_is_open(const struct fut_event *e);

/* fut_event_open(e): opens one that is closed, down. False with errno set when it cannot.
 * fut_event_close(e): closes it, if it is open. */
bool fut_event_open(struct fut_event *e);
void fut_event_close(struct fut_event *e);

/* fut_event_raise(e), fut_event_lower(e): up, down; of one that is closed: nothing. Each raise
 * is followed by one lower. */
void fut_event_raise(struct fut_event *e);
void fut_event_lower(struct fut_event *e);

#endif
