/* SPDX-License-Identifier: MIT */
#include "pool/process_child.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/park.h"
#include "base/spin.h"
#include "core/executor.h"

/* An object that came from the pool, by its id there. */
struct known {
    uint64_t id;
    struct fut_object *object;
};

struct child {
    const struct fut_process_child *about;
    struct fut_process_shared *shared;
    struct fut_process_slot *slot;
    struct fut_ring_end tx,
        rx; /* named as the pool names them: tx is read here, rx is written */
    struct fut_worker *worker;
    struct known *known; /* in the order in which they came, so ids rise */
    size_t nknown, known_cap;
    struct fut_buf body; /* of the frame that is being read */
    struct fut_spin spin;
};

/* Nobody is left to talk to: end like one who was killed, without a word. */
static _Noreturn void give_up(void) {
    _exit(0);
}

/* Waits until the pool rings. Looks now and then whether the zygote still lives. */
static void wait_for_bell(struct child *c, unsigned seen) {
    fut_time until = fut_spin_until(&c->spin);
    do {
        for (int i = 0; i < 32; i++) {
            if (fut_bell_count(&c->slot->bell) != seen) {
                fut_spin_learn(&c->spin, true);
                return;
            }
            fut_pause();
        }
    } while (fut_now() < until);
    fut_spin_learn(&c->spin, false);
    fut_time asleep = fut_now();
    fut_bell_wait(&c->slot->bell, seen, asleep + FUT_SECOND);
    if (fut_now() - asleep < FUT_SPIN_SHORT) fut_spin_learn(&c->spin, true);
    if (getppid() != atomic_load(&c->shared->zygote)) give_up();
}

static void read_all(struct child *c, void *to, size_t n) {
    unsigned char *at = to;
    while (n > 0) {
        unsigned seen = fut_bell_count(&c->slot->bell);
        size_t done;
        if (fut_ring_read(&c->tx, at, n, &done) != FUT_OK) give_up();
        if (done > 0)
            fut_bell_ring(&c->shared->doorbell); /* there is room again */
        else
            wait_for_bell(c, seen);
        at += done;
        n -= done;
    }
}

static void write_all(struct child *c, const void *from, size_t n) {
    const unsigned char *at = from;
    while (n > 0) {
        unsigned seen = fut_bell_count(&c->slot->bell);
        size_t done;
        if (fut_ring_write(&c->rx, at, n, &done) != FUT_OK) give_up();
        at += done;
        n -= done;
        if (n == 0) return;
        fut_bell_ring(&c->shared->doorbell);
        if (done == 0) wait_for_bell(c, seen);
    }
}

static void send_text(struct child *c, enum fut_frame_type type, const char *text) {
    struct fut_frame_head head = {.type = type, .text = text ? strlen(text) : 0};
    write_all(c, &head, sizeof head);
    write_all(c, text, head.text);
    fut_bell_ring(&c->shared->doorbell);
}

static void forget(struct child *c) {
    while (c->nknown > 0) fut_object_drop(c->known[--c->nknown].object);
}

/* The text and the body of a frame into c->body. */
static void read_body(struct child *c, const struct fut_frame_head *head) {
    size_t n = (size_t)(head->text + head->body);
    c->body.len = 0;
    if (!fut_buf_reserve(&c->body, n)) give_up(); /* the pool sees a lost worker */
    read_all(c, c->body.data, n);
    c->body.len = n;
}

static enum fut_err add_object(struct child *c, const struct fut_frame_head *head) {
    read_body(c, head);
    if (c->nknown == c->known_cap) {
        size_t cap = c->known_cap ? c->known_cap * 2 : 16;
        struct known *known = fut_realloc(c->known, cap * sizeof *known);
        if (!known) return FUT_ENOMEM;
        c->known = known;
        c->known_cap = cap;
    }
    struct fut_object *object;
    enum fut_err err = c->about->type->unpack(c->body.data, c->body.len, &object);
    if (err == FUT_OK) c->known[c->nknown++] = (struct known){head->seq, object};
    return err;
}

static struct fut_object *find(struct child *c, uint64_t id) {
    for (size_t i = c->nknown; i > 0; i--) /* what is used came lately */
        if (c->known[i - 1].id == id) return c->known[i - 1].object;
    return NULL;
}

/* The call of a TASK frame, whose text is the ids of its refs. */
static enum fut_err read_call(struct child *c, const struct fut_frame_head *head,
                              struct fut_payload *call) {
    enum { FEW = 8 };
    struct fut_object *few[FEW], **refs = few;
    uint32_t n = head->what;
    if (n > FEW && !(refs = fut_alloc(n * sizeof *refs))) return FUT_ENOMEM;
    enum fut_err err = FUT_OK;
    for (uint32_t i = 0; i < n && err == FUT_OK; i++) {
        uint64_t id;
        memcpy(&id, c->body.data + i * sizeof id, sizeof id);
        refs[i] = find(c, id);
        if (!refs[i]) err = FUT_ECORRUPT;
    }
    if (err == FUT_OK) {
        err = fut_payload_init(call, c->body.data + head->text, (size_t)head->body, refs, n);
        for (uint32_t i = 0; i < n && err == FUT_OK; i++) fut_object_hold(refs[i]);
    }
    if (refs != few) fut_free(refs);
    return err;
}

static void answer(struct child *c, uint64_t seq, const struct fut_outcome *o) {
    struct fut_frame_head head = {
        .type = FUT_FRAME_RESULT,
        .what = o->kind | (uint32_t)o->err << 8,
        .seq = seq,
        .text = o->text ? strlen(o->text) : 0,
        .body = o->payload.len,
    };
    write_all(c, &head, sizeof head);
    write_all(c, o->text, head.text);
    write_all(c, fut_payload_bytes(&o->payload), head.body);
    fut_bell_ring(&c->shared->doorbell);
}

static void run_task(struct child *c, const struct fut_frame_head *head) {
    read_body(c, head);
    if (!fut_claim_take(c->slot, head->seq, FUT_CLAIM_STARTED))
        return; /* withdrawn meanwhile */
    struct fut_payload call = {0};
    struct fut_outcome outcome = {0};
    enum fut_err err = read_call(c, head, &call);
    if (err == FUT_OK)
        c->about->type->run(c->worker, &call, &outcome);
    else
        fut_outcome_fail(&outcome, err, NULL);
    fflush(stdout); /* what a task prints is seen when it is done */
    fflush(stderr);
    answer(c, head->seq, &outcome);
    fut_outcome_deinit(&outcome);
    fut_payload_deinit(&call);
    fut_buf_trim(&c->body, FUT_TX_CAPACITY);
}

static void serve(struct child *c) {
    for (;;) {
        struct fut_frame_head head;
        read_all(c, &head, sizeof head);
        switch (head.type) {
        case FUT_FRAME_OBJECT:
            if (add_object(c, &head) != FUT_OK) give_up();
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
            give_up();
        }
    }
}

void fut_process_child_main(void *arg, struct fut_process_shared *shared, int slot) {
    struct child c = {.about = arg, .shared = shared};
    char name[64];
    char *why = NULL;
    c.slot = fut_process_slot(shared, slot);
    fut_ring_open(&c.tx, fut_process_tx(c.slot), FUT_TX_CAPACITY);
    fut_ring_open(&c.rx, fut_process_rx(c.slot), FUT_RX_CAPACITY);
    fut_executor_set_current(NULL); /* the thread that made the pool may have been a worker */
    int id = atomic_load(&c.slot->id);
    snprintf(name, sizeof name, "%s_%d", c.about->name, id - 1);
    struct fut_worker_info info = {"process", id, name};
    enum fut_err err = c.about->type->open(c.about->config, &info, &c.worker, &why);
    fflush(stdout);
    if (err != FUT_OK) {
        send_text(&c, FUT_FRAME_FAILED, why ? why : fut_err_text(err));
        return;
    }
    send_text(&c, FUT_FRAME_READY, NULL);
    serve(&c);
    c.about->type->close(c.worker);
    fflush(stdout);
    fflush(stderr);
}
