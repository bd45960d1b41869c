/* SPDX-License-Identifier: MIT */
#include "pool/process_child.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/thread.h"
#include "core/executor.h"
#include "pool/process_pipe.h"

enum { KEPT_BUFFER = 1 << 20 };

/* An object that came from the pool, by its id there. */
struct known {
    uint64_t id;
    struct fut_object *object;
};

struct child {
    const struct fut_process_child *about;
    struct fut_process_pipe pipe;
    struct fut_worker *worker;
    struct known *known; /* in the order in which they came, so ids rise */
    size_t nknown, known_cap;
    struct fut_buf in;  /* what is read of a frame */
    struct fut_buf out; /* an answer */
};

/* What was printed is seen when the task is done. */
static void flush(void) {
    fflush(stdout);
    fflush(stderr);
}

static void answer(struct child *c, const struct fut_frame_head *head, const char *text,
                   const unsigned char *body) {
    size_t inside = (size_t)fut_frame_inline(head);
    c->out.len = 0;
    bool room = fut_buf_append(&c->out, head, sizeof *head) &&
                fut_buf_append(&c->out, text, (size_t)head->text) &&
                fut_buf_append(&c->out, body, inside - (size_t)head->text);
    if (!room) fut_process_give_up(); /* the pool sees a lost worker */
    fut_process_pipe_write(&c->pipe, FUT_RX, c->out.data, c->out.len);
    if (inside < head->text + head->body)
        fut_process_pipe_write(&c->pipe, FUT_RX_BODIES, body, (size_t)head->body);
    fut_process_pipe_ring(&c->pipe);
    if (c->out.cap > KEPT_BUFFER) fut_buf_deinit(&c->out);
}

static void forget(struct child *c) {
    while (c->nknown > 0) fut_object_drop(c->known[--c->nknown].object);
}

/* What follows a frame's head in its ring. */
static void read_inside(struct child *c, const struct fut_frame_head *head) {
    size_t n = (size_t)fut_frame_inline(head);
    fut_buf_trim(&c->in, KEPT_BUFFER);
    if (!fut_buf_reserve(&c->in, n)) fut_process_give_up();
    fut_process_pipe_read(&c->pipe, FUT_TX, c->in.data, n);
    c->in.len = n;
}

static void add_object(struct child *c, const struct fut_frame_head *head) {
    read_inside(c, head);
    if (c->nknown == c->known_cap) {
        size_t cap = c->known_cap ? c->known_cap * 2 : 16;
        struct known *known = fut_realloc(c->known, cap * sizeof *known);
        if (!known) fut_process_give_up();
        c->known = known;
        c->known_cap = cap;
    }
    struct fut_object *object;
    if (c->about->type->unpack(c->in.data, c->in.len, &object) != FUT_OK) fut_process_give_up();
    c->known[c->nknown++] = (struct known){head->seq, object};
}

static struct fut_object *find(struct child *c, uint64_t id) {
    for (size_t i = c->nknown; i > 0; i--) /* what is used came lately */
        if (c->known[i - 1].id == id) return c->known[i - 1].object;
    return NULL;
}

/* The call of a TASK frame: its body, and the objects whose ids are its text. */
static enum fut_err make_call(struct child *c, const struct fut_frame_head *head,
                              const unsigned char *body, struct fut_payload *call) {
    enum { FEW = 8 };
    struct fut_object *few[FEW] = {NULL}, **refs = few;
    uint32_t n = head->what;
    if (n > FEW && !(refs = fut_alloc(n * sizeof *refs))) return FUT_ENOMEM;
    enum fut_err err = FUT_OK;
    for (uint32_t i = 0; i < n && err == FUT_OK; i++) {
        uint64_t id;
        memcpy(&id, c->in.data + i * sizeof id, sizeof id);
        refs[i] = find(c, id);
        if (!refs[i]) err = FUT_ECORRUPT;
    }
    if (err == FUT_OK) err = fut_payload_borrow(call, body, (size_t)head->body, refs, n);
    for (uint32_t i = 0; i < n && err == FUT_OK; i++) fut_object_hold(refs[i]);
    if (refs != few) fut_free(refs);
    return err;
}

static void run(struct child *c, const struct fut_frame_head *head, const unsigned char *body) {
    struct fut_process_slot *slot = c->pipe.slot;
    fut_time begun = fut_now();
    fut_process_set_begun(slot, head->seq, begun);
    if (!fut_claim_take(slot, head->seq, FUT_CLAIM_STARTED)) return; /* withdrawn meanwhile */
    if (fut_start_wanted(slot)) fut_process_pipe_ring(&c->pipe);
    struct fut_payload call = {0};
    struct fut_outcome o = {0};
    enum fut_err err = make_call(c, head, body, &call);
    if (err == FUT_OK) {
        c->about->type->run(c->worker, &call, fut_process_asked(slot, head->seq), &o);
        fut_payload_return(&call);
    } else {
        fut_outcome_fail(&o, err, NULL);
    }
    flush(); /* within its time */
    struct fut_frame_head result = {
        .type = FUT_FRAME_RESULT,
        .what = o.kind | (uint32_t)o.err << 8 | (uint32_t)o.failed << 16,
        .seq = head->seq,
        .text = o.text ? strlen(o.text) : 0,
        .body = o.payload.len,
        .begun = begun,
        .ended = fut_now(),
    };
    answer(c, &result, o.text, fut_payload_bytes(&o.payload));
    fut_outcome_deinit(&o);
}

/* A large body is used where it is in the ring, when it stands there in one piece. */
static void run_task(struct child *c, const struct fut_frame_head *head) {
    size_t n = (size_t)head->body;
    read_inside(c, head);
    if (c->in.len == head->text + n) {
        run(c, head, c->in.data + head->text);
        return;
    }
    const unsigned char *there = fut_process_pipe_peek(&c->pipe, n);
    if (there) {
        run(c, head, there);
        fut_process_pipe_skip(&c->pipe, n);
        return;
    }
    unsigned char *body = fut_buf_reserve(&c->in, n);
    if (!body) fut_process_give_up();
    fut_process_pipe_read(&c->pipe, FUT_TX_BODIES, body, n);
    run(c, head, body);
}

static void serve(struct child *c) {
    for (;;) {
        struct fut_frame_head head;
        fut_process_pipe_read(&c->pipe, FUT_TX, &head, sizeof head);
        switch (head.type) {
        case FUT_FRAME_OBJECT:
            add_object(c, &head);
            break;
        case FUT_FRAME_FORGET:
            forget(c);
            break;
        case FUT_FRAME_TASK:
            run_task(c, &head);
            break;
        case FUT_FRAME_BYE:
            return;
        default:
            fut_process_give_up();
        }
    }
}

void fut_process_child_main(void *arg, const struct fut_zygote_birth *birth) {
    struct child c = {.about = arg};
    char name[64];
    char *why = NULL;
    fut_process_pipe_open(&c.pipe, birth);
    /* The thread that made the pool may have been a worker of another. */
    fut_executor_set_current(NULL);
    snprintf(name, sizeof name, "%s_%d", c.about->name, birth->id - 1);
    fut_thread_set_name(name);
    struct fut_worker_info info = {"process", birth->id, name};
    enum fut_err err = c.about->type->open(c.about->config, &info, &c.worker, &why);
    flush();
    struct fut_frame_head ready = {.type = FUT_FRAME_READY},
                          failed = {.type = FUT_FRAME_FAILED};
    if (err != FUT_OK) {
        if (!why) why = fut_strdup(fut_err_text(err));
        failed.text = why ? strlen(why) : 0;
        answer(&c, &failed, why, NULL);
        return;
    }
    answer(&c, &ready, NULL, NULL);
    serve(&c);
    c.about->type->close(c.worker);
    flush();
}
