/* SPDX-License-Identifier: MIT */
#include "fetch/head.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"

static enum fut_head_result feed(struct fut_head *h, const char *line) {
    return fut_head_feed(h, line, strlen(line));
}

static void feed_all(struct fut_head *h, const char *const *lines) {
    for (; *lines; lines++) FUT_ASSERT(feed(h, *lines) == FUT_HEAD_OK);
}

static void test_fields(void) {
    static const char *const lines[] = {"HTTP/1.1 404 Not Found\r\n",
                                        "A: 1\r\n",
                                        "b:2  \r\n",
                                        "Empty:\r\n",
                                        "no colon\r\n",
                                        ": no name\r\n",
                                        "A:\t3\n",
                                        "Long: one\r\n",
                                        " \ttwo\r\n",
                                        "\r\n",
                                        NULL};
    static const char *const expected[] = {"A", "1", "b", "2",    "Empty",
                                           "",  "A", "3", "Long", "one two"};
    struct fut_head h = {0};
    feed_all(&h, lines);
    FUT_ASSERT(h.complete);
    FUT_ASSERT(strcmp(fut_head_reason(&h), "Not Found") == 0);
    size_t position = 0, n = 0;
    struct fut_field field;
    for (; fut_head_next(&h, &position, &field); n += 2) {
        FUT_ASSERT(n < sizeof expected / sizeof *expected);
        FUT_ASSERT(field.name_len == strlen(expected[n]));
        FUT_ASSERT(memcmp(field.name, expected[n], field.name_len) == 0);
        FUT_ASSERT(field.value_len == strlen(expected[n + 1]));
        FUT_ASSERT(memcmp(field.value, expected[n + 1], field.value_len) == 0);
    }
    FUT_ASSERT(n == sizeof expected / sizeof *expected);
    FUT_ASSERT(strcmp(fut_head_find(&h, "a"), "1") == 0);
    FUT_ASSERT(!fut_head_find(&h, "c"));
    fut_head_deinit(&h);
    puts("ok fields");
}

static void test_last_response_counts(void) {
    static const char *const lines[] = {"HTTP/1.1 100 Continue\r\n",
                                        "X: interim\r\n",
                                        "\r\n",
                                        "HTTP/2 200 \r\n",
                                        "Y: final\r\n",
                                        "HTTP/: no status\r\n",
                                        "\r\n",
                                        "Z: trailer\r\n",
                                        "\r\n",
                                        NULL};
    struct fut_head h = {0};
    feed_all(&h, lines);
    FUT_ASSERT(strcmp(fut_head_reason(&h), "") == 0);
    FUT_ASSERT(!fut_head_find(&h, "X"));
    FUT_ASSERT(fut_head_find(&h, "Y"));
    FUT_ASSERT(fut_head_find(&h, "HTTP/"));
    FUT_ASSERT(!fut_head_find(&h, "Z"));
    fut_head_clear(&h);
    FUT_ASSERT(!fut_head_find(&h, "Y") && strcmp(fut_head_reason(&h), "") == 0);
    fut_head_deinit(&h);
    puts("ok last response counts");
}

static void test_limit(void) {
    struct fut_head h = {0};
    char line[1024];
    memset(line, 'a', sizeof line);
    FUT_ASSERT(feed(&h, "HTTP/1.1 200 OK\r\n") == FUT_HEAD_OK);
    int n = 0;
    while (fut_head_feed(&h, line, sizeof line) == FUT_HEAD_OK) n++;
    FUT_ASSERT(n == FUT_HEAD_LIMIT / 1024 - 1);
    fut_head_deinit(&h);
    puts("ok limit");
}

int main(void) {
    test_fields();
    test_last_response_counts();
    test_limit();
    return 0;
}
