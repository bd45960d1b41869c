-- SPDX-License-Identifier: MIT
-- What the specs of `fetch` ask again and again. All raise at their caller.

require "spec.support.watchdog"
local errors = require "futures.errors"
local fetch = require "futures.fetch"
local scale = require "spec.support.scale"

local fetch_check = {}

--- `fetch(url, opts)` must raise a FetchError of that kind. Returns it.
function fetch_check.fails(kind, url, opts)
    local ok, err = pcall(fetch, url, opts)
    if ok then
        error(("expected a failure of kind %s, got %s"):format(kind, tostring(err)), 2)
    elseif not errors.iserror(err, fetch.FetchError) then
        error(("expected a FetchError of kind %s, got %s"):format(kind, tostring(err)), 2)
    elseif err.kind ~= kind then
        error(("expected kind %s, got %s: %s"):format(kind, err.kind, tostring(err)), 2)
    end
    return err
end

--- The future must end with a FetchError of that kind. Returns it.
function fetch_check.failed(kind, future)
    local ok, err = future:outcome(scale.LIMIT)
    if ok then
        error(("expected a failure of kind %s, got %s"):format(kind, tostring(err)), 2)
    elseif not errors.iserror(err, fetch.FetchError) or err.kind ~= kind then
        error(("expected a FetchError of kind %s, got %s"):format(kind, tostring(err)), 2)
    end
    return err
end

--- The bodies of the responses, each within a limit of time.
function fetch_check.bodies(list)
    local bodies = {}
    for i, future in ipairs(list) do
        bodies[i] = future:result(scale.LIMIT).body
    end
    return bodies
end

--- `count` futures of `submit(i)`.
function fetch_check.many(count, submit)
    local list = {}
    for i = 1, count do
        list[i] = submit(i)
    end
    return list
end

--- The call must be misuse: a plain message with the position of the caller. `text` is in it.
function fetch_check.misuse(argument, text, url, opts)
    local here = debug.getinfo(1, "S").short_src
    local ok, err = pcall(function()
        return fetch(url, opts), "no tail call"
    end)
    local where, what = tostring(err):match("^(.-):%d+: (.*)$")
    local start = ("bad argument #%d to 'fetch' ("):format(argument)
    if ok or where ~= here or what:sub(1, #start) ~= start or not what:find(text, 1, true) then
        error(("expected \"%s... %s ...\", got %s"):format(start, text, tostring(err)), 2)
    end
end

--- What the server saw of a request to its /echo: the head's lines by lower-case name, `line`
--- (the first one) and `body`.
function fetch_check.sent(response)
    local head, body = response.body:match("^(.-\r\n)\r\n(.*)$")
    local seen = { line = head:match("^[^\r]*"), body = body, names = {} }
    for name, value in head:gmatch("\n([^:\r\n]+): ?([^\r\n]*)") do
        seen[name:lower()] = value
        seen.names[#seen.names + 1] = name
    end
    return seen
end

return fetch_check
