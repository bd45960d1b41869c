/* SPDX-License-Identifier: MIT */
/* The process pool with workers in plain C: who runs, who dies, what they may say. */
#include <errno.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "base/thread.h"
#include "pool/process_inside.h"
#include "pool/test_pool.h"

/* ---- what all processes of a test see ---- */

struct seen {
    atomic_int opened, closed, runs, gate, value;
    atomic_int order[64];
    atomic_uintptr_t slot; /* where the worker that ran last has its slot */
};

static struct seen *seen;

static void new_seen(void) {
    if (seen) munmap(seen, sizeof *seen);
    seen = mmap(NULL, sizeof *seen, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(seen != MAP_FAILED);
}

static void await(atomic_int *word, int least) {
    while (atomic_load(word) < least) usleep(200);
}

/* ---- a worker in plain C ---- */

static enum { OPENS, FAILS, DIES } how_it_opens;

static enum fut_err worker_open(void *config, const struct fut_worker_info *info,
                                struct fut_worker **out, char **why) {
    (void)config;
    CHECK(strcmp(info->kind, "process") == 0 && info->id >= 1 && info->name);
    atomic_fetch_add(&seen->opened, 1);
    if (how_it_opens == DIES) _exit(9);
    if (how_it_opens == FAILS) {
        *why = fut_strdup("no such file");
        return FUT_EBROKEN;
    }
    struct fut_worker *w = malloc(sizeof *w);
    CHECK(w);
    w->thread = pthread_self();
    *out = w;
    return FUT_OK;
}

static void worker_run(struct fut_worker *w, const struct fut_payload *payload,
                       const atomic_uint *asked, struct fut_outcome *out) {
    struct test_call call;
    (void)asked; /* these tasks are ended by killing their process */
    CHECK(pthread_equal(w->thread, pthread_self()));
    CHECK(payload->len >= sizeof call);
    memcpy(&call, fut_payload_bytes(payload), sizeof call);
    atomic_fetch_add(&seen->runs, 1);
    out->kind = FUT_OUTCOME_VALUES;
    if (call.run) call.run(call.arg, out);
}

static void worker_close(struct fut_worker *w) {
    atomic_fetch_add(&seen->closed, 1);
    free(w);
}

static void config_free(void *config) {
    atomic_fetch_add((atomic_int *)config, 1);
}

static const struct fut_worker_type type = {
    .open = worker_open, .run = worker_run, .close = worker_close, .config_free = config_free};

static atomic_int freed;

static enum fut_err try_pool(int max_workers, unsigned max_tasks, struct fut_executor **ex) {
    struct fut_process_pool_options options = {
        .max_workers = max_workers,
        .max_tasks_per_child = max_tasks,
        .has_initializer = true,
        .name = "test",
        .worker = &type,
        .config = &freed,
    };
    return fut_process_pool_new(&options, ex);
}

static struct fut_executor *new_pool(int max_workers, unsigned max_tasks) {
    struct fut_executor *ex = NULL;
    new_seen();
    freed = 0;
    CHECK(try_pool(max_workers, max_tasks, &ex) == FUT_OK);
    return ex;
}

static bool has_children(void) {
    return waitpid(-1, NULL, WNOHANG) >= 0;
}

static void end_pool(struct fut_executor *ex) {
    ex->ops->close(ex, false);
    test_wait(ex->ops->stopped(ex));
    ex->ops->join(ex);
    CHECK(!has_children());
    struct fut_executor_stats s = test_stats(ex);
    CHECK(s.workers == 0 && s.pending == 0 && s.running == 0);
    fut_executor_drop(ex);
    CHECK(freed == 1);
}

/* ---- tasks ---- */

static void note_order(void *arg, struct fut_outcome *out) {
    (void)out;
    atomic_store(&seen->order[(intptr_t)arg], atomic_fetch_add(&seen->value, 1));
}

static void wait_at_gate(void *arg, struct fut_outcome *out) {
    (void)arg, (void)out;
    while (!atomic_load(&seen->gate)) usleep(200);
}

static void exit_with(void *arg, struct fut_outcome *out) {
    (void)out;
    _exit((int)(intptr_t)arg);
}

static void raise_signal(void *arg, struct fut_outcome *out) {
    (void)out;
    signal((int)(intptr_t)arg, SIG_DFL);
    raise((int)(intptr_t)arg);
}

static void is_lost(struct fut_task *t, bool signalled, int number) {
    test_wait(&t->future);
    const struct fut_outcome *o = &t->future.outcome;
    CHECK(o->kind == FUT_OUTCOME_FAILURE && o->err == FUT_ELOST && o->pid > 0);
    CHECK(signalled ? WIFSIGNALED(o->status) && WTERMSIG(o->status) == number
                    : WIFEXITED(o->status) && WEXITSTATUS(o->status) == number);
    CHECK(atomic_load(&t->attempts) == 1);
    fut_task_drop(t);
}

static void is_broken(struct fut_task *t, const char *why) {
    test_wait(&t->future);
    const struct fut_outcome *o = &t->future.outcome;
    CHECK(o->kind == FUT_OUTCOME_FAILURE && o->err == FUT_EBROKEN);
    CHECK(o->text && strstr(o->text, why));
    fut_task_drop(t);
}

/* ---- when all is well ---- */

static void tasks_run_in_order_in_one_process(void) {
    struct fut_executor *ex = new_pool(4, 0);
    CHECK(test_stats(ex).workers == 0);
    for (int i = 0; i < 64; i++) {
        test_wait_and_drop(test_submit(ex, note_order, (void *)(intptr_t)i));
        CHECK(atomic_load(&seen->order[i]) == i && test_stats(ex).workers == 1);
    }
    end_pool(ex);
    CHECK(atomic_load(&seen->opened) == 1 && atomic_load(&seen->closed) == 1);
}

static void as_many_processes_as_tasks_up_to_the_maximum(void) {
    struct fut_executor *ex = new_pool(3, 0);
    struct fut_task *tasks[10];
    for (int i = 0; i < 10; i++) {
        tasks[i] = test_submit(ex, wait_at_gate, NULL);
        CHECK(test_stats(ex).workers == (i < 3 ? (size_t)i + 1 : 3));
    }
    await(&seen->runs, 3);
    struct fut_executor_stats s = test_stats(ex);
    CHECK(s.running == 3 && s.idle == 0 && s.pending == 7 && s.submitted == 10);
    for (int i = 0; i < 10; i++) {
        fut_task_look(tasks[i]);
        CHECK(fut_future_state(&tasks[i]->future) == (i < 3 ? FUT_RUNNING : FUT_PENDING));
    }
    CHECK(!fut_task_cancel(tasks[0]) && fut_task_cancel(tasks[9]) && fut_task_cancel(tasks[5]));
    atomic_store(&seen->gate, 1);
    for (int i = 0; i < 10; i++) {
        test_wait(&tasks[i]->future);
        bool cancelled = i == 9 || i == 5;
        CHECK(fut_future_state(&tasks[i]->future) ==
              (cancelled ? FUT_CANCELLED : FUT_FINISHED));
        fut_task_drop(tasks[i]);
    }
    s = test_stats(ex);
    CHECK(s.completed == 8 && s.cancelled == 2 && s.wait.max > 0 && s.run.max > 0);
    end_pool(ex);
    CHECK(atomic_load(&seen->runs) == 8);
}

static void workers_are_replaced_after_so_many_tasks(void) {
    struct fut_executor *ex = new_pool(1, 5);
    struct fut_task *tasks[20];
    for (int i = 0; i < 20; i++) tasks[i] = test_submit(ex, NULL, NULL);
    for (int i = 0; i < 20; i++) test_wait_and_drop(tasks[i]);
    end_pool(ex);
    CHECK(atomic_load(&seen->opened) == 4 && atomic_load(&seen->closed) == 4);
}

static void many_tasks(void) {
    enum { N = 20000 };
    struct fut_executor *ex = new_pool(2, 0);
    int n = test_rounds(N);
    struct fut_task **tasks = calloc(N, sizeof *tasks);
    CHECK(tasks);
    for (int i = 0; i < n; i++) tasks[i] = test_submit(ex, NULL, NULL);
    for (int i = 0; i < n; i++) test_wait_and_drop(tasks[i]);
    free(tasks);
    CHECK(atomic_load(&seen->runs) == n);
    end_pool(ex);
}

static void a_pool_may_go_before_its_tasks(void) {
    struct fut_executor *ex = new_pool(1, 0);
    struct fut_task *t = test_submit(ex, NULL, NULL);
    ex->ops->close(ex, false);
    fut_executor_drop(ex);
    test_wait_and_drop(t);
    for (int i = 0; i < 5000 && freed == 0; i++) usleep(1000);
    CHECK(freed == 1);
}

/* ---- death ---- */

static void the_task_of_a_dead_worker_is_lost(void) {
    struct fut_executor *ex = new_pool(1, 0);
    struct fut_task *after = NULL;
    is_lost(test_submit(ex, exit_with, (void *)3), false, 3);
    is_lost(test_submit(ex, exit_with, NULL), false, 0);
    static const int signals[] = {SIGKILL, SIGSEGV, SIGABRT};
    for (int i = 0; i < 3; i++) {
        struct fut_task *t = test_submit(ex, raise_signal, (void *)(intptr_t)signals[i]);
        after = test_submit(ex, NULL, NULL);
        is_lost(t, true, signals[i]);
        test_wait_and_drop(after);
    }
    struct fut_executor_stats s = test_stats(ex);
    CHECK(s.lost == 5 && s.failed == 5 && s.completed == 3);
    end_pool(ex);
}

static void a_worker_that_does_not_open_breaks_the_pool(void) {
    how_it_opens = FAILS;
    struct fut_executor *ex = new_pool(1, 0);
    is_broken(test_submit(ex, NULL, NULL), "no such file");
    struct fut_task *t = test_task(ex, NULL, NULL);
    CHECK(ex->ops->submit(ex, &t, 1) == FUT_EBROKEN);
    fut_task_drop(t);
    end_pool(ex);
    CHECK(atomic_load(&seen->opened) == 1);
    how_it_opens = DIES;
    ex = new_pool(1, 0);
    is_broken(test_submit(ex, NULL, NULL), "exit code 9");
    end_pool(ex);
    CHECK(atomic_load(&seen->opened) > 1 && atomic_load(&seen->opened) < 10);
    how_it_opens = OPENS;
}

static void killed_pools(void) {
    static const int signals[] = {SIGTERM, SIGKILL};
    for (int i = 0; i < 2; i++) {
        struct fut_executor *ex = new_pool(2, 0);
        struct fut_task *a = test_submit(ex, wait_at_gate, NULL);
        struct fut_task *b = test_submit(ex, wait_at_gate, NULL);
        struct fut_task *c = test_submit(ex, NULL, NULL);
        await(&seen->runs, 2);
        ex->ops->kill(ex, signals[i]);
        CHECK(fut_future_state(&c->future) == FUT_CANCELLED);
        fut_task_drop(c);
        is_broken(a, "was ended by signal");
        is_broken(b, "was ended by signal");
        end_pool(ex);
        CHECK(atomic_load(&seen->opened) == 2);
    }
}

/* ---- when the system gives no process, thread or memory ---- */

static void forks_that_fail(void) {
    struct fut_executor *ex = NULL;
    new_seen();
    fut_zygote_fail_after(1);
    CHECK(try_pool(1, 0, &ex) == FUT_EFORK);
    fut_zygote_fail_after(2); /* the zygote's is good, all others fail */
    ex = new_pool(2, 0);
    fut_zygote_fail_after(0);
    struct fut_task *a = test_submit(ex, NULL, NULL), *b = test_submit(ex, NULL, NULL);
    is_broken(a, "no process could be forked: there are too many");
    is_broken(b, "no process could be forked: there are too many");
    end_pool(ex);
    fut_zygote_fail_after(3); /* one worker can be had, no second and no other in its place */
    ex = new_pool(4, 0);
    fut_zygote_fail_after(0);
    struct fut_task *tasks[8];
    for (int i = 0; i < 8; i++) tasks[i] = test_submit(ex, NULL, NULL);
    for (int i = 0; i < 8; i++) test_wait_and_drop(tasks[i]);
    is_lost(test_submit(ex, exit_with, (void *)1), false, 1);
    is_broken(test_submit(ex, NULL, NULL), "no process could be forked");
    end_pool(ex);
}

static void no_thread(void) {
    struct fut_executor *ex = NULL;
    new_seen();
    fut_thread_fail_after(1);
    CHECK(try_pool(1, 0, &ex) == FUT_ETHREAD);
    fut_thread_fail_after(0);
    CHECK(!has_children());
}

static void no_memory(void) {
    struct fut_executor *ex = NULL;
    for (int n = 1;; n++) {
        new_seen();
        freed = 0;
        fut_alloc_fail_after(n);
        enum fut_err err = try_pool(2, 0, &ex);
        fut_alloc_fail_after(0);
        if (err == FUT_OK) break;
        CHECK(err == FUT_ENOMEM && freed == 1 && !has_children());
    }
    end_pool(ex);
    for (int n = 1; n < 40; n++) { /* a task fails, or passes, and the pool goes on */
        ex = new_pool(1, 0);
        test_wait_and_drop(test_submit(ex, NULL, NULL));
        struct fut_task *t = test_task(ex, NULL, NULL);
        fut_alloc_fail_after(n);
        CHECK(ex->ops->submit(ex, &t, 1) == FUT_OK);
        test_wait(&t->future);
        fut_alloc_fail_after(0);
        fut_task_drop(t);
        test_wait_and_drop(test_submit(ex, NULL, NULL));
        end_pool(ex);
    }
}

/* ---- nonsense ---- */

/* The slot of the worker that calls this: the largest mapping that it shares. */
static struct fut_process_slot *my_slot(void) {
    char line[512];
    uintptr_t best = 0;
    size_t size = 0;
    FILE *maps = fopen("/proc/self/maps", "r");
    while (maps && fgets(line, sizeof line, maps)) {
        unsigned long from, to;
        char shared;
        if (sscanf(line, "%lx-%lx %*c%*c%*c%c", &from, &to, &shared) != 3) continue;
        if (shared == 's' && to - from > size) {
            best = from;
            size = to - from;
        }
    }
    if (maps) fclose(maps);
    return (struct fut_process_slot *)best; /* NOLINT: an address that the system printed */
}

enum nonsense { TYPE, KIND, NUMBER, LENGTH, COUNT, TWICE, GARBAGE, NONSENSES };

/* What a worker says in the middle of a task; then it goes on as if nothing were. */
static void talk_nonsense(void *arg, struct fut_outcome *out) {
    struct fut_process_slot *slot = my_slot();
    struct fut_ring_end rx;
    struct fut_frame_head head = {.type = FUT_FRAME_RESULT, .what = FUT_OUTCOME_VALUES};
    size_t done;
    (void)out;
    fut_process_ring_open(&rx, slot, FUT_RX);
    rx.at = atomic_load(&rx.shared->written);
    switch ((enum nonsense)(intptr_t)arg) {
    case TYPE:
        head.type = 12345;
        break;
    case KIND:
        head.what = 99;
        break;
    case NUMBER:
        head.seq = 4711;
        break;
    case LENGTH:
        head.body = UINT64_MAX / 2;
        break;
    case COUNT:
        atomic_store(&rx.shared->written, rx.at + FUT_RING_FRAMES + 1);
        break;
    case TWICE:
        fut_ring_write(&rx, &head, sizeof head, &done);
        head.seq = 1;
        break;
    default:
        memset(&head, 0xa5, sizeof head);
        break;
    }
    if ((enum nonsense)(intptr_t)arg != COUNT) fut_ring_write(&rx, &head, sizeof head, &done);
    for (;;) pause();
}

static void nonsense_costs_one_worker(void) {
    struct fut_executor *ex = new_pool(1, 0);
    for (int i = 0; i < NONSENSES; i++) {
        struct fut_task *t = test_submit(ex, talk_nonsense, (void *)(intptr_t)i);
        struct fut_task *after = test_submit(ex, NULL, NULL);
        test_wait(&t->future);
        bool first_counts = i == TWICE && t->future.outcome.kind == FUT_OUTCOME_VALUES;
        CHECK(first_counts || t->future.outcome.err == FUT_ELOST);
        fut_task_drop(t);
        test_wait_and_drop(after);
    }
    end_pool(ex);
}

static const struct test_case cases[] = {
    {"tasks run in order in one process", tasks_run_in_order_in_one_process},
    {"as many processes as tasks", as_many_processes_as_tasks_up_to_the_maximum},
    {"workers are replaced", workers_are_replaced_after_so_many_tasks},
    {"many tasks", many_tasks},
    {"a pool may go before its tasks", a_pool_may_go_before_its_tasks},
    {"the task of a dead worker is lost", the_task_of_a_dead_worker_is_lost},
    {"a worker that does not open", a_worker_that_does_not_open_breaks_the_pool},
    {"killed pools", killed_pools},
    {"forks that fail", forks_that_fail},
    {"no thread", no_thread},
    {"no memory", no_memory},
    {"nonsense costs one worker", nonsense_costs_one_worker},
};

TEST_MAIN(cases)
