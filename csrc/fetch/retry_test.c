/* SPDX-License-Identifier: MIT */
#include "fetch/retry.h"

#include <math.h>
#include <time.h>

#include "base/test.h"

static struct fut_retry_policy usual(void) {
    return (struct fut_retry_policy){.max = 3,
                                     .backoff = {.first_s = 0.2, .factor = 2, .max_s = 30},
                                     .respect_retry_after = true};
}

static bool is_near(double a, double b) {
    return fabs(a - b) < 1e-9;
}

static void test_backoff(void) {
    struct fut_retry_policy p = usual();
    CHECK(is_near(fut_retry_delay(&p, 1, NULL, 0), 0.2));
    CHECK(is_near(fut_retry_delay(&p, 3, NULL, 0), 0.8));
    CHECK(is_near(fut_retry_delay(&p, 100, NULL, 0), 30));
    CHECK(is_near(fut_retry_delay(&p, 100000, NULL, 0), 30)); /* pow gives infinity */
    p.backoff.jitter = true;
    CHECK(is_near(fut_retry_delay(&p, 1, NULL, 0), 0.1));
    CHECK(is_near(fut_retry_delay(&p, 1, NULL, 1), 0.2));
}

static void test_retry_after(void) {
    struct fut_retry_policy p = usual();
    char date[64];
    time_t then = time(NULL) + 20;
    struct tm utc;
    CHECK(is_near(fut_retry_delay(&p, 1, "7", 0), 7));
    CHECK(is_near(fut_retry_delay(&p, 1, "0", 0), 0));
    CHECK(is_near(fut_retry_delay(&p, 1, "7000", 0), 30));
    CHECK(is_near(fut_retry_delay(&p, 1, "007", 0), 7));
    CHECK(is_near(fut_retry_delay(&p, 1, "99999999999999999999999", 0), 30));
    static const char *const neither[] = {"nonsense", "-5",    "+5",    "nan", "inf",
                                          "0x1",      "0x1p3", "1e1",   "1.5", ".5",
                                          "5 s",      "5,6",   "10:00", ""};
    for (size_t i = 0; i < sizeof neither / sizeof *neither; i++)
        CHECK(is_near(fut_retry_delay(&p, 1, neither[i], 0), 0.2));
    strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&then, &utc));
    double delay = fut_retry_delay(&p, 1, date, 0);
    CHECK(delay > 5 && delay <= 20);
    CHECK(is_near(fut_retry_delay(&p, 1, "Sun, 06 Nov 1994 08:49:37 GMT", 0), 0));
    p.respect_retry_after = false;
    CHECK(is_near(fut_retry_delay(&p, 1, "7", 0), 0.2));
}

static void test_statuses(void) {
    struct fut_retry_policy p = usual();
    for (int status = 0; status < 700; status++) CHECK(!fut_retry_has_status(&p, status));
    static const int some[] = {100, 163, 164, 503, 599, 99, 600, -1};
    for (size_t i = 0; i < sizeof some / sizeof *some; i++) fut_retry_add_status(&p, some[i]);
    int count = 0;
    for (int status = -10; status < 700; status++) count += fut_retry_has_status(&p, status);
    CHECK(count == 5 && fut_retry_has_status(&p, 503) && !fut_retry_has_status(&p, 504));
}

static const struct test_case cases[] = {
    {"backoff", test_backoff},
    {"Retry-After", test_retry_after},
    {"statuses", test_statuses},
};
TEST_MAIN(cases)
