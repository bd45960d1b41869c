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

/* fut_asker_each(home, at): one after the other the futures of the tasks that retry_on is asked
 * about just now; *at is NULL before the first call; NULL at the end. They are done no sooner
 * than that returns, and no callback of the state runs before. Another thread may call it while
 * this one sleeps. */
struct fut_future *fut_asker_each(void *home, void **at);

/* fut_asker_open(L): once per state. */
void fut_asker_open(lua_State *L);

#endif
