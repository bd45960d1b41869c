/* SPDX-License-Identifier: MIT */
#include "base/process.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/wait.h>

#include "base/test.h"

/* Runs `child` in a forked process; its exit code. */
static int in_child(void (*child)(void)) {
    int status;
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        child();
        _exit(0);
    }
    CHECK(waitpid(pid, &status, 0) == pid);
    CHECK(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static bool is_open(int fd) {
    return fcntl(fd, F_GETFD) >= 0;
}

static void close_some(void) {
    int spared = -1;
    for (int i = 0; i < 20; i++) {
        int fd = open("/dev/null", O_RDONLY);
        if (i == 10) spared = fd;
    }
    fut_process_close_from(3, spared);
    for (int fd = 3; fd < 64; fd++)
        if (is_open(fd) != (fd == spared)) _exit(1);
    fut_process_close_from(3, -1);
    if (is_open(spared) || !is_open(1)) _exit(2);
    int first = dup(1);
    if (first != 3) _exit(3);
    fut_process_close_from(3, first); /* it is the very first one */
    if (!is_open(first)) _exit(4);
}

static void descriptors_are_closed(void) {
    CHECK(in_child(close_some) == 0);
}

static void count_forks(void) {
    _exit((int)fut_process_forks());
}

static void fork_once_more(void) {
    _exit(in_child(count_forks));
}

static void forks_are_counted(void) {
    int here = (int)fut_process_forks();
    CHECK(in_child(count_forks) == here + 1);
    CHECK(in_child(fork_once_more) == here + 2);
    CHECK((int)fut_process_forks() == here);
}

static void on_signal(int signal) {
    (void)signal;
}

static void reset(void) {
    sigset_t all, blocked;
    sigfillset(&all);
    signal(SIGTERM, on_signal);
    signal(SIGCHLD, SIG_IGN);
    sigprocmask(SIG_SETMASK, &all, NULL);
    raise(SIGINT); /* pending: would end the process if it were not ignored when unblocked */
    fut_process_reset_signals();
    sigprocmask(SIG_SETMASK, NULL, &blocked);
    for (int i = 1; i < 32; i++) {
        struct sigaction now;
        if (sigaction(i, NULL, &now) != 0) continue;
        if (now.sa_handler != (i == SIGINT ? SIG_IGN : SIG_DFL) || sigismember(&blocked, i))
            _exit(i);
    }
}

static void signals_are_reset(void) {
    CHECK(in_child(reset) == 0);
}

/* What the parent wrote and did not flush is in nobody's file afterwards. */
static const char *path;
static FILE *file;

static void drop(void) {
    int spared = open("/dev/null", O_WRONLY);
    fut_process_drop_output(spared);
    fut_process_close_from(3, spared);
    int other = open(path, O_WRONLY); /* gets the number that `file` has */
    if (other != fileno(file) && other < 0) _exit(1);
    fflush(NULL);
    if (!is_open(spared) || !is_open(1) || !is_open(2)) _exit(2);
    if (write(2, "", 0) != 0) _exit(3);
}

static void output_is_dropped(void) {
    static char name[] = "/tmp/futures_test_XXXXXX";
    char bytes[64];
    int fd = mkstemp(name);
    CHECK(fd >= 0);
    path = name;
    file = fdopen(fd, "w+");
    CHECK(file && fputs("once\n", file) >= 0);
    CHECK(printf("pending ") > 0); /* line-buffered here: it must not come twice either */
    CHECK(in_child(drop) == 0);
    CHECK(lseek(fd, 0, SEEK_END) == 0);
    CHECK(fflush(file) == 0 && puts("once") > 0);
    CHECK(pread(fd, bytes, sizeof bytes, 0) == 5);
    fclose(file);
    unlink(name);
}

static const struct test_case cases[] = {
    {"descriptors are closed", descriptors_are_closed},
    {"forks are counted", forks_are_counted},
    {"signals are reset", signals_are_reset},
    {"output is dropped", output_is_dropped},
};

TEST_MAIN(cases)
