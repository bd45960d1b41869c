-- SPDX-License-Identifier: MIT
-- wait and as_completed: whatever holds the user's futures becomes an array of distinct ones
-- for the core.

local check = require "futures.check"
local core = require "futures.core"

local waiting = {
    modes = {
        FIRST_COMPLETED = "FIRST_COMPLETED",
        FIRST_EXCEPTION = "FIRST_EXCEPTION",
        ALL_COMPLETED = "ALL_COMPLETED",
    },
}

local function refuse(name, where, value)
    check.misuse(1, name, ("future expected %s, got %s"):format(where, check.shown(value)), 2)
end

-- An array of distinct futures from an array of futures, a table whose keys are futures, or an
-- iterator.
local function collect(futures, name)
    local source = futures
    if check.callable(futures) then
        source = {}
        for future in futures do
            if not core.isfuture(future) then refuse(name, "from the iterator", future) end
            source[#source + 1] = future
        end
    elseif type(futures) ~= "table" then
        check.misuse(1, name, "array, table with futures as keys or iterator expected, got "
            .. check.shown(futures), 1)
    elseif rawlen(futures) == 0 then
        local array, culprit = core.keys(futures)
        return array or refuse(name, "as a key", culprit)
    end
    local array, position = core.distinct(source)
    return array or refuse(name, ("at [%d]"):format(position), source[position])
end

local function check_timeout(timeout, name)
    if not check.timeout(timeout) then
        check.misuse(2, name, "timeout: number expected, got " .. check.shown(timeout), 1)
    end
end

function waiting.wait(futures, timeout, return_when)
    check_timeout(timeout, "wait")
    if return_when ~= nil and not waiting.modes[return_when] then
        check.misuse(3, "wait",
            "FIRST_COMPLETED, FIRST_EXCEPTION or ALL_COMPLETED expected, got "
                .. check.shown(return_when))
    end
    return core.wait(collect(futures, "wait"), timeout, return_when)
end

function waiting.as_completed(futures, timeout)
    check_timeout(timeout, "as_completed")
    return core.as_completed(collect(futures, "as_completed"), timeout)
end

return waiting
