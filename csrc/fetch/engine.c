/* SPDX-License-Identifier: MIT */
#include "fetch/engine.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/process.h"
#include "base/thread.h"
#include "fetch/engine_inside.h"
#include "fetch/work.h"

static const struct fut_api *api;

/* One lock for what all threads see. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct fut_engine *current; /* NULL: none runs */
static struct fut_engine *ended;   /* its thread has left the loop; to be joined */
static pthread_cond_t has_ended = PTHREAD_COND_INITIALIZER; /* current has become ended */
static struct fut_session *shared;                          /* a count is held */
static size_t users;                                        /* lua_States */

const struct fut_api *fut_engine_api(void) {
    return api;
}

/* ---- forks and exits: not while the thread is at work, unless it is stuck there ---- */

enum { FORK_WAIT_MS = 1000, EXIT_WAIT_MS = 2000 };

static bool stopped_for_fork; /* guarded by the lock */

/* In the order in which the thread takes them. */
static void before_fork(void) {
    bool stopped = fut_work_stop(FORK_WAIT_MS);
    pthread_mutex_lock(&lock);
    stopped_for_fork = stopped;
}

static void in_parent(void) {
    bool stopped = stopped_for_fork;
    pthread_mutex_unlock(&lock);
    if (stopped) fut_work_resume();
}

/* It finds the lock free, and no engine. */
static void in_child(void) {
    current = ended = NULL; /* the parent's: neither used nor freed */
    fut_work_forget();
    pthread_mutex_unlock(&lock);
}

/* Without lua_close; what libcurl uses is about to be cleaned up. The thread stays stopped. */
static void at_exit(void) {
    fut_work_stop(EXIT_WAIT_MS);
}

static void open_once(void) {
    fut_process_forks(); /* its counter comes first */
    pthread_atfork(before_fork, in_parent, in_child);
    atexit(at_exit); /* after those of the libraries, so it is called before them */
}

void fut_engine_open(const struct fut_api *given) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, open_once);
    pthread_mutex_lock(&lock);
    if (!api) api = given; /* the same for all; read without the lock by those who were here */
    users++;
    pthread_mutex_unlock(&lock);
}

/* ---- the inbox; all under the lock ---- */

static void wake(struct fut_engine *e) {
    if (!e || e->woken) return;
    e->woken = true;
    e->type->wake(e->poller);
}

static bool is_of_this_process(const struct fut_job *job) {
    return job->forks == fut_process_forks();
}

static enum fut_err start(void) {
    if (current) return FUT_OK;
    struct fut_engine *e = fut_engine_new(&fut_poller_usual);
    if (!e) return FUT_ENOMEM;
    enum fut_err err = fut_thread_start(&e->thread, fut_engine_main, e);
    if (err == FUT_OK)
        current = e;
    else
        fut_engine_free(e);
    return err;
}

static void link_job(struct fut_session *s, struct fut_job *job) {
    job->next = s->jobs;
    job->back = &s->jobs;
    if (job->next) job->next->back = &job->next;
    s->jobs = job;
}

static void unlink_job(struct fut_job *job) {
    *job->back = job->next;
    if (job->next) job->next->back = job->back;
}

static void push(struct fut_session *s, struct fut_job *job) {
    struct fut_engine *e = current;
    if (!s->joined) e->sessions++;
    s->joined = true;
    fut_job_hold(job);
    api->future_hold(job->future);
    job->number = ++e->last_number;
    link_job(s, job);
    *e->new_last = job;
    e->new_last = &job->next_new;
    e->live++;
    s->stats.pending++;
    s->stats.submitted++;
    wake(e);
}

/* An engine that has ended, out of the way: to be freed after the lock. */
static struct fut_engine *take_ended(void) {
    struct fut_engine *e = ended;
    ended = NULL;
    return e;
}

static void join(struct fut_engine *e) {
    if (!e) return;
    pthread_join(e->thread, NULL);
    fut_engine_free(e);
}

enum fut_err fut_engine_submit(struct fut_job *job) {
    struct fut_session *s = job->session;
    enum fut_err err = FUT_OK;
    pthread_mutex_lock(&lock);
    fut_session_check_fork(s);
    if (s->closed) err = FUT_ECLOSED;
    if (err == FUT_OK && s->stats.pending >= job->request->max_pending) err = FUT_EFULL;
    if (err == FUT_OK) err = start();
    if (err == FUT_OK) push(s, job);
    struct fut_engine *old = take_ended();
    pthread_mutex_unlock(&lock);
    join(old);
    return err;
}

void fut_engine_dropped(struct fut_job *job) {
    if (!is_of_this_process(job)) return;
    fut_engine_count(job, FUT_ENDING_CANCELLED, fut_now());
    pthread_mutex_lock(&lock);
    if (!job->over && !job->dropped) {
        job->dropped = true;
        fut_job_hold(job);
        job->next_dropped = current->dropped;
        current->dropped = job;
        wake(current);
    }
    pthread_mutex_unlock(&lock);
}

void fut_engine_awaited(struct fut_job *job) {
    if (!is_of_this_process(job) || atomic_exchange(&job->awaited, true)) return;
    pthread_mutex_lock(&lock);
    if (!job->over) {
        fut_job_hold(job);
        job->next_told = current->awaited;
        current->awaited = job;
        wake(current);
    }
    pthread_mutex_unlock(&lock);
}

/* Who does not wait for room, as nearly all, pays for none of this. Never false again: who does
 * not hear of the change looks every now and then. */
static atomic_bool attends;

bool fut_engine_attends(void) {
    return atomic_load_explicit(&attends, memory_order_relaxed);
}

/* After s->starved was set: so either this sees what was asked for, or who asks sees that. */
bool fut_engine_lets(struct fut_session *s) {
    atomic_store_explicit(&attends, true, memory_order_relaxed);
    pthread_mutex_lock(&lock);
    bool lets = s->drains || s->room;
    pthread_mutex_unlock(&lock);
    return lets;
}

void fut_engine_drain(struct fut_session *s) {
    pthread_mutex_lock(&lock);
    s->drains = true;
    wake(current);
    pthread_mutex_unlock(&lock);
}

bool fut_engine_take(struct fut_engine *e, struct fut_engine_mail *mail) {
    pthread_mutex_lock(&lock);
    *mail = (struct fut_engine_mail){e->new_first, e->dropped, e->awaited};
    e->new_first = NULL;
    e->new_last = &e->new_first;
    e->dropped = e->awaited = NULL;
    e->woken = false;
    bool in_use = e->live > 0 || e->sessions > 0; /* new jobs are live */
    bool goes_on = in_use || mail->dropped || mail->awaited;
    /* The jobs in the mail may be over, and who left it unused found it woken: it has to come
     * here once more, and nobody else would wake it for that. */
    if (goes_on && !in_use) wake(e);
    if (!goes_on) {
        current = NULL;
        FUT_ASSERT(!ended);
        ended = e;
        pthread_cond_broadcast(&has_ended);
    }
    pthread_mutex_unlock(&lock);
    return goes_on;
}

/* ---- counts ---- */

/* Under the lock: the future to be settled after it, since there may be room. */
static struct fut_future *take_room(struct fut_session *s) {
    struct fut_future *room = s->room;
    s->room = NULL;
    return room;
}

static void settle(struct fut_future *f) {
    struct fut_result nothing = {.failed = false};
    if (!f) return;
    api->future_complete(f, &nothing);
    api->future_drop(f);
}

void fut_engine_started(struct fut_job *job, fut_time now) {
    struct fut_session *s = job->session;
    pthread_mutex_lock(&lock);
    if (!job->started && !job->counted) {
        s->stats.pending--;
        s->stats.running++;
        if (s->stats.workers < s->stats.running) s->stats.workers = s->stats.running;
    }
    job->started = true;
    job->started_at = now;
    struct fut_future *room = take_room(s);
    pthread_mutex_unlock(&lock);
    settle(room);
}

static uint64_t *counter_of(struct fut_session *s, enum fut_ending ending) {
    return ending == FUT_ENDING_COMPLETED ? &s->stats.completed
           : ending == FUT_ENDING_FAILED  ? &s->stats.failed
                                          : &s->stats.cancelled;
}

/* One adds at a time, under the lock; readers need none. */
static void add_times(struct fut_session *s, const struct fut_job *job, fut_time now) {
    fut_histogram_add(&s->wait, job->started_at - job->submitted);
    fut_histogram_add(&s->run, now - job->started_at);
}

void fut_engine_count(struct fut_job *job, enum fut_ending ending, fut_time now) {
    struct fut_session *s = job->session;
    struct fut_future *room = NULL;
    pthread_mutex_lock(&lock);
    if (!job->counted) {
        --*(job->started ? &s->stats.running : &s->stats.pending);
        job->counted = true;
        job->ending = ending;
        ++*counter_of(s, ending);
        if (job->started && ending != FUT_ENDING_CANCELLED) add_times(s, job, now);
        room = take_room(s);
    } else if (ending == FUT_ENDING_CANCELLED && job->ending != ending) {
        --*counter_of(s, job->ending); /* the cancel came between its count and its future */
        job->ending = ending;
        ++*counter_of(s, ending);
    }
    pthread_mutex_unlock(&lock);
    settle(room);
}

void fut_engine_count_retry(struct fut_job *job) {
    pthread_mutex_lock(&lock);
    job->session->stats.retried++;
    pthread_mutex_unlock(&lock);
}

/* Under the lock: a closed session without jobs has stopped; the future to be settled. */
static struct fut_future *leave(struct fut_session *s) {
    if (!s->closed || s->jobs) return NULL;
    s->stats.workers = 0;
    if (s->joined) {
        current->sessions--;
        wake(current);
    }
    s->joined = false;
    struct fut_future *stopped = s->stopped;
    api->future_hold(stopped);
    return stopped;
}

void fut_engine_over(struct fut_engine *e, struct fut_job *job) {
    struct fut_future *f = job->future;
    pthread_mutex_lock(&lock);
    job->over = true;
    unlink_job(job);
    e->live--;
    struct fut_future *stopped = leave(job->session);
    pthread_mutex_unlock(&lock);
    settle(stopped);
    job->future = NULL;
    api->future_drop(f);
    fut_job_drop(job);
}

void fut_engine_stats(struct fut_session *s, struct fut_session_stats *out,
                      struct fut_times *wait, struct fut_times *run) {
    pthread_mutex_lock(&lock);
    fut_session_check_fork(s);
    *out = s->stats;
    pthread_mutex_unlock(&lock);
    *wait = fut_histogram_read(&s->wait);
    *run = fut_histogram_read(&s->run);
}

/* ---- sessions ---- */

struct fut_session *fut_engine_shared(void) {
    pthread_mutex_lock(&lock);
    if (shared) fut_session_hold(shared);
    struct fut_session *s = shared;
    pthread_mutex_unlock(&lock);
    if (s) return s;
    s = fut_session_new();
    if (!s) return NULL;
    pthread_mutex_lock(&lock);
    struct fut_session *mine = shared ? s : NULL; /* somebody was quicker */
    if (!shared) shared = s;
    s = shared;
    fut_session_hold(s);
    pthread_mutex_unlock(&lock);
    if (mine) fut_session_drop(mine);
    return s;
}

/* Under the lock: a list of the jobs to be cancelled, a count held of each. */
static struct fut_job *victims_of(struct fut_session *s, enum fut_closing how) {
    struct fut_job *victims = NULL;
    if (how == FUT_CLOSING_KEEP) return NULL;
    for (struct fut_job *job = s->jobs; job; job = job->next) {
        if (job->started && how == FUT_CLOSING_CANCEL_QUEUED) continue;
        fut_job_hold(job);
        api->future_hold(job->future);
        job->victim = job->future;
        job->next_victim = victims;
        victims = job;
    }
    return victims;
}

static void cancel_all(struct fut_job *victims) {
    for (struct fut_job *job = victims, *next; job; job = next) {
        next = job->next_victim;
        struct fut_future *f = job->victim;
        api->future_cancel(f);
        api->future_drop(f);
        fut_job_drop(job);
    }
}

void fut_engine_close_session(struct fut_session *s, enum fut_closing how) {
    pthread_mutex_lock(&lock);
    fut_session_check_fork(s);
    s->closed = true;
    struct fut_job *victims = victims_of(s, how);
    struct fut_future *room = take_room(s);
    struct fut_future *stopped = leave(s);
    pthread_mutex_unlock(&lock);
    cancel_all(victims);
    settle(room);
    settle(stopped);
}

struct fut_future *fut_engine_room(struct fut_session *s, size_t max_pending) {
    static const struct fut_future_class plain;
    struct fut_future *f = api->future_new(&plain, NULL, NULL);
    if (!f) return NULL;
    pthread_mutex_lock(&lock);
    struct fut_future *spare = s->room ? f : NULL;
    if (!s->room) s->room = f;
    f = s->room;
    api->future_hold(f);
    bool found = s->closed || s->stats.pending < max_pending;
    struct fut_future *room = found ? take_room(s) : NULL;
    if (!found && atomic_load(&s->starved)) wake(current);
    pthread_mutex_unlock(&lock);
    if (spare) api->future_drop(spare);
    settle(room);
    return f;
}

void fut_engine_relieve(struct fut_session *s, uint64_t bytes) {
    atomic_fetch_sub(&s->buffered, bytes);
    if (!atomic_exchange(&s->starved, false)) return;
    pthread_mutex_lock(&lock);
    wake(current);
    pthread_mutex_unlock(&lock);
}

/* ---- the end ---- */

void fut_engine_join(void) {
    pthread_mutex_lock(&lock);
    while (current && current->live == 0 && current->sessions == 0) {
        wake(current);
        pthread_cond_wait(&has_ended, &lock);
    }
    struct fut_engine *old = take_ended();
    pthread_mutex_unlock(&lock);
    join(old);
}

void fut_engine_close(bool drop) {
    pthread_mutex_lock(&lock);
    struct fut_session *s = --users == 0 ? shared : NULL;
    if (s) shared = NULL;
    bool last = users == 0;
    pthread_mutex_unlock(&lock);
    if (s) {
        fut_engine_close_session(s, drop ? FUT_CLOSING_CANCEL_ALL : FUT_CLOSING_KEEP);
        fut_session_drop(s);
    }
    if (!last) return;
    pthread_mutex_lock(&lock);
    while (current) pthread_cond_wait(&has_ended, &lock);
    struct fut_engine *old = take_ended();
    pthread_mutex_unlock(&lock);
    join(old);
}
