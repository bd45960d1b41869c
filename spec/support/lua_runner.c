/* SPDX-License-Identifier: MIT */
/* A Lua interpreter for the sanitizer runs: built with a sanitizer, it brings the sanitizer's
 * run-time library along before any module of ours is loaded.
 *
 * It treats its command line, errors, exit codes, Ctrl-C and the end of the program as lua5.4
 * does; -i understands one line at a time, and there is no -E. */
#include <dlfcn.h>
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifdef __SANITIZE_THREAD__
#define NOT_WATCHED __attribute__((no_sanitize("thread")))
#else
#define NOT_WATCHED
#endif

static const char *program;
static lua_State *interrupted_state;

static void stop_hook(lua_State *L, lua_Debug *where) {
    (void)where;
    lua_sethook(L, NULL, 0, 0);
    luaL_error(L, "interrupted!");
}

NOT_WATCHED static void on_sigint(int number) {
    (void)number;
    lua_sethook(interrupted_state, stop_hook,
                LUA_MASKCALL | LUA_MASKRET | LUA_MASKLINE | LUA_MASKCOUNT, 1);
}

/* While Lua code runs, Ctrl-C interrupts it; the second one ends a program that does not
 * react. ThreadSanitizer would hold back a signal until the next system call, which a loop
 * in Lua never makes: so the handler is set behind its back. */
static void catch_sigint(bool on) {
    struct sigaction action = {.sa_flags = on ? (int)SA_RESETHAND : 0};
    action.sa_handler = on ? on_sigint : SIG_DFL;
    int (*set)(int, const struct sigaction *, struct sigaction *) = sigaction;
    void *libc = dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD);
    if (libc) {
        *(void **)&set = dlsym(libc, "sigaction");
        dlclose(libc);
    }
    set(SIGINT, &action, NULL);
}

static int add_traceback(lua_State *L) {
    const char *text = lua_tostring(L, 1);
    if (!text) {
        if (luaL_callmeta(L, 1, "__tostring") && lua_type(L, -1) == LUA_TSTRING) return 1;
        text = lua_pushfstring(L, "(error object is a %s value)", luaL_typename(L, 1));
    }
    luaL_traceback(L, L, text, 1);
    return 1;
}

static bool succeeded(lua_State *L, int status) {
    if (status == LUA_OK) return true;
    const char *text = lua_tostring(L, -1);
    fprintf(stderr, "%s: %s\n", program, text ? text : "(error message is not a string)");
    lua_pop(L, 1);
    return false;
}

/* Calls the function that lies below its n arguments. Ctrl-C interrupts it. */
static bool call(lua_State *L, int n, int results) {
    int base = lua_gettop(L) - n;
    lua_pushcfunction(L, add_traceback);
    lua_insert(L, base);
    interrupted_state = L;
    catch_sigint(true);
    int status = lua_pcall(L, n, results, base);
    catch_sigint(false);
    lua_remove(L, base);
    return succeeded(L, status);
}

static bool run_text(lua_State *L, const char *text, const char *name) {
    return succeeded(L, luaL_loadbuffer(L, text, strlen(text), name)) && call(L, 0, 0);
}

/* LUA_INIT: Lua text, or @file. */
static bool run_init(lua_State *L) {
    const char *init = getenv("LUA_INIT_5_4");
    if (!init) init = getenv("LUA_INIT");
    if (!init) return true;
    if (init[0] != '@') return run_text(L, init, "=LUA_INIT");
    return succeeded(L, luaL_loadfile(L, init + 1)) && call(L, 0, 0);
}

/* -l module and -l global=module */
static bool run_require(lua_State *L, const char *option) {
    const char *equals = strchr(option, '=');
    luaL_loadstring(L, "local name, module = ... _G[name] = require(module)");
    lua_pushlstring(L, option, equals ? (size_t)(equals - option) : strlen(option));
    lua_pushstring(L, equals ? equals + 1 : option);
    return call(L, 2, 0);
}

/* Options that take a value have it behind them or as the next argument. */
static const char *option_value(char **argv, int *i) {
    if (argv[*i][2]) return argv[*i] + 2;
    return argv[*i + 1] ? argv[++*i] : "";
}

/* The script's index in argv, the place behind the last argument when there is none, or -1
 * after a complaint. *has_code says whether there is a -e, -i or -v, *prompt whether a -i. */
static int find_script(char **argv, bool *has_code, bool *prompt) {
    int i = 1;
    for (; argv[i] && argv[i][0] == '-' && argv[i][1]; i++) {
        char option = argv[i][1];
        if (strcmp(argv[i], "--") == 0) return i + 1;
        if (!strchr("eilvW", option)) {
            fprintf(stderr, "%s: unrecognized option '%s'\n", program, argv[i]);
            return -1;
        }
        if (option == 'i') *prompt = true;
        if (strchr("eiv", option)) *has_code = true;
        if (option == 'e' || option == 'l') option_value(argv, &i);
    }
    return i;
}

static bool obey_options(lua_State *L, char **argv, int end) {
    for (int i = 1; i < end; i++) {
        switch (argv[i][1]) {
        case 'e':
            if (!run_text(L, option_value(argv, &i), "=(command line)")) return false;
            break;
        case 'l':
            if (!run_require(L, option_value(argv, &i))) return false;
            break;
        case 'v':
            puts(LUA_COPYRIGHT);
            break;
        case 'W':
            lua_warning(L, "@on", 0);
            break;
        }
    }
    return true;
}

/* The global `arg`: the script at 0, its arguments from 1, what stands before it below 0. */
static void set_arg(lua_State *L, char **argv, int argc, int script) {
    int zero = script < argc ? script : 0;
    lua_createtable(L, argc - zero, zero + 1);
    for (int i = 0; i < argc; i++) {
        lua_pushstring(L, argv[i]);
        lua_rawseti(L, -2, i - zero);
    }
    lua_setglobal(L, "arg");
}

static bool run_script(lua_State *L, char **argv, int argc, int script) {
    const char *file = script < argc && strcmp(argv[script], "-") != 0 ? argv[script] : NULL;
    if (!succeeded(L, luaL_loadfile(L, file))) return false;
    int n = 0;
    luaL_checkstack(L, argc, "too many arguments to script");
    for (int i = script + 1; i < argc; i++, n++) lua_pushstring(L, argv[i]);
    return call(L, n, 0);
}

/* An expression's values are printed, as at the prompt of lua5.4. */
static bool load_line(lua_State *L, const char *line) {
    const char *text = lua_pushfstring(L, "return %s", line);
    int status = luaL_loadbuffer(L, text, strlen(text), "=stdin");
    if (status != LUA_OK) {
        lua_settop(L, 0);
        status = luaL_loadbuffer(L, line, strlen(line), "=stdin");
    } else {
        lua_remove(L, 1);
    }
    return succeeded(L, status);
}

static void run_prompt(lua_State *L) {
    char line[4096];
    lua_settop(L, 0);
    while (fputs("> ", stdout), fflush(stdout), fgets(line, sizeof line, stdin)) {
        if (load_line(L, line) && call(L, 0, LUA_MULTRET) && lua_gettop(L) > 0) {
            lua_getglobal(L, "print");
            lua_insert(L, 1);
            call(L, lua_gettop(L) - 1, 0);
        }
        lua_settop(L, 0);
    }
}

/* argc, argv -> whether all went well */
static int run(lua_State *L) {
    int argc = (int)lua_tointeger(L, 1);
    char **argv = lua_touserdata(L, 2);
    bool has_code = false, prompt = false;
    int script = find_script(argv, &has_code, &prompt);
    luaL_checkversion(L);
    luaL_openlibs(L);
    set_arg(L, argv, argc, script);
    bool done = script > 0 && run_init(L) && obey_options(L, argv, script);
    if (done && (script < argc || (!has_code && !isatty(STDIN_FILENO))))
        done = run_script(L, argv, argc, script);
    if (done && prompt) run_prompt(L);
    lua_pushboolean(L, done);
    return 1;
}

static void *do_nothing(void *nothing) {
    return nothing;
}

/* ThreadSanitizer starts a thread of its own with our first one: from here on it is there, and
 * specs may count threads. */
static void warm_up(void) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, do_nothing, NULL) == 0) pthread_join(thread, NULL);
}

int main(int argc, char **argv) {
    warm_up();
    program = argc > 0 ? argv[0] : "lua";
    lua_State *L = luaL_newstate();
    if (!L) {
        fprintf(stderr, "%s: not enough memory\n", program);
        return EXIT_FAILURE;
    }
    lua_gc(L, LUA_GCGEN, 0, 0);
    lua_pushcfunction(L, run);
    lua_pushinteger(L, argc);
    lua_pushlightuserdata(L, argv);
    int status = lua_pcall(L, 2, 1, 0);
    bool done = succeeded(L, status) && lua_toboolean(L, -1);
    lua_close(L);
    return done ? EXIT_SUCCESS : EXIT_FAILURE;
}
