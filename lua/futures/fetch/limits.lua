-- SPDX-License-Identifier: MIT
--- The options that say how many requests, how fast, how often: each takes the flat request and
--- the value; it returns what is wrong, or nothing.

local fields = require "futures.fetch.fields"

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

-- A number that is one, of at least 0; what is wrong.
local function check_number(value, what)
    if not math.type(value) then
        return expected(what or "number", value)
    elseif value ~= value then
        return "not a number (NaN)"
    elseif value < 0 then
        return "must not be negative"
    end
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
        return nil
    end
    flat.rate = value
    return check_number(value, "number or false") or value == 0 and "must be positive" or nil
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

local USUAL = {
    max = 0, backoff = 0.2, factor = 2, max_delay = 30, jitter = true,
    respect_retry_after = true,
    statuses = { 408, 429, 500, 502, 503, 504 },
    methods = { "GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE" },
}

local checks = {}

function checks.max(value)
    return select(2, integer(value, 0))
end

checks.backoff, checks.factor, checks.max_delay = check_number, check_number, check_number

function checks.jitter(value)
    return type(value) ~= "boolean" and expected("boolean", value) or nil
end

checks.respect_retry_after = checks.jitter

local function array_problem(value)
    return type(value) ~= "table" and expected("array", value) or fields.array_problem(value)
end

function checks.statuses(value)
    local problem = array_problem(value)
    if problem then
        return problem
    end
    for i, status in ipairs(value) do
        local n = integer(status, 100)
        if not n or n > 599 then
            return ("[%d]: status expected, got %s"):format(i, tostring(status))
        end
    end
end

function checks.methods(value)
    local problem = array_problem(value)
    if problem then
        return problem
    end
    for i, method in ipairs(value) do
        if type(method) ~= "string" then
            return ("[%d]: %s"):format(i, expected("string", method))
        end
    end
end

local function method_set(list)
    local set = {}
    for _, method in ipairs(list) do
        set[method], set[method:upper()] = true, true
    end
    return set
end

function limits.retries(flat, value)
    local given = value
    if type(value) ~= "table" then
        local n, problem = integer(value, 0)
        if not n then
            return problem and problem:gsub("^integer expected", "integer or table expected")
        end
        given = { max = n }
    end
    local policy = setmetatable({}, { __index = USUAL })
    for key, one in pairs(given) do
        if not checks[key] then
            return ("unknown field '%s'"):format(tostring(key))
        end
        local problem = checks[key](one)
        if problem then
            return ("'%s': %s"):format(key, problem)
        end
        policy[key] = one
    end
    if given.max == nil then
        return "'max' is missing: how many times after the first"
    end
    flat.retry = {
        max = math.min(math.tointeger(policy.max), 1000000),
        backoff = policy.backoff,
        factor = policy.factor,
        max_delay = policy.max_delay,
        jitter = policy.jitter,
        respect_retry_after = policy.respect_retry_after,
        statuses = policy.statuses,
        methods = method_set(policy.methods),
    }
end

return limits
