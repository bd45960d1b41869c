/* SPDX-License-Identifier: MIT */
#include "fetch/url.h"

#include "base/alloc.h"
#include "base/test.h"
#include "fetch/url_plain.h"

static bool is_plain(const char *text) {
    struct fut_url_plain p;
    return fut_url_read_plain(&p, text, strlen(text));
}

/* Read with and without libcurl it must be the same. */
static void check_same(const char *text) {
    struct fut_url ours, theirs;
    const char *reason = "";
    CHECK(fut_url_parse(&ours, text, strlen(text), NULL, &reason) == FUT_URL_OK && ours.ours);
    CHECK(fut_url_resolve(&theirs, "http://x/", text, &reason) == FUT_URL_OK && !theirs.ours);
    bool same = strcmp(ours.text, theirs.text) == 0 &&
                strcmp(ours.scheme, theirs.scheme) == 0 &&
                strcmp(ours.host, theirs.host) == 0 && strcmp(ours.port, theirs.port) == 0 &&
                !ours.user && !theirs.user && !ours.password && !theirs.password;
    if (!same) fprintf(stderr, "%s: %s, %s\n", text, ours.text, theirs.text);
    CHECK(same);
    fut_url_deinit(&ours);
    fut_url_deinit(&theirs);
}

static void test_plain_ones(void) {
    static const char *const urls[] = {
        "http://127.0.0.1:8080/bytes/10",
        "http://example.org",
        "https://example.org",
        "https://a-b.example.org/x?y=1",
        "http://a:80/",
        "https://a:443/",
        "http://localhost:65535/a.b/c..",
        "http://a/b?c=/../d&e=.f",
        "http://1.2.3.x4/",
        "http://255.255.255.255",
        "http://0.0.0.0:1/",
        "https://xn--a.org/~me",
    };
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        CHECK(is_plain(urls[i]));
        check_same(urls[i]);
    }
}

static void test_others_go_to_libcurl(void) {
    static const char *const texts[] = {
        "",
        "http://",
        "http:///",
        "http://a:/",
        "http://a:0/",
        "http://a:080/",
        "http://a:65536/",
        "http://a:b/",
        "http://u@a/",
        "http://u:p@a/",
        "HTTP://a/",
        "http://A/",
        "http://a./",
        "http://.a/",
        "http://a..b/",
        "http://-a/",
        "http://1/",
        "http://127.1/",
        "http://127.0.0.01/",
        "http://127.0.0.256/",
        "http://127.0.0.1.1/",
        "http://0x7f.1/",
        "http://[::1]/",
        "http://a/%41",
        "http://a/./b",
        "http://a/../b",
        "http://a/.b",
        "http://a/b c",
        "http://a/b#c",
        "http://a?b",
        "http://a#b",
        "http://a/?b?c",
        "http://a/b?",
        "http://a\\b/",
        "http://a/\xc3\xa4",
        "http://a/b\"c",
        "ftp://a/",
        "https:/a/",
        "httpx://a/",
        "//a/",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) CHECK(!is_plain(texts[i]));
    struct fut_url_plain p;
    CHECK(!fut_url_read_plain(&p, "http://a/\0b", 11));
}

/* What anybody could write: plain or not, and if so, the same. */
static void test_random_ones(void) {
    static const char *const pieces[] = {"http", "s", "://", "a",   "b.c", "1",   "127.0.0.1",
                                         ".",    ":", "80",  "443", "0",   "/",   "//",
                                         "..",   "?", "=",   "&",   "-",   "~",   "x1",
                                         "256",  "@", "A",   ";",   "+",   "0x1", "%2e"};
    enum { PIECES = sizeof pieces / sizeof *pieces, MAX = 9 };
    unsigned seed = 1;
    int plain = 0;
    for (int i = 0; i < test_rounds(200000); i++) {
        char text[128];
        size_t count = (size_t)rand_r(&seed) % MAX, len = 0;
        for (size_t k = 0; k <= count; k++) {
            const char *piece = k > 0               ? pieces[(size_t)rand_r(&seed) % PIECES]
                                : rand_r(&seed) % 2 ? "http://"
                                                    : "https://";
            len += (size_t)snprintf(text + len, sizeof text - len, "%s", piece);
        }
        if (!is_plain(text)) continue;
        check_same(text);
        plain++;
    }
    CHECK(plain > 100);
}

static void test_scarce_memory(void) {
    const char *reason = "";
    for (int n = 1; n <= 4; n++) {
        struct fut_url u;
        fut_alloc_fail_after(n);
        CHECK(fut_url_parse(&u, "http://a/", 9, NULL, &reason) == FUT_URL_MEMORY);
        fut_alloc_fail_after(0);
        CHECK(!u.text && !u.host);
    }
}

static const struct test_case cases[] = {
    {"plain URLs are read as libcurl reads them", test_plain_ones},
    {"all others are for libcurl", test_others_go_to_libcurl},
    {"random URLs", test_random_ones},
    {"a URL under scarce memory", test_scarce_memory},
};
TEST_MAIN(cases)
