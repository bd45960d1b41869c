/* SPDX-License-Identifier: MIT */
#include "pool/zygote.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/process.h"
#include "pool/zygote_inside.h"

static struct fut_fault fork_fault;

void fut_zygote_fail_after(int n) {
    fut_fault_after(&fork_fault, n);
}

pid_t fut_zygote_fork(void) {
    if (!fut_fault_hit(&fork_fault)) return fork();
    errno = EAGAIN;
    return -1;
}

/* The zygote's end stands apart. Libraries with fork handlers close in the child the
 * descriptors that they know by number (libuv: a pipe of its own); in a worker, where all were
 * closed, such a low number may since be this socket. */
enum { ABOVE_STANDARD = 3, APART = 64 };

/* Moves *fd if it is below the lowest number that will do; false, and it stays, when there is
 * none that high. */
static bool move_above(int *fd, int lowest) {
    if (*fd >= lowest) return true;
    int above = fcntl(*fd, F_DUPFD_CLOEXEC, lowest);
    if (above < 0) return false;
    close(*fd);
    *fd = above;
    return true;
}

/* A pair of sockets above 2, whatever the program has done to its standard descriptors: those
 * are the workers', the sockets are not. SEQPACKET keeps commands whole; both ends close on
 * exec, so no program started by a task or by the user has them. */
static bool make_sockets(int ends[2]) {
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) return false;
    if (move_above(&ends[0], ABOVE_STANDARD) && move_above(&ends[1], ABOVE_STANDARD)) {
        (void)move_above(&ends[1], APART); /* or not, where so few are allowed */
        return true;
    }
    close(ends[0]);
    close(ends[1]);
    return false;
}

enum fut_err fut_zygote_start(struct fut_zygote *z, const struct fut_process_shared *shared,
                              fut_zygote_child *child, void *arg) {
    int ends[2];
    struct fut_zygote_about about = {
        .shared = *shared, .child = child, .arg = arg, .program = getpid()};
    z->pid = 0;
    z->socket = -1;
    if (!make_sockets(ends)) return FUT_EFORK;
    about.socket = ends[1];
    sigset_t all, before;
    sigfillset(&all);
    /* no handler of the program runs in the zygote */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid_t pid = fut_zygote_fork();
    if (pid == 0) fut_zygote_main(&about);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    close(ends[1]);
    if (pid < 0) {
        close(ends[0]);
        return FUT_EFORK;
    }
    z->pid = pid;
    z->socket = ends[0];
    return FUT_OK;
}

static bool tell(const struct fut_zygote *z, struct fut_zygote_command c) {
    ssize_t n;
    do {
        n = send(z->socket, &c, sizeof c, MSG_NOSIGNAL | MSG_DONTWAIT);
    } while (n < 0 && errno == EINTR);
    return n == sizeof c;
}

bool fut_zygote_spawn(struct fut_zygote *z, int slot) {
    return tell(z, (struct fut_zygote_command){.slot = slot});
}

bool fut_zygote_signal(struct fut_zygote *z, int slot, int signal) {
    return tell(z, (struct fut_zygote_command){.slot = slot, .signal = signal});
}

bool fut_zygote_lost(const struct fut_zygote *z) {
    char c;
    ssize_t n = recv(z->socket, &c, 1, MSG_DONTWAIT | MSG_PEEK);
    return n == 0 || (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR);
}

void fut_zygote_stop(struct fut_zygote *z) {
    if (z->socket < 0) return;
    tell(z, (struct fut_zygote_command){.slot = -1}); /* somebody's fork may have a copy of: */
    close(z->socket);
    z->socket = -1;
    /* Our own pid only. Where the program ignores SIGCHLD, or reaps all that ends, this waits
     * until it has ended and then fails: fine. */
    while (waitpid(z->pid, NULL, 0) < 0 && errno == EINTR) continue;
}
