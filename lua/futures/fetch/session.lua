-- SPDX-License-Identifier: MIT
--- Sessions and their views: executors whose tasks are requests.
--
--   options of session, view, call --merge, flatten--> plan --C--> future
--
-- A plan is a set of options ready for use; without options of the call's own it is made once.

local Map = require "futures.map"
local check = require "futures.check"
local core = require "futures.fetch.core"
local errors = require "futures.errors"
local fetch_errors = require "futures.fetch.errors"
local futures_core = require "futures.core"
local request = require "futures.fetch.request"

local session = {}

local Session = core.Session
local View = { __name = "futures.fetch.View" }
View.__index = View
session.View = View -- views travel: the other side finds their metatable here

local no_options = {}

-- ---- plans ----

-- Session or view → method or "" → plan.
local plans = setmetatable({}, { __mode = "k" })

local said -- the number of connections that was warned of, not again for each call

local function new_plan(options)
    local flat, problem = request.flatten(options)
    if not flat then
        return nil, problem
    end
    local compiled, possible = core.request(flat)
    if possible and possible ~= said then
        said = possible
        warn(("futures.fetch: max_connections lowered to %d: the limit of file descriptors")
            :format(possible))
    end
    return {
        request = compiled,
        options = options,
        query = flat.query,
        base_url = flat.base_url,
        name = flat.name,
        max_pending = flat.max_pending,
        on_full = flat.on_full,
        map = { buffersize = flat.buffersize, ordered = flat.ordered },
    }
end

-- The plan for a call, or nil and what is wrong with its options. `method` comes from the name
-- of the call.
local function plan_of(self, options, opts, method)
    if opts ~= nil then
        if type(opts) ~= "table" then
            return nil, "table expected, got " .. type(opts)
        elseif method and opts.method ~= nil then
            return nil, "option 'method': the call says it"
        end
        local merged = request.merge(options, opts)
        merged.method = method or merged.method
        return new_plan(merged)
    end
    local cache = plans[self]
    if not cache then
        cache = {}
        plans[self] = cache
    end
    local plan = cache[method or ""]
    if plan then
        return plan
    end
    local problem
    plan, problem = new_plan(method and request.merge(options, { method = method }) or options)
    cache[method or ""] = plan
    return plan, problem
end

-- ---- submit ----

local function misuse(argument, name, problem)
    return ("bad argument #%d to '%s' (%s)"):format(argument, name, problem)
end

-- A bad URL is data more often than a mistake in the program, so it is an object with a kind.
local function bad_url(url, argument, name, kind, reason)
    local shown = core.mask_url(url)
    local text = misuse(argument, name, ("%s: '%s'"):format(reason, shown))
    return errors.new(fetch_errors.FetchError, text,
        { kind = kind, url = shown, attempt = 0, bytes = 0, retryable = false })
end

local function shut_down(url)
    local text = "cannot schedule new futures after shutdown"
    return errors.new(fetch_errors.FetchError, text,
        { kind = "shutdown", url = core.mask_url(url), attempt = 0, bytes = 0,
            retryable = false })
end

-- Credentials in the URL become the option `auth`, unless that is given.
local function take_credentials(plan, url)
    local text, user, password = core.parse_url(url, plan.base_url)
    if plan.options.auth ~= nil then
        return plan, text
    end
    local auth = { auth = { user = user or "", password = password or "" } }
    local own, problem = new_plan(request.merge(plan.options, auth))
    return own, text, problem
end

-- → future, or nil and the error, or nothing when as many wait as may. `argument` is the number
-- of the URL.
local function try(target, plan, url, argument, name)
    if type(url) ~= "string" then
        return nil, misuse(argument, name, "string expected, got " .. type(url))
    end
    local text = plan.query and request.add_query(url, plan.query) or url
    while true do
        local future, what, why =
            core.submit(target, plan.request, text, plan.base_url, plan.name)
        if future then
            return future
        elseif what == "closed" then
            return nil, shut_down(url)
        elseif what == "full" then
            return nil
        elseif what == "credentials" then
            plan, text, why = take_credentials(plan, text)
            if not plan then
                return nil, bad_url(url, argument, name, "url", why)
            end
        else
            return nil, bad_url(url, argument, name, what, why)
        end
    end
end

-- Waits until another try is worth it; false: the time passed first.
local function wait_for_room(target, plan, timeout, patient)
    if plan.on_full == "error" and not patient then
        local text = ("%d requests are pending"):format(plan.max_pending)
        error(errors.new(errors.QueueFullError, text), 0)
    end
    return core.room(target, plan.max_pending):_wait(timeout)
end

-- → future, or nil and the error
local function send(target, plan, ...)
    local future, problem
    repeat
        future, problem = try(target, plan, ...)
    until future or problem or not wait_for_room(target, plan)
    return future, problem
end

-- The session and the options behind a session or a view.
local function parts(self, method)
    local meta = debug.getmetatable(self)
    if meta == Session then
        return self, core.values(self).options
    elseif meta == View then
        return self.session, self.options
    end
    check.bad_self(self, method, "session", 1)
end

-- Sessions and views have these methods in common.
local methods = {}

-- The future of a request, for the method `name`, which ends with this call: so misuse is
-- raised at its caller. `argument` is the number of the URL, the options follow it.
local function start(self, name, argument, url, opts, method)
    local target, options = parts(self, name)
    local plan, problem = plan_of(self, options, opts, method)
    if not plan then
        error(misuse(argument + 1, name, problem), 2)
    end
    local future, err = send(target, plan, url, argument, name)
    if not future then
        error(err, 2)
    end
    return future
end

function methods.submit(self, url, opts)
    return start(self, "submit", 1, url, opts)
end

for _, name in ipairs { "get", "head", "post", "put", "patch", "delete" } do
    local method = name:upper()
    methods[name] = function(self, url, opts)
        return start(self, name, 1, url, opts, method)
    end
end

function methods.request(self, method, url, opts)
    parts(self, "request")
    local _, wrong = request.flatten { method = method }
    if method == nil then
        wrong = "string expected, got nil"
    end
    if wrong then
        error(misuse(1, "request", wrong:gsub("^option 'method': ", "")), 2)
    end
    return start(self, "request", 2, url, opts, method)
end

function methods.map(self, urls, opts)
    local target, options = parts(self, "map")
    local problem = Map.source_problem(urls)
    if problem then
        error(misuse(1, "map", "array or callable value expected, got " .. problem), 2)
    end
    local plan
    plan, problem = plan_of(self, options, opts)
    if not plan then
        error(misuse(2, "map", problem), 2)
    end
    local function submit(url)
        local future, err = try(target, plan, url, 1, "map")
        if future or not err then
            return future
        elseif errors.iserror(err) and err.kind ~= "url" and err.kind ~= "scheme" then
            error(err, 0)
        end
        future = futures_core.Future() -- an error at its position
        future:set_exception(err)
        return future
    end
    local function room(...)
        return wait_for_room(target, plan, ...)
    end
    return Map.new(nil, submit, room, plan.map, nil, nil, { urls })
end

function methods.with(self, opts)
    local target, options = parts(self, "with")
    if type(opts) ~= "table" then
        error(misuse(1, "with", "table expected, got " .. type(opts)), 2)
    end
    local merged = request.merge(options, request.copy(opts))
    local plan, problem = new_plan(merged)
    if not plan then
        error(misuse(1, "with", problem), 2)
    end
    local view = setmetatable({ session = target, options = merged }, View)
    plans[view] = { [""] = plan }
    return view
end

local function shut(target, how, wait, timeout)
    core.close(target, how)
    if not wait then
        return true
    end
    local stopped = core.stopped(target):_wait(timeout)
    if stopped then
        core.join()
    end
    return stopped
end

function methods.shutdown(self, opts)
    local target = parts(self, "shutdown")
    if opts == nil then opts = no_options end
    opts = check.options(opts, check.shutdown_options, 1, "shutdown")
    return shut(target, opts.cancel_futures and "queued" or "keep", opts.wait ~= false,
        opts.timeout)
end

function methods.stats(self)
    return core.stats((parts(self, "stats")))
end

for name, method in pairs(methods) do
    View[name] = method
end

-- Is it what Ctrl-C raises? Or what a message handler made of that: lua's own adds a traceback.
local function is_interrupt(problem)
    local text = type(problem) == "string" and problem .. "\n" or ""
    return core.interrupted() or text:find("interrupted!\n", 1, true) ~= nil
end

-- `local http <close>`: left by an error, what has not started is cancelled first; left by
-- Ctrl-C, all is.
local function close(self, problem)
    local how = problem == nil and "keep" or is_interrupt(problem) and "all" or "queued"
    shut(parts(self, "close"), how, true)
end

local function describe(self)
    local target = parts(self, "tostring")
    local s = core.stats(target)
    return ("%sSession: %p (%d workers, %d pending, %d running)"):format(
        target == self and "" or "view of ", target, s.workers, s.pending, s.running)
end

Session.__index = methods
Session.__close, View.__close = close, close
Session.__tostring, View.__tostring = describe, describe

-- ---- for the module ----

local shared -- the handle of this state

--- The session of the module's own functions.
function session.shared()
    shared = shared or core.shared()
    return shared
end

--- A future of the shared session, or nil and the error that `name` raises.
function session.start(url, opts, name)
    local self = session.shared()
    local plan, problem = plan_of(self, no_options, opts)
    if not plan then
        return nil, misuse(2, name, problem)
    end
    return send(self, plan, url, 1, name)
end

--- A new session, or nil and what is wrong with its options.
function session.new(opts)
    if opts ~= nil and type(opts) ~= "table" then
        return nil, "table expected, got " .. type(opts)
    end
    local options = request.copy(opts or no_options)
    local plan, problem = new_plan(options)
    if not plan then
        return nil, problem
    end
    local self = core.session(options)
    plans[self] = { [""] = plan }
    return self
end

session.methods = methods

return session
