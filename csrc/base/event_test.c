/* SPDX-License-Identifier: MIT */
#include "base/event.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "base/test.h"

static bool readable(int fd) {
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, 0) == 1 && p.revents == POLLIN;
}

static bool is_fd(int fd) {
    return fcntl(fd, F_GETFD) >= 0;
}

static void it_is_readable_while_it_is_up(void) {
    struct fut_event e = {0};
    CHECK(!fut_event_is_open(&e));
    CHECK(fut_event_open(&e) && fut_event_is_open(&e));
    for (int i = 0; i < 1000; i++) {
        CHECK(!readable(e.read_fd));
        fut_event_raise(&e);
        CHECK(readable(e.read_fd) && readable(e.read_fd));
        fut_event_lower(&e);
    }
    CHECK(!readable(e.read_fd));
    fut_event_close(&e);
}

static void a_closed_one_has_no_descriptors(void) {
    struct fut_event e = {0};
    fut_event_close(&e); /* never opened: nothing */
    fut_event_raise(&e);
    fut_event_lower(&e);
    CHECK(fut_event_open(&e));
    int fds[2] = {e.read_fd, e.write_fd};
    for (int i = 0; i < 2; i++) CHECK(fcntl(fds[i], F_GETFD) & FD_CLOEXEC);
    fut_event_close(&e);
    for (int i = 0; i < 2; i++) CHECK(!is_fd(fds[i]));
    fut_event_raise(&e);
    fut_event_close(&e);
    CHECK(!fut_event_is_open(&e));
}

static void without_descriptors_it_stays_closed(void) {
    struct rlimit before, none;
    struct fut_event e = {0};
    CHECK(getrlimit(RLIMIT_NOFILE, &before) == 0);
    none = (struct rlimit){0, before.rlim_max};
    CHECK(setrlimit(RLIMIT_NOFILE, &none) == 0);
    bool opened = fut_event_open(&e);
    int why = errno;
    CHECK(setrlimit(RLIMIT_NOFILE, &before) == 0);
    CHECK(!opened && why == EMFILE && !fut_event_is_open(&e));
    CHECK(fut_event_open(&e));
    fut_event_close(&e);
}

/* What a child does with what it inherited, and with one of its own. */
static void in_the_child(struct fut_event *e) {
    int inherited = e->read_fd;
    CHECK(!fut_event_is_open(e));
    fut_event_lower(e);
    fut_event_close(e);
    CHECK(is_fd(inherited));
    CHECK(fut_event_open(e) && e->read_fd != inherited);
    CHECK(!readable(e->read_fd));
    fut_event_raise(e);
    CHECK(readable(e->read_fd));
    fut_event_lower(e);
    fut_event_close(e);
}

static void a_child_does_not_touch_its_parents(void) {
    struct fut_event e = {0};
    CHECK(fut_event_open(&e));
    fut_event_raise(&e);
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        in_the_child(&e);
        _exit(0);
    }
    int status;
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    CHECK(fut_event_is_open(&e) && readable(e.read_fd));
    fut_event_lower(&e);
    CHECK(!readable(e.read_fd));
    fut_event_close(&e);
}

static const struct test_case cases[] = {
    {"it is readable while it is up", it_is_readable_while_it_is_up},
    {"a closed one has no descriptors", a_closed_one_has_no_descriptors},
    {"without descriptors it stays closed", without_descriptors_it_stays_closed},
    {"a child does not touch its parent's", a_child_does_not_touch_its_parents},
};

TEST_MAIN(cases)
