-- SPDX-License-Identifier: MIT
-- The option `retries` of views: how often a task that has failed runs again, and after which
-- pauses.

local retries = {}

-- A number alone means no pauses, so there are none in a table either, unless it says so. The
-- rest is as for retries of futures.fetch.
local USUAL = { backoff = 0, factor = 2, max_delay = 30, jitter = true }
local MOST = 1000000 -- more is the same as for ever

local function count(value)
    local n = math.type(value) and math.tointeger(value)
    return n and n >= 0 and math.min(n, MOST) or nil
end

-- Any number from 0, infinity included.
local function number(value)
    return math.type(value) and value >= 0 and value or nil
end

local function boolean(value)
    if type(value) == "boolean" then return value end
end

local fields = {
    max = { "integer from 0", count },
    backoff = { "number of seconds from 0", number },
    factor = { "number from 0", number },
    max_delay = { "number of seconds from 0", number },
    jitter = { "boolean", boolean },
}

--- The value as a table with all fields; nil and what is wrong with it. `shown` says a value in
--- messages.
function retries.policy(value, shown)
    if type(value) ~= "table" then
        local max = count(value)
        if not max then return nil, "integer from 0 or table expected, got " .. shown(value) end
        value = { max = max }
    end
    local policy = {}
    for field, one in pairs(value) do
        if not fields[field] then return nil, ("unknown field '%s'"):format(tostring(field)) end
        local kind, check = table.unpack(fields[field])
        policy[field] = check(one)
        if policy[field] == nil then
            return nil, ("'%s': %s expected, got %s"):format(field, kind, shown(one))
        end
    end
    if not policy.max then return nil, "'max' is missing: how many times after the first" end
    for field, usual in pairs(USUAL) do
        if policy[field] == nil then policy[field] = usual end
    end
    return policy
end

return retries
