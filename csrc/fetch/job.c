/* SPDX-License-Identifier: MIT */
#include "fetch/job.h"

#include "base/alloc.h"
#include "base/process.h"
#include "fetch/engine.h"
#include "fetch/problem.h"
#include "fetch/request.h"

void fut_job_hold(struct fut_job *job) {
    atomic_fetch_add_explicit(&job->refs, 1, memory_order_relaxed);
}

void fut_job_drop(struct fut_job *job) {
    if (atomic_fetch_sub_explicit(&job->refs, 1, memory_order_acq_rel) != 1) return;
    fut_request_drop(job->request);
    fut_session_drop(job->session);
    fut_free(job->url);
    fut_free(job->server);
    fut_free(job);
}

/* ---- as the context of its future ---- */

static void on_cancelled(void *context) {
    fut_engine_dropped(context);
}

static void on_progress(void *context, double *done, double *all) {
    struct fut_job *job = context;
    uint64_t expected = atomic_load_explicit(&job->progress.expected, memory_order_relaxed);
    *done = (double)atomic_load_explicit(&job->progress.received, memory_order_relaxed);
    *all = (double)expected - 1;
}

static unsigned on_attempts(void *context) {
    struct fut_job *job = context;
    return (unsigned)atomic_load_explicit(&job->attempts, memory_order_relaxed);
}

static void *on_forked(void *context) {
    return fut_problem_of_job(context, FUT_KIND_FORKED,
                              "this process was forked; its parent runs the request");
}

static void on_awaited(void *context) {
    fut_engine_awaited(context);
}

static void on_release(void *context) {
    fut_job_drop(context);
}

const struct fut_future_class fut_job_class = {
    .cancelled = on_cancelled,
    .progress = on_progress,
    .attempts = on_attempts,
    .forked = on_forked,
    .release = on_release,
    .awaited = on_awaited,
    .attends = fut_engine_attends,
};

struct fut_job *fut_job_new(struct fut_session *s, struct fut_request *request, char *url,
                            char *server, const char *name) {
    struct fut_job *job = fut_zalloc(sizeof *job);
    if (!job) return NULL;
    job->future = fut_engine_api()->future_new(&fut_job_class, job, name);
    if (!job->future) {
        fut_free(job);
        return NULL;
    }
    atomic_init(&job->refs, 1);
    fut_session_hold(s);
    fut_request_hold(request);
    job->session = s;
    job->request = request;
    job->url = url;
    job->server = server;
    job->forks = fut_process_forks();
    job->first_fd = -1;
    job->submitted = fut_now();
    job->deadline = fut_deadline_after(request->deadline_s);
    return job;
}
