/* SPDX-License-Identifier: MIT */
#include "base/buf.h"

#include "base/alloc.h"
#include "base/test.h"

static void append_and_read(void) {
    struct fut_buf b = {0};
    for (int i = 0; i < 100000; i++) {
        unsigned char byte = (unsigned char)(i * 7);
        CHECK(fut_buf_append(&b, &byte, 1));
    }
    CHECK(b.len == 100000 && b.cap >= b.len && b.cap < 2 * b.len);
    for (int i = 0; i < 100000; i++) CHECK(b.data[i] == (unsigned char)(i * 7));
    fut_buf_deinit(&b);
    CHECK(!b.data && b.len == 0 && b.cap == 0);
    fut_buf_deinit(&b);
}

static void nothing_is_no_failure(void) {
    struct fut_buf b = {0};
    CHECK(fut_buf_append(&b, "", 0));
    CHECK(fut_buf_append(&b, NULL, 0));
    CHECK(fut_buf_reserve(&b, 0));
    CHECK(b.len == 0);
    CHECK(fut_buf_append(&b, "x", 1));
    CHECK(fut_buf_append(&b, NULL, 0));
    CHECK(b.len == 1 && b.data[0] == 'x');
    fut_buf_deinit(&b);
}

static void reserve_does_not_count(void) {
    struct fut_buf b = {0};
    CHECK(fut_buf_append(&b, "ab", 2));
    unsigned char *to = fut_buf_reserve(&b, 5000);
    CHECK(to == b.data + 2 && b.len == 2 && b.cap >= 5002);
    memset(to, 'z', 5000);
    CHECK(memcmp(b.data, "abzz", 4) == 0);
    fut_buf_deinit(&b);
}

static void growth_is_by_half(void) {
    struct fut_buf b = {0};
    int moves = 0;
    size_t cap = 0;
    for (int i = 0; i < 1000000; i++) {
        CHECK(fut_buf_append(&b, "x", 1));
        moves += b.cap != cap;
        cap = b.cap;
    }
    CHECK(moves < 30);
    fut_buf_deinit(&b);
}

static void resize_is_exact(void) {
    struct fut_buf b = {0};
    CHECK(fut_buf_resize(&b, 1000) && b.cap == 1000 && b.len == 0);
    for (int i = 0; i < 1000; i++) CHECK(fut_buf_append(&b, "x", 1));
    CHECK(b.cap == 1000);
    b.len = 10;
    CHECK(fut_buf_resize(&b, 10) && b.cap == 10 && memcmp(b.data, "xxxxxxxxxx", 10) == 0);
    CHECK(fut_buf_append(&b, "y", 1) && b.data[10] == 'y');
    fut_buf_deinit(&b);
    CHECK(fut_buf_resize(&b, 0) && b.data);
    fut_buf_deinit(&b);
}

static void short_memory_leaves_it_alone(void) {
    struct fut_buf b = {0};
    CHECK(fut_buf_append(&b, "abc", 3));
    struct fut_buf before = b;
    static const unsigned char many[10000];
    fut_alloc_fail_after(1);
    CHECK(!fut_buf_reserve(&b, sizeof many));
    CHECK(!fut_buf_append(&b, many, sizeof many));
    fut_alloc_fail_after(0);
    CHECK(b.data == before.data && b.len == 3 && b.cap == before.cap);
    CHECK(memcmp(b.data, "abc", 3) == 0);
    fut_buf_deinit(&b);
}

static void absurd_sizes(void) {
    struct fut_buf b = {0};
    if (!TEST_SANITIZED) CHECK(!fut_buf_grow(&b, (size_t)-1 / 2 + 1)); /* more than there is */
    CHECK(fut_buf_append(&b, "abc", 3));
    CHECK(!fut_buf_grow(&b, (size_t)-1)); /* len + extra does not fit a size_t */
    CHECK(!fut_buf_reserve(&b, (size_t)-3));
    CHECK(b.len == 3 && b.data && memcmp(b.data, "abc", 3) == 0);
    fut_buf_deinit(&b);
}

static void steal(void) {
    struct fut_buf b = {0};
    CHECK(!fut_buf_steal(&b));
    CHECK(fut_buf_append(&b, "abc", 3));
    unsigned char *data = fut_buf_steal(&b);
    CHECK(data && memcmp(data, "abc", 3) == 0);
    CHECK(!b.data && b.len == 0 && b.cap == 0);
    CHECK(fut_buf_append(&b, "d", 1) && b.data != data);
    fut_free(data);
    fut_buf_deinit(&b);
}

static void trim(void) {
    struct fut_buf b = {0};
    CHECK(fut_buf_append(&b, "abc", 3));
    unsigned char *data = b.data;
    fut_buf_trim(&b, b.cap);
    CHECK(b.data == data && b.len == 0 && b.cap > 0);
    CHECK(fut_buf_append(&b, "abc", 3));
    fut_buf_trim(&b, b.cap - 1);
    CHECK(!b.data && b.len == 0 && b.cap == 0);
    fut_buf_trim(&b, 0);
}

static const struct test_case cases[] = {
    {"append and read", append_and_read},
    {"appending nothing is no failure", nothing_is_no_failure},
    {"reserve does not count", reserve_does_not_count},
    {"growth is by half", growth_is_by_half},
    {"resize is exact", resize_is_exact},
    {"short memory leaves a buffer alone", short_memory_leaves_it_alone},
    {"absurd sizes are refused", absurd_sizes},
    {"steal", steal},
    {"trim", trim},
};

TEST_MAIN(cases)
