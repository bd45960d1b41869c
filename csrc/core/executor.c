/* SPDX-License-Identifier: MIT */
#include "core/executor.h"

static _Thread_local struct fut_executor *current;

struct fut_executor *fut_executor_current(void) {
    return current;
}

void fut_executor_set_current(struct fut_executor *ex) {
    current = ex;
}
