/* SPDX-License-Identifier: MIT */
#include "base/timer.h"

#include <dirent.h>
#include <sys/wait.h>

#include "base/test.h"

static int threads(void) {
    int n = 0;
    DIR *dir = opendir("/proc/self/task");
    CHECK(dir);
    for (struct dirent *e; (e = readdir(dir));) n += e->d_name[0] != '.';
    closedir(dir);
    return n;
}

/* A timer that says when it fired. */
struct noted {
    struct fut_timer timer; /* first */
    struct fut_parker *parker;
    int order;
    fut_time fired_at;
};

static atomic_int fired;

static void note(struct fut_timer *t) {
    struct noted *n = (struct noted *)t;
    n->fired_at = fut_now();
    n->order = atomic_load(&fired); /* only this thread adds to it */
    atomic_fetch_add(&fired, 1);    /* whoever sees that may read n */
    if (n->parker) fut_unpark(n->parker);
}

static void await_fired(struct fut_parker *p, int n) {
    while (atomic_load(&fired) < n) fut_park(p, FUT_NEVER);
}

static void they_fire_in_the_order_of_their_times(void) {
    enum { N = 500 };
    static struct noted timers[N];
    struct fut_parker parker;
    fut_parker_init(&parker);
    atomic_store(&fired, 0);
    CHECK(fut_timers_hold() == FUT_OK);
    fut_time base = fut_now() + 50 * FUT_MS;
    unsigned random = 12345;
    int places[N];
    for (int i = 0; i < N; i++) places[i] = i;
    for (int i = N - 1; i > 0; i--) {
        random = random * 1103515245u + 12345u;
        int j = (int)(random >> 8) % (i + 1), place = places[i];
        places[i] = places[j];
        places[j] = place;
    }
    for (int i = 0; i < N; i++) {
        timers[i] = (struct noted){.timer.fire = note, .parker = &parker};
        fut_timer_start(&timers[i].timer, base + (fut_time)1000 * places[i]);
    }
    int left = N;
    for (int i = 0; i < N; i += 3, left--) CHECK(fut_timer_stop(&timers[i].timer));
    await_fired(&parker, left);
    int by_place[N];
    for (int i = 0; i < N; i++) by_place[places[i]] = i;
    for (int place = 0, expected = 0; place < N; place++) {
        struct noted *n = &timers[by_place[place]];
        if (by_place[place] % 3 == 0) {
            CHECK(n->fired_at == 0);
            continue;
        }
        CHECK(n->order == expected++ && n->fired_at >= n->timer.at);
    }
    fut_timers_drop();
}

static void hurry_only_makes_it_sooner(void) {
    struct fut_parker parker;
    fut_parker_init(&parker);
    atomic_store(&fired, 0);
    CHECK(fut_timers_hold() == FUT_OK);
    struct noted first = {.timer.fire = note, .parker = &parker}, second = first, idle = first;
    fut_time now = fut_now();
    fut_timer_start(&first.timer, now + 1000 * FUT_SECOND);
    fut_timer_start(&second.timer, now + 20 * FUT_MS);
    fut_timer_hurry(&second.timer, FUT_NEVER);
    fut_timer_hurry(&idle.timer, now); /* does not wait */
    fut_timer_hurry(&first.timer, now + 10 * FUT_MS);
    await_fired(&parker, 2);
    CHECK(first.order == 0 && first.fired_at >= now + 10 * FUT_MS);
    CHECK(second.order == 1 && second.fired_at >= now + 20 * FUT_MS);
    CHECK(idle.fired_at == 0 && !fut_timer_stop(&idle.timer));
    fut_timers_drop();
}

static void the_thread_is_there_while_it_is_held(void) {
    int before = threads();
#ifdef __SANITIZE_THREAD__
    before++; /* it has a thread of its own, from the first one on */
#endif
    for (int i = 0; i < 50; i++) {
        CHECK(fut_timers_hold() == FUT_OK && fut_timers_hold() == FUT_OK);
        CHECK(threads() == before + 1);
        fut_timers_drop();
        CHECK(threads() == before + 1);
        fut_timers_drop();
        while (threads() != before) sched_yield(); /* the kernel lists it for a moment */
    }
}

static void again(struct fut_timer *t) {
    struct noted *n = (struct noted *)t;
    note(t);
    if (atomic_load(&fired) < 20) fut_timer_start(&n->timer, fut_now());
}

static void one_may_start_itself_again(void) {
    struct fut_parker parker;
    fut_parker_init(&parker);
    struct noted n = {.timer.fire = again, .parker = &parker};
    atomic_store(&fired, 0);
    CHECK(fut_timers_hold() == FUT_OK);
    fut_timer_start(&n.timer, 0);
    await_fired(&parker, 20);
    CHECK(!fut_timer_stop(&n.timer));
    fut_timers_drop();
}

static void free_it_and_leave(struct fut_timer *t) {
    free(t);
    fut_timers_drop();
    atomic_fetch_add(&fired, 1);
}

static void the_last_user_may_leave_in_a_call(void) {
    atomic_store(&fired, 0);
    int rounds = test_rounds(500);
    for (int i = 0; i < rounds; i++) {
        struct fut_timer *t = calloc(1, sizeof *t);
        CHECK(t && fut_timers_hold() == FUT_OK);
        t->fire = free_it_and_leave;
        fut_timer_start(t, 0);
    }
    while (atomic_load(&fired) < rounds) sched_yield();
}

/* A stop that comes while the timer fires waits: after it nobody touches the memory. */
static void slow_note(struct fut_timer *t) {
    struct noted *n = (struct noted *)t;
    for (int i = 0; i < 100; i++) fut_pause();
    n->order++;
}

static void stop_waits_for_the_call(void) {
    CHECK(fut_timers_hold() == FUT_OK);
    int stopped = 0;
    for (int i = 0; i < test_rounds(20000); i++) {
        struct noted n = {.timer.fire = slow_note};
        fut_timer_start(&n.timer, fut_now() + (fut_time)1000 * (i % 16));
        for (int j = 0; j < i % 64 * 4; j++) fut_pause();
        bool in_time = fut_timer_stop(&n.timer);
        CHECK(n.order == !in_time);
        stopped += in_time;
        memset(&n, 0xff, sizeof n);
    }
    CHECK(stopped > 0);
    fut_timers_drop();
}

#ifndef __SANITIZE_THREAD__

static void a_child_begins_anew(void) {
    struct noted never = {.timer.fire = note};
    CHECK(fut_timers_hold() == FUT_OK);
    fut_timer_start(&never.timer, FUT_NEVER);
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        alarm(TEST_SECONDS);
        they_fire_in_the_order_of_their_times();
        _exit(0);
    }
    int status;
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    CHECK(fut_timer_stop(&never.timer));
    fut_timers_drop();
}

#endif

static const struct test_case cases[] = {
    /* first: no thread of another test is listed */
    {"the thread is there while it is held", the_thread_is_there_while_it_is_held},
    {"they fire in the order of their times", they_fire_in_the_order_of_their_times},
    {"hurry only makes it sooner", hurry_only_makes_it_sooner},
    {"one may start itself again", one_may_start_itself_again},
    {"the last user may leave in a call", the_last_user_may_leave_in_a_call},
    {"stop waits for the call", stop_waits_for_the_call},
#ifndef __SANITIZE_THREAD__ /* a forked child may not start threads there */
    {"a child begins anew", a_child_begins_anew},
#endif
};

TEST_MAIN(cases)
