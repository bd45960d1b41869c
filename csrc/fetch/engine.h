/* SPDX-License-Identifier: MIT */
/* fut_engine: the one thread of a process that talks HTTP. It starts with the first job and
 * ends when no session is open and no job is left; with it go its sockets.
 *
 *   submit --> inbox --> queue of the host --> transfer (libcurl) --> outcome --> future
 *
 * STATE: one per process, made anew after its end. A forked child has none: the parent's is
 * left as it is, for libcurl cannot be shared, and the child starts its own.
 * LOCKS: one lock guards the inbox and what sessions and jobs mark as such; it is held for a
 * few instructions, and over the start of the thread. Futures are settled outside of it.
 * THREADS: all of this from any thread but the engine's. It never enters Lua. */
#ifndef FUT_FETCH_ENGINE_H
#define FUT_FETCH_ENGINE_H

#include "base/err.h"
#include "fetch/job.h"
#include "fetch/session.h"

/* fut_engine_open(api): one more user (a lua_State) of the engine. */
void fut_engine_open(const struct fut_api *api);

/* fut_engine_close(drop): one user less. The last one closes the session that all share, waits
 * until the jobs of all sessions are over, or drops them, and until the thread has ended.
 * BLOCKING. */
void fut_engine_close(bool drop);

/* fut_engine_api(): what fut_engine_open was given. */
const struct fut_api *fut_engine_api(void);

/* fut_engine_shared(): the session that all of the process share, with a count for the caller.
 * NULL: no memory. */
struct fut_session *fut_engine_shared(void);

/* fut_engine_submit(job): takes a count of its own. FUT_ECLOSED, FUT_EFULL, FUT_ETHREAD. */
enum fut_err fut_engine_submit(struct fut_job *job);

/* fut_engine_dropped(job): its future was cancelled. */
void fut_engine_dropped(struct fut_job *job);

/* fut_engine_awaited(job): somebody waits for it: max_buffered holds it back no longer.
 * fut_engine_attends(): it may be of use to say so: some session is above its max_buffered, or
 * was. */
void fut_engine_awaited(struct fut_job *job);
bool fut_engine_attends(void);

/* fut_engine_drain(s): somebody waits for the end of s: likewise for all its jobs. */
void fut_engine_drain(struct fut_session *s);

/* How to close a session: what happens to its jobs. */
enum fut_closing { FUT_CLOSING_KEEP, FUT_CLOSING_CANCEL_QUEUED, FUT_CLOSING_CANCEL_ALL };

/* fut_engine_close_session(s, how): takes no more. Idempotent. */
void fut_engine_close_session(struct fut_session *s, enum fut_closing how);

/* fut_engine_room(s, max_pending): a future, with a count for the caller, who is about to wait
 * for it. It is settled when fewer jobs than that are pending, or it is worth another look;
 * NULL: no memory. */
struct fut_future *fut_engine_room(struct fut_session *s, size_t max_pending);

/* fut_engine_stats(s, out, wait, run): the counts of one moment, and the times of those that
 * were started and have ended, but for cancelled ones. */
void fut_engine_stats(struct fut_session *s, struct fut_session_stats *out,
                      struct fut_times *wait, struct fut_times *run);

/* fut_engine_join(): when no session is open and no job is left, waits until the thread has
 * ended. BLOCKING, shortly. */
void fut_engine_join(void);

/* fut_engine_relieve(s, bytes): so many bytes of bodies are no longer held for s. */
void fut_engine_relieve(struct fut_session *s, uint64_t bytes);

#endif
