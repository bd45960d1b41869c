/* SPDX-License-Identifier: MIT */
#include "fetch/problem.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "fetch/engine.h"
#include "fetch/request.h"

static struct fut_problem *make(const struct fut_job *job, const char *url, enum fut_kind kind,
                                const char *text) {
    const struct fut_api *api = fut_engine_api();
    size_t size = strlen(text) + 1;
    struct fut_problem *p = api->object_new(&fut_problem_class, sizeof *p + size);
    if (!p) return NULL;
    p->kind = kind;
    p->attempt = job->attempts;
    p->url = fut_strdup(url ? url : "");
    p->method = fut_strdup(job->request->method);
    memcpy(p->text, text, size);
    if (p->url && p->method) return p;
    api->object_drop(p);
    return NULL;
}

struct fut_problem *fut_problem_of_failure(const struct fut_job *job) {
    const struct fut_transfer *t = job->transfer;
    const struct fut_failure *f = &t->failure;
    struct fut_problem *p = make(job, t->hop.url ? t->hop.url : job->url, f->kind, f->text);
    if (!p) return NULL;
    p->phase = f->phase;
    p->retryable = f->retryable;
    p->code = f->code;
    p->status = t->status;
    p->bytes = t->sink.received;
    return p;
}

struct fut_problem *fut_problem_of_status(const struct fut_job *job) {
    const struct fut_transfer *t = job->transfer;
    const char *reason = fut_head_reason(&t->head);
    char text[256];
    snprintf(text, sizeof text, *reason ? "%ld %s" : "status %ld%s", t->status, reason);
    struct fut_problem *p = make(job, t->hop.url, FUT_KIND_STATUS, text);
    if (!p) return NULL;
    struct fut_retry_policy usual = {0};
    static const int temporary[] = FUT_RETRY_STATUSES;
    for (size_t i = 0; i < sizeof temporary / sizeof *temporary; i++)
        fut_retry_add_status(&usual, temporary[i]);
    p->retryable = fut_retry_has_status(&usual, t->status);
    p->status = t->status;
    p->bytes = t->sink.received;
    return p;
}

struct fut_problem *fut_problem_of_deadline(const struct fut_job *job, long status,
                                            uint64_t bytes) {
    char text[128];
    snprintf(text, sizeof text, "deadline of %g s passed", job->request->deadline_s);
    struct fut_problem *p = make(job, job->url, FUT_KIND_TIMEOUT, text);
    if (!p) return NULL;
    p->phase = FUT_PHASE_DEADLINE;
    p->retryable = true;
    p->status = status;
    p->bytes = bytes;
    return p;
}

struct fut_problem *fut_problem_of_job(const struct fut_job *job, enum fut_kind kind,
                                       const char *text) {
    return make(job, job->url, kind, text);
}
