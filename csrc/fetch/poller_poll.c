/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <unistd.h>

#include "base/alloc.h"
#include "fetch/poller.h"

int fut_poller_ms(fut_time deadline) {
    if (deadline == FUT_NEVER) return -1;
    fut_time left = deadline - fut_now();
    if (left <= 0) return 0;
    const fut_time longest = (fut_time)24 * 3600 * FUT_SECOND;
    if (left > longest) left = longest; /* then it looks again */
    return (int)((left + FUT_MS - 1) / FUT_MS);
}

/* The array that poll wants, and where in it a socket is. */
struct fut_poller {
    int pipe[2];
    struct pollfd *fds; /* the first is the pipe's */
    int *place;         /* by socket: index in fds, or 0 */
    nfds_t count, cap;
    int places;
    nfds_t next; /* where the last wait stopped giving events: all get their turn */
};

static void poller_close(struct fut_poller *p) {
    if (p->pipe[0] >= 0) close(p->pipe[0]);
    if (p->pipe[1] >= 0) close(p->pipe[1]);
    fut_free(p->fds);
    fut_free(p->place);
    fut_free(p);
}

static bool make_pipe(int fds[2]) {
    if (pipe(fds) != 0) {
        fds[0] = fds[1] = -1;
        return false;
    }
    for (int i = 0; i < 2; i++)
        if (fcntl(fds[i], F_SETFD, FD_CLOEXEC) != 0 || fcntl(fds[i], F_SETFL, O_NONBLOCK) != 0)
            return false;
    return true;
}

static bool grow(struct fut_poller *p, int fd) {
    if (p->count == p->cap) {
        nfds_t cap = p->cap ? p->cap * 2 : 64;
        struct pollfd *fds = fut_realloc(p->fds, cap * sizeof *fds);
        if (!fds) return false;
        p->fds = fds;
        p->cap = cap;
    }
    if (fd >= p->places) {
        int places = fd + 64;
        int *place = fut_realloc(p->place, (size_t)places * sizeof *place);
        if (!place) return false;
        for (int i = p->places; i < places; i++) place[i] = 0;
        p->place = place;
        p->places = places;
    }
    return true;
}

static bool poller_set(struct fut_poller *p, int fd, int wanted) {
    int at = fd < p->places ? p->place[fd] : 0;
    if (wanted == 0) {
        if (at == 0) return true;
        p->fds[at] = p->fds[--p->count];
        p->place[p->fds[at].fd] = at;
        p->place[fd] = 0;
        return true;
    }
    if (at == 0) {
        if (!grow(p, fd)) return false;
        at = p->place[fd] = (int)p->count++;
        p->fds[at].fd = fd;
    }
    p->fds[at].events = 0;
    if (wanted & FUT_POLLER_IN) p->fds[at].events |= POLLIN;
    if (wanted & FUT_POLLER_OUT) p->fds[at].events |= POLLOUT;
    return true;
}

static struct fut_poller *poller_open(void) {
    struct fut_poller *p = fut_zalloc(sizeof *p);
    if (!p) return NULL;
    if (make_pipe(p->pipe) && poller_set(p, p->pipe[0], FUT_POLLER_IN)) return p;
    poller_close(p);
    return NULL;
}

static int ready_of(short events) {
    int ready = 0;
    if (events & POLLIN) ready |= FUT_POLLER_IN;
    if (events & POLLOUT) ready |= FUT_POLLER_OUT;
    if (events & (POLLERR | POLLHUP | POLLNVAL)) ready |= FUT_POLLER_ERROR;
    return ready;
}

static void empty_pipe(struct fut_poller *p) {
    char bytes[64];
    while (read(p->pipe[0], bytes, sizeof bytes) > 0 || errno == EINTR) continue;
}

static int poller_wait(struct fut_poller *p, fut_time deadline, struct fut_poller_event *events,
                       int max) {
    int left = poll(p->fds, p->count, fut_poller_ms(deadline));
    int given = 0;
    if (left <= 0) return 0;
    if (p->fds[0].revents) {
        empty_pipe(p);
        left--;
    }
    if (p->next >= p->count) p->next = 0;
    for (nfds_t seen = 0; seen < p->count && left > 0 && given < max; seen++) {
        const struct pollfd *fd = &p->fds[p->next];
        p->next = (p->next + 1) % p->count;
        if (fd == p->fds || !fd->revents) continue;
        events[given].fd = fd->fd;
        events[given++].ready = ready_of(fd->revents);
        left--;
    }
    return given;
}

static void poller_wake(struct fut_poller *p) {
    /* a full pipe is awake enough */
    while (write(p->pipe[1], "", 1) < 0 && errno == EINTR) continue;
}

const struct fut_poller_type fut_poller_poll = {
    .name = "poll",
    .open = poller_open,
    .close = poller_close,
    .set = poller_set,
    .wait = poller_wait,
    .wake = poller_wake,
};
