/* SPDX-License-Identifier: MIT */
#include "fetch/handle.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "base/alloc.h"
#include "fetch/ok_server.h"

static bool never(void *context) {
    (void)context;
    return false;
}

static bool at_third_look(void *context) {
    int *looks = context;
    return ++*looks == 3;
}

/* False when there was no memory to write the request down. */
static bool fill(struct fut_request *r, const char *path) {
    char url[128];
    fut_request_init(r);
    snprintf(url, sizeof url, "http://127.0.0.1:%d%s", port, path);
    r->url = fut_strdup(url);
    r->method = fut_strdup("GET");
    r->user_agent = fut_strdup("test");
    r->proxy = fut_strdup("");
    return r->url && r->method && r->user_agent && r->proxy;
}

static enum fut_kind fetch(struct fut_handle *h) {
    struct fut_transfer t = {0};
    enum fut_kind kind = FUT_KIND_MEMORY;
    if (fill(&t.request, "/")) {
        FUT_ASSERT(fut_handle_run(h, &t, never, NULL));
        kind = t.failure.kind;
    }
    if (kind == FUT_KIND_NONE) {
        FUT_ASSERT(t.status == 200 && t.sink.received == 2);
        FUT_ASSERT(memcmp(t.sink.memory.data, "ok", 2) == 0);
    }
    fut_transfer_deinit(&t);
    return kind;
}

static void test_connection_is_kept(void) {
    struct fut_handle h = {0};
    int before = connections;
    for (int i = 0; i < 10; i++) FUT_ASSERT(fetch(&h) == FUT_KIND_NONE);
    FUT_ASSERT(connections == before + 1);
    fut_handle_close(&h);
    FUT_ASSERT(!h.easy);
    FUT_ASSERT(fetch(&h) == FUT_KIND_NONE); /* opens itself again */
    fut_handle_close(&h);
    puts("ok connection is kept");
}

static void test_forked_child_has_its_own(void) {
    struct fut_handle h = {0};
    FUT_ASSERT(fetch(&h) == FUT_KIND_NONE);
    int before = connections;
    pid_t child = fork();
    if (child == 0) {
        enum fut_kind first = fetch(&h), second = fetch(&h);
        bool ok = first == FUT_KIND_NONE && second == FUT_KIND_NONE;
        fut_handle_close(&h);
        _exit(ok ? 0 : 1);
    }
    int status;
    FUT_ASSERT(waitpid(child, &status, 0) == child && status == 0);
    FUT_ASSERT(connections == before + 1);
    FUT_ASSERT(fetch(&h) == FUT_KIND_NONE); /* the parent's was not closed */
    FUT_ASSERT(connections == before + 1);
    fut_handle_close(&h);
    puts("ok forked child has its own");
}

static void test_stop(void) {
    struct fut_handle h = {0};
    struct fut_transfer t = {0};
    int looks = 0;
    int silent = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    FUT_ASSERT(bind(silent, (struct sockaddr *)&address, size) == 0 && listen(silent, 4) == 0);
    FUT_ASSERT(getsockname(silent, (struct sockaddr *)&address, &size) == 0);
    int kept = port;
    port = ntohs(address.sin_port);
    FUT_ASSERT(fill(&t.request, "/"));
    port = kept;
    FUT_ASSERT(!fut_handle_run(&h, &t, at_third_look, &looks));
    FUT_ASSERT(t.failure.kind == FUT_KIND_NONE && looks == 3);
    fut_transfer_deinit(&t);
    FUT_ASSERT(fetch(&h) == FUT_KIND_NONE);
    fut_handle_close(&h);
    close(silent);
    puts("ok stop");
}

/* Each of our allocations fails in turn; libcurl's own are not ours to fail. */
static void test_no_memory(void) {
    struct fut_handle h = {0};
    enum fut_kind kind = FUT_KIND_MEMORY;
    int n = 0;
    while (kind != FUT_KIND_NONE) {
        fut_alloc_fail_after(++n);
        kind = fetch(&h);
        fut_alloc_fail_after(0);
        FUT_ASSERT(kind == FUT_KIND_NONE || kind == FUT_KIND_MEMORY);
        FUT_ASSERT(fetch(&h) == FUT_KIND_NONE);
    }
    FUT_ASSERT(n > 6);
    fut_handle_close(&h);
    puts("ok no memory");
}

int main(void) {
    curl_global_init(CURL_GLOBAL_DEFAULT);
    start_server();
    test_connection_is_kept();
    test_forked_child_has_its_own();
    test_stop();
    test_no_memory();
    curl_global_cleanup();
    return 0;
}
