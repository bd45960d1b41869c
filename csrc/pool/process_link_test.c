/* SPDX-License-Identifier: MIT */
/* Both ends of a link in one process: what is given arrives, what is answered is read, however
 * it is cut, and nonsense is seen as such. */
#include "pool/process_link.h"

#include <sys/mman.h>

#include "base/alloc.h"
#include "base/test.h"
#include "core/executor.h"
#include "pool/process_pipe.h"

struct ends {
    struct fut_process_shared shared;
    struct fut_process_link link;
    struct fut_process_pipe pipe;
    struct fut_executor ex;
};

static void executor_free(struct fut_object *o) {
    (void)o; /* part of struct ends */
}

static const struct fut_object_type executor_type = {.name = "executor", .free = executor_free};

static void open_ends(struct ends *e) {
    memset(e, 0, sizeof *e);
    CHECK(fut_process_shared_open(&e->shared, 2) == FUT_OK);
    fut_object_init(&e->ex.object, &executor_type);
    e->link.slot = fut_process_slot(&e->shared, 1);
    e->link.record = fut_process_record(&e->shared, 1);
    fut_link_open(&e->link);
    struct fut_zygote_birth birth = {&e->shared, 1, 1, getppid()};
    fut_process_pipe_open(&e->pipe, &birth);
}

static void close_ends(struct ends *e) {
    while (e->link.load > 0) fut_task_drop(fut_link_pop(&e->link));
    fut_link_close(&e->link);
    fut_link_deinit(&e->link);
    fut_process_shared_close(&e->shared);
}

static struct fut_task *new_task(struct ends *e, size_t len) {
    struct fut_task *t = fut_task_new(&e->ex, NULL);
    unsigned char *bytes = malloc(len + 1);
    CHECK(t && bytes);
    for (size_t i = 0; i < len; i++) bytes[i] = (unsigned char)(i * 7 + len);
    CHECK(fut_payload_init(&t->call, bytes, len, NULL, 0) == FUT_OK);
    free(bytes);
    return t;
}

/* Reads a TASK frame and its body on the worker's side, pumping while it is not all there. */
static void expect_task(struct ends *e, uint64_t seq, size_t len) {
    struct fut_frame_head head;
    fut_process_pipe_read(&e->pipe, FUT_TX, &head, sizeof head);
    CHECK(head.type == FUT_FRAME_TASK && head.seq == seq && head.body == len);
    enum fut_ring_of which = len > FUT_BODY_INLINE ? FUT_TX_BODIES : FUT_TX;
    unsigned char part[4096];
    for (size_t at = 0; at < len;) {
        size_t n = len - at < sizeof part ? len - at : sizeof part;
        if (fut_ring_readable(&e->pipe.rings[which]) < n) CHECK(fut_link_pump(&e->link));
        fut_process_pipe_read(&e->pipe, which, part, n);
        for (size_t i = 0; i < n; i++) CHECK(part[i] == (unsigned char)((at + i) * 7 + len));
        at += n;
    }
}

static void tasks_of_all_sizes_arrive(void) {
    static const size_t sizes[] = {0,     1,       31,      4096,    16384,
                                   16385, 1 << 18, 1 << 22, 5 << 20, (4 << 20) + 1};
    struct ends e;
    open_ends(&e);
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            uint64_t seq = e.link.next;
            CHECK(fut_link_can_take(&e.link));
            CHECK(fut_link_give(&e.link, new_task(&e, sizes[i])) == FUT_OK);
            CHECK(fut_link_pump(&e.link));
            expect_task(&e, seq, sizes[i]);
            CHECK(e.link.out.len == 0 && !e.link.writing && e.link.load == 1);
            fut_task_drop(fut_link_pop(&e.link));
        }
    }
    close_ends(&e);
}

static void a_window_is_bounded(void) {
    struct ends e;
    open_ends(&e);
    for (int i = 0; i < FUT_WINDOW; i++) {
        CHECK(fut_link_can_take(&e.link));
        CHECK(fut_link_give(&e.link, new_task(&e, 8)) == FUT_OK);
    }
    CHECK(!fut_link_can_take(&e.link) && e.link.load == FUT_WINDOW);
    close_ends(&e);
}

static void one_of_the_two_gets_a_task(void) {
    struct ends e;
    open_ends(&e);
    for (int i = 0; i < 6; i++) CHECK(fut_link_give(&e.link, new_task(&e, 8)) == FUT_OK);
    uint64_t first = e.link.first;
    CHECK(fut_claim_take(e.link.slot, first, FUT_CLAIM_STARTED));
    CHECK(!fut_link_withdraw(&e.link, first));
    for (uint64_t seq = first + 1; seq < first + 6; seq += 2) {
        struct fut_task *t = fut_link_withdraw(&e.link, seq);
        CHECK(t && !fut_claim_take(e.link.slot, seq, FUT_CLAIM_STARTED));
        CHECK(!fut_link_withdraw(&e.link, seq));
        fut_task_drop(t);
    }
    CHECK(e.link.load == 3 && e.link.first == first);
    fut_task_drop(fut_link_pop(&e.link));
    CHECK(e.link.first == first + 2 && e.link.load == 2); /* what was withdrawn is passed */
    CHECK(!fut_link_withdraw(&e.link, first + 99));
    close_ends(&e);
}

static void a_withdrawn_body_is_written_to_its_end(void) {
    enum { LARGE = 6 << 20 };
    struct ends e;
    open_ends(&e);
    CHECK(fut_link_give(&e.link, new_task(&e, LARGE)) == FUT_OK);
    CHECK(fut_link_pump(&e.link) && e.link.writing);
    struct fut_task *t = fut_link_withdraw(&e.link, e.link.first);
    CHECK(t && e.link.load == 0 && !fut_link_can_take(&e.link));
    fut_task_drop(t);
    expect_task(&e, e.link.next - 1, LARGE);
    CHECK(!e.link.writing && fut_link_can_take(&e.link));
    close_ends(&e);
}

/* ---- answers ---- */

static size_t frame(unsigned char *to, uint64_t text, uint64_t body) {
    struct fut_frame_head head = {
        .type = FUT_FRAME_RESULT, .what = FUT_OUTCOME_ERROR, .text = text, .body = body};
    memcpy(to, &head, sizeof head);
    for (size_t i = 0; i < text + body; i++) to[sizeof head + i] = (unsigned char)i;
    return sizeof head + (size_t)(text + body);
}

static void an_answer_may_be_cut_at_each_byte(void) {
    unsigned char bytes[256];
    size_t n = frame(bytes, 20, 30);
    for (size_t cut = 0; cut <= n; cut++) {
        struct ends e;
        bool ready;
        open_ends(&e);
        fut_process_pipe_write(&e.pipe, FUT_RX, bytes, cut);
        CHECK(fut_link_receive(&e.link, &ready) == FUT_OK && ready == (cut == n));
        CHECK(fut_link_receive(&e.link, &ready) == FUT_OK && ready == (cut == n));
        fut_process_pipe_write(&e.pipe, FUT_RX, bytes + cut, n - cut);
        CHECK(fut_link_receive(&e.link, &ready) == FUT_OK && ready);
        CHECK(e.link.in.len == 50 && memcmp(e.link.in.data, bytes + n - 50, 50) == 0);
        fut_link_next(&e.link);
        CHECK(fut_link_receive(&e.link, &ready) == FUT_OK && !ready);
        close_ends(&e);
    }
}

static void a_large_body_may_be_cut(void) {
    enum { LARGE = 100000 };
    static const size_t cuts[] = {0, 1, 999, LARGE / 2, LARGE - 1, LARGE};
    static unsigned char bytes[sizeof(struct fut_frame_head) + LARGE];
    for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
        struct ends e;
        bool ready;
        frame(bytes, 0, LARGE);
        const unsigned char *body = bytes + sizeof(struct fut_frame_head);
        open_ends(&e);
        fut_process_pipe_write(&e.pipe, FUT_RX_BODIES, body, cuts[i]);
        CHECK(fut_link_receive(&e.link, &ready) == FUT_OK && !ready);
        fut_process_pipe_write(&e.pipe, FUT_RX, bytes, sizeof(struct fut_frame_head));
        CHECK(fut_link_receive(&e.link, &ready) == FUT_OK && ready == (cuts[i] == LARGE));
        fut_process_pipe_write(&e.pipe, FUT_RX_BODIES, body + cuts[i], LARGE - cuts[i]);
        CHECK(fut_link_receive(&e.link, &ready) == FUT_OK && ready);
        CHECK(e.link.in.len == LARGE && memcmp(e.link.in.data, body, LARGE) == 0);
        close_ends(&e);
    }
}

/* Absurd lengths are refused, or cost no more memory than what has come. */
static void absurd_lengths(void) {
    static const uint64_t lengths[] = {UINT64_MAX, UINT64_MAX - 5, (uint64_t)1 << 62,
                                       ((uint64_t)1 << 40) + 1};
    unsigned char bytes[256];
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        for (int text = 0; text < 2; text++) {
            struct ends e;
            bool ready;
            struct fut_frame_head head = {.type = FUT_FRAME_RESULT};
            *(text ? &head.text : &head.body) = lengths[i];
            open_ends(&e);
            fut_process_pipe_write(&e.pipe, FUT_RX, &head, sizeof head);
            CHECK(fut_link_receive(&e.link, &ready) == FUT_ECORRUPT && !ready);
            close_ends(&e);
        }
    }
    struct ends e;
    bool ready;
    struct fut_frame_head head = {.type = FUT_FRAME_RESULT, .text = (uint64_t)1 << 39};
    open_ends(&e);
    fut_process_pipe_write(&e.pipe, FUT_RX, &head, sizeof head);
    memset(bytes, 1, sizeof bytes);
    fut_process_pipe_write(&e.pipe, FUT_RX, bytes, sizeof bytes);
    CHECK(fut_link_receive(&e.link, &ready) == FUT_OK && !ready);
    CHECK(e.link.in.len == sizeof bytes && e.link.in.cap < 1 << 20);
    close_ends(&e);
}

static void counts_that_make_no_sense(void) {
    struct ends e;
    bool ready;
    size_t size;
    open_ends(&e);
    struct fut_ring *rx = fut_process_ring(e.link.slot, FUT_RX, &size);
    atomic_store(&rx->written, size + 1);
    CHECK(fut_link_receive(&e.link, &ready) == FUT_ECORRUPT);
    close_ends(&e);
    open_ends(&e);
    struct fut_ring *tx = fut_process_ring(e.link.slot, FUT_TX, &size);
    atomic_store(&tx->taken, 12345);
    CHECK(fut_link_give(&e.link, new_task(&e, 8)) == FUT_OK);
    CHECK(!fut_link_pump(&e.link));
    close_ends(&e);
}

/* ---- who waits for room is told ---- */

static void *write_much(void *arg) {
    struct ends *e = arg;
    static unsigned char bytes[1 << 20];
    for (int i = 0; i < 16; i++) {
        struct fut_frame_head head = {.type = FUT_FRAME_RESULT, .body = sizeof bytes};
        memset(bytes, i, sizeof bytes);
        fut_process_pipe_write(&e->pipe, FUT_RX, &head, sizeof head);
        fut_process_pipe_write(&e->pipe, FUT_RX_BODIES, bytes, sizeof bytes);
        fut_process_pipe_ring(&e->pipe);
    }
    return NULL;
}

static void a_full_ring_goes_on(void) {
    struct ends e;
    open_ends(&e);
    pthread_t thread = test_start(write_much, &e);
    for (int i = 0; i < 16;) {
        unsigned seen = fut_bell_count(fut_process_doorbell(&e.shared));
        bool ready;
        CHECK(fut_link_receive(&e.link, &ready) == FUT_OK);
        if (!ready) {
            fut_bell_wait(fut_process_doorbell(&e.shared), seen, FUT_NEVER);
            continue;
        }
        CHECK(e.link.in.len == 1 << 20 && e.link.in.data[77] == i);
        fut_link_next(&e.link);
        i++;
    }
    test_join(thread);
    close_ends(&e);
}

static void the_rest_is_out_of_reach(void) {
    struct fut_process_shared s;
    CHECK(fut_process_shared_open(&s, 3) == FUT_OK);
    fut_process_slot(&s, 1)->claims[0] = 7;
    fut_process_shared_narrow(&s, 1);
    CHECK(fut_process_slot(&s, 1)->claims[0] == 7);
    fut_bell_ring(fut_process_doorbell(&s));
    unsigned char there;
    CHECK(mincore(fut_process_slot(&s, 0), 1, &there) != 0);
    CHECK(mincore(fut_process_slot(&s, 2), 1, &there) != 0);
    CHECK(mincore((void *)((uintptr_t)fut_process_record(&s, 0) & ~(uintptr_t)4095), 1,
                  &there) != 0);
    fut_process_shared_close(&s);
    CHECK(fut_process_shared_open(&s, 1 << 15) == FUT_OK);
    fut_process_shared_close(&s);
}

static const struct test_case cases[] = {
    {"tasks of all sizes arrive", tasks_of_all_sizes_arrive},
    {"a window is bounded", a_window_is_bounded},
    {"one of the two gets a task", one_of_the_two_gets_a_task},
    {"a withdrawn body is written to its end", a_withdrawn_body_is_written_to_its_end},
    {"an answer may be cut at each byte", an_answer_may_be_cut_at_each_byte},
    {"a large body may be cut", a_large_body_may_be_cut},
    {"absurd lengths", absurd_lengths},
    {"counts that make no sense", counts_that_make_no_sense},
    {"a full ring goes on", a_full_ring_goes_on},
    {"a worker cannot reach what is not its own", the_rest_is_out_of_reach},
};

TEST_MAIN(cases)
