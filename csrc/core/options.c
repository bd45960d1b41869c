/* SPDX-License-Identifier: MIT */
#include "core/options.h"

#include "base/alloc.h"

static void options_free(struct fut_object *o) {
    struct fut_task_options *options = (struct fut_task_options *)o; /* its first member */
    fut_free(options->name);
    fut_free(options);
}

static const struct fut_object_type options_type = {.name = "task options",
                                                    .free = options_free};

struct fut_task_options *fut_task_options_new(const char *name, size_t len) {
    struct fut_task_options *o = fut_zalloc(sizeof *o);
    if (!o) return NULL;
    fut_object_init(&o->object, &options_type);
    o->name = name ? fut_strndup(name, len) : NULL;
    if (!name || o->name) return o;
    fut_task_options_drop(o);
    return NULL;
}
