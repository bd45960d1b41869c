/* SPDX-License-Identifier: MIT */
/* fut_process_link: the pool's side of one slot: the tasks that are at its worker, what is
 * still to be written to it, what has been read of its next frame.
 *
 * STATE: free (no worker) -> starting -> ready -> leaving -> free.
 * LOCKS: all calls under the pool's lock. BLOCKING: none. */
#ifndef FUT_POOL_PROCESS_LINK_H
#define FUT_POOL_PROCESS_LINK_H

#include "base/buf.h"
#include "core/task.h"
#include "core/worker.h"
#include "pool/process_shared.h"

enum fut_link_state { FUT_LINK_FREE, FUT_LINK_STARTING, FUT_LINK_READY, FUT_LINK_LEAVING };

struct fut_process_link {
    struct fut_process_slot *slot;
    const struct fut_worker_type *type;
    enum fut_link_state state;
    unsigned
        /* slot->started once the worker of this life exists; ended when `ended` is it */
        started;
    uint64_t first, next; /* sequence numbers of the tasks at the worker: [first, next) */
    /* By sequence number; a count is held of each. NULL: it was taken back. */
    struct fut_task *tasks[FUT_WINDOW];
    unsigned given; /* tasks given to this worker, ever */

    struct fut_ring_end tx;
    struct fut_buf out; /* frames to be written, from out_at on */
    size_t out_at;
    const struct fut_payload *body; /* then the bytes of this call, from body_at on */
    size_t body_at;

    struct fut_ring_end rx;
    struct fut_frame_head head; /* of the frame that is being read: head_at bytes are there */
    size_t head_at;
    struct fut_buf in; /* its text and body, as far as they came */

    uint64_t *known; /* ids of the objects that the worker has */
    size_t nknown, known_cap;
};

/* fut_link_open(link): for a new worker: empty rings, nothing known. fut_link_close(link):
 * the worker has ended; the caller has emptied the window. fut_link_deinit(link): frees the
 * memory. */
void fut_link_open(struct fut_process_link *link);
void fut_link_close(struct fut_process_link *link);
void fut_link_deinit(struct fut_process_link *link);

/* fut_link_load(link): how many tasks are at the worker. */
static inline unsigned fut_link_load(const struct fut_process_link *link) {
    return (unsigned)(link->next - link->first);
}

static inline struct fut_task **fut_link_task(struct fut_process_link *link, uint64_t seq) {
    return &link->tasks[seq % FUT_WINDOW];
}

/* fut_link_can_take(link): it may be given a task: there is room in the window, and nothing
 * large is still being written. */
bool fut_link_can_take(const struct fut_process_link *link);

/* fut_link_give(link, task): the task and the objects that it refers to are on their way;
 * takes over the caller's count. FUT_ENOMEM: nothing was given. */
enum fut_err fut_link_give(struct fut_process_link *link, struct fut_task *task);

/* fut_link_bye(link): tells the worker to end after what it was given. */
enum fut_err fut_link_bye(struct fut_process_link *link);

/* fut_link_pump(link): writes what there is room for, and rings; false when the worker's
 * counts make no sense. */
bool fut_link_pump(struct fut_process_link *link);

/* fut_link_receive(link, ready): reads what there is; *ready when head and `in` are a whole
 * frame, which stays until fut_link_next. FUT_ECORRUPT, FUT_ENOMEM: nothing sensible will
 * come. */
enum fut_err fut_link_receive(struct fut_process_link *link, bool *ready);
void fut_link_next(struct fut_process_link *link);

#endif
