-- SPDX-License-Identifier: MIT
-- Tasks that wait for each other.

local assert = require "luassert"
local futures = require "futures"
local check = require "spec.support.check"
local scale = require "spec.support.scale"

local cycles = {}

-- Not in the module: it would travel by name, and a worker would load all this.
local function result_of(ahead)
    return ahead:result():result()
end

--- Submits `fn(gate, ...)` to the view or executor. The gate is a future of what the task is to
--- wait for, set once all tasks exist; without fn it does just that.
function cycles.waiter(ex, fn, ...)
    local ahead = futures.Future()
    return { ahead = ahead, future = ex:submit(fn or result_of, ahead, ...) }
end

--- Each waits for the next, the last for the first.
function cycles.ring(executors, n, fn, ...)
    local tasks = {}
    for i = 1, n do
        local ex = executors[(i - 1) % #executors + 1]
        tasks[i] = cycles.waiter(ex:with { name = "t" .. i }, fn, ...)
    end
    for i = 1, n do
        tasks[i].ahead:set_result(tasks[i % n + 1].future)
    end
    return tasks
end

function cycles.assert_error(err, ...)
    assert.is_true(futures.iserror(err, futures.Error), tostring(err))
    check.contains("the wait can never end: task ", err)
    for _, name in ipairs { ... } do check.contains("'" .. name .. "'", err) end
    return tostring(err)
end

--- All tasks must fail with an error of a cycle that names them.
function cycles.assert_all_fail(tasks, ...)
    for _, task in ipairs(tasks) do
        local ok, err = task.future:outcome(scale.LIMIT)
        assert.is_false(ok)
        cycles.assert_error(err, ...)
    end
end

return cycles
