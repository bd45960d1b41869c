/* SPDX-License-Identifier: MIT */
/* fut_callback: a Lua function to be called when a future is done, in the state that added it,
 * at one of its safe points.
 *
 * OWNERSHIP: a userdata whose user values are the function and its arguments. Until it ran or
 * was dropped it has an entry in a table of the registry, which keeps it, and is on the list of
 * its home; unless the handle of its future keeps it (bind/bare.h): those the collector may
 * free without a word when a finalizer fails, so they are on no list but the future's, which
 * then nobody can settle. */
#ifndef FUT_BIND_CALLBACK_H
#define FUT_BIND_CALLBACK_H

#include <lua.h>

#include "bind/home.h"
#include "core/waiter.h"

/* A function that gets the error of a callback, at the top of the stack, in its place; the
 * callback is at index `callback`. */
typedef void fut_callback_failed(lua_State *L, int callback);

struct fut_callback {
    struct fut_watch watch; /* first: the inbox hands out watches */
    struct fut_home *home;
    struct fut_callback *next, **back; /* in home->callbacks; back is NULL when it is not */
    struct fut_callback *next_untold, **back_untold; /* in home->untold; likewise */
    fut_callback_failed *failed;                     /* or NULL: home_wait.c warns */
    int n;                                           /* of its user values */
    bool live;                                       /* added, has not run, was not dropped */
    bool helps; /* its future is a reason to help (core/waiting.h) */
    bool asks;  /* called with a question (core/waiter.h), not at the end: bind/asker.c */
};

/* The user values: the function, its first argument, which is the handle of the future, and
 * what else there is. */
enum { FUT_CALLBACK_FUNCTION = 1, FUT_CALLBACK_FUTURE, FUT_CALLBACK_MORE };

/* fut_callback_add(home, L, n, future, failed): the n values at the top are a function and its
 * arguments, the first of which stands for `future`; it is called with them once that is done.
 * Pops them and pushes the callback. */
struct fut_callback *fut_callback_add(struct fut_home *home, lua_State *L, int n,
                                      struct fut_future *future, fut_callback_failed *failed);

/* fut_callback_add_asking(home, L, n, task, failed): the same, but it is called when there is a
 * question about the task's future; once that is done it goes by itself. */
struct fut_callback *fut_callback_add_asking(struct fut_home *home, lua_State *L, int n,
                                             struct fut_task *task,
                                             fut_callback_failed *failed);

/* fut_callback_asks(watch): is it that of such a one? */
bool fut_callback_asks(const struct fut_watch *watch);

/* fut_callback_sweep(home, L): lets go of those that have nothing to ask any more. Needs no
 * memory. */
void fut_callback_sweep(struct fut_home *home, lua_State *L);

/* fut_callback_decline_all(home, L): nothing can be asked here for a while: drops those that
 * would, and all open questions are declined. */
void fut_callback_decline_all(struct fut_home *home, lua_State *L);

/* fut_callback_drop(L, index): it will not be called. Again, or after it ran: nothing. Needs no
 * memory. */
void fut_callback_drop(lua_State *L, int index);

/* fut_callback_anchor(L, index): for bind/bare.c: from now on the registry keeps the callback
 * at index. Needs no memory. */
void fut_callback_anchor(lua_State *L, int index);

/* fut_callback_run(L): for home_wait.c, as a C function in a protected call; argument 1: a
 * light userdata, a struct fut_callback_call of the first callback in the inbox. Takes it from
 * there and calls it; an error of the function is raised, unless `failed` takes it. When there
 * is no memory or no stack for as much as that, it has not begun, and the callback is still
 * there. */
struct fut_callback_call {
    struct fut_callback *callback;
    bool begun;
    const char *what; /* it was, for a warning */
};
int fut_callback_run(lua_State *L);

/* fut_callback_tell(home): for whoever is about to sleep: modules that hold work back hear that
 * the callbacks wait for it; see core/waiting.h. */
void fut_callback_tell(struct fut_home *home);

/* fut_callback_each(home, at): one after the other the futures that those of the registry wait
 * for; *at is NULL before the first call; NULL at the end. Nothing is called in a state that
 * sleeps before one of them is done. Another thread may call it while this one sleeps. */
struct fut_future *fut_callback_each(void *home, void **at);

/* fut_callback_look(home): for whoever is about to wait for callbacks: after a fork, ends the
 * orphans (bind/orphan.h) that callbacks wait for. */
void fut_callback_look(struct fut_home *home);

/* fut_callback_drop_all(home): none will be called any more; open questions are declined. */
void fut_callback_drop_all(struct fut_home *home);

#endif
