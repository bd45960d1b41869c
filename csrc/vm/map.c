/* SPDX-License-Identifier: MIT */
#include "vm/map.h"

#include <string.h>

#include "base/alloc.h"

enum { MIN_CAP = 64 };

#define GENERATION_ONE ((uint64_t)1 << FUT_MAP_VALUE_BITS)

void fut_map_deinit(struct fut_map *m) {
    fut_free(m->slots);
    *m = (struct fut_map){0};
}

void fut_map_clear(struct fut_map *m) {
    if (m->used == 0) return;
    m->used = 0;
    m->generation += GENERATION_ONE;
    if (m->generation != 0) return;
    memset(m->slots, 0, m->cap * sizeof *m->slots);
    m->generation = GENERATION_ONE;
}

void fut_map_trim(struct fut_map *m, size_t keep) {
    if (m->cap > keep)
        fut_map_deinit(m);
    else
        fut_map_clear(m);
}

bool fut_map_grow(struct fut_map *m) {
    struct fut_map bigger = {.cap = m->cap ? m->cap * 2 : MIN_CAP,
                             .generation = GENERATION_ONE};
    if (bigger.cap > (size_t)-1 / 2 / sizeof *bigger.slots) return false;
    bigger.slots = fut_zalloc(bigger.cap * sizeof *bigger.slots);
    if (!bigger.slots) return false;
    bigger.shift = 64u - (unsigned)__builtin_ctzll(bigger.cap);
    for (size_t i = 0; i < m->cap; i++) {
        const struct fut_map_slot *from = &m->slots[i];
        if ((from->stamp & ~FUT_MAP_VALUE_MASK) != m->generation) continue;
        struct fut_map_slot *to = fut_map_slot(&bigger, from->key);
        to->key = from->key;
        to->stamp = bigger.generation | (from->stamp & FUT_MAP_VALUE_MASK);
    }
    bigger.used = m->used;
    fut_free(m->slots);
    *m = bigger;
    return true;
}
