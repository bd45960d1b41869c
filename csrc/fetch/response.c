/* SPDX-License-Identifier: MIT */
#include "fetch/response.h"

#include <string.h>

#include "base/alloc.h"
#include "base/process.h"
#include "fetch/engine.h"
#include "fetch/request.h"

void fut_response_taken(struct fut_response *r) {
    if (atomic_exchange(&r->held, false) && r->forks == fut_process_forks())
        fut_engine_relieve(r->session, r->body.len);
}

void fut_response_give_up(struct fut_response *r) {
    if (fut_engine_api()->object_sole(r)) fut_buf_deinit(&r->body);
}

bool fut_response_put_back(struct fut_response *r, const void *bytes, size_t n) {
    return fut_buf_resize(&r->body, n) && fut_buf_append(&r->body, bytes, n);
}

static void response_deinit(void *object) {
    struct fut_response *r = object;
    fut_response_taken(r);
    if (r->session) fut_session_drop(r->session);
    fut_head_deinit(&r->head);
    fut_buf_deinit(&r->body);
    fut_free(r->url);
    fut_free(r->path);
    fut_free(r->request_url);
    fut_free(r->request_method);
}

static void hold_body(struct fut_response *r, struct fut_session *s) {
    if (r->body.len == 0) return;
    fut_session_hold(s);
    r->session = s;
    r->forks = fut_process_forks();
    atomic_fetch_add(&s->buffered, r->body.len);
    atomic_store(&r->held, true);
}

struct fut_response *fut_response_of_job(struct fut_job *job) {
    struct fut_response *r = fut_engine_api()->object_new(&fut_response_class, sizeof *r);
    struct fut_transfer *t = job->transfer;
    if (!r) return NULL;
    r->status = t->status;
    r->http = t->http;
    r->redirects = t->redirects;
    r->attempts = job->attempts;
    r->times = t->times;
    r->size = t->sink.received;
    r->head = t->head;
    t->head = (struct fut_head){0};
    r->body = t->sink.memory;
    t->sink.memory = (struct fut_buf){0};
    hold_body(r, job->session);
    r->url = t->hop.url;
    t->hop.url = NULL;
    r->path = t->in_file ? fut_strdup(job->request->output) : NULL;
    r->request_url = fut_strdup(job->url);
    r->request_method = fut_strdup(job->request->method);
    if (r->request_url && r->request_method && (r->path || !t->in_file)) return r;
    fut_engine_api()->object_drop(r);
    return NULL;
}

/* ---- as bytes, for other processes ---- */

struct fixed {
    int64_t status, http, redirects, attempts;
    uint64_t size;
    struct fut_transfer_times times;
    uint64_t has_path;
};

enum { TEXTS = 6 };

struct text {
    const char *bytes;
    size_t len;
};

static struct text text_of(const char *s) {
    return (struct text){s ? s : "", s ? strlen(s) : 0};
}

static bool response_pack(void *object, bool (*put)(void *, const void *, size_t), void *to) {
    const struct fut_response *r = object;
    struct fixed f = {.status = r->status,
                      .http = r->http,
                      .redirects = r->redirects,
                      .attempts = r->attempts,
                      .size = r->size,
                      .times = r->times,
                      .has_path = r->path != NULL};
    const struct text texts[TEXTS] = {
        {(const char *)r->head.lines.data, r->head.lines.len},
        {(const char *)r->body.data, r->body.len},
        text_of(r->url),
        text_of(r->path),
        text_of(r->request_url),
        text_of(r->request_method),
    };
    bool ok = put(to, &f, sizeof f);
    for (int i = 0; i < TEXTS && ok; i++) {
        uint64_t len = texts[i].len;
        ok = put(to, &len, sizeof len) && put(to, texts[i].bytes, texts[i].len);
    }
    return ok;
}

static bool read_texts(struct text texts[TEXTS], const char *at, size_t left) {
    for (int i = 0; i < TEXTS; i++) {
        uint64_t len;
        if (left < sizeof len) return false;
        memcpy(&len, at, sizeof len);
        at += sizeof len;
        left -= sizeof len;
        if (len > left) return false;
        texts[i] = (struct text){at, (size_t)len};
        at += len;
        left -= (size_t)len;
    }
    return left == 0;
}

static bool fill_buf(struct fut_buf *b, struct text t) {
    return t.len == 0 || fut_buf_append(b, t.bytes, t.len);
}

static char *copy(struct text t) {
    return fut_strndup(t.bytes, t.len);
}

static void *response_unpack(const void *bytes, size_t n) {
    struct fixed f;
    struct text texts[TEXTS];
    if (n < sizeof f) return NULL;
    memcpy(&f, bytes, sizeof f);
    if (!read_texts(texts, (const char *)bytes + sizeof f, n - sizeof f)) return NULL;
    if (texts[0].len > 0 && texts[0].bytes[texts[0].len - 1] != '\0') return NULL;
    struct fut_response *r = fut_engine_api()->object_new(&fut_response_class, sizeof *r);
    if (!r) return NULL;
    r->status = (long)f.status;
    r->http = (long)f.http;
    r->redirects = (int)f.redirects;
    r->attempts = (int)f.attempts;
    r->size = f.size;
    r->times = f.times;
    r->url = copy(texts[2]);
    r->path = f.has_path ? copy(texts[3]) : NULL;
    r->request_url = copy(texts[4]);
    r->request_method = copy(texts[5]);
    bool ok = fill_buf(&r->head.lines, texts[0]) && fill_buf(&r->body, texts[1]) && r->url &&
              r->request_url && r->request_method && (r->path || !f.has_path);
    if (ok) return r;
    fut_engine_api()->object_drop(r);
    return NULL;
}

const struct fut_class fut_response_class = {
    .name = "futures.fetch.Response",
    .module = "futures.fetch",
    .deinit = response_deinit,
    .home = true,
    .pack = response_pack,
    .unpack = response_unpack,
    .sent = fut_bind_response_sent,
};
