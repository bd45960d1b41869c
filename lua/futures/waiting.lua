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

local function adder(name)
    local array, seen = {}, {}
    return array, function(future, where)
        if not core.isfuture(future) then
            local got = check.shown(future)
            check.misuse(1, name, ("future expected%s, got %s"):format(where, got), 2)
        end
        if not seen[future] then
            seen[future] = true
            array[#array + 1] = future
        end
    end
end

-- An array of futures, a table whose keys are futures, or an iterator.
local function collect(futures, name)
    local array, add = adder(name)
    if check.callable(futures) then
        for future in futures do add(future, " from the iterator") end
    elseif type(futures) ~= "table" then
        check.misuse(1, name, "array, table with futures as keys or iterator expected, got "
            .. check.shown(futures), 1)
    elseif next(futures) ~= nil and not core.isfuture((next(futures))) then
        for i = 1, math.max(1, #futures) do add(futures[i], (" at [%d]"):format(i)) end
    else
        for future in next, futures do add(future, " as a key") end
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
