/* SPDX-License-Identifier: MIT */
#include "core/outcome.h"

#include "base/test.h"

static struct fut_outcome values(const char *bytes) {
    struct fut_outcome o = {.kind = FUT_OUTCOME_VALUES};
    CHECK(fut_payload_init(&o.payload, bytes, strlen(bytes), NULL, 0) == FUT_OK);
    return o;
}

static void zeroed_is_none(void) {
    struct fut_outcome o = {0};
    CHECK(o.kind == FUT_OUTCOME_NONE && !fut_outcome_is_error(&o));
    fut_outcome_deinit(&o);
    fut_outcome_deinit(&o);
}

static void what_is_an_error(void) {
    static const struct {
        enum fut_outcome_kind kind;
        bool failed, error;
    } rows[] = {
        {FUT_OUTCOME_VALUES, false, false}, {FUT_OUTCOME_ERROR, false, true},
        {FUT_OUTCOME_FAILURE, false, true}, {FUT_OUTCOME_LOCAL, false, false},
        {FUT_OUTCOME_LOCAL, true, true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct fut_outcome o = {.kind = (unsigned char)rows[i].kind, .failed = rows[i].failed};
        CHECK(fut_outcome_is_error(&o) == rows[i].error);
    }
}

static void moving(void) {
    static const char *const texts[] = {"", "short", "longer than what lives inside a payload"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct fut_outcome from = values(texts[i]), to = {0};
        from.text = fut_strdup("more");
        fut_outcome_move(&to, &from);
        CHECK(from.kind == FUT_OUTCOME_NONE && !from.text && from.payload.len == 0);
        CHECK(to.kind == FUT_OUTCOME_VALUES && strcmp(to.text, "more") == 0);
        CHECK(to.payload.len == strlen(texts[i]));
        CHECK(memcmp(fut_payload_bytes(&to.payload), texts[i], to.payload.len) == 0);
        fut_outcome_deinit(&from);
        fut_outcome_deinit(&to);
        CHECK(to.kind == FUT_OUTCOME_NONE && !to.text);
    }
}

static void failures(void) {
    struct fut_outcome o = {0}, moved = {0};
    fut_outcome_fail(&o, FUT_ELOST, "why");
    CHECK(o.kind == FUT_OUTCOME_FAILURE && o.err == FUT_ELOST && strcmp(o.text, "why") == 0);
    fut_outcome_move(&moved, &o);
    CHECK(moved.err == FUT_ELOST && strcmp(moved.text, "why") == 0);
    fut_outcome_deinit(&moved);
    fut_outcome_fail(&o, FUT_ETRANSFER, NULL);
    CHECK(o.err == FUT_ETRANSFER && !o.text);
    fut_outcome_deinit(&o);
}

static void a_failure_stands_without_memory(void) {
    struct fut_outcome o = {0};
    fut_alloc_fail_after(1);
    fut_outcome_fail(&o, FUT_EBROKEN, "why");
    fut_alloc_fail_after(0);
    CHECK(o.kind == FUT_OUTCOME_FAILURE && o.err == FUT_EBROKEN && !o.text);
    fut_outcome_deinit(&o);
}

static const struct test_case cases[] = {
    {"zeroed is none", zeroed_is_none},
    {"what is an error", what_is_an_error},
    {"moving", moving},
    {"failures", failures},
    {"a failure stands without memory", a_failure_stands_without_memory},
};

TEST_MAIN(cases)
