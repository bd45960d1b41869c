/* SPDX-License-Identifier: MIT */
/* fut_native: a future that a C module completes (include/futures.h), from a thread of its own.
 *
 * STATE: a fut_future that can also be cancelled while it runs, if its class hears of it.
 * OWNERSHIP: counted by its future. The context is the module's, released with the last count.
 * THREADS: any thread may call anything here. */
#ifndef FUT_CORE_NATIVE_H
#define FUT_CORE_NATIVE_H

#include "base/process.h"
#include "core/future.h"
#include "futures.h"

struct fut_native {
    struct fut_future future; /* first: it is a future */
    const struct fut_future_class *class;
    void *context;
    char *name;     /* or NULL */
    unsigned forks; /* fut_process_forks() when it was made */
};

extern const struct fut_object_type fut_native_type;

/* fut_native_new(class, context, name): a pending one with one count, or NULL: then the context
 * is still the caller's. */
struct fut_native *fut_native_new(const struct fut_future_class *class, void *context,
                                  const char *name);

/* fut_native_of(f): NULL when it is another kind of future. */
static inline struct fut_native *fut_native_of(const struct fut_future *f) {
    return f->object.type == &fut_native_type ? (struct fut_native *)f : NULL;
}

/* fut_native_cancel(n): -> cancelled, and tells the module; false when it is too late. */
bool fut_native_cancel(struct fut_native *n);

/* fut_native_hears(f): its module may want to hear that somebody waits for f.
 * fut_native_attends(f): it does so now. fut_native_tell(f): then tells it. */
static inline bool fut_native_hears(const struct fut_future *f) {
    const struct fut_native *n = fut_native_of(f);
    return n && n->class->attends;
}
static inline bool fut_native_attends(const struct fut_future *f) {
    return fut_native_hears(f) && fut_native_of(f)->class->attends();
}
static inline void fut_native_tell(struct fut_future *f) {
    if (!fut_native_attends(f) || fut_future_done(f)) return;
    fut_native_of(f)->class->awaited(fut_native_of(f)->context);
}

/* fut_native_forked(f): f belongs to a parent of this process: nobody will complete it here. */
static inline bool fut_native_forked(const struct fut_future *f) {
    const struct fut_native *n = fut_native_of(f);
    return n && n->forks != fut_process_forks();
}

#endif
