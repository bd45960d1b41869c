-- SPDX-License-Identifier: MIT
-- The option `retries`, of views and of futures.fetch: how often what has failed is tried
-- again, and after which pauses.

local retries = {}

local MOST = 1000000 -- more is the same as for ever

local function count(value)
    local n = math.type(value) and math.tointeger(value)
    return n and n >= 0 and math.min(n, MOST) or nil
end

-- Any number from 0, infinity included.
local function number(value)
    return math.type(value) and value >= 0 and value or nil
end

function retries.boolean(value)
    if type(value) == "boolean" then return value end
end

local common = {
    max = { "integer from 0", count },
    backoff = { "number of seconds from 0", number },
    factor = { "number from 0", number },
    max_delay = { "number of seconds from 0", number },
    jitter = { "boolean", retries.boolean },
}

--- A function policy(value, shown): the value as a table with all fields, or nil and what is
--- wrong with it; `shown` says a value in messages. Fields that are not there, but for `max`,
--- have their `usual` value. `more`: field → { what it must be, check }, where check(value)
--- gives it as it is used, or nil and perhaps what is wrong.
function retries.kind(usual, more)
    local fields = setmetatable(more, { __index = common })
    return function(value, shown)
        if type(value) ~= "table" then
            local max = count(value)
            if not max then
                return nil, "integer from 0 or table expected, got " .. shown(value)
            end
            value = { max = max }
        end
        local policy = {}
        for field, one in pairs(value) do
            if not fields[field] then
                return nil, ("unknown field '%s'"):format(tostring(field))
            end
            local words, check = table.unpack(fields[field])
            local taken, problem = check(one)
            if taken == nil then
                problem = problem or ("%s expected, got %s"):format(words, shown(one))
                return nil, ("'%s': %s"):format(field, problem)
            end
            policy[field] = taken
        end
        if not policy.max then
            return nil, "'max' is missing: how many times after the first"
        end
        for field, one in pairs(usual) do
            if policy[field] == nil then policy[field] = one end
        end
        return policy
    end
end

--- That of views. A number alone means no pauses, so there are none in a table either, unless
--- it says so.
retries.policy = retries.kind({ backoff = 0, factor = 2, max_delay = 30, jitter = true }, {})

return retries
