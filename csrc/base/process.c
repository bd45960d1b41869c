/* SPDX-License-Identifier: MIT */
#include "base/process.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#ifdef __linux__
#include <sys/syscall.h>
#endif

static int close_range_of(unsigned first, unsigned last) {
#ifdef SYS_close_range
    return (int)syscall(SYS_close_range, first, last, 0);
#else
    (void)first;
    (void)last;
    return -1;
#endif
}

static void close_one_by_one(int first, int except) {
    struct rlimit limit;
    int end = 65536;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < (rlim_t)end)
        end = (int)limit.rlim_cur;
    for (int fd = first; fd < end; fd++)
        if (fd != except) close(fd);
}

void fut_process_close_from(int first, int except) {
    if (except < first) {
        if (close_range_of((unsigned)first, ~0u) == 0) return;
    } else {
        int below = except == first ? 0 : close_range_of((unsigned)first, (unsigned)except - 1);
        if (below == 0 && close_range_of((unsigned)except + 1, ~0u) == 0) return;
    }
    close_one_by_one(first, except);
}

unsigned fut_process_forks_seen;

static void count_fork(void) {
    fut_process_forks_seen++;
} /* in the child, which has one thread */

static void watch_forks(void) {
    pthread_atfork(NULL, NULL, count_fork);
}

unsigned fut_process_forks(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, watch_forks);
    return fut_process_forks_seen;
}

void fut_process_reset_signals(void) {
    struct sigaction standard = {.sa_handler = SIG_DFL}, ignore = {.sa_handler = SIG_IGN};
    sigaction(SIGINT, &ignore, NULL);
    for (int i = 1; i < NSIG; i++)
        if (i != SIGINT) sigaction(i, &standard, NULL); /* KILL and STOP refuse: fine */
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Makes every open descriptor from 3 on, but for `except`, another name of `to`. */
static void redirect_all(int to, int except) {
    DIR *dir = opendir("/proc/self/fd");
    if (!dir) { /* elsewhere: those that a program is likely to have */
        for (int fd = 3; fd < 1024; fd++)
            if (fd != except && fd != to && fcntl(fd, F_GETFD) >= 0) dup2(to, fd);
        return;
    }
    for (struct dirent *e; (e = readdir(dir));) {
        int fd = atoi(e->d_name); /* "." and ".." are 0 */
        if (fd > 2 && fd != except && fd != to && fd != dirfd(dir)) dup2(to, fd);
    }
    closedir(dir);
}

void fut_process_drop_output(int except) {
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null < 0) return; /* then a later flush meets closed descriptors, mostly */
    redirect_all(null, except);
    int out = dup(STDOUT_FILENO), err = dup(STDERR_FILENO);
    if (out >= 0) dup2(null, STDOUT_FILENO);
    if (err >= 0) dup2(null, STDERR_FILENO);
    fflush(NULL); /* whatever the streams hold goes to /dev/null, and they are clean */
    if (out >= 0) dup2(out, STDOUT_FILENO);
    if (err >= 0) dup2(err, STDERR_FILENO);
    if (out >= 0) close(out);
    if (err >= 0) close(err);
    close(null);
}
