/* SPDX-License-Identifier: MIT */
/* A job from its start to its outcome. Every way ends in `end`, once, and then in `settle`. */
#include <string.h>

#include "base/alloc.h"
#include "fetch/engine_inside.h"
#include "fetch/problem.h"
#include "fetch/response.h"
#include "fetch/schedule.h"
#include "fetch/url.h"

/* ---- the end ---- */

enum { OVER_MAX = 32 }; /* jobs that are over and not settled */

static void release_transfer(struct fut_job *job) {
    if (!job->transfer) return;
    fut_transfer_deinit(job->transfer);
    fut_free(job->transfer);
    job->transfer = NULL;
}

/* `object`: what the future is settled with, or NULL: nothing, or not enough memory. */
static void end(struct fut_engine *e, struct fut_job *job, void *object, bool failed,
                bool cancelled) {
    fut_alarms_set(&e->alarms, &job->alarm, FUT_NEVER);
    fut_schedule_forget(job);
    release_transfer(job);
    job->object = object;
    job->how = cancelled           ? FUT_ENDING_CANCELLED
               : object && !failed ? FUT_ENDING_COMPLETED
                                   : FUT_ENDING_FAILED;
    job->state = FUT_JOB_OVER;
    fut_engine_count(job, job->how, fut_now()); /* now: the next one is about to be started */
    job->next_over = NULL;
    *e->over_last = job;
    e->over_last = &job->next_over;
    if (++e->over_count >= OVER_MAX) fut_flight_settle(e);
}

static void settle(struct fut_engine *e, struct fut_job *job) {
    const struct fut_api *api = fut_engine_api();
    struct fut_result result = {.failed = job->how == FUT_ENDING_FAILED, .object = job->object};
    bool cancelled = job->how == FUT_ENDING_CANCELLED;
    bool settled = cancelled || (job->object ? api->future_complete(job->future, &result)
                                             : api->future_fail_memory(job->future));
    if (!settled) fut_engine_count(job, FUT_ENDING_CANCELLED, fut_now());
    fut_engine_over(e, job);
}

/* Who waits for one of many finds the others done when it wakes up: so those that nobody waits
 * for come first, and there is one wake-up where there might be one for each. */
void fut_flight_settle(struct fut_engine *e) {
    const struct fut_api *api = fut_engine_api();
    struct fut_job *watched = NULL, **last = &watched;
    struct fut_job *first = e->over_first;
    e->over_first = NULL;
    e->over_last = &e->over_first;
    e->over_count = 0;
    for (struct fut_job *job = first, *next; job; job = next) {
        next = job->next_over;
        if (api->future_watched(job->future)) {
            *last = job;
            last = &job->next_over;
        } else {
            settle(e, job);
        }
    }
    *last = NULL;
    for (struct fut_job *job = watched, *next; job; job = next) {
        next = job->next_over;
        settle(e, job);
    }
}

static void end_with_response(struct fut_engine *e, struct fut_job *job) {
    struct fut_transfer *t = job->transfer;
    if (job->request->raise_for_status && t->status >= 400) {
        end(e, job, fut_problem_of_status(job), true, false);
        return;
    }
    end(e, job, fut_response_of_job(job), false, false);
}

static void end_with_failure(struct fut_engine *e, struct fut_job *job) {
    bool memory = job->transfer->failure.kind == FUT_KIND_MEMORY;
    end(e, job, memory ? NULL : fut_problem_of_failure(job), true, false);
}

/* ---- attempts ---- */

static double next_random(struct fut_engine *e) {
    e->random ^= e->random << 13; /* xorshift: enough to spread retries */
    e->random ^= e->random >> 7;
    e->random ^= e->random << 17;
    return (double)(e->random >> 11) / 9007199254740992.0;
}

/* Seconds until the next attempt, or a negative number: there is none. */
static double pause_of(struct fut_engine *e, struct fut_job *job) {
    const struct fut_retry_policy *p = &job->request->retry;
    const struct fut_transfer *t = job->transfer;
    if (job->attempts > p->max) return -1;
    bool again = t->failure.kind == FUT_KIND_NONE ? fut_retry_has_status(p, t->status)
                                                  : t->failure.retryable;
    if (!again) return -1;
    const char *header =
        t->failure.kind == FUT_KIND_NONE ? fut_head_find(&t->head, "Retry-After") : NULL;
    return fut_retry_delay(p, job->attempts, header, next_random(e));
}

static fut_time earlier(fut_time a, fut_time b) {
    return a < b ? a : b;
}

static fut_time later(fut_time from, double seconds) {
    return seconds < 1e9 ? from + (fut_time)(seconds * 1e9) : FUT_NEVER;
}

/* An attempt has ended with a response or a failure; the job is not in flight any more. */
static void end_attempt(struct fut_engine *e, struct fut_job *job, fut_time now) {
    double pause = pause_of(e, job);
    if (pause < 0) {
        if (job->transfer->failure.kind == FUT_KIND_NONE)
            end_with_response(e, job);
        else
            end_with_failure(e, job);
        return;
    }
    fut_engine_count_retry(job);
    fut_transfer_reset(job->transfer);
    job->state = FUT_JOB_PAUSED;
    job->again_at = later(now, pause);
    fut_alarms_set(&e->alarms, &job->alarm, earlier(job->again_at, job->deadline));
}

/* Once it is connected, silence may end it sooner than anything does now: so the alarm is set
 * to the earliest moment of that, and then anew. */
static void set_alarm(struct fut_engine *e, struct fut_job *job, fut_time now) {
    const struct fut_transfer *t = job->transfer;
    fut_time due = earlier(fut_transfer_due(t), job->deadline);
    if (t->phase == FUT_PHASE_CONNECT) due = earlier(due, later(now, t->request->idle_s));
    fut_alarms_set(&e->alarms, &job->alarm, due);
}

static bool make_transfer(struct fut_job *job) {
    if (job->transfer) return true;
    struct fut_transfer *t = job->transfer = fut_zalloc(sizeof *t);
    if (!t) return false;
    fut_request_hold(job->request);
    t->request = job->request;
    t->url = job->url;
    t->progress = &job->progress;
    if (job->request->cookies) t->share = fut_session_jar(job->session);
    return true;
}

/* A reset leaves the host of a Host header in the handle (7.88): libcurl would take and send
 * the cookies of that host, whatever is asked next. */
static void give_back(struct fut_engine *e, const struct fut_job *job,
                      struct fut_handle *handle) {
    if (fut_request_has_header(job->request, "Host"))
        fut_handle_free(handle);
    else
        fut_wire_give_back(e, handle);
}

static bool run(struct fut_engine *e, struct fut_job *job, struct fut_handle *handle) {
    struct fut_transfer *t = job->transfer;
    if (!fut_transfer_attach(t, handle)) return false;
    bool is_late = fut_transfer_expire(t, t->hop_began); /* before a quick answer can come */
    if (!is_late && fut_wire_add(e, job)) return true;
    fut_failure_set(&t->failure, FUT_KIND_MEMORY,
                    "not enough memory"); /* the first one stays */
    fut_transfer_abandon(t);
    return false;
}

/* The transfer begins its first exchange or one more. False: it has failed at once. */
static bool launch(struct fut_engine *e, struct fut_job *job) {
    struct fut_handle *handle = fut_wire_handle(e);
    if (handle && run(e, job, handle)) {
        set_alarm(e, job, job->transfer->hop_began);
        return true;
    }
    if (handle)
        give_back(e, job, handle);
    else
        fut_failure_set(&job->transfer->failure, FUT_KIND_MEMORY, "not enough memory");
    return false;
}

/* Not in flight any more. */
static void leave(struct fut_engine *e, struct fut_job *job, fut_time now) {
    fut_schedule_release(e, job, now);
    end_attempt(e, job, now);
}

static void resume(struct fut_engine *e, struct fut_job *job, fut_time now) {
    job->midway = false;
    job->state = FUT_JOB_RUNNING;
    if (!launch(e, job)) leave(e, job, now);
}

void fut_flight_start(struct fut_engine *e, struct fut_job *job, fut_time now) {
    const struct fut_api *api = fut_engine_api();
    if (job->midway) {
        resume(e, job, now);
        return;
    }
    bool is_first = atomic_fetch_add(&job->attempts, 1) == 0;
    job->state = FUT_JOB_RUNNING;
    if (is_first && !api->future_start(job->future)) {
        fut_schedule_release(e, job, now); /* cancelled: the inbox has it, or will have */
        job->state = FUT_JOB_NEW;
        return;
    }
    if (is_first) fut_engine_started(job, now);
    if (!make_transfer(job)) {
        fut_schedule_release(e, job, now);
        end(e, job, NULL, true, false);
        return;
    }
    fut_transfer_begin(job->transfer);
    if (!launch(e, job)) leave(e, job, now);
}

/* A redirect is one more request: it waits for its turn at the host that it goes to, unless
 * that is the same one and has no rate. */
static void go_on(struct fut_engine *e, struct fut_job *job, fut_time now) {
    char server[FUT_URL_SERVER_SIZE];
    bool known = fut_hop_server(&job->transfer->hop, server);
    if (known && job->request->rate <= 0 && strcmp(server, job->host->name) == 0) {
        resume(e, job, now);
        return;
    }
    fut_schedule_release(e, job, now);
    job->midway = known && fut_schedule_push(e, job, server, now);
    if (job->midway) {
        fut_alarms_set(&e->alarms, &job->alarm, job->deadline);
        return;
    }
    fut_failure_set(&job->transfer->failure, FUT_KIND_MEMORY, "not enough memory");
    end_attempt(e, job, now);
}

/* The exchange is over, with or without a result; `fut_transfer_detach` says what follows. */
static void land(struct fut_engine *e, struct fut_job *job, CURLcode code, fut_time now) {
    struct fut_handle *handle = job->transfer->handle;
    fut_wire_remove(e, job);
    bool goes_on = fut_transfer_detach(job->transfer, code);
    give_back(e, job, handle);
    if (goes_on)
        go_on(e, job, now);
    else
        leave(e, job, now);
}

void fut_flight_landed(struct fut_engine *e, struct fut_job *job, CURLcode code) {
    land(e, job, code, fut_now());
}

/* ---- what comes in between ---- */

/* Off wherever it is, without a result. */
static void withdraw(struct fut_engine *e, struct fut_job *job, fut_time now) {
    if (job->state == FUT_JOB_RUNNING) {
        struct fut_handle *handle = job->transfer->handle;
        fut_wire_remove(e, job);
        fut_transfer_abandon(job->transfer);
        give_back(e, job, handle);
        fut_schedule_release(e, job, now);
    } else if (job->state == FUT_JOB_QUEUED) {
        fut_schedule_remove(e, job, now);
    }
}

void fut_flight_drop(struct fut_engine *e, struct fut_job *job, fut_time now) {
    if (job->state == FUT_JOB_OVER) return;
    withdraw(e, job, now);
    end(e, job, NULL, false, true);
}

static void queue(struct fut_engine *e, struct fut_job *job, fut_time now) {
    if (!fut_schedule_push(e, job, job->server, now)) {
        end(e, job, NULL, true, false);
        return;
    }
    fut_alarms_set(&e->alarms, &job->alarm, job->deadline);
}

static void pass_deadline(struct fut_engine *e, struct fut_job *job, fut_time now) {
    bool was_running = job->state == FUT_JOB_RUNNING;
    uint64_t bytes = was_running ? job->transfer->sink.received : 0;
    long status = was_running ? job->transfer->status : 0;
    withdraw(e, job, now);
    end(e, job, fut_problem_of_deadline(job, status, bytes), true, false);
}

static void on_timer(struct fut_engine *e, struct fut_alarm *timer, fut_time now) {
    struct fut_job *job = fut_job_of_alarm(timer);
    if (job->deadline <= now)
        pass_deadline(e, job, now);
    else if (job->state == FUT_JOB_PAUSED)
        queue(e, job, now);
    else if (job->state == FUT_JOB_RUNNING && fut_transfer_expire(job->transfer, now))
        land(e, job, CURLE_OK, now);
    else if (job->state == FUT_JOB_RUNNING)
        set_alarm(e, job, now); /* a byte has come since it was set */
}

void fut_flight_admit(struct fut_engine *e, struct fut_job *job, fut_time now) {
    job->alarm.fire = on_timer;
    job->engine = e;
    if (fut_engine_api()->future_done(job->future))
        return; /* cancelled already: it is on the other list, now or at the next look */
    if (job->deadline <= now)
        pass_deadline(e, job, now);
    else
        queue(e, job, now);
}
