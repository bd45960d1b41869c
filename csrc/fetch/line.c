/* SPDX-License-Identifier: MIT */
#include "fetch/line.h"

#include "fetch/job.h"
#include "fetch/request.h"

static struct fut_job *job_of(const struct fut_heap_node *node) {
    return (struct fut_job *)((char *)node - offsetof(struct fut_job, early));
}

bool fut_line_before(const struct fut_job *a, const struct fut_job *b) {
    if (a->urgent != b->urgent) return a->urgent;
    if (a->request->priority != b->request->priority)
        return a->request->priority > b->request->priority;
    return a->number < b->number;
}

static bool node_before(const struct fut_heap_node *a, const struct fut_heap_node *b) {
    return fut_line_before(job_of(a), job_of(b));
}

void fut_line_init(struct fut_line *l) {
    *l = (struct fut_line){.early.before = node_before};
}

void fut_line_push(struct fut_line *l, struct fut_job *job) {
    l->length++;
    if (l->last && fut_line_before(job, l->last)) {
        fut_heap_push(&l->early, &job->early);
        return;
    }
    job->behind = NULL;
    job->ahead = l->last;
    *(l->last ? &l->last->behind : &l->first) = job;
    l->last = job;
}

void fut_line_remove(struct fut_line *l, struct fut_job *job) {
    l->length--;
    if (fut_heap_has(&job->early)) {
        fut_heap_remove(&l->early, &job->early);
        return;
    }
    *(job->ahead ? &job->ahead->behind : &l->first) = job->behind;
    *(job->behind ? &job->behind->ahead : &l->last) = job->ahead;
}

struct fut_job *fut_line_first(const struct fut_line *l) {
    struct fut_job *early = l->early.first ? job_of(l->early.first) : NULL;
    if (!early || !l->first) return early ? early : l->first;
    return fut_line_before(early, l->first) ? early : l->first;
}
