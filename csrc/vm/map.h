/* SPDX-License-Identifier: MIT */
/* fut_map: a hash map from 64-bit keys (addresses, hashes) to numbers below 2^48. Emptied in
 * O(1): each entry carries the generation in which it was written.
 * STATE: zeroed memory is an empty map.
 * OWNERSHIP: owns its memory until fut_map_deinit.
 * THREADS: one at a time. */
#ifndef FUT_VM_MAP_H
#define FUT_VM_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fut_map_slot {
    uint64_t key;
    uint64_t stamp; /* generation << 48 | value; another generation means free */
};

struct fut_map {
    struct fut_map_slot *slots;
    size_t cap;  /* a power of two, or 0 */
    size_t used; /* of this generation */
    unsigned shift;
    uint64_t generation; /* shifted into place */
};

enum fut_map_answer { FUT_MAP_ADDED, FUT_MAP_FOUND, FUT_MAP_NOMEM };

enum { FUT_MAP_VALUE_BITS = 48 };
#define FUT_MAP_VALUE_MASK (((uint64_t)1 << FUT_MAP_VALUE_BITS) - 1)

/* fut_map_deinit(m): frees the memory; m is empty. */
void fut_map_deinit(struct fut_map *m);

/* fut_map_clear(m): forgets all entries, keeps the memory. */
void fut_map_clear(struct fut_map *m);

/* fut_map_trim(m, keep): clears, and frees the memory when there are more than `keep` slots. */
void fut_map_trim(struct fut_map *m, size_t keep);

/* fut_map_grow(m): makes room for more entries; false when memory is short. */
bool fut_map_grow(struct fut_map *m);

static inline struct fut_map_slot *fut_map_slot(const struct fut_map *m, uint64_t key) {
    size_t i = (size_t)((key * 0x9E3779B97F4A7C15u) >> m->shift);
    for (;; i = (i + 1) & (m->cap - 1)) {
        struct fut_map_slot *s = &m->slots[i];
        if ((s->stamp & ~FUT_MAP_VALUE_MASK) != m->generation || s->key == key) return s;
    }
}

/* fut_map_get(m, key, value): true and the value when the key is there. */
static inline bool fut_map_get(const struct fut_map *m, uint64_t key, uint64_t *value) {
    if (m->used == 0) return false;
    const struct fut_map_slot *s = fut_map_slot(m, key);
    if ((s->stamp & ~FUT_MAP_VALUE_MASK) != m->generation) return false;
    *value = s->stamp & FUT_MAP_VALUE_MASK;
    return true;
}

/* fut_map_add(m, key, value): when the key is there, sets *value to what is stored; else stores
 * *value. */
static inline enum fut_map_answer fut_map_add(struct fut_map *m, uint64_t key,
                                              uint64_t *value) {
    if (m->used >= m->cap / 4 * 3 && !fut_map_grow(m)) return FUT_MAP_NOMEM;
    struct fut_map_slot *s = fut_map_slot(m, key);
    if ((s->stamp & ~FUT_MAP_VALUE_MASK) == m->generation) {
        *value = s->stamp & FUT_MAP_VALUE_MASK;
        return FUT_MAP_FOUND;
    }
    s->key = key;
    s->stamp = m->generation | *value;
    m->used++;
    return FUT_MAP_ADDED;
}

/* fut_map_replace(m, key, value): gives a key that is there another value. */
static inline void fut_map_replace(struct fut_map *m, uint64_t key, uint64_t value) {
    fut_map_slot(m, key)->stamp = m->generation | value;
}

#endif
