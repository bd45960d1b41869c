-- SPDX-License-Identifier: MIT
--- Concurrency for Lua 5.4: executors that run functions in threads or processes, and futures
--- of their results.

local compose = require "futures.compose"
local core = require "futures.core"
local errors = require "futures.errors"
local executor = require "futures.executor"
local version = require "futures.version"
local waiting = require "futures.waiting"

local futures = {
    _VERSION = version,

    ThreadPoolExecutor = executor.ThreadPoolExecutor,
    ProcessPoolExecutor = executor.ProcessPoolExecutor,
    Future = core.Future,

    wait = waiting.wait,
    as_completed = waiting.as_completed,
    FIRST_COMPLETED = waiting.modes.FIRST_COMPLETED,
    FIRST_EXCEPTION = waiting.modes.FIRST_EXCEPTION,
    ALL_COMPLETED = waiting.modes.ALL_COMPLETED,

    all = compose.all,
    any = compose.any,
    await = compose.await,

    poll = core.poll,
    pollfd = core.pollfd,
    sleep = core.sleep,
    monotonic = core.monotonic,
    cpu_count = core.cpu_count,
    worker = core.worker,

    iserror = errors.iserror,
}

for _, name in ipairs { "Error", "CancelledError", "TimeoutError", "InvalidStateError",
    "TransferError", "WorkerLostError", "QueueFullError", "BrokenExecutor", "BrokenThreadPool",
    "BrokenProcessPool" } do
    futures[name] = errors[name]
end

return futures
