/* SPDX-License-Identifier: MIT */
#include "vm/stop.h"

#include <errno.h>
#include <lauxlib.h>
#include <lualib.h>
#include <signal.h>
#include <string.h>

#ifdef __SANITIZE_THREAD__
#include <dlfcn.h>
#define NOT_WATCHED __attribute__((no_sanitize("thread")))
#else
#define NOT_WATCHED
#endif

_Thread_local struct fut_running *volatile fut_stop_running;

enum { ALL_EVENTS = LUA_MASKCALL | LUA_MASKRET | LUA_MASKLINE | LUA_MASKCOUNT };

/* ---- runs ---- */

static const atomic_uint never;

static void disarm(lua_State *L);

void fut_stop_enter(struct fut_running *r, lua_State *L, const atomic_uint *asked) {
    static _Thread_local unsigned runs;
    struct fut_running *outer = fut_stop_running;
    *r = (struct fut_running){
        .asked = asked ? asked : &never,
        .L = L,
        .hook = lua_gethook(L),
        .main = outer ? outer->main : L,
        .now = L,
        .number = ++runs,
        .outer = outer,
    };
    if (r->hook) {
        r->hook_mask = lua_gethookmask(L);
        r->hook_count = lua_gethookcount(L);
    }
    atomic_signal_fence(memory_order_seq_cst); /* the handler sees all of r, or not r */
    fut_stop_running = r;
    atomic_signal_fence(memory_order_seq_cst);
    if (fut_stop_asked(r)) fut_stop_arm(r); /* a signal that came before found nothing */
}

/* The next one finds the hook that this one has found, one of a profiler perhaps, whatever this
 * one has set before it was ended. */
void fut_stop_leave(struct fut_running *r) {
    struct fut_running *outer = r->outer;
    fut_stop_running = outer;
    atomic_signal_fence(memory_order_seq_cst);
    if ((atomic_load_explicit(r->asked, memory_order_relaxed) & FUT_ASKED) != 0) {
        disarm(r->main);
        lua_sethook(r->L, r->hook, r->hook_mask, r->hook_count);
    }
    if (outer && fut_stop_asked(outer)) fut_stop_arm(outer);
}

/* ---- the hook ---- */

typedef void push_function(lua_State *L, bool timeout);

static _Atomic(push_function *) push_reason; /* the same for all states of a process */

void fut_stop_set_reason(void (*push)(lua_State *L, bool timeout)) {
    atomic_store_explicit(&push_reason, push, memory_order_relaxed);
}

static void on_stop(lua_State *L, lua_Debug *event);

/* The hook that the main coroutine had before it was armed. */
static _Thread_local struct {
    lua_State *L;
    lua_Hook hook;
    int mask, count;
} own;

static void disarm(lua_State *L) {
    if (lua_gethook(L) != on_stop) return;
    if (L == own.L)
        lua_sethook(L, own.hook, own.mask, own.count);
    else
        lua_sethook(L, NULL, 0, 0); /* one of the task's; it is about to end */
}

/* Also on the main coroutine: there waits of other modules look for it, as they do for
 * Ctrl-C. */
NOT_WATCHED void fut_stop_arm(struct fut_running *r) {
    lua_State *main = r->main;
    if (lua_gethook(main) != on_stop) {
        own.L = main;
        own.hook = lua_gethook(main);
        own.mask = lua_gethookmask(main);
        own.count = lua_gethookcount(main);
    }
    lua_sethook(main, on_stop, ALL_EVENTS, 1);
    if (r->now != main) lua_sethook(r->now, on_stop, ALL_EVENTS, 1);
}

int fut_stop_raise(lua_State *L) {
    struct fut_running *r = fut_stop_running;
    r->raised = true;
    disarm(r->now);
    disarm(r->main);
    disarm(L);
    bool timeout = (atomic_load(r->asked) & FUT_ASKED_TIMEOUT) != 0;
    push_function *push = atomic_load_explicit(&push_reason, memory_order_relaxed);
    if (push)
        push(L, timeout);
    else
        lua_pushstring(L, timeout ? "the task's time is over" : "the task was cancelled");
    fut_stop_silence(L);
    return lua_error(L);
}

bool fut_stop_raising(void) {
    return fut_stop_running && fut_stop_running->raised;
}

static bool is_undisturbed(const lua_Debug *ar) {
    if (!ar->name || strcmp(ar->namewhat, "metamethod") != 0) return false;
    const char *name = ar->name + (strncmp(ar->name, "__", 2) == 0 ? 2 : 0);
    return strcmp(name, "close") == 0 || strcmp(name, "gc") == 0;
}

/* The outermost function of L that closes a variable, or finalizes, as a level; -1: none. */
static int undisturbed_level(lua_State *L) {
    lua_Debug ar;
    int found = -1;
    if (!lua_checkstack(L, LUA_MINSTACK)) return -1;
    for (int level = 0; level < FUT_STOP_LEVELS; level++) {
        if (!lua_getstack(L, level, &ar) || !lua_getinfo(L, "n", &ar)) break;
        if (is_undisturbed(&ar)) found = level;
        if (level > 0 && fut_stop_closes_in(L, &ar)) found = level - 1;
    }
    return found;
}

/* The coroutine that is inside of such a function, in the chain of those that wait for L: the
 * outermost one; NULL: none is. */
static lua_State *undisturbed(struct fut_running *r, lua_State *L, int *level) {
    lua_State *found = NULL;
    *level = undisturbed_level(L);
    if (*level >= 0) found = L;
    for (struct fut_resumer *s = r->resumers; s; s = s->outer) {
        int its = undisturbed_level(s->L);
        if (its < 0) continue;
        found = s->L;
        *level = its;
    }
    return found;
}

bool fut_stop_due(lua_State *main) {
    struct fut_running *r = fut_stop_running;
    int level;
    return r && fut_stop_asked(r) && r->main == main && !r->unwinding &&
           !undisturbed(r, r->now, &level);
}

static bool is_return(const lua_Debug *event) {
    return event->event == LUA_HOOKRET;
}

/* Raises, unless the coroutine is inside of what must not be disturbed: then it looks again
 * when that returns; when it fails, those that catch the error look. */
static void on_stop(lua_State *L, lua_Debug *event) {
    struct fut_running *r = fut_stop_running;
    if (!r || !fut_stop_asked(r) || r->unwinding) {
        disarm(L);
        return;
    }
    int level;
    lua_State *closing = undisturbed(r, L, &level);
    if (!closing) {
        fut_stop_raise(L);
    } else if (closing == L && level == 0 && is_return(event)) {
        lua_sethook(L, on_stop, ALL_EVENTS, 1);
    } else {
        if (closing != L) disarm(L);
        lua_sethook(closing, on_stop, LUA_MASKRET, 0);
    }
}

/* ---- the signal ---- */

static int signal_number = SIGURG; /* by default it does nothing, whoever sends it */
static struct sigaction previous;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static atomic_bool installed;

static bool is_ours(const siginfo_t *info) {
    return info && info->si_code == SI_QUEUE && info->si_value.sival_ptr == &signal_number;
}

/* Whatever else is told by this signal goes to the one who handled it before. */
static void pass_on(int number, siginfo_t *info, void *context) {
    if (previous.sa_flags & SA_SIGINFO)
        previous.sa_sigaction(number, info, context);
    else if (previous.sa_handler != SIG_DFL && previous.sa_handler != SIG_IGN)
        previous.sa_handler(number);
}

/* All that it touches belongs to this thread, but for the word, which is atomic. A signal that
 * comes too late finds a run that is not asked. */
NOT_WATCHED static void on_signal(int number, siginfo_t *info, void *context) {
    int saved = errno;
    struct fut_running *r = fut_stop_running;
    if (r && (atomic_load_explicit(r->asked, memory_order_acquire) & FUT_ASKED) != 0 &&
        !r->raised)
        fut_stop_arm(r);
    if (!is_ours(info)) pass_on(number, info, context);
    errno = saved;
}

/* ThreadSanitizer would hold the signal back until the next call that it knows, which a loop in
 * Lua never makes: so the handler is set behind its back. The way there is found once, before
 * any fork: a child may find the locks of dlopen taken for ever. */
static int (*set_action)(int, const struct sigaction *, struct sigaction *) = sigaction;

#ifdef __SANITIZE_THREAD__
__attribute__((constructor)) static void find_set_action(void) {
    void *libc = dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD);
    if (!libc) return;
    *(void **)&set_action = dlsym(libc, "sigaction");
    dlclose(libc);
}
#endif

/* Without SA_RESTART: what waits in the kernel ends, also in other modules. */
static void install(void) {
    struct sigaction action = {.sa_flags = SA_SIGINFO | SA_ONSTACK};
    action.sa_sigaction = on_signal;
    sigemptyset(&action.sa_mask);
    atomic_store(&installed, true);
    struct sigaction old;
    if (set_action(signal_number, &action, &old) != 0) return;
    bool is_ours_already = (old.sa_flags & SA_SIGINFO) && old.sa_sigaction == on_signal;
    if (!is_ours_already) previous = old;
}

int fut_stop_signal_number(void) {
    return signal_number;
}

void fut_stop_listen(void) {
    install();
}

void fut_stop_signal(pthread_t thread) {
    pthread_once(&once, install);
#ifdef __linux__
    union sigval value = {.sival_ptr = &signal_number};
    if (pthread_sigqueue(thread, signal_number, value) == 0) return;
#endif
    pthread_kill(thread, signal_number); /* the previous handler will hear of it, too */
}

enum fut_err fut_stop_use_signal(int number) {
    sigset_t set;
    struct sigaction now;
    sigemptyset(&set);
    if (number == SIGKILL || number == SIGSTOP || sigaddset(&set, number) != 0 ||
        sigaction(number, NULL, &now) != 0)
        return FUT_ESTATE;
    if (number == signal_number) return FUT_OK;
    if (atomic_load(&installed)) return FUT_ESTATE;
    signal_number = number;
    return FUT_OK;
}

void fut_stop_open(lua_State *L) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, signal_number);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL); /* threads of ours start with all blocked */
    fut_stop_set_protected(L);
    fut_stop_set_coroutines(L);
}
