/* SPDX-License-Identifier: MIT */
#include "pool/process_shared.h"

#include <stddef.h>
#include <sys/mman.h>

static size_t round_up(size_t n, size_t to) {
    return (n + to - 1) / to * to;
}

static size_t slot_size(void) {
    return round_up(sizeof(struct fut_process_slot) + fut_ring_size(FUT_TX_CAPACITY) +
                        fut_ring_size(FUT_RX_CAPACITY),
                    4096);
}

static size_t total_size(int slots) {
    return sizeof(struct fut_process_shared) + (size_t)slots * slot_size();
}

struct fut_process_shared *fut_process_shared_new(int slots) {
    /* Anonymous and shared: no name that could outlive a crash; forked children have it. */
    void *memory = mmap(NULL, total_size(slots), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) return NULL;
    struct fut_process_shared *s = memory; /* zeroed by the kernel */
    s->slots = slots;
    s->slot_size = slot_size();
    return s;
}

void fut_process_shared_free(struct fut_process_shared *s) {
    if (s) munmap(s, total_size(s->slots));
}

struct fut_process_slot *fut_process_slot(struct fut_process_shared *s, int i) {
    return (struct fut_process_slot *)(void *)(s->memory + (size_t)i * s->slot_size);
}

void *fut_process_tx(struct fut_process_slot *slot) {
    return slot->rings;
}

void *fut_process_rx(struct fut_process_slot *slot) {
    return slot->rings + fut_ring_size(FUT_TX_CAPACITY);
}

static atomic_uint_fast64_t *claim(struct fut_process_slot *slot, uint64_t seq) {
    return &slot->claims[seq % FUT_WINDOW];
}

void fut_claim_offer(struct fut_process_slot *slot, uint64_t seq) {
    atomic_store_explicit(claim(slot, seq), seq * 4 + FUT_CLAIM_WAITING, memory_order_release);
}

bool fut_claim_take(struct fut_process_slot *slot, uint64_t seq, enum fut_claim as) {
    uint_fast64_t expected = seq * 4 + FUT_CLAIM_WAITING;
    return atomic_compare_exchange_strong(claim(slot, seq), &expected, seq * 4 + as);
}

bool fut_claim_started(struct fut_process_slot *slot, uint64_t seq) {
    return atomic_load(claim(slot, seq)) == seq * 4 + FUT_CLAIM_STARTED;
}
