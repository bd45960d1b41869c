/* SPDX-License-Identifier: MIT */
#include "fetch/sink.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/test.h"

static const size_t MB = (size_t)1 << 20;

static char bytes[64 * 1024];

static void fill(struct fut_sink *s, uint64_t total) {
    for (uint64_t left = total, n; left > 0; left -= n) {
        n = left < sizeof bytes ? left : sizeof bytes;
        CHECK(fut_sink_write(s, bytes, n) == FUT_SINK_OK);
    }
}

static void test_announced_body_lies_in_one_piece(void) {
    struct fut_sink s = {0};
    fut_sink_open_memory(&s, MB);
    fut_sink_expect(&s, 100000);
    CHECK(fut_sink_write(&s, "abc", 3) == FUT_SINK_OK);
    const unsigned char *data = s.memory.data;
    CHECK(s.memory.cap == 100000);
    fill(&s, 100000 - 3);
    CHECK(fut_sink_finish(&s, NULL) == FUT_SINK_OK);
    CHECK(s.memory.data == data && s.memory.len == 100000 && s.received == 100000);
    CHECK(memcmp(data, "abc", 3) == 0);
    fut_sink_clear(&s);
}

static void test_what_is_announced_is_not_believed(void) {
    struct fut_sink s = {0};
    fut_sink_open_memory(&s, (uint64_t)1 << 40);
    fut_sink_expect(&s, (uint64_t)1 << 39);
    CHECK(fut_sink_write(&s, "abc", 3) == FUT_SINK_OK);
    CHECK(s.memory.cap <= 4 * MB && s.touched < MB);
    fill(&s, 20 * MB);
    CHECK(s.memory.cap <= 64 * MB && s.touched < 22 * MB);
    CHECK(fut_sink_finish(&s, NULL) == FUT_SINK_OK && s.memory.cap < 24 * MB);
    fut_sink_clear(&s);

    fut_sink_open_memory(&s, MB); /* less is announced than comes */
    fut_sink_expect(&s, 10);
    fill(&s, MB);
    CHECK(s.received == MB && s.memory.len == MB);
    fut_sink_clear(&s);
}

static void test_limit(void) {
    struct fut_sink s = {0};
    fut_sink_open_memory(&s, 5);
    CHECK(fut_sink_write(&s, "abc", 3) == FUT_SINK_OK);
    CHECK(fut_sink_write(&s, "abc", 3) == FUT_SINK_FULL && s.received == 3);
    CHECK(fut_sink_write(&s, "ab", 2) == FUT_SINK_OK && s.received == 5);
    CHECK(fut_sink_write(&s, "", 0) == FUT_SINK_OK);
    fut_sink_clear(&s);
    fut_sink_open_memory(&s, UINT64_MAX);
    fill(&s, MB);
    fut_sink_clear(&s);
    CHECK(!s.memory.data && s.received == 0);
}

static void test_finish_gives_back_what_was_too_much(void) {
    struct fut_sink s = {0};
    fut_sink_open_memory(&s, 64 * MB);
    fill(&s, 1000000); /* nobody said how many */
    CHECK(fut_sink_finish(&s, NULL) == FUT_SINK_OK);
    CHECK(s.memory.len == 1000000 && s.memory.cap < 1200000);
    fut_sink_clear(&s);
    fut_sink_open_memory(&s, 64 * MB);
    CHECK(fut_sink_finish(&s, NULL) == FUT_SINK_OK && !s.memory.data);
}

static void test_scarce_memory(void) {
    struct fut_sink s = {0};
    fut_sink_open_memory(&s, MB);
    fut_sink_expect(&s, 1000);
    fut_alloc_fail_after(1);
    CHECK(fut_sink_write(&s, "abc", 3) == FUT_SINK_MEMORY && s.received == 0);
    fut_alloc_fail_after(0);
    CHECK(fut_sink_write(&s, "abc", 3) == FUT_SINK_OK && s.received == 3);
    fut_sink_clear(&s);
}

static void test_file_has_its_name_when_it_is_complete(void) {
    char dir[] = "/tmp/fut_sink_XXXXXX", path[64], part[64], back[8] = "";
    CHECK(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/out", dir);
    snprintf(part, sizeof part, "%s/out.part", dir);
    struct fut_sink s = {0};
    CHECK(fut_sink_open_file(&s, path, 100) == FUT_SINK_OK);
    CHECK(fut_sink_write(&s, "abc", 3) == FUT_SINK_OK);
    CHECK(access(part, F_OK) == 0 && access(path, F_OK) != 0 && !s.memory.data);
    CHECK(fut_sink_finish(&s, path) == FUT_SINK_OK);
    CHECK(access(part, F_OK) != 0);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    CHECK(fd >= 0 && read(fd, back, sizeof back) == 3 && strcmp(back, "abc") == 0);
    close(fd);
    fut_sink_clear(&s);
    CHECK(access(path, F_OK) == 0 && unlink(path) == 0);

    CHECK(fut_sink_open_file(&s, path, 2) == FUT_SINK_OK); /* and is removed when it is not */
    CHECK(fut_sink_write(&s, "abc", 3) == FUT_SINK_FULL);
    CHECK(access(part, F_OK) == 0);
    fut_sink_clear(&s);
    CHECK(access(part, F_OK) != 0 && rmdir(dir) == 0);

    CHECK(fut_sink_open_file(&s, path, 100) == FUT_SINK_FILE && errno == ENOENT);
    fut_sink_clear(&s);
}

static const struct test_case cases[] = {
    {"an announced body lies in one piece", test_announced_body_lies_in_one_piece},
    {"what is announced is not believed", test_what_is_announced_is_not_believed},
    {"a limit", test_limit},
    {"finish gives back what was too much", test_finish_gives_back_what_was_too_much},
    {"scarce memory", test_scarce_memory},
    {"a file has its name when it is complete", test_file_has_its_name_when_it_is_complete},
};
TEST_MAIN(cases)
