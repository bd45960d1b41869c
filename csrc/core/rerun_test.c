/* SPDX-License-Identifier: MIT */
/* Tasks between two runs, with an executor that does nothing. */
#include "core/rerun.h"

#include "base/alloc.h"
#include "base/test.h"
#include "core/executor.h"
#include "core/waiter.h"

static void nothing_free(struct fut_object *o) {
    (void)o;
}
static const struct fut_object_type nothing_type = {.name = "executor", .free = nothing_free};
static struct fut_lock lock = FUT_LOCK_INIT; /* the executor's */
static struct fut_executor nothing = {.object = {&nothing_type, {1}}};

/* One who watches and answers. */
struct owner {
    struct fut_parker parker;
    struct fut_waiter inbox, askers;
    struct fut_watch watch;
};

static void owner_init(struct owner *o) {
    fut_parker_init(&o->parker);
    fut_waiter_init(&o->inbox, &o->parker);
    fut_waiter_init(&o->askers, &o->parker);
    fut_waiter_want(&o->askers, SIZE_MAX);
    fut_waiter_take_questions(&o->askers, &o->inbox);
    fut_watch_init(&o->watch);
}

static void owner_deinit(struct owner *o) {
    fut_watch_stop(&o->watch);
    fut_waiter_deinit(&o->inbox);
    fut_waiter_deinit(&o->askers);
}

static struct fut_task *failed_task(unsigned max, bool asks, double backoff_s) {
    struct fut_task_options *o = fut_task_options_new(NULL, 0);
    CHECK(o);
    o->rerun = (struct fut_rerun_rule){
        .max = max,
        .asks = asks,
        .backoff = {.first_s = backoff_s, .factor = 2, .max_s = 1e12},
    };
    struct fut_task *t = fut_task_new(&nothing, o);
    CHECK(t);
    fut_task_options_drop(o);
    CHECK(fut_future_start(&t->future));
    fut_task_count_attempt(t);
    return t;
}

static struct fut_outcome failure(enum fut_err err) {
    struct fut_outcome o = {0};
    fut_outcome_fail(&o, err, "why");
    return o;
}

/* A settled future is dropped with its outcome. */
static void finish(struct fut_task *t) {
    struct fut_outcome o = {.kind = FUT_OUTCOME_VALUES};
    CHECK(fut_future_settle(&t->future, &o));
    fut_task_drop(t);
}

static void only_what_may_is_taken(void) {
    struct fut_reruns r = {0};
    struct fut_outcome lost = failure(FUT_ELOST), other = failure(FUT_ENOMEM);
    struct fut_outcome fine = {.kind = FUT_OUTCOME_VALUES};
    struct fut_task *t = failed_task(0, true, 0);
    CHECK(!fut_rerun_may(t) && !fut_reruns_take(&r, t, &lost));
    finish(t);
    t = failed_task(1, true, 0);
    CHECK(fut_rerun_may(t) && !fut_reruns_take(&r, t, &fine));
    CHECK(!fut_reruns_take(&r, t, &other)); /* nobody is there to be asked */
    CHECK(fut_future_state(&t->future) == FUT_RUNNING && other.kind == FUT_OUTCOME_FAILURE);
    fut_task_count_attempt(t);
    CHECK(!fut_rerun_may(t) && !fut_reruns_take(&r, t, &lost)); /* used up */
    finish(t);
    t = failed_task(1, false, 0);
    CHECK(!fut_reruns_take(&r, t, &other));
    CHECK(r.length == 0 && r.count == 0 && fut_reruns_due(&r) == FUT_NEVER);
    finish(t);
    fut_outcome_deinit(&lost);
    fut_outcome_deinit(&other);
}

static void lost_ones_rest(void) {
    struct fut_reruns r = {0};
    static const double pauses_s[] = {50, 0, 100};
    struct fut_task *t[3];
    fut_time from = fut_now();
    for (int i = 0; i < 3; i++) {
        struct fut_outcome lost = failure(FUT_ELOST);
        t[i] = failed_task(1, false, pauses_s[i]);
        CHECK(fut_reruns_take(&r, t[i], &lost));
        CHECK(fut_future_state(&t[i]->future) == FUT_PENDING && t[i]->pause);
        fut_outcome_deinit(&lost);
    }
    fut_time now = fut_now();
    CHECK(r.length == 3 && fut_reruns_due(&r) <= now);
    CHECK(fut_reruns_pop_due(&r, now) == t[1] && !t[1]->pause);
    CHECK(!fut_reruns_pop_due(&r, now));
    fut_time due = fut_reruns_due(&r);
    CHECK(due >= from + 50 * FUT_SECOND && due <= now + 50 * FUT_SECOND);
    CHECK(fut_reruns_pop_due(&r, due) == t[0] && r.count == 2);
    struct fut_outcome none = {0};
    fut_reruns_remove(&r, t[2], &none);
    CHECK(none.kind == FUT_OUTCOME_NONE && r.length == 0 && !fut_reruns_pop(&r, &none));
    for (int i = 0; i < 3; i++) finish(t[i]);
}

static void a_pause_forgets_a_timeout(void) {
    struct fut_reruns r = {0};
    struct owner owner;
    struct fut_outcome o = failure(FUT_ETIMEDOUT);
    owner_init(&owner);
    struct fut_task *t = failed_task(2, true, 0);
    fut_watch_start(&owner.watch, &owner.askers, &t->future);
    CHECK(fut_future_ask(&t->future, FUT_ASKED_TIMEOUT));
    CHECK(fut_reruns_take(&r, t, &o));
    CHECK(!fut_future_asked(&t->future) && fut_reruns_question(&lock, t, &o));
    CHECK(fut_reruns_answer(&r, t, true));
    fut_outcome_deinit(&o);
    CHECK(fut_reruns_pop_due(&r, fut_now()) == t && fut_future_start(&t->future));
    finish(t);
    owner_deinit(&owner);
}

static void a_question_is_answered(void) {
    struct fut_reruns r = {0};
    struct owner owner;
    owner_init(&owner);
    for (int again = 0; again <= 1; again++) {
        struct fut_outcome o = failure(FUT_ENOMEM), last = {0};
        struct fut_task *t = failed_task(1, true, 0);
        fut_watch_start(&owner.watch, &owner.askers, &t->future);
        CHECK(fut_reruns_take(&r, t, &o) && o.kind == FUT_OUTCOME_NONE);
        CHECK(r.length == 1 && fut_reruns_due(&r) == FUT_NEVER);
        CHECK(fut_waiter_first(&owner.inbox) == &owner.watch);
        fut_watch_stop(&owner.watch);
        CHECK(fut_reruns_question(&lock, t, &last) && last.err == FUT_ENOMEM);
        CHECK(fut_reruns_answer(&r, t, again));
        CHECK((r.length == 1) == again && !fut_reruns_answer(&r, t, again));
        struct fut_outcome none = {0};
        CHECK(!fut_reruns_question(&lock, t, &none));
        CHECK((fut_reruns_pop_due(&r, fut_now()) == t) == again);
        fut_outcome_deinit(&last);
        finish(t);
    }
    owner_deinit(&owner);
}

static void what_is_removed_gives_its_outcome(void) {
    struct fut_reruns r = {0};
    struct owner owners[3];
    struct fut_task *t[3];
    for (int i = 0; i < 3; i++) {
        struct fut_outcome o = failure(FUT_ENOMEM);
        owner_init(&owners[i]);
        t[i] = failed_task(1, true, 0);
        fut_watch_start(&owners[i].watch, &owners[i].askers, &t[i]->future);
        CHECK(fut_reruns_take(&r, t[i], &o));
    }
    struct fut_outcome o = {0}, taken = {0};
    fut_reruns_remove(&r, t[1], &o); /* in the middle of the list */
    CHECK(o.kind == FUT_OUTCOME_FAILURE && r.length == 2);
    fut_outcome_deinit(&o);
    CHECK(fut_reruns_question(&lock, t[0], &taken));
    for (struct fut_task *one; (one = fut_reruns_pop(&r, &o));) {
        CHECK((o.kind == FUT_OUTCOME_NONE) == (one == t[0]));
        fut_outcome_deinit(&o);
    }
    CHECK(r.length == 0 && !r.asked && !fut_reruns_answer(&r, t[0], true));
    fut_outcome_deinit(&taken);
    for (int i = 0; i < 3; i++) {
        finish(t[i]);
        owner_deinit(&owners[i]);
    }
}

static const struct test_case cases[] = {
    {"only what may is taken", only_what_may_is_taken},
    {"lost ones rest", lost_ones_rest},
    {"a pause forgets a timeout", a_pause_forgets_a_timeout},
    {"a question is answered", a_question_is_answered},
    {"what is removed gives its outcome", what_is_removed_gives_its_outcome},
};

TEST_MAIN(cases)
