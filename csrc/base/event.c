/* SPDX-License-Identifier: MIT */
#include "base/event.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <unistd.h>

#include "base/process.h"

#ifdef __linux__

#include <sys/eventfd.h>

enum { TOKEN_BYTES = sizeof(uint64_t) };

static bool open_fds(int fds[2]) {
    fds[0] = fds[1] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return fds[0] >= 0;
}

#else

enum { TOKEN_BYTES = 1 };

static bool open_fds(int fds[2]) {
    if (pipe(fds) != 0) return false;
    for (int i = 0; i < 2; i++) {
        fcntl(fds[i], F_SETFD, FD_CLOEXEC);
        fcntl(fds[i], F_SETFL, O_NONBLOCK);
    }
    return true;
}

#endif

bool fut_event_is_open(const struct fut_event *e) {
    return e->opened && e->forks == fut_process_forks();
}

bool fut_event_open(struct fut_event *e) {
    int fds[2];
    if (!open_fds(fds)) return false;
    *e = (struct fut_event){true, fut_process_forks(), fds[0], fds[1]};
    return true;
}

/* Of an event that came over a fork the number may be another file's by now: it stays. */
void fut_event_close(struct fut_event *e) {
    if (fut_event_is_open(e)) {
        close(e->read_fd);
        if (e->write_fd != e->read_fd) close(e->write_fd);
    }
    e->opened = false;
}

/* One token is in there or none, so neither call finds it full or empty; what may end a call
 * early is a signal. */
void fut_event_raise(struct fut_event *e) {
    uint64_t token = 1;
    if (!fut_event_is_open(e)) return;
    while (write(e->write_fd, &token, TOKEN_BYTES) < 0 && errno == EINTR) continue;
}

void fut_event_lower(struct fut_event *e) {
    uint64_t token;
    if (!fut_event_is_open(e)) return;
    while (read(e->read_fd, &token, TOKEN_BYTES) < 0 && errno == EINTR) continue;
}
