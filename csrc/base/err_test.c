/* SPDX-License-Identifier: MIT */
#include "base/err.h"

#include "base/test.h"

static void each_has_a_text_of_its_own(void) {
    for (int a = FUT_OK; a <= FUT_EFORKED; a++) {
        const char *text = fut_err_text((enum fut_err)a);
        CHECK(text && *text && strcmp(text, "unknown error") != 0);
        for (int b = FUT_OK; b < a; b++)
            CHECK(strcmp(text, fut_err_text((enum fut_err)b)) != 0);
    }
}

static void no_number_without_a_text(void) {
    CHECK(strcmp(fut_err_text((enum fut_err)(FUT_EFORKED + 1)), "unknown error") == 0);
}

static void an_assertion_that_holds(void) {
    int evaluated = 0;
    FUT_ASSERT(++evaluated == 1);
    CHECK(evaluated == 1);
}

static const struct test_case cases[] = {
    {"each error has a text of its own", each_has_a_text_of_its_own},
    {"no number without a text", no_number_without_a_text},
    {"an assertion evaluates its condition once", an_assertion_that_holds},
};

TEST_MAIN(cases)
