-- SPDX-License-Identifier: MIT
-- The assertions that many specs share. All raise at their caller and return what they looked
-- at, so that a spec can look closer.

require "spec.support.watchdog"
local system = require "system"
local futures = require "futures"
local scale = require "spec.support.scale"

local check = {}

local function show(value)
    return type(value) == "string" and ("%q"):format(value) or tostring(value)
end

--- `call` must fail as misuse of argument `n` of `name`, and say so at a line of `call`, or of
--- `caller` where that is what calls.
function check.misuse(n, name, call, caller)
    local ok, err = pcall(call)
    if ok then
        error(("'%s' took a bad argument #%d without a word"):format(name, n), 2)
    end
    local where, line, number, what =
        tostring(err):match("^([^\n]-):(%d+): bad argument #(%d+) to '([^']*)' %(.+%)$")
    if type(err) ~= "string" or tonumber(number) ~= n or what ~= name then
        error(("expected bad argument #%d to '%s', got %s"):format(n, name, show(err)), 2)
    end
    local info = debug.getinfo(caller or call, "S")
    line = tonumber(line)
    if where ~= info.short_src or line < info.linedefined or line > info.lastlinedefined then
        error(("misuse not raised at the caller: %s"):format(show(err)), 2)
    end
    return err
end

--- `call` must raise one of our error objects, of `class` or below it.
function check.raises(class, call)
    local ok, err = pcall(call)
    if ok then
        error(("expected %s, nothing was raised"):format(tostring(class.name or class)), 2)
    end
    if not futures.iserror(err, class) then
        error(("expected another class of error, got %s"):format(show(err)), 2)
    end
    return err
end

--- `text` must hold `part`, taken literally.
function check.contains(part, text)
    text = tostring(text)
    if not text:find(part, 1, true) then
        error(("expected %s in %s"):format(show(part), show(text)), 2)
    end
    return text
end

--- Seconds that `call` takes, then what it returns.
function check.timed(call, ...)
    local from = system.monotime()
    local results = table.pack(call(...))
    return system.monotime() - from, table.unpack(results, 1, results.n)
end

--- `call` must take at least `low` seconds, and not much more than `high`. Returns its results.
function check.takes(low, high, call, ...)
    local results = table.pack(check.timed(call, ...))
    local seconds = results[1]
    -- Clocks may be read on both sides of a tick: one millisecond is forgiven.
    if seconds < low - 0.001 or seconds > high + scale.seconds(2) then
        error(("took %.4f s, expected %.4f to %.4f"):format(seconds, low, high), 2)
    end
    return table.unpack(results, 2, results.n)
end

--- `run(count)` must cost linear work: ten times the count may cost 40 times as much, where
--- quadratic work would cost 100 times as much. Processor time is what counts, and the best of
--- a few tries: other programs run, too.
function check.linear(run, count)
    local small, large
    run(count // 10)
    for _ = 1, 5 do
        local from = os.clock()
        run(count)
        small = os.clock() - from
        from = os.clock()
        run(10 * count)
        large = os.clock() - from
        if large < 40 * small + 0.1 then
            return
        end
    end
    error(("%d took %.4f s, ten times as many %.4f s"):format(count, small, large), 2)
end

--- Wait until `probe` returns something true, for what the system does in its own time.
function check.eventually(what, probe)
    local deadline = system.monotime() + scale.LIMIT
    repeat
        local value = probe()
        if value then
            return value
        end
        system.sleep(0.001)
    until system.monotime() > deadline
    error(("never came: %s"):format(what), 2)
end

--- The keys of a set, or the elements of two arrays, must be the same futures.
function check.same_futures(expected, actual)
    local left, count = {}, 0
    for _, f in ipairs(expected) do
        left[f] = true
    end
    for _, f in ipairs(actual) do
        if not left[f] then
            error("a future that was not expected, or one twice", 2)
        end
        left[f] = nil
        count = count + 1
    end
    if count ~= #expected then
        error(("%d futures, expected %d"):format(count, #expected), 2)
    end
end

--- Run a full garbage collection, finalizers of what became garbage included.
function check.collect()
    collectgarbage()
    collectgarbage()
end

return check
