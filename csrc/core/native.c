/* SPDX-License-Identifier: MIT */
#include "core/native.h"

#include <string.h>

#include "base/alloc.h"
#include "base/slab.h"
#include "core/fork.h"

static struct fut_slab natives = FUT_SLAB_INIT(sizeof(struct fut_native));

void fut_natives_fork(bool take) {
    if (take)
        fut_lock(&natives.lock);
    else
        fut_unlock(&natives.lock);
}

static void native_free(struct fut_object *o) {
    struct fut_native *n = (struct fut_native *)o; /* the future is its first member */
    fut_future_deinit(&n->future);
    if (n->class->release) n->class->release(n->context);
    fut_free(n->name);
    fut_slab_free(&natives, n);
}

const struct fut_object_type fut_native_type = {.name = "future", .free = native_free};

struct fut_native *fut_native_new(const struct fut_future_class *class, void *context,
                                  const char *name) {
    char *copy = name ? fut_strdup(name) : NULL;
    struct fut_native *n = name && !copy ? NULL : fut_slab_alloc(&natives);
    if (!n) {
        fut_free(copy);
        return NULL;
    }
    memset(n, 0, sizeof *n);
    fut_future_init(&n->future, &fut_native_type);
    n->class = class;
    n->context = context;
    n->name = copy;
    n->forks = fut_process_forks();
    return n;
}

bool fut_native_cancel(struct fut_native *n) {
    if (!n->class->cancelled) return fut_future_cancel(&n->future);
    if (!fut_future_withdraw(&n->future)) return false;
    n->class->cancelled(n->context); /* once: the state decides who calls it */
    return true;
}
