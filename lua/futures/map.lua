-- SPDX-License-Identifier: MIT
-- Executor:map: what is submitted when, and in which order results come.
--
--   sources --row--> submit --> window of futures --step--> index, results
--
-- The window is a queue by position; unordered maps watch it and take positions as they are
-- done. With a chunk size each future carries many rows, which csrc/bind/map.c packs and takes
-- out.

local check = require "futures.check"
local core = require "futures.core"
local errors = require "futures.errors"

local Map = {}

-- The state behind a map object; weak keys, so it goes with the object.
local states = setmetatable({}, { __mode = "k" })

--- What is wrong with a value as a source, or nil.
function Map.source_problem(source)
    if check.callable(source) then return nil end
    if type(source) ~= "table" then return check.shown(source) end
    local is_map = not getmetatable(source) and source[1] == nil and next(source) ~= nil
    return is_map and "a table without [1]" or nil
end

--- Checks the sources of a map call; misuse is raised at the caller of the caller.
function Map.check_sources(sources)
    if sources.n == 0 then check.misuse(2, "map", "a source expected, got none", 1) end
    for i = 1, sources.n do
        local problem = Map.source_problem(sources[i])
        if problem then
            local hint = type(sources[i]) == "table" and " (options go to 'with')" or ""
            check.misuse(i + 1, "map",
                "array or callable value expected, got " .. problem .. hint, 1)
        end
    end
end

-- csrc/bind/map.c tells an array from a callable by its type.
local function plain_sources(sources)
    local plain = {}
    for i, source in ipairs(sources) do
        local wrap = type(source) ~= "function" and check.callable(source)
        plain[i] = wrap and function() return source() end or source
    end
    return plain
end

-- Puts a future at the end of the window.
local function append(state, future, rows)
    state.last = state.last + 1
    state.left = state.left + 1
    state.futures[state.last] = future
    state.first_index[state.last] = state.rows + 1
    if state.chunksize then state.chunk_rows[state.last] = rows end
    state.rows = state.rows + rows
    if state.watches then state.watches:add(future, state.last) end
end

-- The future of a row, nil when there is no more, false when the queue is full: then the row is
-- kept for the next try.
local function submit_row(state, ...)
    if select("#", ...) == 0 then return nil end
    local future = state.submit(...)
    if future then return future end
    state.row = table.pack(...)
    return false
end

local function submit_kept(state)
    local row = state.row
    state.row = nil
    return submit_row(state, table.unpack(row, 1, row.n))
end

-- Submits the next row or chunk: true; nil when the sources have ended; false when the queue is
-- full: what was read for it is kept, so that it is not lost.
local function submit_next(state)
    local future, rows
    if state.chunksize then
        future, rows = core.map.chunk(state.object, state.executor, state.fn, state.chunksize,
            state.task_options)
    elseif state.row then
        future, rows = submit_kept(state), 1
    else
        future, rows = submit_row(state, core.map.row(state.object)), 1
    end
    state.full = future == false
    if state.full then return false end
    if future and state.closed then -- by a source
        future:cancel()
        future = nil
    end
    if not future then
        state.ended = true
        return nil
    end
    append(state, future, rows)
    return true
end

-- During the iteration: submits what the window has room for, without a wait. What goes wrong
-- with a row is raised at its position, and ends the sources.
local function refill(state)
    while not state.ended and state.left < state.buffersize do
        local ok, submitted = pcall(submit_next, state)
        if state.closed then return end
        if not ok then
            state.ended = true
            local failed = core.Future()
            failed:set_exception(submitted)
            append(state, failed, 1)
        elseif not submitted then
            return
        end
    end
end

local function raise_timeout(state)
    local kept = state.full and 1 or 0
    local unfinished = kept
    for _, future in pairs(state.futures) do
        if not future:done() then unfinished = unfinished + 1 end
    end
    local message = ("%d (of %d) futures unfinished"):format(unfinished, state.last + kept)
    Map.close(state.object)
    error(errors.new(errors.TimeoutError, message), 0)
end

local function seconds_left(state)
    return state.deadline and state.deadline - core.monotonic()
end

-- Until another try is worth it. At the call an executor may refuse to wait (`on_full`); later
-- the row has been read, so the wait is patient.
local function wait_for_room(state, patient)
    if not state.room(seconds_left(state), patient) then raise_timeout(state) end
end

-- The position of the next future that is done, or nil at the end, which a callback may bring
-- about while this waits.
local function next_done(state)
    while state.left == 0 and not state.ended do -- what is next did not fit
        wait_for_room(state, true)
        refill(state)
    end
    if state.left == 0 then return nil end
    local left = seconds_left(state)
    local position
    if state.watches then
        position = state.watches:next(left)
    else
        position = state.futures[state.next]:_wait(left) and state.next
        state.next = state.next + 1
    end
    if state.left == 0 then return nil end
    return position or raise_timeout(state)
end

local function advance(object)
    local state = states[object]
    local position = next_done(state)
    if not position then return nil end
    local future, index = state.futures[position], state.first_index[position]
    local rows = state.chunksize and state.chunk_rows[position]
    state.futures[position], state.first_index[position] = nil, nil
    if rows then state.chunk_rows[position] = nil end
    state.left = state.left - 1
    if state.buffersize then refill(state) end
    if not state.chunksize then return index, future:_take() end
    core.map.install(object, future, index, rows)
    return true
end

--- Cancels what has not started; the iteration is at its end. Also when a loop is left early.
function Map.close(self)
    local state = states[self]
    if not state then check.bad_self(self, "close", "map") end
    core.map.stop(self)
    state.ended, state.closed = true, true
    if state.watches then state.watches:stop() end
    local futures, left = state.futures, state.left
    state.futures, state.left = {}, 0
    -- From the last one back: else each that is cancelled in flight lets another one start.
    for position = state.last, 1, -1 do
        if left == 0 then break end
        local future = futures[position]
        if future then
            left = left - 1
            future:cancel()
        end
    end
end

--- The first result of each item, by index, and their number `n`. Raises the first error, then
--- cancels the rest.
function Map.totable(self)
    if not states[self] then check.bad_self(self, "totable", "map") end
    local closing <close> = self -- luacheck: ignore 211
    local results = { n = 0 }
    for index, first in self do
        results[index] = first
        if index > results.n then results.n = index end
    end
    return results
end

core.map.metatable.__index = { close = Map.close, totable = Map.totable }
core.map.metatable.__close = Map.close
core.map.metatable.__name = "futures.Map"

-- Left by an error, or by the end of a task, which no pcall would see, a map cancels what it
-- has submitted so far.
local Start = {
    __close = function(self)
        if self.object then Map.close(self.object) end
    end,
}

--- The iterator over fn's results for the rows of `sources`, with what a generic `for` needs to
--- close it. `submit(...)` submits one row and gives its future, or nil when the queue is full;
--- `room(timeout, patient)` waits until another try is worth it, false: the time passed first;
--- chunks go to `executor` with `task_options`. What is due at the call is submitted here; an
--- error there cancels what came before it.
function Map.new(executor, submit, room, options, task_options, fn, sources)
    local object = core.map.new(advance, plain_sources(sources))
    local chunksize = options.chunksize or 1
    local state = {
        object = object,
        executor = executor,
        task_options = task_options,
        submit = submit,
        room = room,
        fn = fn,
        chunksize = chunksize > 1 and chunksize or nil,
        buffersize = options.buffersize,
        deadline = options.timeout and core.monotonic() + options.timeout,
        watches = options.ordered == false and core.watches() or nil,
        futures = {}, -- by position, those not yet given out
        first_index = {}, -- by position: the index of its first row
        chunk_rows = {}, -- by position: how many rows, in a map of chunks
        next = 1, -- the position whose turn it is, in order
        last = 0,
        left = 0,
        rows = 0,
        ended = false,
        closed = false,
    }
    states[object] = state
    local start <close> = setmetatable({ object = object }, Start)
    local budget = state.buffersize or math.huge
    while budget > 0 and not state.ended do
        if submit_next(state) then
            budget = budget - 1
        elseif not state.ended then
            wait_for_room(state)
        end
    end
    start.object = nil -- all went well
    return object, nil, nil, object
end

return Map
