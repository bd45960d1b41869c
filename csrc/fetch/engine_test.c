/* SPDX-License-Identifier: MIT */
#include "fetch/engine.h"

#include <curl/curl.h>

#include "fetch/engine_inside.h"
#include "fetch/ok_server.h"
#include "fetch/problem.h"
#include "fetch/request.h"
#include "fetch/response.h"
#include "fetch/test_api.h"

/* ---- helpers ---- */

/* A port that takes connections and never says a word. */
static int silent_port(void) {
    static int known;
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    if (known) return known;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(bind(fd, (struct sockaddr *)&address, size) == 0 && listen(fd, 512) == 0);
    CHECK(getsockname(fd, (struct sockaddr *)&address, &size) == 0);
    return known = ntohs(address.sin_port);
}

static struct fut_request *make_request(void) {
    struct fut_request *r = fut_request_new();
    CHECK(r);
    r->method = fut_strdup("GET");
    r->user_agent = fut_strdup("test");
    r->proxy = fut_strdup("");
    CHECK(r->method && r->user_agent && r->proxy);
    return r;
}

/* A job for that port, and its future with a count for the caller. */
static struct fut_future *make_job(struct fut_session *s, struct fut_request *r, int to,
                                   struct fut_job **job) {
    char url[64], server[64];
    snprintf(url, sizeof url, "http://127.0.0.1:%d/", to);
    snprintf(server, sizeof server, "http://127.0.0.1:%d", to);
    *job = fut_job_new(s, r, fut_strdup(url), fut_strdup(server), NULL);
    CHECK(*job);
    return (*job)->future;
}

static struct fut_future *submit(struct fut_session *s, struct fut_request *r, int to) {
    struct fut_job *job;
    struct fut_future *f = make_job(s, r, to, &job);
    CHECK(fut_engine_submit(job) == FUT_OK);
    return f;
}

static struct fut_session_stats stats_of(struct fut_session *s) {
    struct fut_session_stats stats;
    struct fut_times wait, run;
    fut_engine_stats(s, &stats, &wait, &run);
    return stats;
}

static struct fut_session *open_session(void) {
    fut_engine_open(&test_api);
    struct fut_session *s = fut_session_new();
    CHECK(s);
    return s;
}

/* Nothing is left: no thread of the engine (which fut_engine_close joins), no object. */
static void close_session(struct fut_session *s, struct fut_request *r) {
    fut_engine_close_session(s, FUT_CLOSING_KEEP);
    await(s->stopped);
    fut_session_drop(s);
    fut_request_drop(r);
    fut_engine_close(false);
    CHECK(test_objects == 0 && test_futures == 0);
}

static void check_ok(struct fut_future *f) {
    await(f);
    CHECK(f->state == FINISHED && !f->failed && f->object);
    const struct fut_response *response = f->object;
    CHECK(response->status == 200 && response->size == 2);
    CHECK(response->body.len == 2 && memcmp(response->body.data, "ok", 2) == 0);
    future_drop(f);
}

/* ---- cases ---- */

enum { MANY = 300 };

static void test_answers(void) {
    struct fut_session *s = open_session();
    struct fut_request *r = make_request();
    static struct fut_future *fs[MANY];
    int before = connections;
    r->max_per_host = 4;
    for (int i = 0; i < MANY; i++) fs[i] = submit(s, r, port);
    for (int i = 0; i < MANY; i++) check_ok(fs[i]);
    CHECK(connections - before <= 4);
    struct fut_session_stats stats = stats_of(s);
    CHECK(stats.submitted == MANY && stats.completed == MANY && stats.workers <= 4);
    CHECK(stats.pending == 0 && stats.running == 0 && stats.failed == 0);
    close_session(s, r);
}

static fut_time cpu_time(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (fut_time)t.tv_sec * FUT_SECOND + t.tv_nsec;
}

/* A connection that waits for its next request is still watched: when its server closes it, it
 * is told once, and the next request has a new one. */
static void test_idle_connections_that_are_closed(void) {
    struct fut_session *s = open_session();
    struct fut_request *r = make_request();
    enum { COUNT = 10 };
    struct fut_future *fs[COUNT];
    hangs_up = true;
    for (int i = 0; i < COUNT; i++) fs[i] = submit(s, r, port);
    for (int i = 0; i < COUNT; i++) check_ok(fs[i]);
    usleep(50 * 1000); /* they are closed by then, or it is not seen here */
    fut_time before = cpu_time();
    usleep(300 * 1000);
    CHECK(cpu_time() - before < 100 * FUT_MS);
    for (int i = 0; i < COUNT; i++) check_ok(submit(s, r, port));
    hangs_up = false;
    close_session(s, r);
}

static void test_failure(void) {
    struct fut_session *s = open_session();
    struct fut_request *r = make_request();
    struct fut_future *f = submit(s, r, 1);
    await(f);
    CHECK(f->state == FINISHED && f->failed && f->object && stats_of(s).failed == 1);
    future_drop(f);
    r = (fut_request_drop(r), make_request());
    r->total_s = 0.05;
    f = submit(s, r, silent_port());
    await(f);
    CHECK(f->failed && stats_of(s).failed == 2);
    future_drop(f);
    close_session(s, r);
}

static void test_cancel_in_flight_and_queued(void) {
    struct fut_session *s = open_session();
    struct fut_request *r = make_request();
    static struct fut_future *fs[20];
    r->max_connections = r->max_per_host = 10;
    r->total_s = 1e9;
    for (int i = 0; i < 20; i++) fs[i] = submit(s, r, silent_port());
    while (stats_of(s).running < 10) usleep(200);
    for (int i = 0; i < 20; i++) CHECK(future_cancel(fs[i]) && !future_cancel(fs[i]));
    struct fut_session_stats stats = stats_of(s);
    CHECK(stats.cancelled == 20 && stats.pending == 0 && stats.running == 0);
    for (int i = 0; i < 20; i++) future_drop(fs[i]);
    close_session(s, r);
}

static void test_closing(void) {
    struct fut_session *s = open_session();
    struct fut_request *r = make_request();
    struct fut_job *job;
    r->max_connections = 1;
    r->total_s = 1e9;
    struct fut_future *first = submit(s, r, silent_port()), *second = submit(s, r, port);
    while (stats_of(s).running == 0) usleep(200);
    fut_engine_close_session(s, FUT_CLOSING_CANCEL_QUEUED);
    CHECK(!future_done(first) && second->state == CANCELLED && !future_done(s->stopped));
    struct fut_future *late = make_job(s, r, port, &job);
    CHECK(fut_engine_submit(job) == FUT_ECLOSED);
    future_drop(late);
    fut_engine_close_session(s, FUT_CLOSING_CANCEL_ALL);
    CHECK(first->state == CANCELLED);
    future_drop(first);
    future_drop(second);
    close_session(s, r);
}

static void test_full(void) {
    struct fut_session *s = open_session();
    struct fut_request *r = make_request();
    struct fut_job *job;
    r->max_connections = 1;
    r->max_pending = 1;
    r->total_s = 1e9;
    struct fut_future *first = submit(s, r, silent_port());
    while (stats_of(s).running == 0) usleep(200);
    struct fut_future *second = submit(s, r, port), *third = make_job(s, r, port, &job);
    CHECK(fut_engine_submit(job) == FUT_EFULL);
    struct fut_future *room = fut_engine_room(s, 1);
    CHECK(room && !future_done(room));
    CHECK(future_cancel(first)); /* the second may start */
    for (;;) {                   /* when the room is done it is worth another look */
        await(room);
        future_drop(room);
        enum fut_err err = fut_engine_submit(job);
        if (err == FUT_OK) break;
        CHECK(err == FUT_EFULL && (room = fut_engine_room(s, 1)));
    }
    check_ok(second);
    check_ok(third);
    future_drop(first);
    close_session(s, r);
}

/* The first of some that end at the same time is watched: is it the last to be settled? */
static bool is_settled_last(struct fut_session *s, struct fut_request *r) {
    enum { COUNT = 8 };
    struct fut_future *fs[COUNT];
    int earlier = 0;
    for (int i = 0; i < COUNT; i++) {
        struct fut_job *job;
        fs[i] = make_job(s, r, silent_port(), &job);
        fs[i]->watched = i == 0;
        CHECK(fut_engine_submit(job) == FUT_OK);
    }
    for (int i = 0; i < COUNT; i++) await(fs[i]);
    for (int i = 1; i < COUNT; i++) earlier += fs[i]->turn < fs[0]->turn;
    for (int i = 0; i < COUNT; i++) {
        CHECK(fs[i]->turn > 0 && fs[i]->failed);
        future_drop(fs[i]);
    }
    return earlier == COUNT - 1;
}

static void test_watched_are_settled_last(void) {
    struct fut_session *s = open_session();
    struct fut_request *r = make_request();
    r->total_s = 0.02; /* all time out in one round of the loop, if they were started in one */
    int rounds = 0;
    while (!is_settled_last(s, r)) CHECK(++rounds < 500);
    close_session(s, r);
}

/* Submits and cancels from several threads while answers come. */
static struct fut_session *raced;
static struct fut_request *raced_request;

static void *race(void *seed_arg) {
    unsigned seed = *(unsigned *)seed_arg;
    for (int i = 0; i < test_rounds(500); i++) {
        struct fut_future *f = submit(raced, raced_request, port);
        if (rand_r(&seed) % 2) {
            if (rand_r(&seed) % 2) usleep((useconds_t)rand_r(&seed) % 300);
            future_cancel(f);
        }
        await(f);
        CHECK(f->state == CANCELLED || !f->failed);
        future_drop(f);
    }
    return NULL;
}

static void test_race(void) {
    enum { THREADS = 4 };
    pthread_t threads[THREADS];
    unsigned seeds[THREADS];
    raced = open_session();
    raced_request = make_request();
    for (unsigned i = 0; i < THREADS; i++) {
        seeds[i] = i + 1;
        threads[i] = test_start(race, &seeds[i]);
    }
    for (int i = 0; i < THREADS; i++) test_join(threads[i]);
    struct fut_session_stats stats = stats_of(raced);
    CHECK(stats.completed + stats.cancelled == stats.submitted && stats.running == 0);
    close_session(raced, raced_request);
}

/* The last thing that it finds is about a job that is over: it does not go to sleep on that. */
static void check_looks_again(struct fut_engine *e, struct fut_job **list,
                              struct fut_job *job) {
    struct fut_engine_mail mail;
    struct fut_poller_event events[1];
    *list = job;
    e->woken = true; /* by what is read from the poller before it looks: nobody says it again */
    CHECK(fut_engine_take(e, &mail) && (mail.dropped == job || mail.awaited == job));
    fut_time began = fut_now();
    CHECK(e->type->wait(e->poller, began + TEST_SECONDS / 2 * FUT_SECOND, events, 1) == 0);
    CHECK(fut_now() - began < TEST_SECONDS / 4 * FUT_SECOND);
}

static void test_late_mail(void) {
    struct fut_session *s = open_session();
    struct fut_request *r = make_request();
    struct fut_engine *e = fut_engine_new(&fut_poller_usual);
    struct fut_job *job;
    CHECK(e);
    struct fut_future *f = make_job(s, r, port, &job);
    check_looks_again(e, &e->dropped, job);
    check_looks_again(e, &e->awaited, job);
    fut_engine_free(e);
    future_drop(f);
    close_session(s, r);
}

static void test_starts_anew(void) {
    curl_global_init(CURL_GLOBAL_DEFAULT);
    start_server();
    for (int i = 0; i < 20; i++) {
        struct fut_session *s = open_session();
        struct fut_request *r = make_request();
        check_ok(submit(s, r, port));
        close_session(s, r);
    }
}

static const struct test_case cases[] = {
    {"an engine starts, ends and starts anew", test_starts_anew},
    {"many requests use few connections", test_answers},
    {"idle connections that are closed cost nothing", test_idle_connections_that_are_closed},
    {"a request fails, and times out", test_failure},
    {"a request is cancelled in flight, and in the queue", test_cancel_in_flight_and_queued},
    {"closing cancels what it is told to", test_closing},
    {"a full session has room when a request starts", test_full},
    {"futures that are watched are settled last", test_watched_are_settled_last},
    {"submits, cancels and answers race", test_race},
    {"mail about a job that is over does not keep it from its end", test_late_mail},
};
TEST_MAIN(cases)
