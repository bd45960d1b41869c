-- SPDX-License-Identifier: MIT
-- wait and as_completed: whatever holds the user's futures becomes an array for the core.

local check = require "futures.check"
local core = require "futures.core"

local waiting = {
    modes = {
        FIRST_COMPLETED = "FIRST_COMPLETED",
        FIRST_EXCEPTION = "FIRST_EXCEPTION",
        ALL_COMPLETED = "ALL_COMPLETED",
    },
}

local function refuse(name, where, value, up)
    check.misuse(1, name, ("future expected %s, got %s"):format(where, check.shown(value)),
        2 + (up or 0))
end

-- A table with the futures at 1, 2, … from an array of futures, a table whose keys are futures,
-- or an iterator, and whether they are known to be distinct futures.
local function list(futures, name)
    if check.callable(futures) then
        local array = {}
        for future in futures do
            if not core.isfuture(future) then refuse(name, "from the iterator", future, 1) end
            array[#array + 1] = future
        end
        return array, false
    elseif type(futures) ~= "table" then
        check.misuse(1, name, "array, table with futures as keys or iterator expected, got "
            .. check.shown(futures), 2)
    elseif rawlen(futures) == 0 then
        local array, culprit = core.keys(futures)
        return array or refuse(name, "as a key", culprit, 1), true
    end
    return futures, false
end

-- An array of distinct futures.
local function collect(futures, name)
    local source, distinct = list(futures, name)
    if distinct then return source end
    local array, position = core.distinct(source)
    if not array then refuse(name, ("at [%d]"):format(position), source[position]) end
    return array
end

--- An array of its own of futures, in order, each as often as it is there. Misuse is raised at
--- the caller of the caller.
function waiting.gather(futures, name)
    local source, array = list(futures, name), {}
    for i = 1, rawlen(source) do
        array[i] = rawget(source, i)
        if not core.isfuture(array[i]) then refuse(name, ("at [%d]"):format(i), array[i]) end
    end
    return array
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
