/* SPDX-License-Identifier: MIT */
/* Queues with priorities, against a plain array that is searched. */
#include "base/test.h"
#include "core/queue.h"

enum { PRIORITIES = 5 };

static struct fut_task_options options[PRIORITIES] = {
    {.priority = -2}, {.priority = 0}, {.priority = 0.5}, {.priority = 1}, {.priority = 1e300},
};

struct model {
    struct fut_task **tasks; /* in the order in which they came */
    size_t n;
};

static uint32_t random_state = 12345;

static uint32_t draw(uint32_t n) {
    random_state = random_state * 1664525u + 1013904223u;
    return (random_state >> 8) % n;
}

static double priority_of(const struct fut_task *t) {
    return t->options ? t->options->priority : 0;
}

static size_t model_first(const struct model *m) {
    size_t best = 0;
    for (size_t i = 1; i < m->n; i++)
        if (priority_of(m->tasks[i]) > priority_of(m->tasks[best])) best = i;
    return best;
}

static void model_remove(struct model *m, size_t i) {
    memmove(&m->tasks[i], &m->tasks[i + 1], (--m->n - i) * sizeof *m->tasks);
}

static const struct fut_task *task_of(const struct fut_heap_node *node) {
    return (const struct fut_task *)((const char *)node - offsetof(struct fut_task, node));
}

static uint32_t check_tree(const struct fut_heap_node *node, const struct fut_heap_node *above,
                           size_t *n) {
    if (!node) return 0;
    const struct fut_task *t = task_of(node), *up = above ? task_of(above) : NULL;
    CHECK(node->up == above && t->queued);
    if (up) {
        double mine = priority_of(t), ups = priority_of(up);
        CHECK(ups > mine || (ups == mine && up->turn < t->turn));
    }
    uint32_t left = check_tree(node->left, node, n), right = check_tree(node->right, node, n);
    CHECK(left >= right && node->rank == right + 1);
    ++*n;
    return node->rank;
}

static void check_queue(const struct fut_queue *q, const struct model *m) {
    size_t n = 0;
    check_tree(q->heap.first, NULL, &n);
    for (struct fut_task *t = q->head; t; t = t->next) n++;
    CHECK(n == m->n && q->length == n);
    CHECK(fut_queue_first(q) == (n > 0 ? m->tasks[model_first(m)] : NULL));
}

static void random_calls(void) {
    enum { N = 300 };
    struct fut_task tasks[N];
    for (int round = 0; round < test_rounds(200); round++) {
        struct fut_task *order[N];
        struct fut_queue q = {0};
        struct model m = {order, 0};
        memset(tasks, 0, sizeof tasks);
        for (int i = 0, made = 0; i < 3 * N; i++) {
            uint32_t what = draw(10);
            if (what < 6 && made < N) {
                struct fut_task *t = &tasks[made++];
                uint32_t p = draw(PRIORITIES + 1);
                t->options = p < PRIORITIES ? &options[p] : NULL;
                fut_queue_push(&q, t);
                order[m.n++] = t;
            } else if (what < 8 && m.n > 0) {
                size_t first = model_first(&m);
                struct fut_task *popped = fut_queue_pop(&q);
                CHECK(popped && popped == order[first] && !popped->queued);
                if (draw(2)) { /* it comes back */
                    fut_queue_push_front(&q, order[first]);
                    struct fut_task *t = order[first];
                    model_remove(&m, first);
                    memmove(order + 1, order, m.n++ * sizeof *order);
                    order[0] = t;
                } else {
                    model_remove(&m, first);
                }
            } else if (m.n > 0) {
                size_t which = draw((uint32_t)m.n);
                fut_queue_remove(&q, order[which]);
                model_remove(&m, which);
            }
            if (i % 7 == 0) check_queue(&q, &m);
        }
        struct fut_task *t = fut_queue_take_all(&q);
        for (; m.n > 0; t = t->next) {
            size_t first = model_first(&m);
            CHECK(t == order[first]);
            model_remove(&m, first);
        }
        CHECK(!t && q.length == 0 && !fut_queue_first(&q));
    }
}

/* Rising, falling, equal: a tree of another kind would be a list. */
static void many_in_a_row(void) {
    enum { N = 100000 };
    struct fut_task *tasks = calloc(N, sizeof *tasks);
    struct fut_task_options *own = calloc(N, sizeof *own);
    CHECK(tasks && own);
    for (int kind = 0; kind < 3; kind++) {
        struct fut_queue q = {0};
        for (int i = 0; i < N; i++) {
            own[i].priority = kind == 0 ? i + 1 : kind == 1 ? N - i : 7;
            tasks[i].options = &own[i];
            fut_queue_push(&q, &tasks[i]);
        }
        for (int i = 1; i < N; i += 2) fut_queue_remove(&q, &tasks[kind == 0 ? N - i : i]);
        for (int i = 0; i < N; i += 2)
            CHECK(fut_queue_pop(&q) == &tasks[kind == 0 ? N - 2 - i : i]);
        CHECK(q.length == 0);
    }
    free(own);
    free(tasks);
}

static const struct test_case cases[] = {
    {"random calls", random_calls},
    {"many in a row", many_in_a_row},
};

TEST_MAIN(cases)
