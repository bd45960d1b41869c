-- SPDX-License-Identifier: MIT
-- Futures of futures: next, all, any; and await.
--
-- A derived future is a bare one that is settled by steps: callbacks on the futures that it
-- waits for. So a chain of any length is worked off one link after the other and needs no
-- stack. csrc/bind/derive.c has the callbacks, and turns an error in a step into the outcome.

local check = require "futures.check"
local core = require "futures.core"
local errors = require "futures.errors"
local waiting = require "futures.waiting"

local compose = {}

-- Is `target` what `future` waits for, however far up?
local function waits_for(future, target)
    -- Most are a short chain, which needs no memory of where it has been.
    repeat
        if rawequal(future, target) then return true end
        local upstream = core.upstream(future)
        if upstream == nil then return false end
        future = upstream
    until type(upstream) == "table"
    local seen, left = {}, future
    while #left > 0 do
        future = table.remove(left)
        if rawequal(future, target) then return true end
        if not seen[future] then
            seen[future] = true
            local upstream = core.upstream(future)
            if type(upstream) == "table" then
                table.move(upstream, 1, #upstream, #left + 1, left)
            else
                left[#left + 1] = upstream
            end
        end
    end
    return false
end

-- ---- next ----

local function follow_step(future, derived)
    if future:cancelled() then
        derived:cancel()
    else
        core.pass(derived, future)
    end
end

-- What a handler returned is the outcome, or the future that will have it.
local function resolve(derived, ...)
    local first = ...
    if select("#", ...) ~= 1 or not core.isfuture(first) then
        core.settle(derived, true, ...)
    elseif derived:done() then -- cancelled by the handler itself
        return
    elseif first:done() then
        follow_step(first, derived)
    elseif waits_for(first, derived) then
        error(errors.new(errors.Error, "a future cannot follow itself"), 0)
    else
        core.link(derived, core.watch(follow_step, first, derived))
    end
end

local function handle(future, derived, fn, on_error, ok, ...)
    if ok then
        resolve(derived, fn(...))
    elseif on_error then
        resolve(derived, on_error(...))
    else
        follow_step(future, derived)
    end
end

local function next_step(future, derived, fn, on_error)
    if derived:done() then return end -- cancelled in another state
    handle(future, derived, fn, on_error, core.outcome(future))
end

local Future = getmetatable(core.Future()).__index

function Future.next(self, fn, on_error)
    if not core.isfuture(self) then
        check.bad_self(self, "next", "future")
    elseif not check.callable(fn) then
        check.misuse(1, "next", "callable value expected, got " .. check.shown(fn))
    elseif on_error ~= nil and not check.callable(on_error) then
        check.misuse(2, "next", "callable value expected, got " .. check.shown(on_error))
    end
    local derived = core.Future()
    core.link(derived, core.watch(next_step, self, derived, fn, on_error))
    if self:done() then core.due() end
    return derived
end

-- ---- all, any ----

-- A future that step(future, derived, state, position) settles; it is called for each future of
-- the array as that is done. Those that are done already come first, in the order in which they
-- were, until the outcome is clear.
local function join(futures, step, state)
    local derived = core.Future()
    local order, done = core.order(futures)
    for k = 1, done do
        step(futures[order[k]], derived, state, order[k])
        if derived:done() then return derived end
    end
    local callbacks = {}
    for k = done + 1, #order do
        local i = order[k]
        callbacks[#callbacks + 1] = core.watch(step, futures[i], derived, state, i)
    end
    core.link(derived, callbacks)
    return derived
end

local function all_step(future, derived, state, i)
    local ok, value = core.outcome(future)
    if not ok then
        core.pass(derived, future)
        return
    end
    state.results[i] = value
    state.left = state.left - 1
    if state.left == 0 then core.settle(derived, true, state.results) end
end

function compose.all(futures)
    futures = waiting.gather(futures, "all")
    local results = { n = #futures }
    if #futures > 0 then
        return join(futures, all_step, { results = results, left = #futures })
    end
    local derived = core.Future()
    derived:set_result(results)
    return derived
end

local QUOTED = 3 -- errors in the message of an `any` that failed

-- The texts of the first errors; they come from anywhere, so their __tostring may fail.
local function quote(list)
    local texts = {}
    for i = 1, math.min(list.n, QUOTED) do
        local ok, text = pcall(tostring, list[i])
        texts[i] = ok and text or "(an error whose text is an error)"
    end
    if list.n > QUOTED then texts[#texts + 1] = "…" end
    return table.concat(texts, "; ")
end

local function none_succeeded(list)
    local message = list.n == 0 and "no future succeeded: there was none"
        or ("no future succeeded (of %d): %s"):format(list.n, quote(list))
    return errors.new(errors.Error, message, { errors = list })
end

local function any_outcome(derived, state, i, ok, ...)
    if ok then
        core.settle(derived, true, ...)
        return
    end
    state.errors[i] = (...)
    state.left = state.left - 1
    if state.left == 0 then core.settle(derived, false, none_succeeded(state.errors)) end
end

local function any_step(future, derived, state, i)
    any_outcome(derived, state, i, core.outcome(future))
end

function compose.any(futures)
    futures = waiting.gather(futures, "any")
    local list = { n = #futures }
    if #futures > 0 then return join(futures, any_step, { errors = list, left = #futures }) end
    local derived = core.Future()
    derived:set_exception(none_succeeded(list))
    return derived
end

-- ---- await ----

function compose.await(future)
    if not core.isfuture(future) then
        check.misuse(1, "await", "future expected, got " .. check.shown(future))
    end
    local _, is_main = coroutine.running()
    if not is_main and not future:done() then
        if not coroutine.isyieldable() then
            error(errors.new(errors.Error, "await cannot yield here: a C function, such as "
                .. "table.sort or string.gsub, or a callback is on the way"), 0)
        end
        repeat
            future:_awaited()
            coroutine.yield(future)
        until future:done()
    end
    return future:result()
end

return compose
