/* SPDX-License-Identifier: MIT */
#include "core/payload.h"

#include "base/alloc.h"
#include "base/test.h"

enum { MANY = 6, LARGE = 5000 };

static atomic_int freed;

static void thing_free(struct fut_object *o) {
    (void)o;
    atomic_fetch_add(&freed, 1);
}

static const struct fut_object_type thing_type = {.name = "thing", .free = thing_free};

/* Objects with a count of the test's own, and one for the payload. */
static void make_things(struct fut_object *things, struct fut_object **refs, int n) {
    atomic_store(&freed, 0);
    for (int i = 0; i < n; i++) {
        fut_object_init(&things[i], &thing_type);
        fut_object_hold(&things[i]);
        refs[i] = &things[i];
    }
}

static unsigned count_of(struct fut_object *o) {
    return atomic_load(&o->refs);
}

static unsigned char sample(size_t i) {
    return (unsigned char)(i * 31 + 7);
}

static void check_bytes(const struct fut_payload *p, size_t len) {
    CHECK(p->len == len);
    for (size_t i = 0; i < len; i++) CHECK(fut_payload_bytes(p)[i] == sample(i));
}

static void is_empty(const struct fut_payload *p) {
    CHECK(!p->len && !p->nrefs && !p->heap);
}

static void fill(unsigned char *bytes, size_t len) {
    for (size_t i = 0; i < len; i++) bytes[i] = sample(i);
}

static void bytes_of_every_length(void) {
    unsigned char bytes[100];
    fill(bytes, sizeof bytes);
    for (size_t len = 0; len <= sizeof bytes; len++) {
        struct fut_payload p = {0};
        CHECK(fut_payload_init(&p, len ? bytes : NULL, len, NULL, 0) == FUT_OK);
        check_bytes(&p, len);
        CHECK(p.heap == (len > FUT_PAYLOAD_BYTES));
        fut_payload_deinit(&p);
        is_empty(&p);
        fut_payload_deinit(&p);
    }
}

static void refs_of_every_number(void) {
    struct fut_object things[MANY], *refs[MANY];
    for (uint32_t n = 0; n <= MANY; n++) {
        struct fut_payload p = {0};
        make_things(things, refs, MANY);
        CHECK(fut_payload_init(&p, "x", 1, refs, n) == FUT_OK && p.nrefs == n);
        for (uint32_t i = 0; i < n; i++) CHECK(fut_payload_refs(&p)[i] == &things[i]);
        for (uint32_t i = 0; i < n; i++)
            CHECK(count_of(&things[i]) == 2); /* taken over, not added */
        fut_payload_deinit(&p);
        for (uint32_t i = 0; i < MANY; i++) CHECK(count_of(&things[i]) == (i < n ? 1 : 2));
        is_empty(&p);
    }
    CHECK(atomic_load(&freed) == 0);
}

static void the_last_count_frees(void) {
    struct fut_object things[MANY], *refs[MANY];
    struct fut_payload p = {0};
    make_things(things, refs, MANY);
    CHECK(fut_payload_init(&p, NULL, 0, refs, MANY) == FUT_OK);
    for (int i = 0; i < MANY; i++) fut_object_drop(&things[i]);
    CHECK(atomic_load(&freed) == 0);
    fut_payload_deinit(&p);
    CHECK(atomic_load(&freed) == MANY);
}

static void move_with(size_t len, uint32_t nrefs) {
    struct fut_object things[MANY], *refs[MANY];
    unsigned char bytes[100];
    struct fut_payload from = {0}, to = {0};
    make_things(things, refs, MANY);
    fill(bytes, len);
    CHECK(fut_payload_init(&from, bytes, len, refs, nrefs) == FUT_OK);
    fut_payload_move(&to, &from);
    is_empty(&from);
    check_bytes(&to, len);
    for (uint32_t i = 0; i < nrefs; i++) CHECK(fut_payload_refs(&to)[i] == &things[i]);
    fut_payload_deinit(&from);
    for (uint32_t i = 0; i < nrefs; i++) CHECK(count_of(&things[i]) == 2);
    fut_payload_deinit(&to);
    for (uint32_t i = 0; i < nrefs; i++) CHECK(count_of(&things[i]) == 1);
}

static void moves(void) {
    static const size_t lens[] = {0, 1, FUT_PAYLOAD_BYTES, FUT_PAYLOAD_BYTES + 1, 100};
    for (size_t i = 0; i < sizeof lens / sizeof *lens; i++)
        for (uint32_t n = 0; n <= MANY; n++) move_with(lens[i], n);
}

/* The n-th allocation fails, for each n until it passes: nothing is taken, nothing is lost. */
static void short_memory_leaves_it_empty(void) {
    struct fut_object things[MANY], *refs[MANY];
    unsigned char bytes[100];
    fill(bytes, sizeof bytes);
    make_things(things, refs, MANY);
    struct fut_payload p = {0};
    for (long n = 1; n <= 2; n++) { /* bytes, refs */
        fut_alloc_fail_after(n);
        CHECK(fut_payload_init(&p, bytes, sizeof bytes, refs, MANY) == FUT_ENOMEM);
        fut_alloc_fail_after(0);
        is_empty(&p);
        fut_payload_deinit(&p);
        for (int i = 0; i < MANY; i++) CHECK(count_of(&things[i]) == 2);
    }
    fut_alloc_fail_after(3);
    CHECK(fut_payload_init(&p, bytes, sizeof bytes, refs, MANY) == FUT_OK);
    fut_alloc_fail_after(0);
    check_bytes(&p, sizeof bytes);
    fut_payload_deinit(&p);
}

static void from_a_buffer(size_t len) {
    struct fut_buf b = {0};
    struct fut_payload p = {0};
    unsigned char *to = fut_buf_reserve(&b, len);
    CHECK(to);
    fill(to, len);
    b.len = len;
    const unsigned char *data = b.data;
    CHECK(fut_payload_init_buf(&p, &b, NULL, 0) == FUT_OK);
    check_bytes(&p, len);
    CHECK((fut_payload_bytes(&p) == data) == (b.data == NULL)); /* taken, or copied and left */
    CHECK(len < LARGE || !b.data);
    CHECK(len >= 1000 || b.data);
    fut_buf_deinit(&b);
    check_bytes(&p, len);
    fut_payload_deinit(&p);
}

static void buffers_are_copied_or_taken(void) {
    static const size_t lens[] = {0, 1, 32, 33, 999, 4095, 4096, LARGE, 100000};
    for (size_t i = 0; i < sizeof lens / sizeof *lens; i++) from_a_buffer(lens[i]);
}

static void a_buffer_survives_short_memory(void) {
    struct fut_object things[MANY], *refs[MANY];
    make_things(things, refs, MANY);
    for (size_t len = 100; len <= LARGE; len += LARGE - 100) {
        struct fut_buf b = {0};
        struct fut_payload p = {0};
        unsigned char *to = fut_buf_reserve(&b, len);
        CHECK(to);
        fill(to, len);
        b.len = len;
        fut_alloc_fail_after(1);
        CHECK(fut_payload_init_buf(&p, &b, refs, MANY) == FUT_ENOMEM);
        fut_alloc_fail_after(0);
        is_empty(&p);
        CHECK(b.len == len && b.data[len - 1] == sample(len - 1));
        for (int i = 0; i < MANY; i++) CHECK(count_of(&things[i]) == 2);
        fut_buf_deinit(&b);
    }
}

static const struct test_case cases[] = {
    {"bytes of every length", bytes_of_every_length},
    {"refs of every number", refs_of_every_number},
    {"the last count frees", the_last_count_frees},
    {"moves", moves},
    {"short memory leaves a payload empty", short_memory_leaves_it_empty},
    {"buffers are copied or taken", buffers_are_copied_or_taken},
    {"a buffer survives short memory", a_buffer_survives_short_memory},
};

TEST_MAIN(cases)
