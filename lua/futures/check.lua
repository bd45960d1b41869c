-- SPDX-License-Identifier: MIT
-- Argument checks with the wording of Lua's own: "bad argument #n to 'name' (...)".

local core = require "futures.core"
local retries = require "futures.retries"

local check = {}

local MAX_ARGUMENTS = 1000000 -- of one call: as many as a stack of Lua can hold

--- Raises misuse at the caller of the function that calls this one; `up` more levels further
--- out.
function check.misuse(n, name, message, up)
    error(("bad argument #%d to '%s' (%s)"):format(n, name, message), 3 + (up or 0))
end

--- Likewise that `self` is no `what`, for the method `name`. Lua counts it as an argument, but
--- after a colon.
function check.bad_self(self, name, what, up)
    up = up or 0
    local meta = debug.getmetatable(self)
    local type_name = type(meta) == "table" and rawget(meta, "__name")
    local got = type(type_name) == "string" and type_name or type(self)
    local message = ("%s expected, got %s"):format(what, got)
    if debug.getinfo(2 + up, "n").namewhat == "method" then
        error(("calling '%s' on bad self (%s)"):format(name, message), 3 + up)
    end
    check.misuse(1, name, message, 1 + up)
end

--- The type of a value as error messages show it: an integer-valued number shows itself.
function check.shown(value)
    if math.type(value) then return tostring(value) end
    if type(value) == "string" then return ("string %q"):format(value) end
    if core.isfuture(value) then return "a future" end
    return value == nil and "nil" or type(value)
end

--- The value as an integer of at least 1, or nil.
function check.positive_integer(value)
    local integer = math.type(value) and math.tointeger(value)
    return integer and integer >= 1 and integer or nil
end

function check.callable(value)
    if type(value) == "function" then return true end
    local meta = debug.getmetatable(value)
    return type(meta) == "table" and rawget(meta, "__call") ~= nil
end

--- A timeout as API calls take it: nil or a number that is one.
function check.timeout(value)
    return value == nil or (math.type(value) ~= nil and value == value)
end

local function arguments(value)
    local n = type(value) == "table" and (value.n or #value)
    n = math.type(n) and math.tointeger(n)
    return n and n >= 0 and n <= MAX_ARGUMENTS and value or nil
end

-- What an option must be: the words for it, and the value as it is used, or nil when it is
-- wrong; then perhaps what is wrong, when the words are not all.
local kinds = {
    ["integer from 1"] = check.positive_integer,
    ["number of seconds"] = function(value) return check.timeout(value) and value or nil end,
    ["number"] = function(value)
        return math.type(value) and value == value and value or nil
    end,
    ["boolean"] = function(value) if type(value) == "boolean" then return value end end,
    ["string"] = function(value) return type(value) == "string" and value or nil end,
    ["string without zeros"] = function(value)
        return type(value) == "string" and not value:find("\0", 1, true) and value or nil
    end,
    ["callable value"] = function(value) return check.callable(value) and value or nil end,
    ["'block' or 'error'"] = function(value)
        return (value == "block" or value == "error") and value or nil
    end,
    ["integer from 0 or table"] = function(value) return retries.policy(value, check.shown) end,
    ["array or table.pack(...)"] = arguments,
}

--- Checks a table of options against `known`: option → kind; gives a copy. Unknown names and
--- wrong kinds are misuse of argument n of `name`, raised at the caller of the caller, or `up`
--- more levels further out.
function check.options(options, known, n, name, up)
    up = 1 + (up or 0)
    if type(options) ~= "table" then
        check.misuse(n, name, "table expected, got " .. check.shown(options), up)
    end
    local checked = {}
    for option, value in pairs(options) do
        local kind = known[option]
        if not kind then
            check.misuse(n, name, ("unknown option '%s'"):format(tostring(option)), up)
        end
        local taken, problem = kinds[kind](value)
        if taken == nil then
            problem = problem or ("%s expected, got %s"):format(kind, check.shown(value))
            check.misuse(n, name, ("option '%s': %s"):format(option, problem), up)
        end
        checked[option] = taken
    end
    return checked
end

--- The options of `shutdown`, of all executors.
check.shutdown_options = {
    wait = "boolean",
    cancel_futures = "boolean",
    timeout = "number of seconds",
}

return check
