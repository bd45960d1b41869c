/* SPDX-License-Identifier: MIT */
/* fut_outcome: how a task ended, before and after it sits in its future.
 *
 * STATE: zeroed memory is "none yet".
 * OWNERSHIP: owns its payload and its text. Moved with fut_outcome_move. */
#ifndef FUT_CORE_OUTCOME_H
#define FUT_CORE_OUTCOME_H

#include "base/alloc.h"
#include "base/err.h"
#include "core/payload.h"

enum fut_outcome_kind {
    FUT_OUTCOME_NONE,
    FUT_OUTCOME_VALUES,  /* payload: the results */
    FUT_OUTCOME_ERROR,   /* payload: the error value; text: the traceback, or NULL */
    FUT_OUTCOME_FAILURE, /* no value of the task's: err says what happened, text more of it */
    FUT_OUTCOME_LOCAL, /* set in a state that keeps the values itself; see bind/future_set.c */
};

struct fut_outcome {
    unsigned char kind; /* enum fut_outcome_kind */
    bool failed;      /* LOCAL: an error, not values; VALUES of a chunk: also errors of items */
    enum fut_err err; /* of a FAILURE; FUT_ELOST also where the error value says that a worker
                       * was lost, of a pool that the task has used */
    int pid, status;  /* FAILURE with FUT_ELOST: the worker, and what waitpid said of it */
    char *text;       /* from fut_alloc, or NULL */
    struct fut_payload payload;
};

/* fut_outcome_deinit(o): frees what it owns; o is "none" again. */
static inline void fut_outcome_deinit(struct fut_outcome *o) {
    fut_payload_deinit(&o->payload);
    fut_free(o->text);
    o->text = NULL;
    o->kind = FUT_OUTCOME_NONE;
}

/* fut_outcome_move(to, from): to was "none"; from is. */
static inline void fut_outcome_move(struct fut_outcome *to, struct fut_outcome *from) {
    to->kind = from->kind;
    to->failed = from->failed;
    to->err = from->err;
    to->pid = from->pid;
    to->status = from->status;
    to->text = from->text;
    fut_payload_move(&to->payload, &from->payload);
    from->text = NULL;
    from->kind = FUT_OUTCOME_NONE;
}

/* fut_outcome_fail(o, err, text): o, which was "none", becomes a failure; copies text (may be
 * NULL; when memory is short the failure stands without it). */
static inline void fut_outcome_fail(struct fut_outcome *o, enum fut_err err, const char *text) {
    o->kind = FUT_OUTCOME_FAILURE;
    o->err = err;
    o->text = text ? fut_strdup(text) : NULL;
}

/* fut_outcome_is_error(o): the task did not return values. */
static inline bool fut_outcome_is_error(const struct fut_outcome *o) {
    return o->kind == FUT_OUTCOME_ERROR || o->kind == FUT_OUTCOME_FAILURE ||
           (o->kind == FUT_OUTCOME_LOCAL && o->failed);
}

/* fut_outcome_has_error(o): it is one, or an item of the chunk is. */
static inline bool fut_outcome_has_error(const struct fut_outcome *o) {
    return fut_outcome_is_error(o) || (o->kind == FUT_OUTCOME_VALUES && o->failed);
}

#endif
