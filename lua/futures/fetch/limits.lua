-- SPDX-License-Identifier: MIT
--- The options that say how many requests, how fast, how often: each takes the flat request and
--- the value; it returns what is wrong, or nothing.

local check = require "futures.check"
local fields = require "futures.fetch.fields"
local retries = require "futures.retries"

local limits = {}

local function expected(what, value)
    return ("%s expected, got %s"):format(what, type(value))
end

-- An integer of at least `least`, or nil and what is wrong.
local function integer(value, least)
    local n = math.type(value) and math.tointeger(value)
    if not n then
        return nil, math.type(value) and "number has no integer representation"
            or expected("integer", value)
    elseif n < least then
        return nil, ("must be at least %d"):format(least)
    end
    return n
end

local function count(key)
    limits[key] = function(flat, value)
        local n, problem = integer(value, 1)
        flat[key] = n
        return problem
    end
end

count "max_connections"
count "max_per_host"
count "max_pending"
count "buffersize"

function limits.max_buffered(flat, value)
    local n, problem = integer(value == false and math.maxinteger or value, 0)
    flat.max_buffered = n
    return problem
end

function limits.on_full(flat, value)
    flat.on_full = value
    return value ~= "block" and value ~= "error" and '"block" or "error" expected' or nil
end

function limits.ordered(flat, value)
    flat.ordered = value
    return type(value) ~= "boolean" and expected("boolean", value) or nil
end

function limits.name(flat, value)
    flat.name = value
    return type(value) ~= "string" and expected("string", value)
        or value:find("\0", 1, true) and "zero byte in it" or nil
end

function limits.priority(flat, value)
    if not math.type(value) then
        return expected("number", value)
    elseif value ~= value then
        return "not a number (NaN)"
    end
    flat.priority = value
end

function limits.rate(flat, value)
    if value == false then
        flat.rate = 0
    elseif not math.type(value) then
        return expected("number or false", value)
    elseif value ~= value then
        return "not a number (NaN)"
    elseif value <= 0 then
        return "must be positive"
    else
        flat.rate = value
    end
end

function limits.deadline(flat, value)
    if value == false then
        flat.deadline = math.huge
    elseif not math.type(value) then
        return expected("number or false", value)
    elseif value ~= value then
        return "not a number (NaN)"
    else
        flat.deadline = value
    end
end

-- ---- retries ----

local function array_problem(value)
    return type(value) ~= "table" and expected("array", value) or fields.array_problem(value)
end

local function statuses(value)
    local problem = array_problem(value)
    if problem then
        return nil, problem
    end
    for i, status in ipairs(value) do
        local n = integer(status, 100)
        if not n or n > 599 then
            return nil, ("[%d]: status expected, got %s"):format(i, tostring(status))
        end
    end
    return value
end

local function method_set(list)
    local problem = array_problem(list)
    if problem then
        return nil, problem
    end
    local set = {}
    for i, method in ipairs(list) do
        if type(method) ~= "string" then
            return nil, ("[%d]: %s"):format(i, expected("string", method))
        end
        set[method], set[method:upper()] = true, true
    end
    return set
end

local policy = retries.kind({
    backoff = 0.2, factor = 2, max_delay = 30, jitter = true, respect_retry_after = true,
    statuses = { 408, 429, 500, 502, 503, 504 },
    methods = method_set { "GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE" },
}, {
    respect_retry_after = { "boolean", retries.boolean },
    statuses = { "array", statuses },
    methods = { "array", method_set },
})

function limits.retries(flat, value)
    local problem
    flat.retry, problem = policy(value, check.shown)
    return problem
end

return limits
