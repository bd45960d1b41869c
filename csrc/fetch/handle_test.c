/* SPDX-License-Identifier: MIT */
#include "fetch/handle.h"

#include "base/test.h"

static struct fut_request *shared_request(void) {
    struct fut_request *r = fut_request_new();
    CHECK(r != NULL);
    fut_request_hold(r);
    fut_request_hold(r);
    return r;
}

static void drop_shared(struct fut_request *r) {
    for (int i = 0; i < 3; i++) fut_request_drop(r);
}

static void test_keep(void) {
    struct fut_handle *h = fut_handle_new();
    struct fut_request *r = shared_request(), *other = shared_request();
    struct curl_slist *lines = curl_slist_append(NULL, "A: b");
    CHECK(h && lines && !fut_handle_fits(h, r, false));
    fut_handle_keep(h, r, false, &lines);
    CHECK(!lines && h->headers && r->refs == 4);
    CHECK(fut_handle_fits(h, r, false) && !fut_handle_fits(h, r, true));
    CHECK(!fut_handle_fits(h, other, false));
    fut_handle_keep(h, r, false, &lines);
    CHECK(r->refs == 4 && h->headers);
    fut_handle_reset(h);
    CHECK(r->refs == 3 && !h->headers && !fut_handle_fits(h, r, false));
    fut_handle_keep(h, other, true, &lines);
    fut_handle_free(h);
    CHECK(other->refs == 3);
    drop_shared(r);
    drop_shared(other);
}

static void test_can_keep(void) {
    struct fut_request *r = shared_request();
    CHECK(fut_handle_can_keep(r));
    r->auth = FUT_AUTH_DIGEST;
    CHECK(!fut_handle_can_keep(r));
    r->auth = FUT_AUTH_NONE;
    r->cookies = true;
    CHECK(!fut_handle_can_keep(r));
    r->cookies = false;
    r->has_body = true;
    CHECK(!fut_handle_can_keep(r));
    r->has_body = false;
    CHECK(fut_buf_append(&r->headers, "host: x", sizeof "host: x"));
    CHECK(!fut_handle_can_keep(r));
    r->headers.len = 0;
    CHECK(fut_handle_can_keep(r));
    fut_request_drop(r);
    CHECK(!fut_handle_can_keep(r));
    fut_request_drop(r);
    fut_request_drop(r);
}

static const struct test_case cases[] = {
    {"a handle stays set up for a request", test_keep},
    {"some requests leave nothing in a handle", test_can_keep},
};
TEST_MAIN(cases)
