/* SPDX-License-Identifier: MIT */
/* fut_err: what can happen, as against misuse (raised in Lua at the caller) and against broken
 * invariants of ours (FUT_ASSERT). Every call that returns one is checked. */
#ifndef FUT_BASE_ERR_H
#define FUT_BASE_ERR_H

enum fut_err {
    FUT_OK = 0,
    FUT_ENOMEM,    /* an allocation failed */
    FUT_ETIMEDOUT, /* the deadline passed first */
    FUT_ECLOSED,   /* shut down: accepts no more */
    FUT_EBROKEN,   /* the pool is broken: a worker could not be initialised */
    FUT_ETHREAD,   /* the system gives no thread */
    FUT_ESTATE,    /* a future is not in the state that the call needs */
    FUT_ETRANSFER, /* a value cannot travel */
    FUT_ECORRUPT,  /* encoded bytes that do not make sense */
    FUT_ECANCELLED,
    FUT_ELOST,   /* the worker died */
    FUT_EFULL,   /* the queue of an executor is full */
    FUT_EFORK,   /* the system gives no process */
    FUT_EFORKED, /* an executor of the process that this one was forked from */
};

/* fut_err_text(err): a short sentence fragment in English. Never NULL. */
const char *fut_err_text(enum fut_err err);

/* FUT_ASSERT(condition): aborts on a broken invariant of our own, in release builds too. Never
 * for input, never for memory. */
#define FUT_ASSERT(condition)                                                                  \
    ((condition) ? (void)0 : fut_assert_fail(#condition, __FILE__, __LINE__))

_Noreturn void fut_assert_fail(const char *condition, const char *file, int line);

#endif
