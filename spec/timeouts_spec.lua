-- SPDX-License-Identifier: MIT
-- Times: what is a timeout, what is not, how long a wait takes, in each call that waits; and
-- what the module has for time itself.

local futures = require "futures"
local check = require "spec.support.check"
local gate = require "spec.support.gate"
local scale = require "spec.support.scale"

local LIMIT = scale.LIMIT

-- Each waiting call: its name, the number of its timeout, the call on a future; what it does
-- when the time is over: raise TimeoutError, or return something that `late` recognises. None
-- is a tail call, which would hide the caller. `prepare` is called before the future is done.
local waits = {
    { "result", 1, function(f, t) return (f:result(t)) end },
    { "exception", 1, function(f, t) return (f:exception(t)) end },
    {
        "outcome", 1,
        function(f, t)
            local ok, err = f:outcome(t)
            return ok, err
        end,
        late = function(ok, err)
            return ok == false and futures.iserror(err, futures.TimeoutError)
        end,
    },
    {
        "wait", 2,
        function(f, t)
            local done, not_done = futures.wait({ f }, t)
            return done, not_done
        end,
        late = function(done, not_done) return #done == 0 and #not_done == 1 end,
    },
    {
        "as_completed", 2,
        function(f, t)
            local step = futures.as_completed({ f }, t)
            return (step())
        end,
    },
    {
        "poll", 1, function(_, t) return (futures.poll(t)) end,
        late = function(count) return count == 0 end,
        -- What it waits for is a callback.
        prepare = function(f) f:add_done_callback(function() end) end,
    },
}

for _, wait in ipairs(waits) do
    local name, argument, call = table.unpack(wait)

    local function open_future()
        local f = futures.Future()
        if wait.prepare then
            wait.prepare(f)
        end
        return f
    end

    local function is_late(timeout)
        local f = open_future()
        if wait.late then
            assert.is_true(wait.late(call(f, timeout)))
        else
            check.raises(futures.TimeoutError, function() call(f, timeout) end)
        end
    end

    describe("The timeout of " .. name, function()
        it("of 0, below 0 and next to nothing does not wait", function()
            for _, timeout in ipairs { 0, -1, -math.huge, -0.0, 1e-9, 1e-300 } do
                check.takes(0, 0, is_late, timeout)
            end
        end)

        it("is over when it is over", function()
            check.takes(0.02, 0.02, is_late, 0.02)
        end)

        it("of nil, infinity, 1e18 and the largest integer waits", function()
            local ex <close> = futures.ThreadPoolExecutor(1)
            for _, timeout in ipairs { math.huge, 1e18, math.maxinteger, "nil" } do
                local f, go = open_future(), futures.Future()
                ex:submit(function(future, started)
                    started:result(30)
                    future:set_result(true)
                end, f, go)
                go:set_result()
                -- poll counts nil as 0, all others as for ever.
                if timeout ~= "nil" then
                    call(f, timeout)
                    assert.is_true(f:done())
                elseif name ~= "poll" then
                    call(f, nil)
                    assert.is_true(f:done())
                else
                    f:result(LIMIT)
                end
            end
        end)

        it("does not concern a future that is done", function()
            for _, timeout in ipairs { 0, -1, 1e-9, 1, math.huge } do
                local f = open_future()
                f:set_result(true)
                check.takes(0, 0, call, f, timeout)
            end
        end)

        it("is no NaN, no string, no table", function()
            local f = futures.Future()
            for _, bad in ipairs { 0 / 0, "5", "soon", true, {}, print } do
                check.misuse(argument, name, function()
                    local _ = call(f, bad)
                end, call)
            end
        end)
    end)
end

describe("sleep", function()
    it("takes the time that it was told, and not much more", function()
        check.takes(0.02, 0.02, futures.sleep, 0.02)
        check.takes(0, 0, futures.sleep, 0)
        check.takes(0, 0, futures.sleep, -1)
        check.takes(0, 0, futures.sleep, 1e-9)
    end)

    it("takes numbers only", function()
        for _, bad in ipairs { 0 / 0, "1", true, {} } do
            check.misuse(1, "sleep", function() futures.sleep(bad) end)
        end
    end)

    it("works in a task", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        local f = ex:submit(function()
            local from = futures.monotonic()
            futures.sleep(0.02)
            return futures.monotonic() - from
        end)
        assert.is_true(f:result(LIMIT) >= 0.02)
    end)
end)

describe("monotonic", function()
    it("is a float that never goes back and moves with sleep", function()
        local last = futures.monotonic()
        assert.equal("float", math.type(last))
        for _ = 1, 1000 do
            local now = futures.monotonic()
            assert.is_true(now >= last)
            last = now
        end
        futures.sleep(0.01)
        assert.is_true(futures.monotonic() - last >= 0.01)
    end)

    it("is one clock for all threads", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        local before = futures.monotonic()
        local there = ex:submit(futures.monotonic):result(LIMIT)
        assert.is_true(before <= there and there <= futures.monotonic())
    end)
end)

describe("cpu_count", function()
    local function nproc()
        local pipe <close> = assert(io.popen("nproc"))
        return pipe:read("n")
    end

    it("is the number of CPUs that this process may use", function()
        local count = futures.cpu_count()
        assert.equal("integer", math.type(count))
        -- The quota of a cgroup can make it smaller than the affinity says.
        assert.is_true(count >= 1 and count <= nproc())
    end)

    it("follows the affinity", function()
        local script = require "spec.support.script"
        local path = os.tmpname()
        local file <close> = assert(io.open(path, "w"))
        file:write('print(require("futures").cpu_count())')
        file:flush()
        local cpu = io.open("/proc/self/status"):read("a"):match("Cpus_allowed_list:%s*(%d+)")
        local result = script.run(([[
            local command = "taskset -c %s %s %s"
            os.exit(os.execute(command))
        ]]):format(cpu, script.lua, path))
        os.remove(path)
        assert.equal("1\n", result.out)
    end)
end)

describe("A wait in a task", function()
    it("has timeouts like everywhere", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        local go <close> = gate.new()
        local task = ex:submit(function(f) return f:outcome(0.01) end, go.token)
        local ok, err = task:result(LIMIT)
        assert.is_false(ok)
        assert.is_true(futures.iserror(err, futures.TimeoutError))
    end)
end)
