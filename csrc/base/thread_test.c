/* SPDX-License-Identifier: MIT */
#include "base/thread.h"

#include "base/test.h"

static void *store_mask(void *arg) {
    pthread_sigmask(SIG_SETMASK, NULL, arg);
    return arg;
}

static void signals_stay_with_the_program(void) {
    sigset_t before, after, inside;
    pthread_sigmask(SIG_SETMASK, NULL, &before);
    pthread_t thread;
    void *result;
    CHECK(fut_thread_start(&thread, store_mask, &inside) == FUT_OK);
    CHECK(pthread_join(thread, &result) == 0 && result == &inside);
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGALRM, SIGUSR1, SIGPIPE, SIGCHLD};
    pthread_sigmask(SIG_SETMASK, NULL, &after);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        CHECK(sigismember(&inside, numbers[i]) == 1);
        CHECK(sigismember(&after, numbers[i]) == sigismember(&before, numbers[i]));
    }
}

#ifdef __linux__

struct naming {
    const char *given;
    char shown[32];
};

static void *store_name(void *arg) {
    struct naming *n = arg;
    fut_thread_set_name(n->given);
    CHECK(pthread_getname_np(pthread_self(), n->shown, sizeof n->shown) == 0);
    return NULL;
}

static void names_are_cut_to_what_the_system_shows(void) {
    static const char *const names[] = {"a", "", "123456789012345", "1234567890123456",
                                        "pool_3%s%n"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct naming n = {.given = names[i]};
        pthread_t thread;
        CHECK(fut_thread_start(&thread, store_name, &n) == FUT_OK);
        test_join(thread);
        CHECK(strncmp(n.shown, names[i], 15) == 0 && strlen(n.shown) <= 15);
    }
}

#endif

static void *nothing(void *arg) {
    return arg;
}

static enum fut_err start_and_join(void) {
    pthread_t thread;
    enum fut_err err = fut_thread_start(&thread, nothing, NULL);
    if (err == FUT_OK) test_join(thread);
    return err;
}

static void the_nth_and_all_later_ones_fail(void) {
    fut_thread_fail_after(3);
    CHECK(start_and_join() == FUT_OK);
    CHECK(start_and_join() == FUT_OK);
    for (int i = 0; i < 5; i++) CHECK(start_and_join() == FUT_ETHREAD);
    fut_thread_fail_after(0);
    CHECK(start_and_join() == FUT_OK);
}

static const struct test_case cases[] = {
    {"signals stay with the program", signals_stay_with_the_program},
#ifdef __linux__
    {"names are cut to what the system shows", names_are_cut_to_what_the_system_shows},
#endif
    {"the n-th start and all later ones fail", the_nth_and_all_later_ones_fail},
};

TEST_MAIN(cases)
