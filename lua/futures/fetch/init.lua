-- SPDX-License-Identifier: MIT
--- HTTP as futures: `fetch(url, opts)` blocks and returns a Response or raises a FetchError;
--- `fetch.submit(url, opts)` gives a future at once. The module is the function:
--- `ex:submit(fetch, url)`, `ex:map(fetch, urls)`.

local function load_core()
    local found, core = pcall(require, "futures.fetch.core")
    if found then
        return core
    end
    local how = tostring(core):find("libcurl", 1, true)
        and "libcurl is not there: install it (Debian: apt install libcurl4)"
        or "its C part is missing: it is built where the headers of libcurl and zlib are "
            .. "found, so install them (Debian: apt install libcurl4-openssl-dev zlib1g-dev; "
            .. "Fedora: dnf install libcurl-devel zlib-devel; Alpine: apk add curl-dev "
            .. "zlib-dev) and build futures again"
    error(("futures.fetch cannot be loaded: %s\n%s"):format(how, core), 0)
end

load_core()
local FetchError = require("futures.fetch.errors").FetchError
local Response = require "futures.fetch.response"
local session = require "futures.fetch.session"

--- The module is the function `fetch(url, opts)`: it blocks, returns a Response, or raises a
--- FetchError. Ctrl-C ends it within 100 ms, and its transfer. All Lua states of a process
--- share connections.
---@class futures.fetch
---@field FetchError futures.ErrorClass
---@field Response table metatable of all responses
---@overload fun(url: string, opts?: futures.FetchOptions): futures.Response
local fetch = { FetchError = FetchError, Response = Response }

local function call(_, url, opts)
    local future, problem = session.start(url, opts, "fetch")
    if not future then
        error(problem, 2)
    end
    future:_wait(nil, true) -- cut short it gives up its transfer
    return future:_take()
end

--- A future of the response. No worker is occupied: one thread of the process serves all
--- requests.
---@param url string
---@param opts? futures.FetchOptions
---@return futures.Future
function fetch.submit(url, opts)
    local future, problem = session.start(url, opts, "submit")
    if not future then
        error(problem, 2)
    end
    return future
end

--- `for i, response in fetch.map(urls) do`: by the rules of `Executor:map`. A bad URL is an
--- error at its position.
---@param urls string[]|fun(): string?
---@param opts? futures.FetchOptions
function fetch.map(urls, opts)
    local ok, iterator, _, _, closing = pcall(session.methods.map, session.shared(), urls, opts)
    if not ok then
        local misuse = type(iterator) == "string" and iterator:find("^bad argument")
        error(iterator, misuse and 2 or 0)
    end
    return iterator, nil, nil, closing
end

--- A session: an executor whose tasks are requests, with options for all of them.
---@param opts? futures.FetchOptions
---@return futures.Session
function fetch.Session(opts)
    local self, problem = session.new(opts)
    if not self then
        error(("bad argument #1 to 'Session' (%s)"):format(problem), 2)
    end
    return self
end

return setmetatable(fetch, { __call = call, __name = "futures.fetch" })
