/* SPDX-License-Identifier: MIT */
#include "base/err.h"

#include <stdio.h>
#include <stdlib.h>

const char *fut_err_text(enum fut_err err) {
    switch (err) {
    case FUT_OK:
        return "no error";
    case FUT_ENOMEM:
        return "not enough memory";
    case FUT_ETIMEDOUT:
        return "timed out";
    case FUT_ECLOSED:
        return "shut down";
    case FUT_EBROKEN:
        return "the pool is broken";
    case FUT_ETHREAD:
        return "cannot start a thread";
    case FUT_ESTATE:
        return "invalid state";
    case FUT_ETRANSFER:
        return "the value cannot travel";
    case FUT_ECORRUPT:
        return "corrupt data";
    case FUT_ECANCELLED:
        return "cancelled";
    case FUT_ELOST:
        return "the worker was lost";
    case FUT_EFULL:
        return "the queue is full";
    case FUT_EFORK:
        return "cannot start a process";
    case FUT_EFORKED:
        return "the executor belongs to the process that this one was forked from";
    }
    return "unknown error";
}

_Noreturn void fut_assert_fail(const char *condition, const char *file, int line) {
    fprintf(stderr, "futures: broken invariant: %s (%s:%d)\n", condition, file, line);
    abort();
}
