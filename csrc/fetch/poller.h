/* SPDX-License-Identifier: MIT */
/* fut_poller: waits for many sockets at once, and can be woken from any thread. Two of them:
 * epoll, for Linux, and poll, for everywhere. Built with FUT_POLL the second is the usual one.
 *
 * STATE: opened, then a set of sockets, each with what it is watched for.
 * BLOCKING: wait only.
 * THREADS: one, but for wake. */
#ifndef FUT_FETCH_POLLER_H
#define FUT_FETCH_POLLER_H

#include <stdbool.h>

#include "base/clock.h"

enum { FUT_POLLER_IN = 1, FUT_POLLER_OUT = 2, FUT_POLLER_ERROR = 4 };

struct fut_poller_event {
    int fd;
    int ready; /* a set of the above */
};

struct fut_poller;

struct fut_poller_type {
    const char *name;
    /* NULL: no memory, or no file descriptors. */
    struct fut_poller *(*open)(void);
    void (*close)(struct fut_poller *p);
    /* Watches fd for a set of IN and OUT; 0: no longer. False when that cannot be. */
    bool (*set)(struct fut_poller *p, int fd, int wanted);
    /* Sleeps until a socket is ready, a wake-up, the deadline; up to `max` events. Edges are
     * not kept: what stays ready is told again. */
    int (*wait)(struct fut_poller *p, fut_time deadline, struct fut_poller_event *events,
                int max);
    /* Ends a wait, or the next one. Several wake-ups may become one. Any thread. */
    void (*wake)(struct fut_poller *p);
};

#ifdef __linux__
extern const struct fut_poller_type fut_poller_epoll;
#endif
extern const struct fut_poller_type fut_poller_poll;

#if defined(__linux__) && !defined(FUT_POLL)
#define fut_poller_usual fut_poller_epoll
#else
#define fut_poller_usual fut_poller_poll
#endif

/* fut_poller_ms(deadline): the time until then, rounded up, as poll wants it; -1: for ever. */
int fut_poller_ms(fut_time deadline);

#endif
