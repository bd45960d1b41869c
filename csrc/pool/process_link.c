/* SPDX-License-Identifier: MIT */
#include "pool/process_link.h"

#include <string.h>

#include "base/alloc.h"

enum {
    KNOWN_MAX = 1024, /* objects that a worker keeps; then it forgets all */
    KEPT_BUFFER = 1 << 20,
    LEAST_READ = 65536,
};

/* More than any outcome has: what announces it talks nonsense. */
static const uint64_t body_max = (uint64_t)1 << 40;

void fut_link_open(struct fut_process_link *link) {
    size_t size;
    for (int i = 0; i < FUT_RINGS; i++) {
        fut_ring_reset(fut_process_ring(link->slot, (enum fut_ring_of)i, &size));
        atomic_store(&link->slot->full[i], false);
    }
    fut_process_ring_open(&link->tx, link->slot, FUT_TX);
    fut_process_ring_open(&link->tx_bodies, link->slot, FUT_TX_BODIES);
    fut_process_ring_open(&link->rx, link->slot, FUT_RX);
    fut_process_ring_open(&link->rx_bodies, link->slot, FUT_RX_BODIES);
    link->started = atomic_load(&link->record->started) + 1;
    link->state = FUT_LINK_STARTING;
    link->unsent = true;
    link->doomed = false;
    link->signal = 0;
    link->impatient_at = 0;
    link->finished = 0;
}

static void stop_writing(struct fut_process_link *link) {
    if (link->writing) fut_task_drop(link->writing);
    link->writing = NULL;
    link->body_at = 0;
}

void fut_link_close(struct fut_process_link *link) {
    FUT_ASSERT(link->load == 0);
    link->state = FUT_LINK_FREE;
    link->unsent = false;
    link->first = link->next;
    fut_buf_trim(&link->out, KEPT_BUFFER);
    fut_buf_trim(&link->in, KEPT_BUFFER);
    link->out_at = link->head_at = 0;
    stop_writing(link);
    link->nknown = 0;
}

void fut_link_deinit(struct fut_process_link *link) {
    fut_buf_deinit(&link->out);
    fut_buf_deinit(&link->in);
    fut_free(link->known);
}

/* ---- towards the worker ---- */

static bool put_frame(struct fut_process_link *link, const struct fut_frame_head *head) {
    return fut_buf_append(&link->out, head, sizeof *head);
}

static bool knows(const struct fut_process_link *link, uint64_t id) {
    for (size_t i = link->nknown; i > 0; i--) /* what is used came lately */
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
    if (!put_frame(link, &head)) return FUT_ENOMEM;
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
        if (!put_frame(link, &head)) return FUT_ENOMEM;
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
    if (!put_frame(link, &head)) return FUT_ENOMEM;
    for (uint32_t i = 0; i < call->nrefs; i++) {
        uint64_t id = link->type->ref_id(refs[i]);
        if (!fut_buf_append(&link->out, &id, sizeof id)) return FUT_ENOMEM;
    }
    if (call->len > FUT_BODY_INLINE) return FUT_OK; /* written from where it is */
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
    if (task->call.len > FUT_BODY_INLINE) {
        fut_task_hold(task); /* should it be withdrawn, its body is written to the end */
        link->writing = task;
        link->body_at = 0;
    }
    fut_claim_offer(link->slot, link->next);
    task->place = link->next;
    *fut_link_task(link, link->next++) = task;
    link->load++;
    return FUT_OK;
}

static void skip_withdrawn(struct fut_process_link *link) {
    while (link->first < link->next && !*fut_link_task(link, link->first)) link->first++;
}

struct fut_task *fut_link_withdraw(struct fut_process_link *link, uint64_t seq) {
    if (seq < link->first || seq >= link->next) return NULL;
    struct fut_task **at = fut_link_task(link, seq), *task = *at;
    if (!task || !fut_claim_take(link->slot, seq, FUT_CLAIM_WITHDRAWN)) return NULL;
    *at = NULL; /* the worker finds its claim taken and says nothing of it */
    link->load--;
    skip_withdrawn(link);
    return task;
}

struct fut_task *fut_link_pop(struct fut_process_link *link) {
    struct fut_task *task = *fut_link_task(link, link->first++);
    link->load--;
    skip_withdrawn(link);
    return task;
}

enum fut_err fut_link_bye(struct fut_process_link *link) {
    struct fut_frame_head head = {.type = FUT_FRAME_BYE};
    if (!put_frame(link, &head)) return FUT_ENOMEM;
    link->state = FUT_LINK_LEAVING;
    return FUT_OK;
}

/* Writes from `from` what there is room for; when that is not all, the worker is asked to tell
 * of more room. */
static enum fut_err write_some(struct fut_process_link *link, enum fut_ring_of which,
                               const unsigned char *from, size_t n, size_t *written) {
    struct fut_ring_end *end = which == FUT_TX ? &link->tx : &link->tx_bodies;
    size_t done;
    enum fut_err err = fut_ring_write(end, from, n, written);
    if (err != FUT_OK || *written == n) return err;
    fut_full_set(link->slot, which);
    err = fut_ring_write(end, from + *written, n - *written, &done);
    *written += done;
    return err;
}

bool fut_link_pump(struct fut_process_link *link) {
    size_t frames = 0, body = 0;
    enum fut_err err = FUT_OK;
    if (link->out_at < link->out.len) {
        err = write_some(link, FUT_TX, link->out.data + link->out_at,
                         link->out.len - link->out_at, &frames);
        link->out_at += frames;
        if (link->out_at == link->out.len) {
            fut_buf_trim(&link->out, KEPT_BUFFER);
            link->out_at = 0;
        }
    }
    if (link->writing && err == FUT_OK) {
        const struct fut_payload *call = &link->writing->call;
        err = write_some(link, FUT_TX_BODIES, fut_payload_bytes(call) + link->body_at,
                         call->len - link->body_at, &body);
        link->body_at += body;
        if (link->body_at == call->len) stop_writing(link);
    }
    if (frames + body > 0) fut_bell_ring(&link->slot->bell);
    return err == FUT_OK;
}

/* ---- from the worker ---- */

/* Reads from a ring until the buffer holds n bytes. It grows with what comes, not with what is
 * announced. */
static enum fut_err read_some(struct fut_process_link *link, enum fut_ring_of which,
                              uint64_t n) {
    struct fut_ring_end *end = which == FUT_RX ? &link->rx : &link->rx_bodies;
    while (link->in.len < n) {
        size_t readable = fut_ring_readable(end), done;
        size_t want = (size_t)(n - link->in.len);
        if (want > readable) want = readable;
        if (want == 0) return fut_ring_read(end, NULL, 0, &done); /* are the counts sound? */
        size_t room = want;
        if (room < LEAST_READ && n - link->in.len >= LEAST_READ) room = LEAST_READ;
        unsigned char *to = fut_buf_reserve(&link->in, room);
        if (!to) return FUT_ENOMEM;
        enum fut_err err = fut_ring_read(end, to, want, &done);
        if (err != FUT_OK) return err;
        link->in.len += done;
    }
    return FUT_OK;
}

/* After reading: the worker may wait for room. */
static void tell_of_room(struct fut_process_link *link) {
    bool frames = fut_full_take(link->slot, FUT_RX);
    if (fut_full_take(link->slot, FUT_RX_BODIES) || frames) fut_bell_ring(&link->slot->bell);
}

enum fut_err fut_link_receive(struct fut_process_link *link, bool *ready) {
    *ready = false;
    struct fut_frame_head *head = &link->head;
    size_t missing = sizeof *head - link->head_at, done;
    if (missing > 0) {
        enum fut_err err =
            fut_ring_read(&link->rx, (unsigned char *)head + link->head_at, missing, &done);
        link->head_at += done;
        if (err != FUT_OK || done < missing) return err;
    }
    if (head->text > body_max || head->body > body_max) return FUT_ECORRUPT;
    uint64_t inside = fut_frame_inline(head), all = head->text + head->body;
    enum fut_err err = read_some(link, FUT_RX, inside);
    if (err == FUT_OK && link->in.len >= inside && inside < all)
        err = read_some(link, FUT_RX_BODIES, all);
    tell_of_room(link);
    *ready = err == FUT_OK && link->in.len == all;
    return err;
}

void fut_link_next(struct fut_process_link *link) {
    link->head_at = 0;
    fut_buf_trim(&link->in, KEPT_BUFFER);
}
