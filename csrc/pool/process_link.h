/* SPDX-License-Identifier: MIT */
/* fut_process_link: the pool's side of one slot: the tasks that are at its worker, what is
 * still to be written to it, what has been read of its next frame.
 *
 * STATE: free (no worker) -> starting -> ready -> leaving -> free. Zeroed memory is free.
 * OWNERSHIP: holds a count of each task in its window; gives it on with the task.
 * LOCKS: all calls under the pool's lock. BLOCKING: none. */
#ifndef FUT_POOL_PROCESS_LINK_H
#define FUT_POOL_PROCESS_LINK_H

#include "base/buf.h"
#include "core/task.h"
#include "core/worker.h"
#include "pool/process_shared.h"

enum fut_link_state { FUT_LINK_FREE, FUT_LINK_STARTING, FUT_LINK_READY, FUT_LINK_LEAVING };

struct fut_process_link {
    enum fut_link_state state;
    bool unsent;           /* the zygote has yet to be asked for the worker */
    bool doomed;           /* it talked nonsense and is being killed; nothing more is read */
    int signal;            /* that the zygote has yet to be asked to send it, or 0 */
    fut_time impatient_at; /* a task was asked to end: when its worker gets a signal; or 0 */
    unsigned load;         /* tasks at the worker that were not withdrawn */
    unsigned finished;     /* tasks that this worker has finished */
    unsigned
        started; /* record->started once the worker exists; when `ended` is it, it is over */
    /* Numbers of the tasks at the worker: [first, next). They go on from worker to worker, so a
     * number is used once in a slot. The first one is never withdrawn. */
    uint64_t first, next;
    struct fut_process_slot *slot;
    struct fut_process_record *record;
    const struct fut_worker_type *type;

    struct fut_ring_end tx, tx_bodies;
    struct fut_buf out; /* frames to be written, from out_at on */
    size_t out_at;
    struct fut_task *writing; /* then the body of its call, from body_at on; a count is held */
    size_t body_at;

    struct fut_ring_end rx, rx_bodies;
    struct fut_frame_head head; /* of the frame that is being read: head_at bytes are there */
    size_t head_at;
    struct fut_buf in; /* its text and body, as far as they came */

    uint64_t *known; /* ids of the objects that the worker has */
    size_t nknown, known_cap;

    struct fut_task *tasks[FUT_WINDOW]; /* by number; NULL: withdrawn */
};

/* fut_link_open(link): for a new worker: empty rings, nothing known. fut_link_close(link):
 * the worker has ended; the caller has emptied the window. fut_link_deinit(link): frees the
 * memory. */
void fut_link_open(struct fut_process_link *link);
void fut_link_close(struct fut_process_link *link);
void fut_link_deinit(struct fut_process_link *link);

static inline struct fut_task **fut_link_task(struct fut_process_link *link, uint64_t seq) {
    return &link->tasks[seq % FUT_WINDOW];
}

/* fut_link_can_take(link): it may be given a task: it has a worker, or will have one, there is
 * room in the window, and nothing large is still being written. */
static inline bool fut_link_can_take(const struct fut_process_link *link) {
    bool lives = link->state == FUT_LINK_READY || link->state == FUT_LINK_STARTING;
    return lives && link->next - link->first < FUT_WINDOW && !link->writing && !link->doomed;
}

/* fut_link_give(link, task): the task and the objects that it refers to are on their way;
 * takes over the caller's count. FUT_ENOMEM: nothing was given. */
enum fut_err fut_link_give(struct fut_process_link *link, struct fut_task *task);

/* fut_link_withdraw(link, seq): takes a task back that the worker has not started; the caller
 * gets its count. NULL when it has, or when there is none of that number. */
struct fut_task *fut_link_withdraw(struct fut_process_link *link, uint64_t seq);

/* fut_link_pop(link): takes the first task off, which is over; the caller gets its count. */
struct fut_task *fut_link_pop(struct fut_process_link *link);

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
