/* SPDX-License-Identifier: MIT */
/* What a process pool, its zygote and its workers share: one mapping, made before the first
 * fork.
 *
 *   pool  --tx rings-->  worker      objects (code), tasks, goodbye
 *   pool  <--rx rings--  worker      ready or failed, results
 *   pool  --socket---->  zygote      a worker into this slot, a signal for it, quit
 *   pool  <--record----  zygote      pid of the worker, how it ended
 *
 * Frames are small and go through one ring of each pair; a large body goes through the other,
 * so the memory that every frame passes through stays small and warm.
 *
 * Whoever changes something rings the bell of the one that waits for it: each worker has its
 * own, the pool's collector has the doorbell. Nothing here is a lock: a process may die between
 * any two instructions. A worker unmaps what belongs to the zygote and to other workers, so it
 * can spoil nothing but its own slot and the doorbell, which only wakes.
 *
 * Claims: a task that waits at a worker is run by whoever wins its claim word. The worker takes
 * it when it starts the task, the pool when the task is cancelled or moved to another one. */
#ifndef FUT_POOL_PROCESS_SHARED_H
#define FUT_POOL_PROCESS_SHARED_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bell.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/ring.h"

enum {
    FUT_RING_FRAMES = 1 << 18, /* bytes of a ring for frames */
    FUT_RING_BODIES = 1 << 22, /* of one for large bodies; pages are there once they are used */
    FUT_BODY_INLINE = 16384,   /* a body up to this size follows its frame's head */
    FUT_WINDOW = 64,           /* tasks that can be at one worker, the running one included */
};

enum fut_claim { FUT_CLAIM_WAITING, FUT_CLAIM_STARTED, FUT_CLAIM_WITHDRAWN };

/* Written by the zygote only. */
struct fut_process_record {
    atomic_int pid;      /* of the worker that lives, or lived last, in this slot */
    atomic_int status;   /* as waitpid gave it; valid once `ended` was counted up */
    atomic_uint started; /* workers that the zygote has tried to fork here */
    atomic_uint ended;   /* of these, how many are over */
};

enum fut_ring_of { FUT_TX, FUT_TX_BODIES, FUT_RX, FUT_RX_BODIES, FUT_RINGS };

struct fut_process_slot {
    struct fut_bell bell;        /* the worker waits on it */
    atomic_bool full[FUT_RINGS]; /* its writer waits for room and wants to be told */
    _Alignas(64) atomic_uint_fast64_t claims[FUT_WINDOW]; /* number * 4 + enum fut_claim */
    atomic_int_fast64_t begun[FUT_WINDOW];                /* when the worker took it */
    atomic_uint asked[FUT_WINDOW]; /* bits of FUT_ASKED: the task is to end; core/worker.h */
    atomic_bool tells_start;       /* the pool wants to be rung when the next task is taken */
    _Alignas(64) unsigned char rings[];
};

/* Where all that is, in the memory of this process. Copied by a fork as anything else. */
struct fut_process_shared {
    unsigned char *memory;
    int slots;
};

/* Status for a worker that could not be forked: less than 0, as no wait status is; minus
 * errno. */

/* fut_process_shared_open(s, slots): maps and initialises; FUT_ENOMEM. close: unmaps; of
 * zeroed memory, too. narrow: leaves a worker's process with the doorbell and slot i. */
enum fut_err fut_process_shared_open(struct fut_process_shared *s, int slots);
void fut_process_shared_close(struct fut_process_shared *s);
void fut_process_shared_narrow(struct fut_process_shared *s, int i);

static inline struct fut_bell *fut_process_doorbell(const struct fut_process_shared *s) {
    return (struct fut_bell *)(void *)s->memory;
}
struct fut_process_record *fut_process_record(const struct fut_process_shared *s, int i);
struct fut_process_slot *fut_process_slot(const struct fut_process_shared *s, int i);

/* fut_process_ring(slot, which, size): the memory of one of the rings and its capacity. */
void *fut_process_ring(struct fut_process_slot *slot, enum fut_ring_of which, size_t *capacity);

/* fut_process_ring_open(end, slot, which): an end of it. */
void fut_process_ring_open(struct fut_ring_end *end, struct fut_process_slot *slot,
                           enum fut_ring_of which);

/* fut_full_set(slot, which): the writer found no room: it looks once more, then waits.
 * fut_full_take(slot, which): for the reader, after it has made room: must the writer be woken?
 * seq_cst on both sides: either the writer's second look sees the room, or the reader sees the
 * flag. */
void fut_full_set(struct fut_process_slot *slot, enum fut_ring_of which);
bool fut_full_take(struct fut_process_slot *slot, enum fut_ring_of which);

/* fut_claim_offer(slot, seq): the task with that number waits at the worker.
 * fut_claim_take(slot, seq, as): true for the one who takes it. fut_claim_started(slot,
 * seq): the worker has taken it. */
void fut_claim_offer(struct fut_process_slot *slot, uint64_t seq);
bool fut_claim_take(struct fut_process_slot *slot, uint64_t seq, enum fut_claim as);
bool fut_claim_started(struct fut_process_slot *slot, uint64_t seq);

/* fut_start_want(slot): the worker is to ring when it takes the next task; the caller looks
 * once more after that. fut_start_wanted(slot): for the worker, after it has taken one: must it
 * ring? seq_cst on both sides, as are the claims: either the pool's second look sees that the
 * task was taken, or the worker sees the flag. */
static inline void fut_start_want(struct fut_process_slot *slot) {
    atomic_store(&slot->tells_start, true);
}
static inline bool fut_start_wanted(struct fut_process_slot *slot) {
    return atomic_load(&slot->tells_start) && atomic_exchange(&slot->tells_start, false);
}

/* fut_process_set_begun(slot, seq, now): for the worker, before it takes the task.
 * fut_process_begun(slot, seq): of one that was taken. fut_process_ask(slot, seq, how): asks it
 * to end. fut_process_asked(slot, seq): where its worker sees that. */
static inline void fut_process_set_begun(struct fut_process_slot *slot, uint64_t seq,
                                         fut_time now) {
    atomic_store_explicit(&slot->begun[seq % FUT_WINDOW], now, memory_order_relaxed);
}
static inline fut_time fut_process_begun(struct fut_process_slot *slot, uint64_t seq) {
    return atomic_load_explicit(&slot->begun[seq % FUT_WINDOW], memory_order_relaxed);
}
static inline void fut_process_ask(struct fut_process_slot *slot, uint64_t seq, unsigned how) {
    atomic_fetch_or(&slot->asked[seq % FUT_WINDOW], how);
}
static inline const atomic_uint *fut_process_asked(struct fut_process_slot *slot,
                                                   uint64_t seq) {
    return &slot->asked[seq % FUT_WINDOW];
}

/* Every message on a ring starts with this. */
struct fut_frame_head {
    uint32_t type; /* enum fut_frame_type */
    uint32_t what; /* RESULT: outcome kind | err << 8 | failed << 16; TASK: number of refs */
    uint64_t seq;  /* TASK, RESULT: number of the task; OBJECT: id */
    uint64_t text; /* RESULT, FAILED: length of the text; TASK: bytes of the refs' ids */
    uint64_t body; /* length of what follows the text, or stands in the other ring */
    fut_time begun, ended; /* RESULT: when the task ran; one clock for all processes */
};

enum fut_frame_type {
    FUT_FRAME_OBJECT = 0x46550001,
    FUT_FRAME_FORGET, /* all objects */
    FUT_FRAME_TASK,
    FUT_FRAME_BYE,
    FUT_FRAME_READY,
    FUT_FRAME_FAILED,
    FUT_FRAME_RESULT,
};

/* fut_frame_inline(head): the bytes that follow the head in its own ring. Bodies of objects
 * always do. */
static inline uint64_t fut_frame_inline(const struct fut_frame_head *head) {
    bool apart = head->body > FUT_BODY_INLINE && head->type != FUT_FRAME_OBJECT;
    return head->text + (apart ? 0 : head->body);
}

#endif
