/* SPDX-License-Identifier: MIT */
#include "pool/zygote.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef __linux__
#include <stdio_ext.h>
#include <sys/prctl.h>
#endif

#include "base/process.h"

struct command {
    int slot;   /* -1: quit */
    int signal; /* 0: spawn */
};

/* ---- inside the zygote ---- */

static int child_pipe[2] = {-1, -1}; /* SIGCHLD's handler writes here, so that poll ends */

static void on_child(int signal) {
    int saved = errno;
    (void)signal;
    if (write(child_pipe[1], "", 1) < 0) errno = saved; /* full: poll ends all the same */
    errno = saved;
}

static void become_worker(struct fut_process_shared *shared, int slot, fut_zygote_child *child,
                          void *arg) {
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    fut_process_reset_signals();      /* what is ignored stays so even after an exec */
    sigaction(SIGINT, &ignore, NULL); /* Ctrl-C is for the program */
    fut_process_close_from(3, -1);
#ifdef __linux__
    prctl(PR_SET_PDEATHSIG, SIGKILL);
#endif
    if (getppid() != atomic_load(&shared->zygote))
        _exit(0); /* it ended before the line above */
    child(arg, shared, slot);
    _exit(0);
}

static void spawn(struct fut_process_shared *shared, int i, fut_zygote_child *child,
                  void *arg) {
    struct fut_process_slot *slot = fut_process_slot(shared, i);
    atomic_store(&slot->id, atomic_fetch_add(&shared->workers, 1) + 1);
    pid_t pid = fork();
    if (pid == 0) become_worker(shared, i, child, arg);
    if (pid > 0) {
        atomic_store(&slot->pid, pid);
        atomic_fetch_add(&slot->started, 1);
    } else {
        atomic_store(&slot->status, FUT_STATUS_NO_FORK);
        atomic_fetch_add(&slot->started, 1);
        atomic_fetch_add(&slot->ended, 1);
    }
    fut_bell_ring(&shared->doorbell);
}

static bool lives(struct fut_process_slot *slot) {
    return atomic_load(&slot->started) != atomic_load(&slot->ended);
}

static void reap(struct fut_process_shared *shared) {
    int status;
    for (pid_t pid;
         (pid = waitpid(-1, &status, WNOHANG)) > 0;) { /* all children are our workers */
        for (int i = 0; i < shared->slots; i++) {
            struct fut_process_slot *slot = fut_process_slot(shared, i);
            if (!lives(slot) || atomic_load(&slot->pid) != pid) continue;
            atomic_store(&slot->status, status);
            atomic_fetch_add(&slot->ended, 1);
        }
        fut_bell_ring(&shared->doorbell);
    }
}

static void kill_all(struct fut_process_shared *shared) {
    for (int i = 0; i < shared->slots; i++) {
        struct fut_process_slot *slot = fut_process_slot(shared, i);
        if (lives(slot)) kill(atomic_load(&slot->pid), SIGKILL);
    }
    while (waitpid(-1, NULL, 0) > 0 || errno == EINTR) continue;
}

static void zygote_main(int commands, struct fut_process_shared *shared,
                        fut_zygote_child *child, void *arg) {
    atomic_store(&shared->zygote, getpid());
    for (;;) {
        struct pollfd fds[2] = {{.fd = commands, .events = POLLIN},
                                {.fd = child_pipe[0], .events = POLLIN}};
        poll(fds, 2, -1);
        char drain[64];
        while (read(child_pipe[0], drain, sizeof drain) > 0) continue;
        reap(shared);
        if (fds[0].revents == 0) continue;
        struct command c;
        ssize_t n = recv(commands, &c, sizeof c, 0);
        if (n < 0 && errno == EINTR) continue;
        if (n != sizeof c || c.slot < 0) break; /* the pool's end is closed, or it says quit */
        struct fut_process_slot *slot = fut_process_slot(shared, c.slot);
        if (c.signal == 0)
            spawn(shared, c.slot, child, arg);
        else if (lives(slot)) /* not reaped yet, so the pid is nobody else's */
            kill(atomic_load(&slot->pid), c.signal);
    }
    kill_all(shared);
    _exit(0);
}

/* In the new process. What the program had not yet written is its own to write. */
static void become_zygote(int commands, struct fut_process_shared *shared,
                          fut_zygote_child *child, void *arg) {
    fut_process_close_from(3, commands);
    fut_process_reset_signals();
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    struct sigaction chld = {.sa_handler = on_child, .sa_flags = SA_RESTART | SA_NOCLDSTOP};
    sigaction(SIGINT, &ignore, NULL);
    sigaction(SIGPIPE, &ignore, NULL);
    if (pipe(child_pipe) != 0) _exit(1);
    fcntl(child_pipe[0], F_SETFL, O_NONBLOCK);
    fcntl(child_pipe[1], F_SETFL, O_NONBLOCK);
    sigaction(SIGCHLD, &chld, NULL);
#ifdef __linux__
    __fpurge(stdout);
    __fpurge(stderr);
    prctl(PR_SET_NAME, "futures-zygote");
#endif
    zygote_main(commands, shared, child, arg);
}

/* ---- the pool's side ---- */

enum fut_err fut_zygote_start(struct fut_zygote *z, struct fut_process_shared *shared,
                              fut_zygote_child *child, void *arg) {
    int ends[2];
    z->pid = 0;
    z->pipe = -1;
    /* SEQPACKET keeps commands whole; both ends close on exec, so no program started by a
     * task or by the user keeps them */
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) return FUT_ELOST;
    fflush(NULL);
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all,
                    &before); /* no handler of the program runs in the zygote */
    pid_t pid = fork();
    if (pid == 0) become_zygote(ends[1], shared, child, arg);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    close(ends[1]);
    if (pid < 0) {
        close(ends[0]);
        return FUT_ELOST;
    }
    z->pid = pid;
    z->pipe = ends[0];
    return FUT_OK;
}

static bool tell(struct fut_zygote *z, struct command c) {
    ssize_t n;
    do {
        n = send(z->pipe, &c, sizeof c, MSG_NOSIGNAL);
    } while (n < 0 && errno == EINTR);
    return n == sizeof c;
}

bool fut_zygote_spawn(struct fut_zygote *z, int slot) {
    return tell(z, (struct command){.slot = slot});
}

bool fut_zygote_signal(struct fut_zygote *z, int slot, int signal) {
    return tell(z, (struct command){.slot = slot, .signal = signal});
}

bool fut_zygote_lost(struct fut_zygote *z) {
    char c;
    return z->pipe >= 0 && recv(z->pipe, &c, 1, MSG_DONTWAIT | MSG_PEEK) == 0;
}

void fut_zygote_stop(struct fut_zygote *z) {
    if (z->pipe < 0) return;
    tell(z, (struct command){.slot = -1});
    close(z->pipe);
    z->pipe = -1;
    while (waitpid(z->pid, NULL, 0) < 0 && errno == EINTR) continue; /* our own pid only */
}
