/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "base/alloc.h"
#include "pool/process_inside.h"

enum {
    /* Workers in a row that end before they are ready; then the pool is broken. An initializer
     * ends each of them; without one it is somebody outside, who may stop doing so. */
    FAILURES_INITIALIZER = 5,
    FAILURES_PLAIN = 20,
    FAILURES_FORK = 5, /* that fails while there is no worker at all */
    PAUSE_MS = 20,     /* after a fork that failed */
};

void fut_process_started(struct fut_task *t) {
    if (fut_future_start(&t->future)) fut_task_count_attempt(t);
}

void fut_process_fail(struct fut_process_pool *p, struct fut_task *t, enum fut_err err,
                      const char *text) {
    struct fut_outcome outcome = {0};
    fut_outcome_fail(&outcome, err, text);
    p->counts.failed++;
    fut_future_settle(&t->future, &outcome);
    fut_task_drop(t);
}

void fut_process_break(struct fut_process_pool *p, const char *why) {
    if (!p->broken) p->why_broken = fut_strdup(why);
    p->broken = true;
    p->closed = true;
    fut_bound_end(&p->bound);
    for (struct fut_task *t; (t = fut_queue_pop(&p->queue));)
        fut_process_fail(p, t, FUT_EBROKEN, p->why_broken);
    fut_process_break_reruns(p);
}

/* ---- frames ---- */

/* Whatever a worker says that these are. */
static fut_time between(fut_time from, fut_time to) {
    return (fut_time)((uint64_t)to - (uint64_t)from);
}

/* Is its call still being written, to a worker from which it was taken back when another one
 * had nothing to do? */
static bool needs_call(const struct fut_process_pool *p, const struct fut_task *t) {
    for (int i = 0; i < p->nlinks; i++)
        if (p->links[i].writing == t) return true;
    return false;
}

/* A RESULT frame: false when it makes no sense. */
static bool take_result(struct fut_process_pool *p, struct fut_process_link *link) {
    const struct fut_frame_head *head = &link->head;
    unsigned char kind = (unsigned char)head->what;
    if (link->load == 0 || link->first != head->seq ||
        !fut_claim_started(link->slot, head->seq))
        return false;
    if (link->writing == *fut_link_task(link, link->first)) return false; /* it has not all */
    if (kind < FUT_OUTCOME_VALUES || kind > FUT_OUTCOME_FAILURE) return false;
    struct fut_task *t = fut_link_pop(link);
    p->window--;
    link->finished++;
    fut_process_started(t);
    fut_histogram_add(&p->wait, between(t->future.done_at, head->begun)); /* from its submit */
    fut_histogram_add(&p->run, between(head->begun, head->ended));
    if (fut_process_end_asked(p, link, t)) return true;
    struct fut_settled *s = &p->done[p->ndone++];
    s->task = t;
    s->ends_call =
        t->call.heap && !needs_call(p, t); /* a large one does not wait for its future */
    s->outcome = (struct fut_outcome){
        .kind = kind,
        .failed = head->what >> 16 & 1,
        .err = (enum fut_err)(head->what >> 8 & 0xff),
    };
    enum fut_err err = FUT_OK;
    if (head->text > 0) {
        s->outcome.text = fut_strndup((char *)link->in.data, (size_t)head->text);
        if (head->body > 0)
            err = fut_payload_init(&s->outcome.payload, link->in.data + head->text,
                                   (size_t)head->body, NULL, 0);
    } else if (head->body > 0) {
        err = fut_payload_init_buf(&s->outcome.payload, &link->in, NULL, 0);
    }
    if (err != FUT_OK) {
        fut_outcome_deinit(&s->outcome);
        fut_outcome_fail(&s->outcome, err, NULL);
    }
    fut_task_sign(t, &s->outcome);
    if (fut_outcome_has_error(&s->outcome) && fut_process_rerun(p, t, &s->outcome)) {
        p->ndone--;
        return true;
    }
    bool failed = fut_outcome_is_error(&s->outcome);
    (*(failed ? &p->counts.failed : &p->counts.completed))++;
    return true;
}

static void take_failure(struct fut_process_pool *p, const struct fut_process_link *link) {
    char *why = fut_strndup((char *)link->in.data, (size_t)link->head.text);
    fut_process_break(p, why ? why : "not enough memory");
    fut_free(why);
}

static bool take_frame(struct fut_process_pool *p, struct fut_process_link *link) {
    switch (link->head.type) {
    case FUT_FRAME_READY:
        if (link->state == FUT_LINK_STARTING) link->state = FUT_LINK_READY;
        p->start_failures = 0;
        return true;
    case FUT_FRAME_FAILED:
        take_failure(p, link);
        return true;
    case FUT_FRAME_RESULT:
        return take_result(p, link);
    default:
        return false;
    }
}

/* Reads all frames that are there; true when there was one. A worker that talks nonsense is
 * killed. */
static bool receive(struct fut_process_pool *p, struct fut_process_link *link) {
    bool any = false;
    while (!link->doomed && p->ndone < FUT_SETTLED_AT_ONCE) {
        bool ready;
        enum fut_err err = fut_link_receive(link, &ready);
        if (err == FUT_OK && !ready) break;
        if (err != FUT_OK || !take_frame(p, link)) {
            link->doomed = true;
            link->signal = SIGKILL;
        } else {
            fut_link_next(link);
        }
        any = true;
    }
    return any;
}

/* ---- a worker's end ---- */

static void describe(char *text, size_t size, int pid, int status) {
    if (status == -EAGAIN)
        snprintf(text, size, "no process could be forked: there are too many");
    else if (status < 0)
        snprintf(text, size, "no process could be forked: %s",
                 status == -ENOMEM ? "not enough memory" : "the system refuses");
    else if (WIFSIGNALED(status))
        snprintf(text, size, "worker process %d was ended by signal %d", pid, WTERMSIG(status));
    else
        snprintf(text, size, "worker process %d ended with exit code %d", pid,
                 WEXITSTATUS(status));
}

static void lose(struct fut_process_pool *p, struct fut_task *t, int pid, int status) {
    char text[96];
    struct fut_outcome outcome = {0};
    if (fut_process_end_asked(p, NULL, t)) return;
    describe(text, sizeof text, pid, status);
    fut_outcome_fail(&outcome, p->killed ? FUT_EBROKEN : FUT_ELOST, text);
    outcome.pid = pid;
    outcome.status = status;
    p->counts.lost++;
    fut_process_started(t);
    if (fut_process_rerun(p, t, &outcome)) return;
    p->counts.failed++;
    fut_future_settle(&t->future, &outcome);
    fut_task_drop(t);
}

/* Empties the window: the task that was running is lost, the others go back to the front of the
 * queue, in their order. */
static void empty_window(struct fut_process_pool *p, struct fut_process_link *link, int pid,
                         int status) {
    for (uint64_t seq = link->next; seq > link->first; seq--) {
        struct fut_task *t = *fut_link_task(link, seq - 1);
        if (!t) continue;
        p->window--;
        if (fut_claim_started(link->slot, seq - 1))
            lose(p, t, pid, status);
        else if (p->broken || p->killed)
            fut_process_fail(p, t, FUT_EBROKEN, p->why_broken);
        else
            fut_queue_push_front(&p->queue, t);
    }
    link->load = 0;
}

static void note_failed_start(struct fut_process_pool *p, int pid, int status) {
    char text[96];
    bool no_fork = status < 0;
    int most = no_fork                      ? FAILURES_FORK
               : p->options.has_initializer ? FAILURES_INITIALIZER
                                            : FAILURES_PLAIN;
    if (no_fork) p->start_after = fut_now() + PAUSE_MS * FUT_MS;
    if (no_fork && p->nworkers > 0) return; /* fewer will do */
    if (++p->start_failures < most || p->broken || p->killed) return;
    describe(text, sizeof text, pid, status);
    fut_process_break(p, text);
}

/* The worker of this link has ended and all that it said was read. */
static void bury(struct fut_process_pool *p, struct fut_process_link *link, int status) {
    int pid = atomic_load(&link->record->pid);
    bool never_ready = link->state == FUT_LINK_STARTING;
    empty_window(p, link, pid, status);
    fut_link_close(link);
    p->nworkers--;
    if (never_ready) note_failed_start(p, pid, status);
}

bool fut_process_take(struct fut_process_pool *p, struct fut_process_link *link) {
    /* Before reading: all that it said is there then. */
    bool ended = !link->unsent && atomic_load(&link->record->ended) == link->started;
    bool any = receive(p, link);
    if (!ended || p->ndone == FUT_SETTLED_AT_ONCE) return any;
    bury(p, link, atomic_load(&link->record->status));
    return true;
}

void fut_process_bury_all(struct fut_process_pool *p) {
    fut_process_break(p, "the process that forks the workers has ended");
    for (int i = 0; i < p->nlinks; i++) {
        struct fut_process_link *link = &p->links[i];
        if (link->state == FUT_LINK_FREE) continue;
        receive(p, link);
        if (p->ndone == FUT_SETTLED_AT_ONCE) return; /* the rest of it the next time */
        bury(p, link, SIGKILL);
    }
}
