/* SPDX-License-Identifier: MIT */
#include "fetch/handle.h"

#include <unistd.h>

enum {
    SLICE_MS = 40,       /* how long a Ctrl-C may wait to be seen */
    IDLE_CONNECTIONS = 8 /* kept open for each multi handle */
};

/* A forked child must not touch what it inherited: a TLS connection that is closed here says so
 * to the server, in the name of the parent. */
static void disown_inherited(struct fut_handle *h) {
    if (h->pid != getpid()) *h = (struct fut_handle){.pid = getpid()};
}

static CURLM *open_multi(struct fut_handle *h, enum fut_http http) {
    disown_inherited(h);
    if (!h->easy) h->easy = curl_easy_init();
    if (!h->easy) return NULL;
    if (!h->multi[http]) {
        h->multi[http] = curl_multi_init();
        if (h->multi[http])
            curl_multi_setopt(h->multi[http], CURLMOPT_MAXCONNECTS, (long)IDLE_CONNECTIONS);
    }
    return h->multi[http];
}

static int poll_time_ms(const struct fut_transfer *t, fut_time now) {
    fut_time due = fut_transfer_due(t);
    if (due - now >= SLICE_MS * FUT_MS) return SLICE_MS;
    return due <= now ? 0 : (int)((due - now) / FUT_MS) + 1;
}

static bool take_result(CURLM *multi, CURLcode *code) {
    int left;
    for (CURLMsg *message; (message = curl_multi_info_read(multi, &left));) {
        if (message->msg != CURLMSG_DONE) continue;
        *code = message->data.result;
        return true;
    }
    return false;
}

/* Until the exchange is done, a limit has passed or `stop` says so; false then. */
static bool drive(CURLM *multi, struct fut_transfer *t, CURLcode *code, fut_stop_fn stop,
                  void *context) {
    for (;;) {
        int running = 0, events = 0;
        if (fut_transfer_expire(t, fut_now())) return true;
        if (stop(context)) return false;
        if (curl_multi_perform(multi, &running) != CURLM_OK) {
            *code = CURLE_OUT_OF_MEMORY;
            return true;
        }
        if (take_result(multi, code)) return true;
        if (curl_multi_poll(multi, NULL, 0, poll_time_ms(t, fut_now()), &events) != CURLM_OK) {
            *code = CURLE_OUT_OF_MEMORY;
            return true;
        }
        /* libcurl tells of whole header lines only; the socket tells of each byte. */
        if (events > 0) fut_transfer_touch(t, fut_now());
    }
}

bool fut_handle_run(struct fut_handle *h, struct fut_transfer *t, fut_stop_fn stop,
                    void *context) {
    CURLM *multi = open_multi(h, t->request.http);
    if (!multi) {
        fut_failure_set(&t->failure, FUT_KIND_MEMORY, "not enough memory");
        return true;
    }
    fut_transfer_begin(t);
    while (fut_transfer_attach(t, h->easy)) {
        CURLcode code = CURLE_OK;
        bool finished = true;
        if (curl_multi_add_handle(multi, h->easy) == CURLM_OK) {
            finished = drive(multi, t, &code, stop, context);
            curl_multi_remove_handle(multi, h->easy);
        } else {
            code = CURLE_OUT_OF_MEMORY;
        }
        if (!finished) {
            fut_transfer_abandon(t);
            return false;
        }
        if (!fut_transfer_detach(t, code)) break;
    }
    return true;
}

void fut_handle_close(struct fut_handle *h) {
    disown_inherited(h);
    curl_easy_cleanup(h->easy);
    for (int http = 0; http < FUT_HTTP_COUNT; http++)
        if (h->multi[http]) curl_multi_cleanup(h->multi[http]);
    *h = (struct fut_handle){0};
}
