/* SPDX-License-Identifier: MIT */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "base/alloc.h"
#include "base/park.h"
#include "base/thread.h"
#include "pool/process_inside.h"

enum {
    START_FAILURES =
        3,        /* workers in a row that die before they are ready: the pool is broken */
    LOOK_MS = 20, /* the collector looks whether the zygote lives */
};

/* Puts a task whose worker cannot run it any more back to the front of the queue. */
static void take_back(struct fut_process_pool *p, struct fut_task *t) {
    fut_future_unstart(&t->future);
    fut_queue_push_front(&p->queue, t);
}

static void pop(struct fut_process_link *link) {
    link->first++;
}

/* Drops tasks at the head of the window that were withdrawn: the worker skips them without a
 * word. */
void fut_process_skip_withdrawn(struct fut_process_link *link) {
    while (fut_link_load(link) > 0) {
        struct fut_task *t = *fut_link_task(link, link->first);
        if (t && (!t->withdrawn || link->body == &t->call)) return;
        pop(link);
        if (t) fut_task_drop(t);
    }
}

/* A RESULT frame: false when it makes no sense. */
static bool take_result(struct fut_process_pool *p, struct fut_process_link *link) {
    const struct fut_frame_head *head = &link->head;
    fut_process_skip_withdrawn(link);
    if (fut_link_load(link) == 0 || link->first != head->seq) return false;
    struct fut_task *t = *fut_link_task(link, link->first);
    struct fut_settled *s = &p->done[p->ndone];
    s->task = t;
    s->outcome = (struct fut_outcome){.kind = (unsigned char)head->what,
                                      .err = (enum fut_err)(head->what >> 8)};
    if (s->outcome.kind < FUT_OUTCOME_VALUES || s->outcome.kind > FUT_OUTCOME_FAILURE)
        return false;
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
    pop(link);
    p->ndone++;
    fut_process_skip_withdrawn(link);
    fut_process_mark_running(link);
    return true;
}

static void break_pool(struct fut_process_pool *p, const char *why, size_t len) {
    if (!p->broken) p->why_broken = fut_strndup(why, len);
    p->broken = true;
    p->closed = true;
    for (struct fut_task *t; (t = fut_queue_pop(&p->queue));)
        fut_process_fail(p, t, FUT_EBROKEN);
}

static bool take_frame(struct fut_process_pool *p, struct fut_process_link *link) {
    switch (link->head.type) {
    case FUT_FRAME_READY:
        if (link->state == FUT_LINK_STARTING) link->state = FUT_LINK_READY;
        p->start_failures = 0;
        return true;
    case FUT_FRAME_FAILED:
        break_pool(p, (char *)link->in.data, (size_t)link->head.text);
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
    while (p->ndone < FUT_SETTLED_AT_ONCE) {
        bool ready;
        enum fut_err err = fut_link_receive(link, &ready);
        if (err == FUT_OK && !ready) break;
        if (err != FUT_OK || !take_frame(p, link)) {
            fut_zygote_signal(&p->zygote, (int)(link - p->links), SIGKILL);
            break;
        }
        fut_link_next(link);
        any = true;
    }
    return any;
}

static void describe_end(char *text, size_t size, int pid, int status) {
    if (status == FUT_STATUS_NO_FORK)
        snprintf(text, size, "no process could be forked");
    else if (WIFSIGNALED(status))
        snprintf(text, size, "worker %d was ended by signal %d", pid, WTERMSIG(status));
    else
        snprintf(text, size, "worker %d ended with exit code %d", pid, WEXITSTATUS(status));
}

static void lose(struct fut_process_pool *p, struct fut_task *t, int pid, int status) {
    char text[96];
    struct fut_outcome outcome = {0};
    describe_end(text, sizeof text, pid, status);
    fut_outcome_fail(&outcome, p->killed ? FUT_EBROKEN : FUT_ELOST, text);
    outcome.pid = pid;
    outcome.status = status;
    p->counts.failed++;
    p->counts.lost++;
    fut_future_start(&t->future); /* it did run, whether anybody has noticed or not */
    fut_future_settle(&t->future, &outcome);
    fut_task_drop(t);
}

/* The worker of this link has ended and all that it said was read. The task that it was
 * running is lost, the others go back. */
static void bury(struct fut_process_pool *p, struct fut_process_link *link) {
    int pid = atomic_load(&link->slot->pid), status = atomic_load(&link->slot->status);
    bool never_ready = link->state == FUT_LINK_STARTING;
    while (fut_link_load(link) > 0) { /* from the last to the first: each goes to the front */
        uint64_t seq = --link->next;
        struct fut_task *t = *fut_link_task(link, seq);
        if (!t) continue;
        if (t->withdrawn)
            fut_task_drop(t);
        else if (fut_claim_started(link->slot, seq))
            lose(p, t, pid, status);
        else if (p->broken || p->killed)
            fut_process_fail(p, t, FUT_EBROKEN);
        else
            take_back(p, t);
    }
    fut_link_close(link);
    p->nworkers--;
    if (never_ready && !p->broken && !p->killed && ++p->start_failures >= START_FAILURES) {
        char text[96];
        describe_end(text, sizeof text, pid, status);
        break_pool(p, text, strlen(text));
    }
}

static bool has_ended(const struct fut_process_link *link) {
    return link->state != FUT_LINK_FREE && atomic_load(&link->slot->ended) == link->started;
}

/* The zygote is gone, and its workers with it: nothing can be started any more. */
static void bury_all(struct fut_process_pool *p) {
    static const char why[] = "the process that forks the workers has ended";
    break_pool(p, why, sizeof why - 1);
    for (int i = 0; i < p->options.max_workers; i++) {
        struct fut_process_link *link = &p->links[i];
        if (link->state == FUT_LINK_FREE) continue;
        receive(p, link);
        atomic_store(&link->slot->status, SIGKILL);
        bury(p, link);
    }
}

/* One look at everything; true when something happened. */
static bool collect(struct fut_process_pool *p) {
    bool any = false;
    for (int i = 0; i < p->options.max_workers; i++) {
        struct fut_process_link *link = &p->links[i];
        if (link->state == FUT_LINK_FREE) continue;
        bool ended = has_ended(link); /* before reading: all that it said is there then */
        any |= receive(p, link);
        if (ended && p->ndone < FUT_SETTLED_AT_ONCE) {
            bury(p, link);
            any = true;
        }
    }
    fut_process_dispatch(p);
    return any;
}

static void settle_done(struct fut_process_pool *p, int n) {
    for (int i = 0; i < n; i++) {
        struct fut_settled *s = &p->done[i];
        fut_task_sign(s->task, &s->outcome);
        if (!fut_future_settle(&s->task->future, &s->outcome)) fut_outcome_deinit(&s->outcome);
        fut_task_drop(s->task);
    }
}

static bool look_for_ring(struct fut_process_pool *p, unsigned seen) {
    fut_time until = fut_spin_until(&p->spin);
    bool rung = false;
    do {
        for (int i = 0; i < 32 && !rung; i++) {
            rung = fut_bell_count(&p->shared->doorbell) != seen;
            fut_pause();
        }
    } while (!rung && fut_now() < until);
    fut_spin_learn(&p->spin, rung);
    return rung;
}

static void wait_for_ring(struct fut_process_pool *p, unsigned seen) {
    if (look_for_ring(p, seen)) return;
    fut_time now = fut_now();
    fut_bell_wait(&p->shared->doorbell, seen, now + LOOK_MS * FUT_MS);
    if (fut_now() - now < FUT_SPIN_SHORT) fut_spin_learn(&p->spin, true);
}

void *fut_process_collector(void *arg) {
    struct fut_process_pool *p = arg;
    fut_thread_set_name("futures-collect");
    for (bool over = false; !over;) {
        unsigned seen = fut_bell_count(&p->shared->doorbell);
        fut_lock(&p->lock);
        bool any = collect(p);
        if (!any && fut_zygote_lost(&p->zygote)) bury_all(p);
        for (int i = 0; i < p->ndone; i++) {
            bool failed = fut_outcome_is_error(&p->done[i].outcome);
            (*(failed ? &p->counts.failed : &p->counts.completed))++;
        }
        int n = p->ndone;
        p->ndone = 0;
        over = p->closed && p->nworkers == 0 && p->queue.length == 0;
        fut_unlock(&p->lock);
        settle_done(p, n);
        if (!any && n == 0 && !over) wait_for_ring(p, seen);
    }
    fut_zygote_stop(&p->zygote);
    struct fut_outcome none = {.kind = FUT_OUTCOME_VALUES};
    fut_future_settle(p->stopped, &none);
    fut_executor_drop(&p->executor);
    return NULL;
}
