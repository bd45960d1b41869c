/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef __linux__
#include <sys/prctl.h>
#include <sys/syscall.h>
#endif

#include "base/alloc.h"
#include "base/process.h"
#include "pool/zygote_inside.h"

enum { LOOK_MS = 500 }; /* where the end of the program cannot be waited for */

/* SIGCHLD's handler writes here, so that poll ends. */
static int child_pipe[2] = {-1, -1};

/* The workers that live, by slot, 0: none. What stands in the shared records is for the pool to
 * read; signals go where this says. */
static pid_t *pids;

static int born; /* workers so far */

static void on_child(int signal) {
    int saved = errno;
    (void)signal;
    if (write(child_pipe[1], "", 1) < 0) errno = saved; /* full: poll ends all the same */
    errno = saved;
}

static _Noreturn void become_worker(struct fut_zygote_about *about, int slot) {
    fut_process_reset_signals();
    fut_process_close_from(3, -1);
#ifdef __linux__
    prctl(PR_SET_PDEATHSIG, SIGKILL);
#endif
    struct fut_zygote_birth birth = {&about->shared, slot, born, about->program};
    if (getppid() != birth.parent) _exit(0); /* it ended before the line above */
    fut_process_shared_narrow(&about->shared, slot);
    about->child(about->arg, &birth);
    _exit(0);
}

static void spawn(struct fut_zygote_about *about, int slot) {
    struct fut_process_record *r = fut_process_record(&about->shared, slot);
    pid_t self = getpid();
    born++;
    pid_t pid = fut_zygote_fork();
    if (pid == 0) {
        about->program = self; /* a worker's parent is the zygote */
        become_worker(about, slot);
    }
    if (pid > 0) {
        pids[slot] = pid;
        atomic_store(&r->pid, pid);
        atomic_fetch_add(&r->started, 1);
    } else {
        born--;
        atomic_store(&r->status, -errno);
        atomic_fetch_add(&r->started, 1);
        atomic_fetch_add(&r->ended, 1);
    }
    fut_bell_ring(fut_process_doorbell(&about->shared));
}

static void reap(struct fut_zygote_about *about) {
    int status;
    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) { /* all are our workers */
        int i = 0;
        while (i < about->shared.slots && pids[i] != pid) i++;
        if (i == about->shared.slots) continue;
        struct fut_process_record *r = fut_process_record(&about->shared, i);
        pids[i] = 0;
        atomic_store(&r->status, status);
        atomic_fetch_add(&r->ended, 1);
        fut_bell_ring(fut_process_doorbell(&about->shared));
    }
}

static _Noreturn void quit(struct fut_zygote_about *about) {
    for (int i = 0; i < about->shared.slots; i++)
        if (pids[i] > 0) kill(pids[i], SIGKILL); /* not reaped yet, so nobody else's pid */
    while (waitpid(-1, NULL, 0) > 0 || errno == EINTR) continue;
    _exit(0);
}

static void obey(struct fut_zygote_about *about) {
    struct fut_zygote_command c;
    ssize_t n = recv(about->socket, &c, sizeof c, MSG_DONTWAIT);
    if (n < 0 && (errno == EINTR || errno == EAGAIN || errno == EWOULDBLOCK)) return;
    if (n != sizeof c || c.slot < 0 || c.slot >= about->shared.slots)
        quit(about); /* the pool's end is closed, or it says so */
    if (c.signal == 0)
        spawn(about, c.slot);
    else if (pids[c.slot] > 0)
        kill(pids[c.slot], c.signal);
}

/* A descriptor that is readable once the program has ended, or -1. */
static int watch_program(pid_t program) {
#if defined(__linux__) && defined(SYS_pidfd_open)
    return (int)syscall(SYS_pidfd_open, program, 0);
#else
    (void)program;
    return -1;
#endif
}

static _Noreturn void serve(struct fut_zygote_about *about) {
    int program = watch_program(about->program);
    struct pollfd fds[3] = {{.fd = about->socket, .events = POLLIN},
                            {.fd = child_pipe[0], .events = POLLIN},
                            {.fd = program, .events = POLLIN}};
    for (;;) {
        poll(fds, 3, program >= 0 ? -1 : LOOK_MS);
        if (fds[2].revents || getppid() != about->program) quit(about);
        char drain[64];
        while (read(child_pipe[0], drain, sizeof drain) > 0) continue;
        reap(about);
        if (fds[0].revents) obey(about);
    }
}

_Noreturn void fut_zygote_main(struct fut_zygote_about *about) {
    struct sigaction chld = {.sa_handler = on_child, .sa_flags = SA_RESTART | SA_NOCLDSTOP};
    fut_process_drop_output(about->socket);
    fut_process_close_from(3, about->socket);
    pids = fut_zalloc((size_t)about->shared.slots * sizeof *pids);
    if (!pids || pipe(child_pipe) != 0) _exit(1);
    fcntl(child_pipe[0], F_SETFL, O_NONBLOCK);
    fcntl(child_pipe[1], F_SETFL, O_NONBLOCK);
    fut_process_reset_signals();
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    sigaction(SIGPIPE, &ignore, NULL);
    sigaction(SIGCHLD, &chld, NULL);
#ifdef __linux__
    prctl(PR_SET_NAME, "futures-zygote");
#endif
    serve(about);
}
