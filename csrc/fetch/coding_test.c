/* SPDX-License-Identifier: MIT */
#include "fetch/coding.h"

#include <zlib.h>

#include "base/alloc.h"
#include "base/test.h"

enum { GZIP = MAX_WBITS + 16, ZLIB = MAX_WBITS, RAW = -MAX_WBITS };

static void feed_head(struct fut_head *h, const char *coding) {
    char line[100];
    snprintf(line, sizeof line, "Content-Encoding: %s\r\n", coding);
    CHECK(fut_head_feed(h, "HTTP/1.1 200 OK\r\n", 17) == FUT_HEAD_OK);
    CHECK(fut_head_feed(h, line, strlen(line)) == FUT_HEAD_OK);
}

static struct fut_coding open_coding(const char *coding) {
    struct fut_head h = {0};
    struct fut_coding c = {0};
    feed_head(&h, coding);
    CHECK(fut_coding_open(&c, &h) == FUT_CODING_OK);
    fut_head_deinit(&h);
    return c;
}

static struct fut_buf encode(const void *bytes, size_t n, int window_bits) {
    struct fut_buf b = {0};
    z_stream z = {0};
    CHECK(deflateInit2(&z, 6, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY) == Z_OK);
    z.next_in = (Bytef *)bytes;
    z.avail_in = (uInt)n;
    z.avail_out = (uInt)deflateBound(&z, n);
    z.next_out = fut_buf_reserve(&b, z.avail_out);
    CHECK(deflate(&z, Z_FINISH) == Z_STREAM_END);
    b.len = z.total_out;
    deflateEnd(&z);
    return b;
}

static bool take(void *to, const void *bytes, size_t n) {
    return fut_buf_append(to, bytes, n);
}

/* In pieces of that size. */
static enum fut_coding_result decode(struct fut_coding *c, const struct fut_buf *b,
                                     size_t piece, struct fut_buf *out) {
    enum fut_coding_result result = FUT_CODING_OK;
    for (size_t at = 0; at < b->len && result == FUT_CODING_OK; at += piece) {
        size_t n = b->len - at < piece ? b->len - at : piece;
        result = fut_coding_write(c, b->data + at, n, take, out);
    }
    return result == FUT_CODING_OK ? fut_coding_finish(c) : result;
}

static void check_decoded(const char *coding, const struct fut_buf *encoded, const void *bytes,
                          size_t n) {
    for (size_t piece = 1; piece <= encoded->len; piece = piece * 7 + 1) {
        struct fut_coding c = open_coding(coding);
        struct fut_buf out = {0};
        CHECK(decode(&c, encoded, piece, &out) == FUT_CODING_OK);
        CHECK(out.len == n && memcmp(out.data, bytes, n) == 0);
        fut_buf_deinit(&out);
        fut_coding_deinit(&c);
    }
}

static void test_nothing_is_undone(void) {
    struct fut_coding none = {0};
    struct fut_buf plain = {(unsigned char *)"abc", 3, 3}, out = {0};
    CHECK(decode(&none, &plain, 2, &out) == FUT_CODING_OK);
    CHECK(out.len == 3 && memcmp(out.data, "abc", 3) == 0);
    fut_buf_deinit(&out);
    check_decoded("identity", &plain, "abc", 3);
}

/* Large enough that input and output come in many pieces. */
static void test_large_bodies_in_any_pieces(void) {
    enum { SIZE = 300 * 1000 };
    static const struct {
        const char *coding;
        int window_bits;
    } rows[] = {{"gzip", GZIP}, {"deflate", ZLIB}, {"deflate", RAW}};
    static unsigned char bytes[SIZE];
    unsigned random = 1;
    for (size_t i = 0; i < SIZE; i++) {
        random = random * 1103515245 + 12345;
        bytes[i] = i < SIZE / 2 ? 'x' : (unsigned char)(random >> 16);
    }
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct fut_buf b = encode(bytes, SIZE, rows[i].window_bits);
        check_decoded(rows[i].coding, &b, bytes, SIZE);
        struct fut_buf twice = encode(b.data, b.len, GZIP);
        char both[32];
        snprintf(both, sizeof both, "%s, gzip", rows[i].coding);
        check_decoded(both, &twice, bytes, SIZE);
        fut_buf_deinit(&twice);
        fut_buf_deinit(&b);
    }
}

static bool refuse(void *calls, const void *bytes, size_t n) {
    (void)bytes;
    (void)n;
    ++*(int *)calls;
    return false;
}

static void test_the_taker_may_refuse(void) {
    struct fut_coding c = open_coding("gzip, gzip");
    struct fut_buf b = encode("abc", 3, GZIP), twice = encode(b.data, b.len, GZIP);
    int calls = 0;
    CHECK(fut_coding_write(&c, twice.data, twice.len, refuse, &calls) == FUT_CODING_REFUSED);
    CHECK(calls == 1);
    fut_coding_deinit(&c);
    fut_buf_deinit(&twice);
    fut_buf_deinit(&b);
}

static void test_the_end_is_missing(void) {
    struct fut_buf b = encode("abc", 3, GZIP), out = {0};
    for (size_t len = 1; len < b.len; len++) {
        struct fut_coding c = open_coding("gzip");
        struct fut_buf part = {b.data, len, len};
        CHECK(decode(&c, &part, 1, &out) == FUT_CODING_CUT);
        CHECK(strcmp(c.why, "gzip") == 0);
        fut_coding_deinit(&c);
    }
    fut_buf_deinit(&out);
    fut_buf_deinit(&b);
}

/* Each allocation fails once: a result that says so, and nothing is lost. */
static void test_memory_is_short(void) {
    struct fut_buf b = encode("hello, hello", 12, GZIP), twice = encode(b.data, b.len, GZIP);
    bool whole = false;
    for (long n = 1; !whole; n++) {
        struct fut_head h = {0};
        struct fut_coding c = {0};
        struct fut_buf out = {0};
        feed_head(&h, "gzip, gzip");
        CHECK(fut_buf_grow(&out, 100));
        fut_alloc_fail_after(n);
        enum fut_coding_result result = fut_coding_open(&c, &h);
        if (result == FUT_CODING_OK) result = decode(&c, &twice, twice.len, &out);
        fut_alloc_fail_after(0);
        CHECK(result == FUT_CODING_OK || result == FUT_CODING_MEMORY);
        whole = result == FUT_CODING_OK;
        CHECK(!whole || (out.len == 12 && n > 3));
        fut_coding_deinit(&c);
        fut_head_deinit(&h);
        fut_buf_deinit(&out);
    }
    fut_buf_deinit(&twice);
    fut_buf_deinit(&b);
}

static const struct test_case cases[] = {
    {"nothing is undone", test_nothing_is_undone},
    {"large bodies in any pieces", test_large_bodies_in_any_pieces},
    {"the taker may refuse", test_the_taker_may_refuse},
    {"the end is missing", test_the_end_is_missing},
    {"memory is short", test_memory_is_short},
};
TEST_MAIN(cases)
