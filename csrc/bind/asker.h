/* SPDX-License-Identifier: MIT */
/* The function `retry_on` of a view, asked about a task that has failed: should it run again?
 * About the chunk of a map it is asked with the errors of its items, until it says yes: then
 * all of it runs again.
 *
 *   the pool's question --> inbox of the state that submitted
 *   the pool's answer <-- retry_on(error, attempt) <-- at a safe point
 *
 * It is a callback (bind/callback.h) of the task's future. What becomes of a question is always
 * said: yes or no by the function, no when it raises (that goes to `warn`) or when the state
 * closes; in a worker also when no task runs in its state any more, for then no safe point will
 * come. */
#ifndef FUT_BIND_ASKER_H
#define FUT_BIND_ASKER_H

#include <lua.h>

#include "bind/home.h"
#include "core/task.h"

/* fut_asker_add(L, future, retry_on): the function at index `retry_on` will be asked about the
 * task of the handle at index `future`. Pushes the callback, for fut_callback_drop should the
 * task not be submitted. */
void fut_asker_add(lua_State *L, int future, int retry_on);

/* fut_asker_is_asked(home, f): retry_on is asked about f just now, so f is done no sooner than
 * that returns. fut_asker_never_ends(home, what): this wait has no deadline, and would never
 * end: the one who waits is asked about what he waits for, or about a task of the executor.
 * fut_asker_refuse_wait(home): FUT_WAIT_NEVER, with the reason in home->why. */
bool fut_asker_is_asked(const struct fut_home *home, const struct fut_future *f);
bool fut_asker_never_ends(const struct fut_home *home, const struct fut_waiting *what);
enum fut_wait fut_asker_refuse_wait(struct fut_home *home);

/* fut_asker_open(L): once per state. */
void fut_asker_open(lua_State *L);

#endif
