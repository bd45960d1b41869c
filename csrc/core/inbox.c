/* SPDX-License-Identifier: MIT */
#include "core/inbox.h"

bool fut_inbox_put(struct fut_inbox *in, struct fut_task **tasks, size_t n) {
    if (n == 0) return fut_inbox_is_open(in);
    for (size_t i = 1; i < n; i++) tasks[i]->next = tasks[i - 1];
    struct fut_task *latest = atomic_load_explicit(&in->latest, memory_order_relaxed);
    do {
        if (latest == FUT_INBOX_SHUT) return false;
        tasks[0]->next = latest;
        /* release: who takes them sees all that was written to them. Tasks are only taken all
         * at once, so it does no harm when the latest one was away and is back. */
    } while (!atomic_compare_exchange_weak_explicit(
        &in->latest, &latest, tasks[n - 1], memory_order_release, memory_order_relaxed));
    return true;
}

static struct fut_task *reversed(struct fut_task *latest) {
    struct fut_task *first = NULL;
    if (latest == FUT_INBOX_SHUT) return NULL;
    for (struct fut_task *before; latest; latest = before) {
        before = latest->next;
        latest->next = first;
        first = latest;
    }
    return first;
}

struct fut_task *fut_inbox_take(struct fut_inbox *in) {
    if (!fut_inbox_has(in)) return NULL; /* a look is cheaper, and nobody else takes */
    return reversed(atomic_exchange_explicit(&in->latest, NULL, memory_order_acquire));
}

struct fut_task *fut_inbox_shut(struct fut_inbox *in) {
    return reversed(
        atomic_exchange_explicit(&in->latest, FUT_INBOX_SHUT, memory_order_acquire));
}

void fut_inbox_open(struct fut_inbox *in) {
    /* Nobody else writes while it is shut. */
    atomic_store_explicit(&in->latest, NULL, memory_order_relaxed);
}
