/* SPDX-License-Identifier: MIT */
#ifdef __linux__

#include <errno.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/alloc.h"
#include "fetch/poller.h"

struct fut_poller {
    int epoll;
    int event; /* an eventfd */
};

static void poller_close(struct fut_poller *p) {
    if (p->epoll >= 0) close(p->epoll);
    if (p->event >= 0) close(p->event);
    fut_free(p);
}

static struct fut_poller *poller_open(void) {
    struct fut_poller *p = fut_alloc(sizeof *p);
    if (!p) return NULL;
    p->epoll = epoll_create1(EPOLL_CLOEXEC);
    p->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    struct epoll_event e = {.events = EPOLLIN, .data.fd = p->event};
    if (p->epoll >= 0 && p->event >= 0 && epoll_ctl(p->epoll, EPOLL_CTL_ADD, p->event, &e) == 0)
        return p;
    poller_close(p);
    return NULL;
}

/* libcurl closes sockets that it has not taken off, and a new one may have the number by
 * then: so neither "is there already" nor "is not there" is an error. */
static bool poller_set(struct fut_poller *p, int fd, int wanted) {
    struct epoll_event e = {.data.fd = fd};
    if (wanted & FUT_POLLER_IN) e.events |= EPOLLIN;
    if (wanted & FUT_POLLER_OUT) e.events |= EPOLLOUT;
    if (wanted == 0) {
        epoll_ctl(p->epoll, EPOLL_CTL_DEL, fd, &e);
        return true;
    }
    if (epoll_ctl(p->epoll, EPOLL_CTL_MOD, fd, &e) == 0) return true;
    return errno == ENOENT && epoll_ctl(p->epoll, EPOLL_CTL_ADD, fd, &e) == 0;
}

static int ready_of(uint32_t events) {
    int ready = 0;
    if (events & EPOLLIN) ready |= FUT_POLLER_IN;
    if (events & EPOLLOUT) ready |= FUT_POLLER_OUT;
    if (events & (EPOLLERR | EPOLLHUP)) ready |= FUT_POLLER_ERROR;
    return ready;
}

static int poller_wait(struct fut_poller *p, fut_time deadline, struct fut_poller_event *events,
                       int max) {
    enum { BATCH = 256 };
    struct epoll_event found[BATCH];
    int n = epoll_wait(p->epoll, found, max < BATCH ? max : BATCH, fut_poller_ms(deadline));
    int given = 0;
    for (int i = 0; i < n; i++) {
        if (found[i].data.fd == p->event) {
            uint64_t count;
            while (read(p->event, &count, sizeof count) < 0 && errno == EINTR) continue;
        } else {
            events[given].fd = found[i].data.fd;
            events[given++].ready = ready_of(found[i].events);
        }
    }
    return given;
}

static void poller_wake(struct fut_poller *p) {
    uint64_t one = 1; /* it can only fail because the count is at its limit: awake enough */
    while (write(p->event, &one, sizeof one) < 0 && errno == EINTR) continue;
}

const struct fut_poller_type fut_poller_epoll = {
    .name = "epoll",
    .open = poller_open,
    .close = poller_close,
    .set = poller_set,
    .wait = poller_wait,
    .wake = poller_wake,
};

#else
typedef int fut_poller_epoll_is_for_linux;
#endif
