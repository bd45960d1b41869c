/* SPDX-License-Identifier: MIT */
#include <unistd.h>

#include "base/alloc.h"
#include "fetch/callbacks.h"
#include "fetch/engine_inside.h"

enum {
    MAX_STREAMS = 1000, /* of HTTP/2 on one connection; the server may want fewer */
    IDLE_MAX = 1000,    /* easy handles that are kept */
    MIN_CONNECTIONS = 64,
};

/* ---- sockets ---- */

static struct fut_socket *socket_at(struct fut_engine *e, int fd) {
    return fd < e->socket_cap && e->sockets[fd].wire ? &e->sockets[fd] : NULL;
}

static bool grow(struct fut_engine *e, int fd) {
    if (fd < e->socket_cap) return true;
    int cap = fd + 64 + fd / 2;
    struct fut_socket *sockets = fut_realloc(e->sockets, (size_t)cap * sizeof *sockets);
    if (!sockets) return false;
    for (int i = e->socket_cap; i < cap; i++) sockets[i] = (struct fut_socket){0};
    e->sockets = sockets;
    e->socket_cap = cap;
    return true;
}

/* The bytes of the socket are no longer the job's. */
static void disown(struct fut_engine *e, int fd) {
    struct fut_job *job = e->sockets[fd].job;
    if (!job) return;
    int *at = &job->first_fd;
    while (*at != fd) at = &e->sockets[*at].next_fd;
    *at = e->sockets[fd].next_fd;
    e->sockets[fd].job = NULL;
}

static void own(struct fut_engine *e, int fd, struct fut_job *job) {
    struct fut_socket *s = &e->sockets[fd];
    if (s->job == job) return;
    disown(e, fd);
    if (!job) return;
    s->job = job;
    s->next_fd = job->first_fd;
    job->first_fd = fd;
}

static struct fut_job *job_of(CURL *easy) {
    char *job = NULL;
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &job);
    return (struct fut_job *)(void *)job;
}

/* The poller watches it no more. */
static void unwatch(struct fut_engine *e, int fd) {
    if (fd < e->socket_cap) e->sockets[fd].watched = 0;
    e->type->set(e->poller, fd, 0);
}

static curl_socket_t on_open(void *context, curlsocktype purpose,
                             struct curl_sockaddr *address) {
    struct fut_job *job = context;
    struct fut_engine *e = job->engine;
    (void)purpose;
    curl_socket_t fd = fut_callbacks_open_socket(job->transfer, address);
    if (fd == CURL_SOCKET_BAD || !grow(e, fd)) return fd;
    disown(e, fd);
    e->sockets[fd] = (struct fut_socket){.opened = true};
    return fd;
}

/* Told of every connection that once stood, not of each attempt at one. */
static int on_close(void *engine, curl_socket_t fd) {
    struct fut_engine *e = engine;
    if (fd < e->socket_cap) {
        if (e->sockets[fd].watched) unwatch(e, fd);
        e->sockets[fd].opened = false;
    }
    return close(fd);
}

/* Between two requests libcurl takes a connection's socket off, only to put it back as it was:
 * so the poller is not told, until the socket is closed or something comes, as when the server
 * closes it. Only of sockets whose closing will be seen: a resolver's is not, nor that of an
 * attempt to connect. */
static void let_go(struct fut_engine *e, CURL *easy, int fd) {
    struct fut_socket *s = socket_at(e, fd);
    const struct fut_job *job = s && s->opened ? job_of(easy) : NULL;
    bool stands = job && job->transfer->phase != FUT_PHASE_CONNECT;
    if (s) {
        disown(e, fd);
        s->wire = NULL;
    }
    if (!stands) unwatch(e, fd);
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *wire, void *unused) {
    struct fut_engine *e = ((struct fut_wire *)wire)->engine;
    (void)unused;
    if (what == CURL_POLL_REMOVE) {
        let_go(e, easy, fd);
        return 0;
    }
    if (!grow(e, fd)) return -1;
    struct fut_socket *s = &e->sockets[fd];
    struct fut_job *job = job_of(easy);
    int wanted = 0;
    if (what != CURL_POLL_OUT) wanted |= FUT_POLLER_IN;
    if (what != CURL_POLL_IN) wanted |= FUT_POLLER_OUT;
    bool is_kept = !s->wire && s->watched == wanted;
    if (s->wire && s->job != job) s->opened = false; /* may be another one by that number */
    s->wire = wire;
    own(e, fd, job);
    if (is_kept) return 0;
    s->watched = wanted;
    return e->type->set(e->poller, fd, wanted) ? 0 : -1;
}

static int on_timer(CURLM *multi, long ms, void *wire) {
    (void)multi;
    ((struct fut_wire *)wire)->due = ms < 0 ? FUT_NEVER : fut_now() + ms * FUT_MS;
    return 0;
}

/* ---- multi handles ---- */

static bool open_wire(struct fut_wire *w) {
    if (w->multi) return true;
    w->multi = curl_multi_init();
    if (!w->multi) return false;
    curl_multi_setopt(w->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(w->multi, CURLMOPT_SOCKETDATA, w);
    curl_multi_setopt(w->multi, CURLMOPT_TIMERFUNCTION, on_timer);
    curl_multi_setopt(w->multi, CURLMOPT_TIMERDATA, w);
    curl_multi_setopt(w->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_MULTIPLEX);
#if LIBCURL_VERSION_NUM >= 0x074300
    curl_multi_setopt(w->multi, CURLMOPT_MAX_CONCURRENT_STREAMS, (long)MAX_STREAMS);
#endif
    return true;
}

/* A cache of connections that is smaller than what is in flight closes them all the time. */
static void keep_connections(struct fut_engine *e, struct fut_wire *w) {
    size_t wanted = e->max_in_flight < MIN_CONNECTIONS ? MIN_CONNECTIONS : e->max_in_flight;
    curl_multi_setopt(w->multi, CURLMOPT_MAXCONNECTS, (long)wanted);
}

static struct fut_wire *wire_of(struct fut_engine *e, const struct fut_job *job) {
    return &e->wires[job->request->http];
}

bool fut_wire_add(struct fut_engine *e, struct fut_job *job) {
    struct fut_wire *w = wire_of(e, job);
    CURL *easy = job->transfer->easy;
    if (!open_wire(w)) return false;
    if (e->in_flight >= e->max_in_flight) {
        e->max_in_flight = e->in_flight + 1 + e->in_flight / 4;
        for (int i = 0; i < FUT_HTTP_COUNT; i++)
            if (e->wires[i].multi) keep_connections(e, &e->wires[i]);
    }
    curl_easy_setopt(easy, CURLOPT_PRIVATE, job);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, job);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, on_close);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, e);
    if (!job->transfer->exclusive) curl_easy_setopt(easy, CURLOPT_PIPEWAIT, 1L);
    if (curl_multi_add_handle(w->multi, easy) != CURLM_OK) return false;
    e->in_flight++;
    return true;
}

void fut_wire_remove(struct fut_engine *e, struct fut_job *job) {
    while (job->first_fd >= 0) disown(e, job->first_fd);
    CURL *easy = job->transfer->easy;
    curl_multi_remove_handle(wire_of(e, job)->multi, easy);
    while (job->first_fd >= 0) disown(e, job->first_fd);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, NULL); /* the handle may outlive the job */
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, NULL);
    e->in_flight--;
}

void fut_wire_event(struct fut_engine *e, const struct fut_poller_event *event, fut_time now) {
    struct fut_socket *s = socket_at(e, event->fd);
    if (!s) { /* closed meanwhile, or nobody's: its server has closed it */
        unwatch(e, event->fd);
        return;
    }
    if (s->job && s->job->transfer->exclusive) fut_transfer_touch(s->job->transfer, now);
    int mask = 0, running;
    if (event->ready & FUT_POLLER_IN) mask |= CURL_CSELECT_IN;
    if (event->ready & FUT_POLLER_OUT) mask |= CURL_CSELECT_OUT;
    if (event->ready & FUT_POLLER_ERROR) mask |= CURL_CSELECT_ERR;
    curl_multi_socket_action(s->wire->multi, event->fd, mask, &running);
}

void fut_wire_timeout(struct fut_engine *e, fut_time now) {
    for (int i = 0; i < FUT_HTTP_COUNT; i++) {
        struct fut_wire *w = &e->wires[i];
        int running;
        if (w->due > now) continue;
        w->due = FUT_NEVER; /* libcurl sets a new one, or has nothing to wait for */
        curl_multi_socket_action(w->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    }
}

fut_time fut_wire_due(const struct fut_engine *e) {
    fut_time due = FUT_NEVER;
    for (int i = 0; i < FUT_HTTP_COUNT; i++)
        if (e->wires[i].due < due) due = e->wires[i].due;
    return due;
}

bool fut_wire_landed(struct fut_engine *e) {
    bool any = false;
    for (int i = 0; i < FUT_HTTP_COUNT; i++) {
        int left;
        CURLMsg *message;
        while (e->wires[i].multi &&
               (message = curl_multi_info_read(e->wires[i].multi, &left))) {
            if (message->msg != CURLMSG_DONE) continue;
            CURLcode code = message->data.result; /* the message goes with the handle */
            fut_flight_landed(e, job_of(message->easy_handle), code);
            any = true;
        }
    }
    return any;
}

/* ---- easy handles ---- */

/* The last one is the likeliest to be set up for the next request. */
struct fut_handle *fut_wire_handle(struct fut_engine *e) {
    return e->idle_count > 0 ? e->idle[--e->idle_count] : fut_handle_new();
}

void fut_wire_give_back(struct fut_engine *e, struct fut_handle *handle) {
    if (e->idle_count == e->idle_cap && e->idle_cap < IDLE_MAX) {
        size_t cap = e->idle_cap ? e->idle_cap * 2 : 16;
        struct fut_handle **idle = fut_realloc(e->idle, cap * sizeof(*idle));
        if (idle) {
            e->idle = idle;
            e->idle_cap = cap;
        }
    }
    if (e->idle_count < e->idle_cap)
        e->idle[e->idle_count++] = handle;
    else
        fut_handle_free(handle);
}

void fut_wire_deinit(struct fut_engine *e) {
    while (e->idle_count > 0) fut_handle_free(e->idle[--e->idle_count]);
    for (int i = 0; i < FUT_HTTP_COUNT; i++)
        if (e->wires[i].multi) curl_multi_cleanup(e->wires[i].multi);
}
