/* SPDX-License-Identifier: MIT */
/* What a process pool, its zygote and its workers share: one mapping, made before the first
 * fork.
 *
 *   pool  --tx ring-->  worker      objects (code), tasks, goodbye
 *   pool  <--rx ring--  worker      ready or failed, results
 *   pool  --pipe----->  zygote      spawn this slot, signal all, quit
 *   pool  <--slot-----  zygote      pid of the worker, how it ended
 *
 * Whoever changes something rings the bell of the one that waits for it: each worker has its
 * own, the pool's collector has one. Nothing here is a lock: a process may die between any
 * two instructions.
 *
 * Claims: a task that waits at a worker is run by whoever wins its claim word. The worker
 * takes it when it starts the task, the pool when the task is cancelled or moved to another
 * worker. */
#ifndef FUT_POOL_PROCESS_SHARED_H
#define FUT_POOL_PROCESS_SHARED_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/bell.h"
#include "base/ring.h"

enum {
    FUT_TX_CAPACITY = 1 << 20, /* bytes; the pages are used only when they are written */
    FUT_RX_CAPACITY = 1 << 20,
    FUT_WINDOW = 16, /* tasks that can be at one worker, the running one included */
};

enum fut_claim { FUT_CLAIM_WAITING, FUT_CLAIM_STARTED, FUT_CLAIM_WITHDRAWN };

struct fut_process_slot {
    struct fut_bell bell; /* the worker waits on it */
    atomic_int id;        /* of that worker, counted from 1 over all slots */
    atomic_int pid;       /* of the worker that lives, or lived last, in this slot */
    atomic_int status;    /* as waitpid gave it; valid once `ended` was counted up */
    atomic_uint started;  /* workers that the zygote has tried to fork here */
    atomic_uint ended;    /* of these, how many are over */
    atomic_uint_fast64_t claims[FUT_WINDOW]; /* sequence number * 4 + enum fut_claim */
    _Alignas(64) unsigned char rings[];      /* tx, then rx */
};

struct fut_process_shared {
    struct fut_bell doorbell; /* the collector waits on it */
    atomic_int zygote;        /* its pid: the parent of every worker that is not an orphan */
    atomic_int workers;       /* that the zygote has forked, ever: their ids */
    int slots;
    size_t slot_size;
    _Alignas(64) unsigned char memory[];
};

/* Status for a worker that could not be forked at all: no such wait status exists. */
enum { FUT_STATUS_NO_FORK = -1 };

/* fut_process_shared_new(slots): maps and initialises; NULL when the system has no memory. */
struct fut_process_shared *fut_process_shared_new(int slots);
void fut_process_shared_free(struct fut_process_shared *s);

struct fut_process_slot *fut_process_slot(struct fut_process_shared *s, int i);

/* fut_process_tx(slot), fut_process_rx(slot): where the two rings are. */
void *fut_process_tx(struct fut_process_slot *slot);
void *fut_process_rx(struct fut_process_slot *slot);

/* fut_claim_offer(slot, seq): the task with that number waits at the worker.
 * fut_claim_take(slot, seq, as): true for the one who takes it. fut_claim_started(slot,
 * seq): the worker has taken it. */
void fut_claim_offer(struct fut_process_slot *slot, uint64_t seq);
bool fut_claim_take(struct fut_process_slot *slot, uint64_t seq, enum fut_claim as);
bool fut_claim_started(struct fut_process_slot *slot, uint64_t seq);

/* Every message on a ring starts with this. */
struct fut_frame_head {
    uint32_t type; /* enum fut_frame_type */
    uint32_t what; /* RESULT: outcome kind | err << 8; TASK: number of refs */
    uint64_t seq;  /* TASK, RESULT: number of the task; OBJECT: id */
    uint64_t text; /* RESULT, FAILED: length of the text; TASK: bytes of the refs' ids */
    uint64_t body; /* length of what follows the text */
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

#endif
