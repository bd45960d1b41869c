/* SPDX-License-Identifier: MIT */
#include "pool/process_link.h"

#include <string.h>

#include "base/alloc.h"

enum {
    COPIED_BODY = 16384, /* a smaller body is copied behind its head, so that more can follow */
    KNOWN_MAX = 1024,    /* objects that a worker keeps; then it forgets all */
    KEPT_BUFFER = 1 << 20,
    LEAST_READ = 65536,
};

void fut_link_open(struct fut_process_link *link) {
    fut_ring_reset(fut_process_tx(link->slot));
    fut_ring_reset(fut_process_rx(link->slot));
    fut_ring_open(&link->tx, fut_process_tx(link->slot), FUT_TX_CAPACITY);
    fut_ring_open(&link->rx, fut_process_rx(link->slot), FUT_RX_CAPACITY);
    link->started = atomic_load(&link->slot->started) + 1;
    link->state = FUT_LINK_STARTING;
    link->given = 0;
}

void fut_link_close(struct fut_process_link *link) {
    FUT_ASSERT(fut_link_load(link) == 0);
    link->state = FUT_LINK_FREE;
    fut_buf_trim(&link->out, KEPT_BUFFER);
    fut_buf_trim(&link->in, KEPT_BUFFER);
    link->out_at = link->body_at = link->head_at = 0;
    link->body = NULL;
    link->nknown = 0;
}

void fut_link_deinit(struct fut_process_link *link) {
    fut_buf_deinit(&link->out);
    fut_buf_deinit(&link->in);
    fut_free(link->known);
}

bool fut_link_can_take(const struct fut_process_link *link) {
    return (link->state == FUT_LINK_READY || link->state == FUT_LINK_STARTING) &&
           fut_link_load(link) < FUT_WINDOW && !link->body;
}

static bool put_frame(struct fut_process_link *link, const struct fut_frame_head *head,
                      const void *bytes, size_t n) {
    return fut_buf_append(&link->out, head, sizeof *head) &&
           fut_buf_append(&link->out, bytes, n);
}

static bool knows(const struct fut_process_link *link, uint64_t id) {
    for (size_t i = link->nknown; i > 0; i--)
        if (link->known[i - 1] == id) return true;
    return false;
}

static enum fut_err teach(struct fut_process_link *link, const struct fut_object *ref,
                          uint64_t id) {
    if (link->nknown == link->known_cap) {
        size_t cap = link->known_cap ? link->known_cap * 2 : 16;
        uint64_t *known = fut_realloc(link->known, cap * sizeof *known);
        if (!known) return FUT_ENOMEM;
        link->known = known;
        link->known_cap = cap;
    }
    size_t at = link->out.len;
    struct fut_frame_head head = {.type = FUT_FRAME_OBJECT, .seq = id};
    if (!fut_buf_append(&link->out, &head, sizeof head)) return FUT_ENOMEM;
    enum fut_err err = link->type->pack(ref, &link->out);
    if (err != FUT_OK) return err;
    head.body = link->out.len - at - sizeof head;
    memcpy(link->out.data + at, &head, sizeof head);
    link->known[link->nknown++] = id;
    return FUT_OK;
}

static enum fut_err put_objects(struct fut_process_link *link, const struct fut_payload *call) {
    struct fut_object *const *refs = fut_payload_refs(call);
    if (link->nknown + call->nrefs > KNOWN_MAX) { /* never in the middle of a task's objects */
        struct fut_frame_head head = {.type = FUT_FRAME_FORGET};
        if (!put_frame(link, &head, NULL, 0)) return FUT_ENOMEM;
        link->nknown = 0;
    }
    enum fut_err err = FUT_OK;
    for (uint32_t i = 0; i < call->nrefs && err == FUT_OK; i++) {
        uint64_t id = link->type->ref_id(refs[i]);
        if (!knows(link, id)) err = teach(link, refs[i], id);
    }
    return err;
}

static enum fut_err put_task(struct fut_process_link *link, const struct fut_payload *call) {
    struct fut_object *const *refs = fut_payload_refs(call);
    struct fut_frame_head head = {
        .type = FUT_FRAME_TASK,
        .what = call->nrefs,
        .seq = link->next,
        .text = call->nrefs * sizeof(uint64_t),
        .body = call->len,
    };
    if (!put_frame(link, &head, NULL, 0)) return FUT_ENOMEM;
    for (uint32_t i = 0; i < call->nrefs; i++) {
        uint64_t id = link->type->ref_id(refs[i]);
        if (!fut_buf_append(&link->out, &id, sizeof id)) return FUT_ENOMEM;
    }
    if (call->len > COPIED_BODY) return FUT_OK; /* written from where it is */
    return fut_buf_append(&link->out, fut_payload_bytes(call), call->len) ? FUT_OK : FUT_ENOMEM;
}

enum fut_err fut_link_give(struct fut_process_link *link, struct fut_task *task) {
    size_t len = link->out.len;
    enum fut_err err = put_objects(link, &task->call);
    if (err == FUT_OK) err = put_task(link, &task->call);
    if (err != FUT_OK) {
        link->out.len = len;
        link->nknown = 0; /* what it has will be sent once more: costs little, and is right */
        return err;
    }
    if (task->call.len > COPIED_BODY) {
        link->body = &task->call; /* lives as long as the task is in the window */
        link->body_at = 0;
    }
    fut_claim_offer(link->slot, link->next);
    task->place = link->next;
    *fut_link_task(link, link->next++) = task;
    link->given++;
    return FUT_OK;
}

enum fut_err fut_link_bye(struct fut_process_link *link) {
    struct fut_frame_head head = {.type = FUT_FRAME_BYE};
    if (link->body || !put_frame(link, &head, NULL, 0)) return FUT_ENOMEM;
    link->state = FUT_LINK_LEAVING;
    return FUT_OK;
}

bool fut_link_pump(struct fut_process_link *link) {
    size_t done = 0, all = 0;
    enum fut_err err = FUT_OK;
    if (link->out_at < link->out.len) {
        err = fut_ring_write(&link->tx, link->out.data + link->out_at,
                             link->out.len - link->out_at, &done);
        link->out_at += done;
        all += done;
    }
    if (link->out_at == link->out.len) {
        fut_buf_trim(&link->out, KEPT_BUFFER);
        link->out_at = 0;
    }
    if (err == FUT_OK && link->out.len == 0 && link->body) {
        err = fut_ring_write(&link->tx, fut_payload_bytes(link->body) + link->body_at,
                             link->body->len - link->body_at, &done);
        link->body_at += done;
        all += done;
        if (link->body_at == link->body->len) link->body = NULL;
    }
    if (all > 0) fut_bell_ring(&link->slot->bell);
    return err == FUT_OK;
}

/* Reads into the buffer up to n bytes in all. It grows with what comes, not with what is
 * announced. */
static enum fut_err read_body(struct fut_process_link *link, uint64_t n) {
    while (link->in.len < n) {
        size_t readable = fut_ring_readable(&link->rx), done;
        size_t want = (size_t)(n - link->in.len);
        if (want > readable) want = readable;
        if (want == 0)
            return fut_ring_read(&link->rx, NULL, 0, &done); /* are the counts sound? */
        size_t room = want;
        if (room < LEAST_READ && n - link->in.len >= LEAST_READ) room = LEAST_READ;
        unsigned char *to = fut_buf_reserve(&link->in, room);
        if (!to) return FUT_ENOMEM;
        enum fut_err err = fut_ring_read(&link->rx, to, want, &done);
        if (err != FUT_OK) return err;
        link->in.len += done;
        fut_bell_ring(&link->slot->bell); /* the worker may wait for room */
    }
    return FUT_OK;
}

enum fut_err fut_link_receive(struct fut_process_link *link, bool *ready) {
    *ready = false;
    size_t missing = sizeof link->head - link->head_at, done;
    if (missing > 0) {
        enum fut_err err = fut_ring_read(
            &link->rx, (unsigned char *)&link->head + link->head_at, missing, &done);
        link->head_at += done;
        if (err != FUT_OK || done < missing) return err;
    }
    uint64_t n = link->head.text + link->head.body;
    if (n < link->head.text || n > SIZE_MAX / 2) return FUT_ECORRUPT;
    enum fut_err err = read_body(link, n);
    *ready = err == FUT_OK && link->in.len == n;
    return err;
}

void fut_link_next(struct fut_process_link *link) {
    link->head_at = 0;
    fut_buf_trim(&link->in, KEPT_BUFFER);
}
