-- SPDX-License-Identifier: MIT
--- HTTP as tasks: `fetch(url, opts)` blocks and returns a Response or raises a FetchError.
--- The module is the function: `ex:submit(fetch, url)`, `ex:map(fetch, urls)`.

local function load_core()
    local found, core = pcall(require, "futures.fetch.core")
    if found then
        return core
    end
    local how = tostring(core):find("libcurl", 1, true)
        and "libcurl is not there: install it (Debian: apt install libcurl4)"
        or "its C part is missing: it is built where libcurl's headers are found, so install "
            .. "them (Debian: apt install libcurl4-openssl-dev; Fedora: dnf install "
            .. "libcurl-devel; Alpine: apk add curl-dev) and build futures again"
    error(("futures.fetch cannot be loaded: %s\n%s"):format(how, core), 0)
end

local core = load_core()
local errors = require "futures.errors"
local FetchError = require("futures.fetch.errors").FetchError
local Headers = require "futures.fetch.headers"
local Response = require "futures.fetch.response"
local request = require "futures.fetch.request"

--- The module is the function `fetch(url, opts)`: it blocks, returns a Response, or raises a
--- FetchError. Ctrl-C ends it within 100 ms. Connections are kept for the next call in the same
--- Lua state.
---@class futures.fetch
---@field FetchError futures.ErrorClass
---@field Response table metatable of all responses
---@overload fun(url: string, opts?: futures.FetchOptions): futures.Response
local fetch = { FetchError = FetchError, Response = Response }

local function new_error(failure)
    local url = core.mask_url(failure.url)
    local text = ("%s (%s %s)"):format(failure.message, failure.method, url)
    failure.message, failure.method = nil, nil
    return errors.new(FetchError, text, failure)
end

-- A bad URL is data more often than a mistake in the program, so it is an object with a kind.
local function complain(url, argument, problem, kind)
    local text = ("bad argument #%d to 'fetch' (%s)"):format(argument, problem)
    if not kind then
        return text
    end
    return errors.new(FetchError, text, {
        kind = kind,
        url = core.mask_url(url),
        attempt = 0,
        bytes = 0,
        retryable = false,
    })
end

local function respond(outcome)
    setmetatable(outcome.headers, Headers)
    return setmetatable(outcome, Response)
end

local function call(_, url, opts)
    local flat, argument, problem, kind = request.flatten(url, opts)
    if not flat then
        error(complain(url, argument, problem, kind), 2)
    end
    local ok, outcome = core.perform(flat)
    if not ok then
        error(new_error(outcome), 2)
    end
    local response = respond(outcome)
    return flat.raise_for_status and response:raise_for_status() or response
end

return setmetatable(fetch, { __call = call, __name = "futures.fetch" })
