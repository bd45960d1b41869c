/* SPDX-License-Identifier: MIT */
/* A zygote without a pool: what it forks, what it tells, when it ends. */
#include "pool/zygote.h"

#include <signal.h>
#include <sys/wait.h>

#include "base/test.h"

enum { SLOTS = 3 };

static struct fut_process_shared shared;
static struct fut_zygote zygote;

static void start(fut_zygote_child *child) {
    CHECK(fut_process_shared_open(&shared, SLOTS) == FUT_OK);
    CHECK(fut_zygote_start(&zygote, &shared, child, NULL) == FUT_OK);
    CHECK(zygote.pid > 0 && !fut_zygote_lost(&zygote));
}

static void end(void) {
    fut_zygote_stop(&zygote);
    fut_zygote_stop(&zygote);
    CHECK(kill(zygote.pid, 0) != 0 && zygote.socket < 0);
    fut_process_shared_close(&shared);
}

static struct fut_process_record *record(int slot) {
    return fut_process_record(&shared, slot);
}

/* Waits for what the zygote counts, and rings for. */
static void await(atomic_uint *count, unsigned n) {
    for (;;) {
        unsigned seen = fut_bell_count(fut_process_doorbell(&shared));
        if (atomic_load(count) >= n) return;
        fut_bell_wait(fut_process_doorbell(&shared), seen, FUT_NEVER);
    }
}

static void await_gone(pid_t pid) {
    for (int i = 0; i < 20000; i++) {
        char path[64], state = 0;
        snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
        FILE *file = fopen(path, "r");
        if (!file || fscanf(file, "%*d %*s %c", &state) != 1 || state == 'Z') {
            if (file) fclose(file);
            return;
        }
        fclose(file);
        usleep(1000);
    }
    CHECK(!"it never ended");
}

static void exits(void *arg, const struct fut_zygote_birth *birth) {
    (void)arg;
    if (getppid() != birth->parent) _exit(99);
    _exit(birth->slot * 10 + birth->id);
}

static void sleeps(void *arg, const struct fut_zygote_birth *birth) {
    (void)arg, (void)birth;
    for (;;) pause();
}

static void workers_are_forked_and_reaped(void) {
    start(exits);
    for (int round = 0; round < 2; round++) {
        for (int slot = 0; slot < SLOTS; slot++) {
            CHECK(fut_zygote_spawn(&zygote, slot));
            await(&record(slot)->ended, (unsigned)round + 1);
            int status = atomic_load(&record(slot)->status), id = round * SLOTS + slot + 1;
            CHECK(WIFEXITED(status) && WEXITSTATUS(status) == slot * 10 + id);
            CHECK(atomic_load(&record(slot)->started) == (unsigned)round + 1);
            CHECK(kill(atomic_load(&record(slot)->pid), 0) != 0);
        }
    }
    end();
}

static void signals_reach_the_worker_of_a_slot(void) {
    start(sleeps);
    for (int slot = 0; slot < SLOTS; slot++) CHECK(fut_zygote_spawn(&zygote, slot));
    CHECK(fut_zygote_signal(&zygote, 1, SIGTERM));
    await(&record(1)->ended, 1);
    CHECK(WTERMSIG(atomic_load(&record(1)->status)) == SIGTERM);
    CHECK(fut_zygote_signal(&zygote, 1, SIGKILL)); /* nobody is there any more */
    CHECK(fut_zygote_signal(&zygote, 2, SIGKILL));
    await(&record(2)->ended, 1);
    CHECK(atomic_load(&record(0)->ended) == 0);
    pid_t left = atomic_load(&record(0)->pid);
    end();
    await_gone(left);
}

static void workers_end_with_a_zygote_that_is_killed(void) {
    start(sleeps);
    CHECK(fut_zygote_spawn(&zygote, 0));
    await(&record(0)->started, 1);
    kill(zygote.pid, SIGKILL);
    await_gone(atomic_load(&record(0)->pid));
    /* A sanitizer's thread in the zygote may hold the socket a moment longer. */
    while (!fut_zygote_lost(&zygote)) usleep(1000);
    CHECK(!fut_zygote_spawn(&zygote, 0));
    end();
}

/* The program of this case is a child of the test's. */
static void all_end_with_the_program(void) {
    for (int copies = 0; copies < 2; copies++) {
        CHECK(fut_process_shared_open(&shared, SLOTS) == FUT_OK);
        pid_t program = fork();
        if (program == 0) {
            CHECK(fut_zygote_start(&zygote, &shared, sleeps, NULL) == FUT_OK);
            for (int slot = 0; slot < SLOTS; slot++) fut_zygote_spawn(&zygote, slot);
            if (copies && fork() == 0) { /* it has the socket, too */
                usleep(300 * 1000);
                _exit(0);
            }
            for (;;) pause();
        }
        for (int slot = 0; slot < SLOTS; slot++) await(&record(slot)->started, 1);
        CHECK(kill(program, SIGKILL) == 0 && waitpid(program, NULL, 0) == program);
        for (int slot = 0; slot < SLOTS; slot++) await_gone(atomic_load(&record(slot)->pid));
        fut_process_shared_close(&shared);
    }
}

static void a_fork_that_fails_is_told(void) {
    fut_zygote_fail_after(3);
    start(sleeps);
    fut_zygote_fail_after(0);
    CHECK(fut_zygote_spawn(&zygote, 0) && fut_zygote_spawn(&zygote, 1));
    await(&record(0)->started, 1);
    await(&record(1)->ended, 1);
    CHECK(atomic_load(&record(0)->ended) == 0 && atomic_load(&record(1)->status) < 0);
    end();
    fut_zygote_fail_after(1);
    CHECK(fut_process_shared_open(&shared, SLOTS) == FUT_OK);
    CHECK(fut_zygote_start(&zygote, &shared, sleeps, NULL) == FUT_EFORK);
    fut_zygote_fail_after(0);
    fut_zygote_stop(&zygote);
    fut_process_shared_close(&shared);
}

static void a_zygote_that_does_not_listen_blocks_nobody(void) {
    start(sleeps);
    CHECK(fut_zygote_spawn(&zygote, 0));
    await(&record(0)->started, 1);
    kill(zygote.pid, SIGSTOP);
    int sent = 0;
    while (fut_zygote_signal(&zygote, 0, SIGCONT)) sent++;
    CHECK(sent > 10);
    kill(zygote.pid, SIGCONT);
    while (!fut_zygote_signal(&zygote, 0, SIGKILL)) usleep(1000);
    await(&record(0)->ended, 1);
    end();
}

static const struct test_case cases[] = {
    {"workers are forked and reaped", workers_are_forked_and_reaped},
    {"signals reach the worker of a slot", signals_reach_the_worker_of_a_slot},
    {"workers end with a zygote that is killed", workers_end_with_a_zygote_that_is_killed},
    {"all end with the program", all_end_with_the_program},
    {"a fork that fails is told", a_fork_that_fails_is_told},
    {"a zygote that does not listen blocks nobody",
     a_zygote_that_does_not_listen_blocks_nobody},
};

TEST_MAIN(cases)
