/* SPDX-License-Identifier: MIT */
#include "base/ring.h"

#include "base/test.h"

enum { CAPACITY = 64 };

struct pipe {
    _Alignas(64) unsigned char memory[sizeof(struct fut_ring) + CAPACITY];
    struct fut_ring_end in, out;
};

static void pipe_init(struct pipe *p) {
    CHECK(fut_ring_size(CAPACITY) == sizeof p->memory);
    fut_ring_reset(p->memory);
    fut_ring_open(&p->in, p->memory, CAPACITY);
    fut_ring_open(&p->out, p->memory, CAPACITY);
}

static size_t put(struct pipe *p, const void *bytes, size_t n) {
    size_t done;
    CHECK(fut_ring_write(&p->in, bytes, n, &done) == FUT_OK);
    return done;
}

static size_t get(struct pipe *p, void *bytes, size_t n) {
    size_t done;
    CHECK(fut_ring_read(&p->out, bytes, n, &done) == FUT_OK);
    return done;
}

static void as_much_as_there_is_room_for(void) {
    struct pipe p;
    unsigned char bytes[2 * CAPACITY] = {1, 2, 3}, back[2 * CAPACITY];
    pipe_init(&p);
    CHECK(get(&p, back, 1) == 0 && fut_ring_readable(&p.out) == 0);
    CHECK(put(&p, bytes, sizeof bytes) == CAPACITY && put(&p, bytes, 1) == 0);
    CHECK(fut_ring_readable(&p.out) == CAPACITY);
    CHECK(get(&p, back, 3) == 3 && memcmp(bytes, back, 3) == 0);
    CHECK(put(&p, bytes, sizeof bytes) == 3);
    CHECK(get(&p, back, sizeof back) == CAPACITY && get(&p, back, 1) == 0);
    CHECK(put(&p, bytes, 0) == 0 && get(&p, back, 0) == 0);
}

static void pieces_of_all_sizes(void) {
    struct pipe p;
    unsigned char written = 0, seen = 0;
    pipe_init(&p);
    for (int i = 0; i < 100000; i++) {
        unsigned char bytes[CAPACITY + 9];
        size_t n = (size_t)(i * 7) % sizeof bytes;
        for (size_t k = 0; k < n; k++) bytes[k] = (unsigned char)(written + k);
        written = (unsigned char)(written + put(&p, bytes, n));
        n = get(&p, bytes, (size_t)(i * 11) % sizeof bytes);
        for (size_t k = 0; k < n; k++) CHECK(bytes[k] == seen++);
    }
    CHECK((unsigned char)(seen + fut_ring_readable(&p.out)) == written);
}

static void counts_that_make_no_sense(void) {
    static const uint64_t wrong[] = {CAPACITY + 1, UINT64_MAX, UINT64_MAX / 2};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct pipe p;
        unsigned char byte = 0;
        size_t done = 7;
        pipe_init(&p);
        struct fut_ring *shared = (void *)p.memory;
        atomic_store(&shared->written, wrong[i]);
        CHECK(fut_ring_readable(&p.out) == 0);
        CHECK(fut_ring_read(&p.out, &byte, 1, &done) == FUT_ECORRUPT && done == 0);
        atomic_store(&shared->taken, wrong[i]);
        if (wrong[i] <= UINT64_MAX - CAPACITY) {
            done = 7;
            CHECK(fut_ring_write(&p.in, &byte, 1, &done) == FUT_ECORRUPT && done == 0);
        }
    }
}

static void *write_all(void *arg) {
    struct pipe *p = arg;
    int total = test_rounds(1000000);
    for (int sent = 0; sent < total;) {
        unsigned char bytes[100];
        size_t n = (size_t)(sent % 97 + 1 < total - sent ? sent % 97 + 1 : total - sent);
        for (size_t i = 0; i < n; i++) bytes[i] = (unsigned char)((size_t)sent + i);
        size_t done = put(p, bytes, n);
        sent += (int)done;
        if (done == 0) sched_yield();
    }
    return NULL;
}

static void between_two_threads(void) {
    struct pipe p;
    pipe_init(&p);
    pthread_t writer = test_start(write_all, &p);
    int total = test_rounds(1000000);
    for (int seen = 0; seen < total;) {
        unsigned char bytes[100];
        size_t n = get(&p, bytes, sizeof bytes);
        for (size_t i = 0; i < n; i++) CHECK(bytes[i] == (unsigned char)((size_t)seen + i));
        seen += (int)n;
        if (n == 0) sched_yield();
    }
    test_join(writer);
}

static void bytes_where_they_are(void) {
    enum { HALF = CAPACITY / 2 + 1 };
    struct pipe p;
    unsigned char much[CAPACITY], bytes[CAPACITY];
    for (size_t i = 0; i < CAPACITY; i++) much[i] = (unsigned char)i;
    pipe_init(&p);
    CHECK(!fut_ring_peek(&p.out, 1));
    CHECK(put(&p, much, HALF) == HALF);
    const unsigned char *there = fut_ring_peek(&p.out, HALF);
    CHECK(there && memcmp(there, much, HALF) == 0);
    CHECK(!fut_ring_peek(&p.out, HALF + 1));
    CHECK(put(&p, much, CAPACITY) == CAPACITY - HALF); /* they are still there */
    fut_ring_skip(&p.out, HALF);
    CHECK(put(&p, much + CAPACITY - HALF, HALF) == HALF);
    CHECK(!fut_ring_peek(&p.out, CAPACITY)); /* all are there, but in two pieces */
    CHECK(get(&p, bytes, CAPACITY) == CAPACITY && memcmp(bytes, much, CAPACITY) == 0);
}

static const struct test_case cases[] = {
    {"bytes where they are", bytes_where_they_are},
    {"as much as there is room for", as_much_as_there_is_room_for},
    {"pieces of all sizes", pieces_of_all_sizes},
    {"counts that make no sense", counts_that_make_no_sense},
    {"between two threads", between_two_threads},
};

TEST_MAIN(cases)
