/* SPDX-License-Identifier: MIT */
#include "pool/process_shared.h"

#include <stddef.h>
#include <sys/mman.h>

enum { PAGE = 65536 }; /* at least one page on every system: what can be unmapped alone */

static size_t round_up(size_t n, size_t to) {
    return (n + to - 1) / to * to;
}

static size_t slot_size(void) {
    return round_up(sizeof(struct fut_process_slot) + 2 * fut_ring_size(FUT_RING_FRAMES) +
                        2 * fut_ring_size(FUT_RING_BODIES),
                    PAGE);
}

/* The doorbell, then the records, then the slots. */
static size_t slots_at(const struct fut_process_shared *s) {
    return PAGE + round_up((size_t)s->slots * sizeof(struct fut_process_record), PAGE);
}

static size_t total_size(const struct fut_process_shared *s) {
    return slots_at(s) + (size_t)s->slots * slot_size();
}

enum fut_err fut_process_shared_open(struct fut_process_shared *s, int slots) {
    s->slots = slots;
    /* Anonymous and shared: no name that could outlive a crash; forked children have it. Zeroed
     * by the kernel. */
    void *memory = mmap(NULL, total_size(s), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    s->memory = memory == MAP_FAILED ? NULL : memory;
    return s->memory ? FUT_OK : FUT_ENOMEM;
}

void fut_process_shared_close(struct fut_process_shared *s) {
    if (s->memory) munmap(s->memory, total_size(s));
    s->memory = NULL;
}

void fut_process_shared_narrow(struct fut_process_shared *s, int i) {
    unsigned char *mine = s->memory + slots_at(s) + (size_t)i * slot_size();
    unsigned char *behind = mine + slot_size(), *end = s->memory + total_size(s);
    munmap(s->memory + PAGE, (size_t)(mine - s->memory) - PAGE);
    if (behind < end) munmap(behind, (size_t)(end - behind));
}

struct fut_process_record *fut_process_record(const struct fut_process_shared *s, int i) {
    return (struct fut_process_record *)(void *)(s->memory + PAGE) + i;
}

struct fut_process_slot *fut_process_slot(const struct fut_process_shared *s, int i) {
    return (struct fut_process_slot *)(void *)(s->memory + slots_at(s) +
                                               (size_t)i * slot_size());
}

void *fut_process_ring(struct fut_process_slot *slot, enum fut_ring_of which,
                       size_t *capacity) {
    size_t frames = fut_ring_size(FUT_RING_FRAMES), bodies = fut_ring_size(FUT_RING_BODIES);
    bool apart = which == FUT_TX_BODIES || which == FUT_RX_BODIES;
    *capacity = apart ? FUT_RING_BODIES : FUT_RING_FRAMES;
    return slot->rings + (which >= FUT_RX ? frames + bodies : 0) + (apart ? frames : 0);
}

void fut_process_ring_open(struct fut_ring_end *end, struct fut_process_slot *slot,
                           enum fut_ring_of which) {
    size_t capacity;
    void *memory = fut_process_ring(slot, which, &capacity);
    fut_ring_open(end, memory, capacity);
}

void fut_full_set(struct fut_process_slot *slot, enum fut_ring_of which) {
    atomic_store_explicit(&slot->full[which], true, memory_order_seq_cst);
    atomic_thread_fence(memory_order_seq_cst);
}

bool fut_full_take(struct fut_process_slot *slot, enum fut_ring_of which) {
    atomic_thread_fence(memory_order_seq_cst);
    return atomic_load_explicit(&slot->full[which], memory_order_relaxed) &&
           atomic_exchange_explicit(&slot->full[which], false, memory_order_seq_cst);
}

static atomic_uint_fast64_t *claim(struct fut_process_slot *slot, uint64_t seq) {
    return &slot->claims[seq % FUT_WINDOW];
}

void fut_claim_offer(struct fut_process_slot *slot, uint64_t seq) {
    atomic_store_explicit(&slot->asked[seq % FUT_WINDOW], 0, memory_order_relaxed);
    atomic_store_explicit(claim(slot, seq), seq * 4 + FUT_CLAIM_WAITING, memory_order_release);
}

bool fut_claim_take(struct fut_process_slot *slot, uint64_t seq, enum fut_claim as) {
    uint_fast64_t expected = seq * 4 + FUT_CLAIM_WAITING;
    return atomic_compare_exchange_strong(claim(slot, seq), &expected, seq * 4 + as);
}

bool fut_claim_started(struct fut_process_slot *slot, uint64_t seq) {
    return atomic_load(claim(slot, seq)) == seq * 4 + FUT_CLAIM_STARTED;
}
