-- SPDX-License-Identifier: MIT
-- Executors: their constructors, the methods that are not in C, and views (`with`).

local check = require "futures.check"
local core = require "futures.core"
local Map = require "futures.map"

local executor = {}

local Executor = core.Executor.__index -- submit and stats are in csrc/bind/executor.c

-- More than any system gives; a number that is surely a mistake is refused before memory is.
local MAX_WORKERS = { ThreadPoolExecutor = 1 << 20, ProcessPoolExecutor = 1 << 15 }
local MAX_TASKS = 0x7fffffff -- so many of one process that more are the same as no limit

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
    name = "string without zeros",
    priority = "number",
    task_timeout = "number of seconds",
    retries = "integer from 0 or table",
    retry_on = "callable value",
}

local no_options = {}

-- The executor and the options behind an executor or a view.
local function parts(self, method)
    local meta = debug.getmetatable(self)
    if meta == core.Executor then return self, no_options end
    if meta == View then return self.executor, self.options end
    check.bad_self(self, method, "executor", 1)
end

-- What the tasks of a view have in common, for csrc/bind/submit.c, by the options of the view;
-- false for plain tasks.
local prepared = setmetatable({}, { __mode = "k" })

local function prepare(options)
    local limit = options.task_timeout
    if limit == math.huge then limit = nil end
    local retries = options.retries
    if retries and retries.max == 0 then retries = nil end
    if not (options.name or options.priority or limit or retries) then return false end
    if limit then limit = limit > 0 and math.max(limit, 2e-9) or -1 end -- 0 is none in C
    return core.task_options {
        name = options.name,
        priority = options.priority,
        timeout = limit,
        retries = retries,
        retry_on = retries and options.retry_on, -- without them it means nothing
    }
end

-- The same, or nil for plain tasks.
local function task_options(options)
    local tasks = prepared[options]
    if tasks == nil then
        tasks = prepare(options)
        prepared[options] = tasks
    end
    return tasks or nil
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
    local function submit(...) return ex:_try(tasks, fn, ...) end
    local function room(...) return ex:_room(...) end
    return Map.new(ex, submit, room, options, tasks, fn, sources)
end

function methods.with(self, options)
    local ex, outer = parts(self, "with")
    local merged = check.options(options, view_options, 1, "with")
    for option, value in pairs(outer) do
        if merged[option] == nil then merged[option] = value end
    end
    return setmetatable({ executor = ex, options = merged }, View)
end

function methods.shutdown(self, options)
    local ex = parts(self, "shutdown")
    if options == nil then options = no_options end
    options = check.options(options, check.shutdown_options, 1, "shutdown")
    return ex:_shutdown(options.wait ~= false, options.cancel_futures, options.timeout)
end

local SIGTERM, SIGKILL = 15, 9

function methods.terminate_workers(self)
    parts(self, "terminate_workers"):_kill("terminate_workers", SIGTERM)
end

function methods.kill_workers(self)
    parts(self, "kill_workers"):_kill("kill_workers", SIGKILL)
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
    local ex, options = parts(self, "submit")
    check_function(fn, "submit")
    return ex:_submit_with(task_options(options), fn, ...)
end

function View.stats(self)
    return parts(self, "stats"):stats()
end

function View.__tostring(self)
    return "view of " .. tostring((parts(self, "tostring")))
end

-- ---- constructors ----

-- What all pools take.
local function pool_options(more)
    local known = {
        max_workers = "integer from 1",
        initializer = "callable value",
        initargs = "array or table.pack(...)",
        max_pending = "integer from 1",
        on_full = "'block' or 'error'",
    }
    for option, kind in pairs(more) do
        known[option] = kind
    end
    return known
end

local thread_options = pool_options { thread_name_prefix = "string without zeros" }
local process_options = pool_options { max_tasks_per_child = "integer from 1" }

-- The options of the constructor `name`, checked; misuse is raised at the caller of the caller.
local function check_pool_options(options, known, name, more)
    if more ~= nil then
        check.misuse(2, name, "nothing expected: options go into one table, as in "
            .. "{ max_workers = 4, max_pending = 100 }", 1)
    end
    if options == nil then return {} end
    if type(options) ~= "table" then
        local workers = check.positive_integer(options)
        if not workers then
            check.misuse(1, name,
                "max_workers: integer from 1 expected, got " .. check.shown(options), 1)
        end
        options = { max_workers = workers }
    end
    if options[name] then
        check.misuse(1, name,
            "number or table of options expected, got the module: call it with '.', not ':'", 1)
    end
    options = check.options(options, known, 1, name, 1)
    local most = MAX_WORKERS[name]
    if options.max_workers and options.max_workers > most then
        check.misuse(1, name,
            ("max_workers: at most %d, got %d"):format(most, options.max_workers), 1)
    end
    return options
end

-- The initializer and its arguments.
local function start_of(options)
    local initargs = options.initargs or no_options
    return options.initializer, table.unpack(initargs, 1, initargs.n or #initargs)
end

local made = { ThreadPoolExecutor = 0, ProcessPoolExecutor = 0 }

local function next_name(class)
    made[class] = made[class] + 1
    return class .. "-" .. made[class]
end

function executor.ThreadPoolExecutor(options, more)
    options = check_pool_options(options, thread_options, "ThreadPoolExecutor", more)
    local name = next_name("ThreadPoolExecutor")
    return core.thread_pool(options.max_workers or math.min(32, core.cpu_count() + 4),
        options.thread_name_prefix or name, options.max_pending or 0,
        options.on_full == "error", start_of(options))
end

function executor.ProcessPoolExecutor(options, more)
    options = check_pool_options(options, process_options, "ProcessPoolExecutor", more)
    return core.process_pool(options.max_workers or core.cpu_count(),
        next_name("ProcessPoolExecutor"), options.max_pending or 0,
        options.on_full == "error", math.min(options.max_tasks_per_child or 0, MAX_TASKS),
        start_of(options))
end

return executor
