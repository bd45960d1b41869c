/* SPDX-License-Identifier: MIT */
#include "core/sleeper.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/lock.h"
#include "core/fork.h"

static struct fut_lock lock = FUT_LOCK_INIT;
static struct fut_sleeper *asleep; /* all that sleep */
static unsigned searches;

/* ---- what the threads say ---- */

void fut_sleeper_enter(struct fut_sleeper *s, struct fut_sleeper_frame *frame,
                       struct fut_task *task) {
    *frame = (struct fut_sleeper_frame){.task = task, .below = s->top};
    s->top = frame;
}

/* A task is marked only once it has slept, and so needs the lock only then. */
void fut_sleeper_leave(struct fut_sleeper *s) {
    struct fut_sleeper_frame *frame = s->top;
    s->top = frame->below;
    if (!frame->known) return;
    fut_lock(&lock);
    frame->task->slept = false;
    fut_unlock(&lock);
}

static void mark_tasks(struct fut_sleeper *s) {
    for (struct fut_sleeper_frame *f = s->top; f && !f->known; f = f->below) {
        f->known = true;
        f->task->slept = true;
        f->task->sleeper = s;
    }
}

static void add(struct fut_sleeper *s, const struct fut_waiting *waiting) {
    s->waiting = waiting;
    s->next = asleep;
    s->back = &asleep;
    if (s->next) s->next->back = &s->next;
    asleep = s;
}

static void take_off(struct fut_sleeper *s) {
    *s->back = s->next;
    if (s->next) s->next->back = s->back;
    s->waiting = NULL;
}

void fut_sleepers_fork(bool take_it) {
    if (take_it)
        fut_lock(&lock);
    else
        fut_unlock(&lock);
}

void fut_sleepers_forget(void) {
    asleep = NULL;
}

/* ---- the search ---- */

/* The sleeper that must go on before f can be done, or NULL. A task waits for those on top of
 * it, so it does not matter which one of a thread it is. */
static struct fut_sleeper *sleeper_of(struct fut_future *f) {
    struct fut_task *t = fut_task_of(f);
    if (fut_future_done(f) || !t || !t->slept || fut_executor_forked(t->executor)) return NULL;
    return t->sleeper->waiting ? t->sleeper : NULL;
}

struct search {
    struct fut_sleeper *start;
    struct fut_sleeper *last;    /* found */
    struct fut_sleeper *closing; /* the one that waits for `start`, or NULL so far */
    const struct fut_task *task; /* for this one of its */
    bool stuck_only;             /* goes by way of those only whose wait cannot end */
};

static void visit(struct search *search, struct fut_sleeper *from, struct fut_sleeper *s,
                  const struct fut_task *task) {
    if (s == search->start && !search->closing) {
        search->closing = from;
        search->task = task;
    }
    if (s->search == searches || (search->stuck_only && s->ends)) return;
    s->search = searches;
    s->from = from;
    s->task = task;
    s->found = NULL;
    if (!search->stuck_only) s->ends = false;
    search->last->found = s;
    search->last = s;
}

static void visit_task(struct search *search, struct fut_sleeper *from, struct fut_future *f) {
    struct fut_sleeper *s = sleeper_of(f);
    if (s) visit(search, from, s, fut_task_of(f));
}

static bool sleeps(struct fut_future *f) {
    return sleeper_of(f) != NULL;
}

/* Are there sources, all of that kind? */
static bool sources_are(const struct fut_waiting *w, bool (*kind)(struct fut_future *f)) {
    void *at = NULL;
    struct fut_future *f = w->each_source ? w->each_source(w->sources, &at) : NULL;
    if (!f) return false;
    while (f && kind(f)) f = w->each_source(w->sources, &at);
    return !f;
}

static void visit_sources(struct search *search, struct fut_sleeper *from) {
    const struct fut_waiting *w = from->waiting;
    void *at = NULL;
    for (struct fut_future *f; (f = w->each_source(w->sources, &at));)
        visit_task(search, from, f);
}

static void visit_next(struct search *search, struct fut_sleeper *from) {
    const struct fut_waiting *w = from->waiting;
    void *at = NULL;
    bool local = false;
    for (struct fut_future *f; w->each && (f = w->each(w->arg, &at));) {
        visit_task(search, from, f);
        local = local || fut_future_local(f);
    }
    if (local && sources_are(w, sleeps)) visit_sources(search, from);
    for (struct fut_sleeper *s = w->executor ? asleep : NULL; s; s = s->next)
        if (s->executor == w->executor) visit(search, from, s, NULL);
}

/* Breadth first, so the cycle that it finds is a shortest one. They are linked by `found`. */
static void search_from(struct search *search) {
    struct fut_sleeper *start = search->start;
    start->search = ++searches;
    start->found = NULL;
    if (!search->stuck_only) start->ends = false;
    search->last = start;
    for (struct fut_sleeper *s = start; s; s = s->found) visit_next(search, s);
}

static bool is_stuck(struct fut_future *f) {
    struct fut_sleeper *s = sleeper_of(f);
    return s && s->search == searches && !s->ends;
}

/* Can it end, if those can that are said to? */
static bool can_end(const struct fut_sleeper *s) {
    const struct fut_waiting *w = s->waiting;
    if (w->executor) {
        for (struct fut_sleeper *o = asleep; o; o = o->next)
            if (o->executor == w->executor && o->search == searches && !o->ends) return false;
        return true;
    }
    void *at = NULL;
    bool any = false, sources_stuck = sources_are(w, is_stuck);
    for (struct fut_future *f; w->each && (f = w->each(w->arg, &at)); any = true) {
        bool stuck = fut_future_local(f) ? sources_stuck && !fut_future_done(f) : is_stuck(f);
        if (stuck == w->all) return !w->all;
    }
    return w->all || !any;
}

/* Those that were found are first taken for stuck; whoever has a reason to end is not, which
 * may be a reason for others. What is left has none: a cycle, or more of them. */
static void find_ends(struct fut_sleeper *start) {
    for (bool changed = true; changed;) {
        changed = false;
        for (struct fut_sleeper *s = start; s; s = s->found) {
            if (s->ends || !can_end(s)) continue;
            s->ends = true;
            changed = true;
        }
    }
}

/* ---- the text ---- */

enum { TEXT = 480, LINKS = 6 }; /* bytes, and links of the chain that are shown */

struct text {
    char bytes[TEXT];
    size_t len;
    int links;
    const struct fut_task *last; /* of a chain that is too long */
};

__attribute__((format(printf, 2, 3))) static void put(struct text *text, const char *format,
                                                      ...) {
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text->bytes + text->len, TEXT - text->len, format, args);
    va_end(args);
    if (n > 0) text->len += (size_t)n;
    if (text->len > TEXT - 1) text->len = TEXT - 1;
}

static void put_task(struct text *text, const struct fut_task *t) {
    const char *name = t->options ? t->options->name : NULL;
    if (name)
        put(text, "task '%.40s'", name);
    else
        put(text, "task %p", (const void *)t);
}

static void put_link(struct text *text, const struct fut_task *t, const char *what) {
    text->last = t;
    if (text->links++ >= LINKS) return;
    put(text, "%s waits for %s", text->links > 1 ? ", which" : "", what);
    put_task(text, t);
}

/* The links to s and through it: a task waits for those on top of it, too. */
static void put_links(struct text *text, const struct fut_sleeper *s,
                      const struct fut_task *task) {
    int n = 1; /* of frames, down to that of the task */
    const struct fut_sleeper_frame *f = s->top;
    while (task ? f->task != task : f->below != NULL) f = f->below, n++;
    put_link(text, f->task, task ? "" : "the end of an executor that runs ");
    /* One by one from the top: frames know what is below them only. */
    for (int i = n - 1; i > 0; i--) {
        f = s->top;
        for (int k = 1; k < i; k++) f = f->below;
        put_link(text, f->task, "");
        if (i > 1 && text->links > LINKS) {
            text->links += i - 1;
            text->last = s->top->task;
            break;
        }
    }
}

static char *describe(const struct search *search) {
    struct fut_sleeper *start = search->start, *next = NULL;
    const struct fut_task *me = start->top->task;
    /* From the end to the start: turn the chain round. */
    for (struct fut_sleeper *s = search->closing; s != start; s = s->from) {
        s->found = next;
        next = s;
    }
    struct text text = {.len = 0};
    put(&text, "the wait can never end: %s", start->top->asks ? "the retry_on of " : "");
    put_task(&text, me);
    if (!next && search->task == me) {
        put(&text, " waits for itself");
        return fut_strdup(text.bytes);
    }
    for (; next; next = next->found) put_links(&text, next, next->task);
    put_links(&text, start, search->task);
    int hidden = text.links - LINKS - 1;
    if (hidden > 0) put(&text, ", and so on (%d more)", hidden);
    if (hidden >= 0) {
        put(&text, ", which waits for ");
        put_task(&text, text.last);
    }
    return fut_strdup(text.bytes);
}

bool fut_sleeper_begin(struct fut_sleeper *s, const struct fut_waiting *waiting, char **why) {
    struct search search = {.start = s};
    fut_lock(&lock);
    mark_tasks(s);
    add(s, waiting);
    search_from(&search);
    if (search.closing) find_ends(s);
    bool ends = !search.closing || s->ends;
    if (!ends) {
        search = (struct search){.start = s, .stuck_only = true};
        search_from(&search);
        *why = describe(&search);
        take_off(s);
    }
    fut_unlock(&lock);
    return ends;
}

void fut_sleeper_end(struct fut_sleeper *s) {
    fut_lock(&lock);
    take_off(s);
    fut_unlock(&lock);
}
