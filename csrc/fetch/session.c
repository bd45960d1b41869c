/* SPDX-License-Identifier: MIT */
#include "fetch/session.h"

#include "base/alloc.h"
#include "base/process.h"
#include "fetch/engine.h"
#include "fetch/schedule.h"

static void session_deinit(void *object) {
    struct fut_session *s = object;
    const struct fut_api *api = fut_engine_api();
    /* Of a parent process: its tables may have been in the middle of a change. */
    if (s->forks == fut_process_forks()) {
        fut_schedule_deinit(s);
        if (s->jar) curl_share_cleanup(s->jar);
    }
    if (s->stopped) api->future_drop(s->stopped);
    if (s->room) api->future_drop(s->room);
    api->values_free(s->options);
}

const struct fut_class fut_session_class = {
    .name = "futures.fetch.Session",
    .module = "futures.fetch",
    .deinit = session_deinit,
};

struct fut_session *fut_session_new(void) {
    const struct fut_api *api = fut_engine_api();
    struct fut_session *s = api->object_new(&fut_session_class, sizeof *s);
    if (!s) return NULL;
    static const struct fut_future_class plain;
    s->forks = fut_process_forks();
    fut_schedule_init(s);
    s->stopped = api->future_new(&plain, NULL, NULL);
    if (s->stopped) return s;
    api->object_drop(s);
    return NULL;
}

void fut_session_hold(struct fut_session *s) {
    fut_engine_api()->object_hold(s);
}

void fut_session_drop(struct fut_session *s) {
    fut_engine_api()->object_drop(s);
}

CURLSH *fut_session_jar(struct fut_session *s) {
    if (s->jar) return s->jar;
    s->jar = curl_share_init(); /* one thread uses it: no locks */
    if (s->jar) curl_share_setopt(s->jar, CURLSHOPT_SHARE, CURL_LOCK_DATA_COOKIE);
    return s->jar;
}

/* What belonged to the parent's engine is left where it is. */
void fut_session_check_fork(struct fut_session *s) {
    if (s->forks == fut_process_forks()) return;
    s->forks = fut_process_forks();
    s->joined = false;
    s->stats.workers = s->stats.pending = s->stats.running = 0;
    s->jobs = NULL;
    s->room = NULL;
    s->hosts = NULL;
    s->host_count = s->host_cap = 0;
    s->in_flight = 0;
    s->awaited = NULL;
    s->jar = NULL;
    s->next = NULL;
    s->back = NULL;
    atomic_store(&s->buffered, 0);
    atomic_store(&s->starved, false);
    fut_schedule_init(s);
}
