/* SPDX-License-Identifier: MIT */
#include "fetch/poller.h"

#include <sys/socket.h>

#include "base/alloc.h"
#include "base/test.h"

static const struct fut_poller_type *type;

static void make_pair(int fds[2]) {
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
}

static int wait_for(struct fut_poller *p, double seconds, struct fut_poller_event *events) {
    return type->wait(p, fut_deadline_after(seconds), events, 8);
}

static void events_come(void) {
    struct fut_poller *p = type->open();
    struct fut_poller_event events[8];
    int pair[2];
    CHECK(p);
    make_pair(pair);
    CHECK(wait_for(p, 0, events) == 0);
    CHECK(type->set(p, pair[0], FUT_POLLER_IN));
    CHECK(wait_for(p, 0, events) == 0);
    CHECK(write(pair[1], "x", 1) == 1);
    for (int i = 0; i < 2; i++) { /* what stays ready is told again */
        CHECK(wait_for(p, 20, events) == 1);
        CHECK(events[0].fd == pair[0] && events[0].ready == FUT_POLLER_IN);
    }
    CHECK(type->set(p, pair[0], FUT_POLLER_IN | FUT_POLLER_OUT));
    CHECK(wait_for(p, 20, events) == 1);
    CHECK(events[0].ready == (FUT_POLLER_IN | FUT_POLLER_OUT));
    CHECK(type->set(p, pair[0], FUT_POLLER_OUT));
    CHECK(wait_for(p, 20, events) == 1 && events[0].ready == FUT_POLLER_OUT);
    CHECK(type->set(p, pair[0], 0) && type->set(p, pair[0], 0));
    CHECK(wait_for(p, 0, events) == 0);
    CHECK(type->set(p, pair[0], FUT_POLLER_IN));
    close(pair[1]);
    CHECK(wait_for(p, 20, events) == 1 && events[0].fd == pair[0]);
    close(pair[0]);
    type->close(p);
}

/* A number that was closed behind the poller's back, and is another socket by now. */
static void reused_number(void) {
    struct fut_poller *p = type->open();
    struct fut_poller_event events[8];
    int old[2], new[2];
    make_pair(old);
    CHECK(type->set(p, old[0], FUT_POLLER_IN));
    close(old[0]);
    make_pair(new);
    CHECK(new[0] == old[0]);
    CHECK(type->set(p, new[0], FUT_POLLER_IN));
    CHECK(write(new[1], "x", 1) == 1);
    CHECK(wait_for(p, 20, events) == 1 && events[0].fd == new[0]);
    type->close(p);
    close(old[1]);
    close(new[0]);
    close(new[1]);
}

static void *wake_it(void *p) {
    for (int i = 0; i < 3; i++) type->wake(p);
    return NULL;
}

static void wakes(void) {
    struct fut_poller *p = type->open();
    struct fut_poller_event events[8];
    for (int i = 0; i < 100; i++) {
        pthread_t thread = test_start(wake_it, p);
        CHECK(type->wait(p, FUT_NEVER, events, 8) == 0); /* before it or after: it comes */
        test_join(thread);
        CHECK(wait_for(p, 0, events) == 0); /* the rest of the three */
        CHECK(wait_for(p, 0, events) == 0);
    }
    type->close(p);
}

static void all_have_their_turn(void) {
    enum { N = 40 };
    struct fut_poller *p = type->open();
    struct fut_poller_event events[8];
    int pairs[N][2], told = 0;
    bool seen[1024] = {false};
    for (int i = 0; i < N; i++) {
        make_pair(pairs[i]);
        CHECK(type->set(p, pairs[i][0], FUT_POLLER_OUT));
    }
    for (int round = 0; round < N; round++) {
        int n = wait_for(p, 20, events);
        CHECK(n > 0 && n <= 8);
        for (int i = 0; i < n; i++) {
            told += !seen[events[i].fd];
            seen[events[i].fd] = true;
        }
    }
    CHECK(told == N);
    for (int i = 0; i < N; i++) {
        CHECK(type->set(p, pairs[i][0], 0));
        close(pairs[i][0]);
        close(pairs[i][1]);
    }
    type->close(p);
}

static void test_no_memory(void) {
    fut_alloc_fail_after(1);
    CHECK(!type->open());
    fut_alloc_fail_after(0);
}

static void test_both(void (*run)(void)) {
    type = &fut_poller_poll;
    run();
#ifdef __linux__
    type = &fut_poller_epoll;
    run();
#endif
}

static void test_events(void) {
    test_both(events_come);
}
static void test_reuse(void) {
    test_both(reused_number);
}
static void test_wakes(void) {
    test_both(wakes);
}
static void test_turns(void) {
    test_both(all_have_their_turn);
}
static void test_memory(void) {
    test_both(test_no_memory);
}

static const struct test_case cases[] = {
    {"events", test_events}, {"reused number", test_reuse}, {"wake-ups", test_wakes},
    {"turns", test_turns},   {"no memory", test_memory},
};
TEST_MAIN(cases)
