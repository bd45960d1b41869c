/* SPDX-License-Identifier: MIT */
/* What specs need of POSIX and Lua has not. Errors raise. */
#include <errno.h>
#include <lauxlib.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <lua.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

__attribute__((visibility("default"))) int luaopen_spec_posix(lua_State *L);

static int check(lua_State *L, long result, const char *what) {
    if (result < 0) return luaL_error(L, "%s: %s", what, strerror(errno));
    lua_pushinteger(L, result);
    return 1;
}

/* fork(): 0 in the child, its pid in the parent */
static int posix_fork(lua_State *L) {
    return check(L, fork(), "fork");
}

/* _exit(code): ends this process and nothing else */
static int posix_exit(lua_State *L) {
    _exit((int)luaL_checkinteger(L, 1));
}

/* close_and_exit(code): closes the Lua state, then ends this process and nothing else */
static int posix_close_and_exit(lua_State *L) {
    int code = (int)luaL_checkinteger(L, 1);
    lua_close(L);
    _exit(code);
}

static int posix_getpid(lua_State *L) {
    lua_pushinteger(L, getpid());
    return 1;
}

/* kill(pid, signal): false when there is no such process */
static int posix_kill(lua_State *L) {
    int result = kill((pid_t)luaL_checkinteger(L, 1), (int)luaL_checkinteger(L, 2));
    if (result < 0 && errno != ESRCH) return check(L, result, "kill");
    lua_pushboolean(L, result == 0);
    return 1;
}

/* waitpid(pid) -> "exited" or "signaled", and the number; nothing without such a child */
static int posix_waitpid(lua_State *L) {
    int status;
    pid_t pid;
    do {
        pid = waitpid((pid_t)luaL_checkinteger(L, 1), &status, 0);
    } while (pid < 0 && errno == EINTR);
    if (pid < 0) return 0;
    lua_pushstring(L, WIFSIGNALED(status) ? "signaled" : "exited");
    lua_pushinteger(L, WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    return 2;
}

/* new_group(): a process group of its own for this process and what it will fork */
static int posix_new_group(lua_State *L) {
    return check(L, setpgid(0, 0), "setpgid");
}

static void reap_all(int signal) {
    int saved = errno;
    (void)signal;
    while (waitpid(-1, NULL, WNOHANG) > 0) continue;
    errno = saved;
}

/* on_sigchld(how): "ignore", "reap" (all that ends, as some programs do) or "default" */
static int posix_on_sigchld(lua_State *L) {
    static const char *const names[] = {"default", "ignore", "reap", NULL};
    void (*const handlers[])(int) = {SIG_DFL, SIG_IGN, reap_all};
    struct sigaction action = {.sa_handler = handlers[luaL_checkoption(L, 1, NULL, names)]};
    return check(L, sigaction(SIGCHLD, &action, NULL), "sigaction");
}

static atomic_int handled, as_told; /* calls of the two below */

static void handle_plain(int signal) {
    (void)signal;
    handled++;
}

/* Who sent it, and where it struck, must be there. */
static void handle_siginfo(int signal, siginfo_t *info, void *context) {
    handled++;
    as_told += info && context && info->si_signo == signal && info->si_pid == getpid();
}

/* handle(signal, how): "plain" or "siginfo" handlers, which count, "ignore" or "default".
 * handled() -> how often one of ours was called, and how often it was told all that it should
 * be */
static int posix_handle(lua_State *L) {
    static const char *const names[] = {"plain", "siginfo", "ignore", "default", NULL};
    struct sigaction action = {0};
    switch (luaL_checkoption(L, 2, NULL, names)) {
    case 0:
        action.sa_handler = handle_plain;
        break;
    case 1:
        action.sa_sigaction = handle_siginfo;
        action.sa_flags = SA_SIGINFO;
        break;
    case 2:
        action.sa_handler = SIG_IGN;
        break;
    default:
        action.sa_handler = SIG_DFL;
    }
    return check(L, sigaction((int)luaL_checkinteger(L, 1), &action, NULL), "sigaction");
}

static int posix_handled(lua_State *L) {
    lua_pushinteger(L, handled);
    lua_pushinteger(L, as_told);
    return 2;
}

/* limit(what, n): the soft limit of "files" (open descriptors) or "memory" (bytes of address
 * space); gives the one before, -1 for none */
static int posix_limit(lua_State *L) {
    static const char *const names[] = {"files", "memory", NULL};
    const int resources[] = {RLIMIT_NOFILE, RLIMIT_AS};
    int resource = resources[luaL_checkoption(L, 1, NULL, names)];
    struct rlimit limit;
    getrlimit(resource, &limit);
    lua_Integer before = (lua_Integer)limit.rlim_cur;
    limit.rlim_cur = (rlim_t)luaL_checkinteger(L, 2);
    check(L, setrlimit(resource, &limit), "setrlimit");
    lua_pushinteger(L, before);
    return 1;
}

/* readable(fd): is there something to read, now? */
static int posix_readable(lua_State *L) {
    struct pollfd p = {.fd = (int)luaL_checkinteger(L, 1), .events = POLLIN};
    check(L, poll(&p, 1, 0), "poll");
    lua_pushboolean(L, p.revents & POLLIN);
    return 1;
}

/* Shared with all that this process forks. */
static struct refusal {
    atomic_bool on;
    pid_t spared;
} * refusal;

#define REFUSE(call)                                                                           \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (call), 0, 1),                                         \
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EAGAIN)

/* Before each fork, in the process that forks. */
static void refuse(void) {
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        REFUSE(SYS_clone),
        REFUSE(SYS_clone3),
#ifdef SYS_fork
        REFUSE(SYS_fork),
#endif
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof code / sizeof code[0], code};
    if (!atomic_load(&refusal->on) || getpid() == refusal->spared) return;
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

/* refuse_forks(yes): from now on forks that children of this process do fail with EAGAIN, as at
 * a limit of processes, which does not hold for root. It is for children that were forked after
 * the first call; one that has tried can never fork again. */
static int posix_refuse_forks(lua_State *L) {
    if (!refusal) {
        void *shared = mmap(NULL, sizeof *refusal, PROT_READ | PROT_WRITE,
                            MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (shared == MAP_FAILED) return luaL_error(L, "mmap: %s", strerror(errno));
        refusal = shared;
        refusal->spared = getpid();
        pthread_atfork(refuse, NULL, NULL);
    }
    atomic_store(&refusal->on, lua_toboolean(L, 1));
    return 0;
}

static const luaL_Reg functions[] = {
    {"fork", posix_fork},
    {"_exit", posix_exit},
    {"close_and_exit", posix_close_and_exit},
    {"getpid", posix_getpid},
    {"kill", posix_kill},
    {"waitpid", posix_waitpid},
    {"new_group", posix_new_group},
    {"on_sigchld", posix_on_sigchld},
    {"handle", posix_handle},
    {"handled", posix_handled},
    {"limit", posix_limit},
    {"readable", posix_readable},
    {"refuse_forks", posix_refuse_forks},
    {NULL, NULL},
};

int luaopen_spec_posix(lua_State *L) {
    luaL_newlib(L, functions);
    return 1;
}
