-- SPDX-License-Identifier: MIT
---@meta futures
-- The types and texts of the public API, for editors and for `./dev doc`. Never loaded: most of
-- these functions are C.

--- Concurrency for Lua 5.4: executors that run functions in threads or processes, and futures
--- of their results.
---@class futures
---@field _VERSION string
---@field FIRST_COMPLETED futures.ReturnWhen `wait` returns when one is done
---@field FIRST_EXCEPTION futures.ReturnWhen `wait` returns when one has failed, or all are done
---@field ALL_COMPLETED futures.ReturnWhen `wait` returns when all are done; the default
---@field Error futures.ErrorClass above all other error classes
---@field CancelledError futures.ErrorClass the future was cancelled
---@field TimeoutError futures.ErrorClass the time was over first
---@field InvalidStateError futures.ErrorClass a bare future was set twice
---@field TransferError futures.ErrorClass a value cannot travel; its message says which one
---@field WorkerLostError futures.ErrorClass the process that ran the task has died
---@field QueueFullError futures.ErrorClass a submit past `max_pending` under `on_full`
---@field BrokenExecutor futures.ErrorClass above the next two
---@field BrokenThreadPool futures.ErrorClass an initializer or the start of a worker failed
---@field BrokenProcessPool futures.ErrorClass the same for processes; also: they were ended
local futures = {}

-- ---- module ----

--- A pool of native threads, each with a Lua state of its own. Threads start when they are
--- needed, and only when none is idle. It is closed by `shutdown`, by `<close>`, or, after its
--- queue has run, when it is collected.
---@param options? integer|futures.ThreadPoolOptions options, or just the number of workers
---@return futures.Executor
function futures.ThreadPoolExecutor(options) end

--- A pool of forked processes, each with a Lua state of its own. One that dies costs the task
--- that it was running and is replaced. Closed like a pool of threads.
---@param options? integer|futures.ProcessPoolOptions options, or just the number of workers
---@return futures.Executor
function futures.ProcessPoolExecutor(options) end

--- A bare future, pending, for tests and for executors of your own.
---@return futures.Future
function futures.Future() end

--- Waits for many futures. A future that is there twice counts once. A timeout is no error:
--- what is not done by then is in the second array.
---@param fs futures.Many
---@param timeout? number seconds; nil waits for ever, 0 does not wait
---@param return_when? futures.ReturnWhen default: ALL_COMPLETED
---@return futures.Future[] done
---@return futures.Future[] not_done
function futures.wait(fs, timeout, return_when) end

--- An iterator over futures in the order in which they are done, those that are done already
--- first. Raises TimeoutError when the time, counted from the call, is over; what was done by
--- then has been given out before.
---@param fs futures.Many
---@param timeout? number seconds
---@return fun(): futures.Future? iterator
function futures.as_completed(fs, timeout) end

--- Runs the callbacks that are due in this Lua state. In a task, tasks of its pool run while it
--- waits.
---@param timeout? number seconds to wait for one; default: 0
---@return integer ran how many
function futures.poll(timeout) end

--- A file descriptor that is readable while a callback of this Lua state is due, for event
--- loops: when it is, call `futures.poll()`. There is one for each state, made by the first
--- call and closed with the state. After a fork, ask again.
---@return integer fd
function futures.pollfd() end

--- A future of the first results of all, in order: an array with their number `n`. Fails with
--- the first error, or with a CancelledError when one of them is cancelled.
---@param fs futures.Many a future that is there twice has two places
---@return futures.Future
function futures.all(fs) end

--- A future of the first success, with all its results. When all have failed it fails with an
--- Error whose field `errors` is an array of their errors, with `n`; so it does at once when
--- there are none.
---@param fs futures.Many
---@return futures.Future
function futures.any(fs) end

--- The results of a future, or its error. In a coroutine: yields the future until the one who
--- resumes the coroutine finds it done. Elsewhere: waits, like `result`.
---@param f futures.Future
---@return any ...
function futures.await(f) end

--- Does nothing for a while, except that callbacks which are due run. Ctrl-C ends it.
---@param seconds number
function futures.sleep(seconds) end

--- Seconds from some point in the past, of a clock that nobody sets.
---@return number seconds
function futures.monotonic() end

--- How many CPUs this process may use: its affinity and its cgroup's quota count.
---@return integer
function futures.cpu_count() end

--- Who runs this code; nil outside of a pool.
---@return futures.Worker?
function futures.worker() end

--- Is the value an error object of this library; with `class`, one of it or of a class below
--- it?
---@param value any
---@param class? futures.ErrorClass
---@return boolean
function futures.iserror(value, class) end

-- ---- executors ----

--- A pool of workers. `local ex <close> = …` shuts it down and waits; when the block is left
--- by an error, tasks that have not started are cancelled first.
---@class futures.Executor
local Executor = {}

--- Runs `fn(...)` in a worker. Function and arguments are copied at the call; what is wrong
--- with them raises here: TransferError when a value cannot travel, Error after a shutdown,
--- BrokenThreadPool or BrokenProcessPool when an initializer has failed.
---@param fn futures.Callable
---@param ... any arguments; their number is kept, nils included
---@return futures.Future
function Executor:submit(fn, ...) end

--- Runs `fn` for each value of a source, or with one value of each of several; the shortest
--- source ends the map. Tasks are submitted at the call. In a `for` loop it gives the index,
--- then all results of the task, in the order of the input. A task's error is raised at its
--- position.
---@param fn futures.Callable
---@param source futures.Source
---@param ... futures.Source
---@return futures.Map
function Executor:map(fn, source, ...) end

--- A view: the same executor, with options for its maps and its tasks. Views are cheap; a view
--- of a view has the options of both, and where both have one, its own.
---@param options futures.ViewOptions
---@return futures.Executor
function Executor:with(options) end

--- Takes no more tasks. Those that are queued still run, unless `cancel_futures`. May be
--- called again.
---@param options? futures.ShutdownOptions
---@return boolean in_time false when the timeout passed before all was done
function Executor:shutdown(options) end

--- What the executor has done so far.
---@return futures.Stats
function Executor:stats() end

--- Of a pool of processes: sends them SIGTERM. Pending futures are cancelled, running ones fail
--- with BrokenProcessPool, and no new process starts. Does not wait: see `shutdown`.
function Executor:terminate_workers() end

--- The same with SIGKILL, which no process survives.
function Executor:kill_workers() end

--- The iterator of `Executor:map`.
---@class futures.Map
---@overload fun(): integer?, ...
local Map = {}

--- Ends the map; tasks that have not started are cancelled. A loop that is left early does it.
function Map:close() end

--- The first results of all tasks, and their number `n`. Raises the first error, then cancels
--- the rest.
---@return table results array with `n`
function Map:totable() end

-- ---- futures ----

--- The result of a task, now or later.
---@class futures.Future
local Future = {}

--- Waits for the task; gives all its results, or raises its error value as it is. Raises
--- CancelledError when the future was cancelled, and TimeoutError when the time is over; the
--- task goes on then.
---@param timeout? number seconds; nil waits for ever, 0 does not wait
---@return any ...
function Future:result(timeout) end

--- Waits for the task; gives its error value, or nil. Raises like `result` on cancel and
--- timeout.
---@param timeout? number seconds
---@return any error_value
function Future:exception(timeout) end

--- Waits for the task, like pcall: true and all results, or false and what `result` would
--- raise.
---@param timeout? number seconds
---@return boolean ok
---@return any ...
function Future:outcome(timeout) end

--- The traceback of the error, as it was in the worker; nil when there is none. An error that
--- was passed through by `next` or `all` keeps its own.
---@return string?
function Future:traceback() end

--- Cancels a task that has not started. True when the future is cancelled, also by an earlier
--- call; false when the task runs or is finished.
---
--- With `interrupt` also a task that runs: true at once. An error ends it from inside, its
--- closing variables run, and the future is cancelled when it has left its worker.
---@param interrupt? boolean default: false
---@return boolean
function Future:cancel(interrupt) end

---@return futures.State
function Future:state() end

---@return boolean
function Future:cancelled() end

--- True only while a worker runs the task.
---@return boolean
function Future:running() end

--- Finished or cancelled.
---@return boolean
function Future:done() end

--- `fn(future)` is called once the future is done, in this Lua state, at the next call of the
--- library that may wait; at once when it is done already. Callbacks run in the order in which
--- they were added; an error in one goes to `warn`.
---@param fn futures.Callable
function Future:add_done_callback(fn) end

--- A future of what `fn(results...)` returns: all its results, or, when it returns a future and
--- nothing else, the outcome of that. `fn` is called like a callback of `add_done_callback`. An
--- error in it is the new future's error. Without `on_error` an error or a cancel passes
--- through; with it `on_error(err)` gives the outcome. Cancelling the new future does not touch
--- this one, but then neither function is called.
---@param fn futures.Callable
---@param on_error? futures.Callable gets the error value, or a CancelledError
---@return futures.Future
function Future:next(fn, on_error) end

--- How many times it was started. A future that is no task's (bare, or of `next`, `all` or
--- `any`) has started once when it runs or is finished.
---@return integer
function Future:attempts() end

--- For bare futures: sets the results. Raises InvalidStateError when there is an outcome
--- already.
---@param ... any
function Future:set_result(...) end

--- For bare futures: sets the error value. Raises InvalidStateError when there is an outcome
--- already.
---@param error_value any
function Future:set_exception(error_value) end

--- For bare futures: false when it was cancelled; otherwise it is running from here on, cannot
--- be cancelled any more, and the answer is true.
---@return boolean
function Future:set_running_or_notify_cancel() end

-- ---- types ----

---@alias futures.ReturnWhen "FIRST_COMPLETED"|"FIRST_EXCEPTION"|"ALL_COMPLETED"

---@alias futures.State "pending"|"running"|"finished"|"cancelled"

--- What can be called: a function, or a value whose metatable has `__call`.
---@alias futures.Callable function|table|userdata

--- An array, or a function that gives one value a call and nil at its end.
---@alias futures.Source table|fun(): any

--- Futures as `wait` and `as_completed` take them: an array, a table whose keys are futures,
--- or an iterator.
---@alias futures.Many futures.Future[]|table<futures.Future, any>|fun(): futures.Future?

--- A class of error objects; `futures.iserror(value, class)` asks for it.
---@class futures.ErrorClass
---@field name string

--- An error object. `tostring` gives `name: message`.
---@class futures.Error
---@field name string of its class, for example "TimeoutError"
---@field message string

--- Who runs this code, as `futures.worker` gives it.
---@class futures.Worker
---@field kind "thread"|"process"
---@field id integer from 1, in the order in which the pool started them
---@field name string as the operating system shows it, when it is short enough
---@field pid integer of its process

--- What all pools take.
---@class futures.PoolOptions
---@field initializer? futures.Callable runs once in every worker, before its first task
---@field initargs? table arguments of the initializer; with `n` when there are nils
---@field max_pending? integer from 1: tasks that may wait in the queue; default: any number
---@field on_full? "block"|"error" past that: wait for room (default), or QueueFullError

---@class futures.ThreadPoolOptions : futures.PoolOptions
---@field max_workers? integer from 1; default: min(32, cpu_count + 4)
---@field thread_name_prefix? string threads are PREFIX_0, PREFIX_1, …

---@class futures.ProcessPoolOptions : futures.PoolOptions
---@field max_workers? integer from 1; default: cpu_count
---@field max_tasks_per_child? integer a process is replaced after so many tasks; default: never

---@class futures.ViewOptions
---@field timeout? number seconds for a whole map, counted from the call
---@field chunksize? integer items in one task of a map; default: 1
---@field buffersize? integer tasks of a map that may be under way; default: all
---@field ordered? boolean false: a map gives results as they come; default: true
---@field priority? number of the tasks; higher ones run first; default: 0
---@field task_timeout? number seconds a task may run; then its future fails with TimeoutError
---@field retries? integer|futures.Retries how often a task runs again whose worker has died
---@field retry_on? fun(err: any, attempt: integer): any with `retries`: is an error worth it?
---@field name? string what the tasks are called in tracebacks of their errors and in `tostring`

--- How often a task that has failed runs again, and after which pauses.
---@class futures.Retries
---@field max integer from 0
---@field backoff? number seconds before the first retry; default: 0
---@field factor? number by which each pause is longer than the one before; default: 2
---@field max_delay? number seconds that no pause is longer than; default: 30
---@field jitter? boolean pauses are shorter by chance, down to the half; default: true

---@class futures.ShutdownOptions
---@field wait? boolean default: true
---@field cancel_futures? boolean cancel what has not started; default: false
---@field timeout? number seconds to wait; default: for ever

--- What an executor has done so far.
---@class futures.Stats
---@field workers integer threads or processes that are there
---@field idle integer those without a task
---@field pending integer tasks that wait
---@field running integer tasks that run
---@field submitted integer tasks there have been
---@field completed integer tasks that ended without an error
---@field failed integer tasks that ended with an error
---@field cancelled integer tasks that were cancelled
---@field lost integer how often a worker died with a task; 0 for threads
---@field retried integer how often a task was run again
---@field wait futures.Times from the submit of a task to its start
---@field run futures.Times from the start of a task to its end

--- Times in seconds; all 0 as long as there are none. The first two are right to 5 %.
---@class futures.Times
---@field p50 number the median
---@field p99 number 99 of 100 took no longer
---@field max number
---@field mean number

return futures
