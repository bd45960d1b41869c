/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/select.h>
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

/* The workers that live, by slot, 0: none. What stands in the shared records is for the pool to
 * read; signals go where this says. */
static pid_t *pids;

static int born; /* workers so far */

/* It only has to be there: what does nothing by default would not end a sleep. */
static void on_child(int signal) {
    (void)signal;
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

/* Sleeps until the program speaks or ends, or a worker ends. SIGCHLD is blocked but in here, so
 * one that comes between the last look at the workers and this sleep ends it at once. */
static void sleep_until_called(const struct fut_zygote_about *about, int program,
                               const sigset_t *awake, bool *speaks, bool *ended) {
    const struct timespec look = {0, LOOK_MS * 1000000L};
    fd_set readable;
    FD_ZERO(&readable);
    FD_SET(about->socket, &readable);
    if (program >= 0) FD_SET(program, &readable);
    int last = program > about->socket ? program : about->socket;
    int n = pselect(last + 1, &readable, NULL, NULL, program >= 0 ? NULL : &look, awake);
    *speaks = n > 0 && FD_ISSET(about->socket, &readable);
    *ended = n > 0 && program >= 0 && FD_ISSET(program, &readable);
}

static _Noreturn void serve(struct fut_zygote_about *about, const sigset_t *awake) {
    int program = watch_program(about->program);
    for (;;) {
        bool speaks, ended;
        sleep_until_called(about, program, awake, &speaks, &ended);
        if (ended || getppid() != about->program) quit(about);
        reap(about);
        if (speaks) obey(about);
    }
}

/* To the lowest number above the standard ones: a set of descriptors holds small ones only. */
static bool move_socket(struct fut_zygote_about *about) {
    fut_process_close_from(3, about->socket);
    if (about->socket < FD_SETSIZE) return true;
    int low = fcntl(about->socket, F_DUPFD_CLOEXEC, 3);
    if (low < 0) return false;
    close(about->socket);
    about->socket = low;
    return true;
}

_Noreturn void fut_zygote_main(struct fut_zygote_about *about) {
    struct sigaction chld = {.sa_handler = on_child, .sa_flags = SA_NOCLDSTOP};
    sigset_t child, awake;
    fut_process_drop_output(about->socket);
    bool moved = move_socket(about);
    pids = fut_zalloc((size_t)about->shared.slots * sizeof *pids);
    if (!pids || !moved) _exit(1);
    fut_process_reset_signals();
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    sigaction(SIGPIPE, &ignore, NULL);
    sigaction(SIGCHLD, &chld, NULL);
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    sigprocmask(SIG_BLOCK, &child, &awake);
#ifdef __linux__
    prctl(PR_SET_NAME, "futures-zygote");
#endif
    serve(about, &awake);
}
