/* SPDX-License-Identifier: MIT */
/* The limit of futures.fetch: one thread with libcurl, epoll and nothing else. There is no
 * queue, no future, no Lua and no second thread; the easy handles are set up once and used
 * again; a body goes into a buffer of its handle, over the one before, or with `keep` into
 * memory of its own, as ours do. As for the other contestants the first request, on a
 * connection that stays open, does not count.
 * Usage: limit_fetch WORKLOAD [keep]   prints "workload value unit" */
#include <curl/curl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>

enum { EVENTS = 256, BUFFER_BYTES = 128 * 1024, URL_MAX = 512, PARALLEL_MAX = 1000 };

static void check(bool ok, const char *what) {
    if (ok) return;
    fprintf(stderr, "limit_fetch: %s\n", what);
    exit(1);
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static double cpu(void) {
    struct rusage r;
    getrusage(RUSAGE_SELF, &r);
    return (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) +
           (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec) * 1e-6;
}

/* The engine */

struct transfer {
    CURL *easy;
    size_t received, size;
    char *body;
};

static CURLM *multi;
static int poller;
static double due = -1; /* when libcurl wants to be called; -1: it does not */
static size_t started, landed, wanted;
static char url[URL_MAX];
static bool keeps;

/* At the first byte. Who keeps bodies takes as much memory for each as was announced. */
static void make_room(struct transfer *t) {
    curl_off_t announced = 0;
    if (t->body && !keeps) return;
    if (keeps) curl_easy_getinfo(t->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &announced);
    t->size = announced > 0 ? (size_t)announced : BUFFER_BYTES;
    t->body = malloc(t->size);
    check(t->body != NULL, "malloc");
}

static size_t on_body(char *bytes, size_t size, size_t count, void *context) {
    struct transfer *t = context;
    size_t n = size * count;
    if (t->received == 0) make_room(t);
    if (n > t->size - t->received) return 0;
    memcpy(t->body + t->received, bytes, n);
    t->received += n;
    return n;
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *unused, void *known) {
    struct epoll_event e = {.data.fd = fd};
    (void)easy;
    (void)unused;
    if (what == CURL_POLL_REMOVE) {
        epoll_ctl(poller, EPOLL_CTL_DEL, fd, NULL);
        return 0;
    }
    if (what != CURL_POLL_OUT) e.events |= EPOLLIN;
    if (what != CURL_POLL_IN) e.events |= EPOLLOUT;
    check(epoll_ctl(poller, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &e) == 0, "epoll_ctl");
    if (!known) curl_multi_assign(multi, fd, &poller);
    return 0;
}

static int on_timer(CURLM *unused, long ms, void *context) {
    (void)unused;
    (void)context;
    due = ms < 0 ? -1 : now() + (double)ms / 1e3;
    return 0;
}

static void start(struct transfer *t) {
    started++;
    t->received = 0;
    check(curl_multi_add_handle(multi, t->easy) == CURLM_OK, "curl_multi_add_handle");
}

static struct transfer *transfer_new(void) {
    struct transfer *t = calloc(1, sizeof *t);
    check(t != NULL, "calloc");
    t->easy = curl_easy_init();
    check(t->easy != NULL, "curl_easy_init");
    curl_easy_setopt(t->easy, CURLOPT_URL, url);
    curl_easy_setopt(t->easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(t->easy, CURLOPT_BUFFERSIZE, 64L * 1024);
    curl_easy_setopt(t->easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(t->easy, CURLOPT_WRITEDATA, t);
    curl_easy_setopt(t->easy, CURLOPT_PRIVATE, t);
    return t;
}

static void land_all(void) {
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(multi, &left))) {
        CURL *easy = message->easy_handle;
        char *t = NULL;
        long status = 0;
        check(message->data.result == CURLE_OK, curl_easy_strerror(message->data.result));
        curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
        curl_easy_getinfo(easy, CURLINFO_PRIVATE, &t);
        check(status == 200, "not a 200");
        curl_multi_remove_handle(multi, easy);
        landed++;
        if (started < wanted) start((struct transfer *)(void *)t);
    }
}

static int ms_until(double time) {
    double left = (time - now()) * 1e3;
    return time < 0 ? -1 : left <= 0 ? 0 : (int)left + 1;
}

static void step(void) {
    struct epoll_event events[EVENTS];
    int running, n = epoll_wait(poller, events, EVENTS, ms_until(due));
    for (int i = 0; i < n; i++) {
        int mask = 0;
        if (events[i].events & EPOLLIN) mask |= CURL_CSELECT_IN;
        if (events[i].events & EPOLLOUT) mask |= CURL_CSELECT_OUT;
        if (events[i].events & (EPOLLERR | EPOLLHUP)) mask |= CURL_CSELECT_ERR;
        curl_multi_socket_action(multi, events[i].data.fd, mask, &running);
    }
    if (due >= 0 && due <= now()) {
        due = -1;
        curl_multi_socket_action(multi, CURL_SOCKET_TIMEOUT, 0, &running);
    }
    land_all();
}

static void engine_open(size_t connections) {
    curl_global_init(CURL_GLOBAL_ALL);
    poller = epoll_create1(EPOLL_CLOEXEC);
    multi = curl_multi_init();
    check(poller >= 0 && multi, "no poller, no multi handle");
    curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timer);
    curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long)connections);
}

/* The workloads: as in requests.lua */

struct workload {
    const char *name, *server, *path, *unit;
    size_t count, parallel;
    double (*clock)(void);
    double factor;
};

static const struct workload workloads[] = {
    {"fetch_small", "BENCH_URL", "/ok", "s", 10000, 100, now, 1},
    {"fetch_slow", "BENCH_SLOW_URL", "/delay/100", "s", 1000, 1000, now, 1},
    {"fetch_large", "BENCH_URL", "/100k.bin", "s", 500, 50, now, 1},
    {"fetch_cpu", "BENCH_URL", "/ok", "us", 10000, 100, cpu, 1e6 / 10000},
};

static void run(size_t count, struct transfer **transfers, size_t parallel) {
    started = landed = 0;
    wanted = count;
    for (size_t i = 0; i < parallel && i < count; i++) start(transfers[i]);
    while (landed < wanted) step();
}

static double measure(const struct workload *w) {
    const char *server = getenv(w->server);
    check(server != NULL, "there is no server in the environment");
    snprintf(url, sizeof url, "%s%s", server, w->path);
    engine_open(w->parallel + 1);
    static struct transfer *transfers[PARALLEL_MAX];
    transfers[0] = transfer_new();
    run(1, transfers, 1);
    double from = w->clock();
    for (size_t i = 1; i < w->parallel; i++) transfers[i] = transfer_new();
    run(w->count, transfers, w->parallel);
    return (w->clock() - from) * w->factor;
}

int main(int argc, char **argv) {
    const char *name = argc > 1 ? argv[1] : "";
    keeps = argc > 2 && strcmp(argv[2], "keep") == 0;
    if (strcmp(name, "probe") == 0) {
        puts("probe 1");
        return 0;
    }
    for (size_t i = 0; i < sizeof workloads / sizeof *workloads; i++) {
        const struct workload *w = &workloads[i];
        if (strcmp(name, w->name) != 0 || (keeps && strcmp(name, "fetch_large") != 0)) continue;
        printf("%s %.6g %s\n", w->name, measure(w), w->unit);
        return 0;
    }
    printf("%s skip not measured\n", name);
    return 0;
}
