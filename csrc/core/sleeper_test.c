/* SPDX-License-Identifier: MIT */
/* Cycles of waits, without a thread: each sleeper is told what its tasks wait for. */
#include "core/sleeper.h"

#include "base/alloc.h"
#include "base/test.h"

static void executor_free(struct fut_object *o) {
    (void)o;
}

static const struct fut_object_type executor_type = {.name = "executor", .free = executor_free};
static struct fut_executor pools[2];

enum { MAX = 12 };

/* The pools are never freed: nobody drops the count of their making. */
static void open_pools(void) {
    for (int i = 0; i < 2; i++)
        if (!pools[i].object.type) {
            fut_object_init(&pools[i].object, &executor_type);
            pools[i].forks = fut_process_forks();
        }
}

/* A thread with one task of its own, which may wait for some futures; with sources, for such as
 * are local to it. */
struct actor {
    struct fut_sleeper sleeper;
    struct fut_sleeper_frame frame;
    struct fut_task *task;
    struct fut_waiting waiting;
    struct fut_future *wanted[MAX];
    size_t n;
    struct fut_future *sources[MAX];
    size_t nsources;
    bool asleep;
};

static struct fut_future *each(void *arg, void **at) {
    struct actor *a = arg;
    struct fut_future **next = *at ? (struct fut_future **)*at + 1 : a->wanted;
    *at = next;
    return next < a->wanted + a->n ? *next : NULL;
}

static struct fut_future *each_source(void *sources, void **at) {
    struct actor *a = sources;
    struct fut_future **next = *at ? (struct fut_future **)*at + 1 : a->sources;
    *at = next;
    return next < a->sources + a->nsources ? *next : NULL;
}

static struct fut_future *new_local(void) {
    struct fut_future *f = fut_future_new();
    CHECK(f);
    f->local = true;
    return f;
}

static struct fut_task *new_task(const char *name) {
    open_pools();
    struct fut_task_options *o = name ? fut_task_options_new(name, strlen(name)) : NULL;
    struct fut_task *t = fut_task_new(&pools[0], o);
    CHECK(t && fut_future_start(&t->future));
    if (o) fut_task_options_drop(o);
    return t;
}

static void actor_init(struct actor *a, const char *name) {
    *a = (struct actor){.sleeper = {.executor = &pools[0]}};
    a->task = new_task(name);
    a->waiting = (struct fut_waiting){
        .each = each, .arg = a, .each_source = each_source, .sources = a, .all = true};
    fut_sleeper_enter(&a->sleeper, &a->frame, a->task);
}

static void actor_wake(struct actor *a) {
    if (a->asleep) fut_sleeper_end(&a->sleeper);
    a->asleep = false;
}

static void actor_deinit(struct actor *a) {
    actor_wake(a);
    fut_sleeper_leave(&a->sleeper);
    CHECK(!a->sleeper.top && !a->task->slept);
    struct fut_outcome none = {.kind = FUT_OUTCOME_VALUES};
    fut_future_settle(&a->task->future, &none);
    fut_task_drop(a->task);
}

/* The text of the cycle, or NULL: it sleeps. */
static char *waits(struct actor *a) {
    char *why = NULL;
    a->asleep = fut_sleeper_begin(&a->sleeper, &a->waiting, &why);
    CHECK(a->asleep == !why);
    return why;
}

static char *waits_for(struct actor *a, struct actor *b) {
    a->wanted[0] = &b->task->future;
    a->n = 1;
    return waits(a);
}

static void check_text(char *text, const char *wanted) {
    if (!text || strcmp(text, wanted) != 0) printf("got: %s\n", text ? text : "(none)");
    CHECK(text && strcmp(text, wanted) == 0);
    fut_free(text);
}

static void rings_of_any_length(void) {
    struct actor a[3];
    const char *names[] = {"a", "b", "c"};
    for (int i = 0; i < 3; i++) actor_init(&a[i], names[i]);
    check_text(waits_for(&a[0], &a[0]), "the wait can never end: task 'a' waits for itself");
    CHECK(!waits_for(&a[0], &a[1]));
    check_text(waits_for(&a[1], &a[0]), "the wait can never end: task 'b' waits for task 'a', "
                                        "which waits for task 'b'");
    CHECK(!waits_for(&a[1], &a[2]));
    check_text(waits_for(&a[2], &a[0]), "the wait can never end: task 'c' waits for task 'a', "
                                        "which waits for task 'b', which waits for task 'c'");
    /* Who is awake may go on. */
    actor_wake(&a[0]);
    CHECK(!waits_for(&a[2], &a[0]));
    for (int i = 0; i < 3; i++) actor_deinit(&a[i]);
}

static void a_long_chain_is_cut(void) {
    enum { N = 300 };
    struct actor *a = calloc(N, sizeof *a);
    CHECK(a);
    for (int i = 0; i < N; i++) actor_init(&a[i], "a name that is so long that it is cut, too");
    for (int i = 0; i < N - 1; i++) CHECK(!waits_for(&a[i], &a[i + 1]));
    char *text = waits_for(&a[N - 1], &a[0]);
    CHECK(text && strlen(text) < 500 && strstr(text, "task 'a name that is so long"));
    fut_free(text);
    for (int i = 0; i < N; i++) actor_deinit(&a[i]);
    free(a);
}

static void a_task_waits_for_those_on_top_of_it(void) {
    struct actor a, b;
    struct fut_sleeper_frame frame;
    actor_init(&a, "below");
    actor_init(&b, "b");
    struct fut_task *top = new_task("top");
    fut_sleeper_enter(&a.sleeper, &frame, top);
    check_text(waits_for(&a, &a), "the wait can never end: task 'top' waits for task 'below', "
                                  "which waits for task 'top'");
    CHECK(!waits_for(&a, &b));
    check_text(waits_for(&b, &a), "the wait can never end: task 'b' waits for task 'below', "
                                  "which waits for task 'top', which waits for task 'b'");
    actor_wake(&a);
    fut_sleeper_leave(&a.sleeper);
    CHECK(!top->slept && a.task->slept);
    fut_future_cancel(&top->future);
    fut_task_drop(top);
    CHECK(!waits_for(&b, &a));
    actor_deinit(&b);
    actor_deinit(&a);
}

static void what_may_end_is_no_cycle(void) {
    struct actor a, b;
    struct fut_future *bare = fut_future_new();
    CHECK(bare);
    actor_init(&a, "a");
    actor_init(&b, "b");
    a.wanted[0] = &b.task->future;
    a.wanted[1] = bare;
    a.n = 2;
    a.waiting.all = false;
    CHECK(!waits(&a));
    CHECK(!waits_for(&b, &a)); /* the bare one may come */
    actor_wake(&a);
    actor_wake(&b);
    a.waiting.all = true;
    CHECK(!waits(&a));
    char *text = waits_for(&b, &a);
    CHECK(text);
    fut_free(text);
    actor_wake(&a);
    a.n = 2;
    a.wanted[1] = &b.task->future;
    a.waiting.all = false;
    CHECK(!waits(&a));
    text = waits_for(&b, &a); /* the first of two that never come */
    CHECK(text);
    fut_free(text);
    /* Done, but a has not woken yet. */
    struct fut_task *t = b.task;
    fut_future_hold(&t->future);
    struct fut_outcome none = {.kind = FUT_OUTCOME_VALUES};
    fut_future_settle(&t->future, &none);
    CHECK(!waits_for(&b, &a));
    fut_task_drop(t);
    actor_deinit(&b);
    actor_deinit(&a);
    fut_future_drop(bare);
}

static void what_is_local_comes_from_its_sources(void) {
    struct actor a, b;
    struct fut_future *local = new_local(), *bare = fut_future_new();
    CHECK(bare);
    actor_init(&a, "a");
    actor_init(&b, "b");
    a.wanted[0] = local;
    a.n = 1;
    CHECK(!waits(&a)); /* without a source: who knows */
    CHECK(!waits_for(&b, &a));
    actor_wake(&a);
    a.sources[0] = &b.task->future;
    a.nsources = 1;
    check_text(waits(&a), "the wait can never end: task 'a' waits for task 'b', which waits "
                          "for task 'a'");
    a.waiting.each_source = NULL; /* not known so far */
    CHECK(!waits(&a));
    actor_wake(&a);
    a.waiting.each_source = each_source;
    a.sources[1] = bare; /* which may come */
    a.nsources = 2;
    CHECK(!waits(&a));
    actor_wake(&a);
    a.sources[1] = &a.task->future; /* which itself waits for the local one */
    char *text = waits(&a);
    CHECK(text);
    fut_free(text);
    a.wanted[1] = bare;
    a.n = 2;
    a.waiting.all = false;
    CHECK(!waits(&a));
    actor_wake(&a);
    fut_future_cancel(local); /* done: a goes on */
    a.waiting.all = true;
    a.n = 1;
    CHECK(!waits(&a));
    actor_deinit(&b);
    actor_deinit(&a);
    fut_future_drop(local);
    fut_future_drop(bare);
}

static void the_end_of_an_executor(void) {
    struct actor a, b;
    actor_init(&a, "a");
    actor_init(&b, "b");
    b.sleeper.executor = &pools[1];
    a.waiting.executor = &pools[1];
    a.n = 0;
    CHECK(!waits(&a)); /* it is not asleep */
    check_text(waits_for(&b, &a),
               "the wait can never end: task 'b' waits for task 'a', which waits for the end "
               "of an executor that runs task 'b'");
    actor_deinit(&b);
    actor_deinit(&a);
}

static void short_memory_is_no_obstacle(void) {
    struct actor a;
    actor_init(&a, NULL);
    fut_alloc_fail_after(1);
    char *why = NULL;
    a.wanted[0] = &a.task->future;
    a.n = 1;
    CHECK(!fut_sleeper_begin(&a.sleeper, &a.waiting, &why) && !why);
    fut_alloc_fail_after(0);
    actor_deinit(&a);
}

/* ---- against a model ---- */

static bool is_stuck(const struct actor *actors, size_t n, const bool *stuck,
                     const struct fut_future *f) {
    for (size_t j = 0; j < n; j++)
        if (f == &actors[j].task->future) return stuck[j];
    return false;
}

static bool is_local_stuck(const struct actor *a, const struct actor *actors, size_t n,
                           const bool *stuck) {
    for (size_t k = 0; k < a->nsources; k++)
        if (!is_stuck(actors, n, stuck, a->sources[k])) return false;
    return a->nsources > 0;
}

/* Who can end, said without any search: all that sleep are stuck until there is a reason. */
static void model(const struct actor *actors, size_t n, bool *stuck) {
    for (size_t i = 0; i < n; i++) stuck[i] = actors[i].asleep;
    for (bool changed = true; changed;) {
        changed = false;
        for (size_t i = 0; i < n; i++) {
            if (!stuck[i]) continue;
            size_t members = actors[i].n, never = 0;
            for (size_t k = 0; k < members; k++)
                never += actors[i].wanted[k]->local
                             ? is_local_stuck(&actors[i], actors, n, stuck)
                             : is_stuck(actors, n, stuck, actors[i].wanted[k]);
            bool ends = actors[i].waiting.all ? never == 0 : never < members;
            if (ends) stuck[i] = false, changed = true;
        }
    }
}

static void random_graphs_agree_with_a_model(void) {
    unsigned cycles = 0;
    struct fut_future *local = new_local(); /* which one does not matter */
    srand(7);
    for (int round = 0; round < test_rounds(20000); round++) {
        struct actor a[MAX];
        size_t n = 2 + (size_t)rand() % (MAX - 2);
        for (size_t i = 0; i < n; i++) actor_init(&a[i], NULL);
        for (size_t i = 0; i < n; i++) {
            a[i].n = 1 + (size_t)rand() % 3;
            a[i].waiting.all = rand() % 2;
            a[i].nsources = (size_t)rand() % 3;
            for (size_t k = 0; k < a[i].n; k++)
                a[i].wanted[k] = rand() % 4 ? &a[(size_t)rand() % n].task->future : local;
            for (size_t k = 0; k < a[i].nsources; k++)
                a[i].sources[k] = &a[(size_t)rand() % n].task->future;
            bool stuck[MAX];
            a[i].asleep = true;
            model(a, n, stuck);
            char *why = waits(&a[i]);
            CHECK((why != NULL) == stuck[i]);
            cycles += why != NULL;
            fut_free(why);
        }
        for (size_t i = 0; i < n; i++) actor_deinit(&a[i]);
    }
    CHECK(cycles > 1000);
    fut_future_drop(local);
}

static const struct test_case cases[] = {
    {"rings of any length", rings_of_any_length},
    {"a long chain is cut", a_long_chain_is_cut},
    {"a task waits for those on top of it", a_task_waits_for_those_on_top_of_it},
    {"what may end is no cycle", what_may_end_is_no_cycle},
    {"what is local comes from its sources", what_is_local_comes_from_its_sources},
    {"the end of an executor", the_end_of_an_executor},
    {"short memory is no obstacle", short_memory_is_no_obstacle},
    {"random graphs agree with a model", random_graphs_agree_with_a_model},
};

TEST_MAIN(cases)
