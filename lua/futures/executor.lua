-- SPDX-License-Identifier: MIT
-- Executors: their constructors, the methods that are not in C, and views (`with`).

local check = require "futures.check"
local core = require "futures.core"
local Map = require "futures.map"

local executor = {}

local Executor = core.Executor.__index -- submit and stats are in csrc/bind/executor.c

-- More than any system gives; a number that is surely a mistake is refused before memory is.
local MAX_WORKERS = 1 << 20

-- ---- views ----

local View = {}
View.__index = View
View.__name = "futures.View"
executor.View = View -- views travel: the other side finds their metatable here

local view_options = {
    -- of maps
    timeout = "number of seconds",
    chunksize = "integer from 1",
    buffersize = "integer from 1",
    ordered = "boolean",
    -- of tasks
    name = "string",
}

local no_options = {}

-- The executor and the options behind an executor or a view.
local function parts(self, method)
    local meta = debug.getmetatable(self)
    if meta == core.Executor then return self, no_options end
    if meta == View then return self.executor, self.options end
    check.misuse(0, method, "executor expected, got " .. check.shown(self), 1)
end

-- What the tasks of a view have in common, for csrc/bind/submit.c; nil for plain tasks.
local function task_options(options)
    if options.name == nil then return nil end
    return core.task_options { name = options.name }
end

local function check_function(fn, name)
    if not check.callable(fn) then
        check.misuse(1, name, "callable value expected, got " .. check.shown(fn), 1)
    end
end

-- Executors and views have these methods in common.
local methods = {}

function methods.map(self, fn, ...)
    local ex, options = parts(self, "map")
    check_function(fn, "map")
    local sources = table.pack(...)
    Map.check_sources(sources)
    local tasks = task_options(options)
    local function submit(...)
        if select("#", ...) == 0 then return nil end
        return ex:_submit_with(tasks, fn, ...)
    end
    return Map.new(ex, submit, options, tasks, fn, sources)
end

function methods.with(self, options)
    local ex, outer = parts(self, "with")
    local merged = check.options(options, view_options, 1, "with")
    for option, value in pairs(outer) do
        if merged[option] == nil then merged[option] = value end
    end
    return setmetatable({ executor = ex, options = merged }, View)
end

local shutdown_options = {
    wait = "boolean",
    cancel_futures = "boolean",
    timeout = "number of seconds",
}

function methods.shutdown(self, options)
    local ex = parts(self, "shutdown")
    options = check.options(options or no_options, shutdown_options, 1, "shutdown")
    return ex:_shutdown(options.wait ~= false, options.cancel_futures, options.timeout)
end

-- `local ex <close>`: left by an error, what has not started is cancelled first.
local function close(self, problem)
    parts(self, "close"):_shutdown(true, problem ~= nil)
end

for name, method in pairs(methods) do
    Executor[name], View[name] = method, method
end
core.Executor.__close, View.__close = close, close

function View.submit(self, fn, ...)
    check_function(fn, "submit")
    return self.executor:_submit_with(task_options(self.options), fn, ...)
end

function View.stats(self)
    return self.executor:stats()
end

function View.__tostring(self)
    return "view of " .. tostring(self.executor)
end

-- ---- ThreadPoolExecutor ----

local thread_options = {
    max_workers = "integer from 1",
    thread_name_prefix = "string",
    initializer = "callable value",
    initargs = "array",
}

local pools_made = 0

function executor.ThreadPoolExecutor(options)
    if options == nil then
        options = no_options
    elseif type(options) ~= "table" then
        local workers = check.positive_integer(options)
        if not workers then
            check.misuse(1, "ThreadPoolExecutor",
                "max_workers: integer from 1 expected, got " .. check.shown(options))
        end
        options = { max_workers = workers }
    end
    if options.ThreadPoolExecutor then
        check.misuse(1, "ThreadPoolExecutor",
            "number or table of options expected, got the module: call it with '.', not ':'")
    end
    options = check.options(options, thread_options, 1, "ThreadPoolExecutor")
    local workers = options.max_workers or math.min(32, core.cpu_count() + 4)
    if workers > MAX_WORKERS then
        check.misuse(1, "ThreadPoolExecutor",
            ("max_workers: at most %d, got %d"):format(MAX_WORKERS, workers))
    end
    pools_made = pools_made + 1
    local prefix = options.thread_name_prefix or "ThreadPoolExecutor-" .. pools_made
    local initargs = options.initargs or no_options
    return core.thread_pool(workers, prefix, options.initializer,
        table.unpack(initargs, 1, initargs.n or #initargs))
end

return executor
