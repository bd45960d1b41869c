/* SPDX-License-Identifier: MIT */
#include "core/object.h"

#include <stdbool.h>
#include <stddef.h>

/* A task may hold the future of the task before it, and that one the one before: were each
 * freed by the free of the next, a chain of some 100,000 would need more stack than a thread
 * has. */
static _Thread_local bool freeing;
static _Thread_local struct fut_object *waiting;

void fut_object_free(struct fut_object *o) {
    if (freeing) {
        o->next = waiting;
        waiting = o;
        return;
    }
    freeing = true;
    while (o) {
        o->type->free(o);
        o = waiting;
        if (o) waiting = o->next;
    }
    freeing = false;
}
