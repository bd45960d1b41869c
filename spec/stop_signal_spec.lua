-- SPDX-License-Identifier: MIT
-- The signal by which tasks are interrupted: its number, and who else listens to it.

require "spec.support.watchdog"
local check = require "spec.support.check"
local script = require "spec.support.script"

local classes = { threads = "ThreadPoolExecutor", processes = "ProcessPoolExecutor" }

-- caught(number): does this process handle the signal?
local CAUGHT = [[
    local function caught(number)
        local file <close> = assert(io.open "/proc/self/status")
        local mask = tonumber(file:read("a"):match("SigCgt:%s*(%x+)"), 16)
        return mask >> (number - 1) & 1 == 1
    end
]]

describe("The signal", function()
    for kind, class in pairs(classes) do
        local CODE = CAUGHT .. ([[
            local futures = require "futures"
            local ex <close> = futures.%s(1)
            local function here(number)
                local worker = require "futures".worker()
                return worker.pid .. "/" .. worker.id, caught(number), caught(23)
            end
            local number = tonumber(arg[1])
            local before = ex:submit(here, number):result(20)
            local f = ex:with { task_timeout = 0.05 }:submit(function() while true do end end)
            print(f:exception(20).name)
            local after, chosen, usual = ex:submit(here, number):result(20)
            print(after == before, chosen, usual)
        ]]):format(class)

        it("of " .. kind .. " is SIGURG", function()
            assert.equal("TimeoutError\ntrue\ttrue\ttrue\n",
                script.output(CODE, { args = { 23 } }))
        end)

        it("of " .. kind .. " is chosen by FUTURES_SIGNAL, and no other is touched", function()
            for _, number in ipairs { 10, 12, 40 } do
                assert.equal("TimeoutError\ntrue\ttrue\tfalse\n", script.output(CODE, {
                    before = "FUTURES_SIGNAL=" .. number, args = { number },
                }))
            end
        end)
    end

    it("is not handled where no task is ended early", function()
        assert.equal("false\n", script.output(CAUGHT .. [[
            local futures = require "futures"
            local ex <close> = futures.ThreadPoolExecutor(1)
            local f = ex:with { task_timeout = 30 }:submit(math.abs, 1)
            f:result(20)
            f:cancel(true)
            print(caught(23))
        ]]))
    end)

    it("and hooks and a thread for timers are not there for plain tasks", function()
        assert.equal("false\tnil\t1\nfalse\tnil\t2\n", script.output(CAUGHT .. [[
            local futures = require "futures"
            local function look()
                local file <close> = assert(io.open "/proc/self/status")
                return tonumber(file:read("a"):match("Threads:%s*(%d+)"))
            end
            local alone = look() -- a sanitizer has a thread of its own
            local function inside() return caught(23), (debug.gethook()) end
            local ex <close> = futures.ThreadPoolExecutor(1)
            local view = ex:with { name = "x", priority = 2, retries = 3 }
            for _ = 1, 3 do view:submit(math.abs, 1):result(20) end
            local signal, hook = ex:submit(inside):result(20)
            print(signal, hook, look() - alone)
            signal, hook = ex:with { task_timeout = 30 }:submit(inside):result(20)
            print(signal, hook, look() - alone)
        ]]))
    end)

    it("must be the number of one that can be caught", function()
        for _, wrong in ipairs { "USR1", "0", "9", "19", "1000", "12x", "-1" } do
            local result = script.run('require "futures"', {
                before = "FUTURES_SIGNAL=" .. wrong,
            })
            assert.equal(1, result.code)
            check.contains("FUTURES_SIGNAL: the number of a signal", result.err)
        end
    end)
end)

describe("A handler that the program had", function()
    -- %s: of which kind; then the signal goes to the program, from itself, before a task is
    -- interrupted by it and after that. kill() returns when a handler has run.
    local CODE = [[
        local posix = require "spec_posix"
        local futures = require "futures"
        local number = tonumber(arg[1])
        posix.handle(number, arg[2])
        local function send() posix.kill(posix.getpid(), number) end
        send()
        print(posix.handled())
        local ex <close> = futures.ThreadPoolExecutor(2)
        local function loop() while true do end end
        for _ = 1, 3 do
            local f = ex:submit(loop)
            while not f:running() do end
            f:cancel(true)
            print(f:outcome(20))
            print(posix.handled())
        end
        send()
        send()
        print(posix.handled())
        -- one that comes to a thread that runs a task leaves the task alone
        local f = ex:submit(function(there, handled)
            local inside = require "spec_posix"
            for _ = 1, 5 do
                local before = inside.handled()
                inside.kill(inside.getpid(), there)
                while handled and inside.handled() == before do end -- in whatever thread
            end
            return "fine"
        end, number, posix.handled() > 0)
        print(f:result(20), posix.handled())
    ]]

    local CANCELLED = "false\tCancelledError: the future was cancelled\n"

    local function run(number, how)
        return script.output(CODE, {
            before = number ~= 23 and "FUTURES_SIGNAL=" .. number, args = { number, how },
        })
    end

    for how, told in pairs { plain = 0, siginfo = 1 } do
        it("is called for what is not ours (" .. how .. ")", function()
            for _, number in ipairs { 23, 12 } do
                local function count(n) return ("%d\t%d\n"):format(n, n * told) end
                assert.equal(count(1) .. (CANCELLED .. count(1)):rep(3) .. count(3)
                    .. "fine\t" .. count(8), run(number, how))
            end
        end)
    end

    it("may be none: what is ignored, or does nothing by default, is so still", function()
        for _, how in ipairs { "ignore", "default" } do
            assert.equal("0\t0\n" .. (CANCELLED .. "0\t0\n"):rep(3) .. "0\t0\nfine\t0\t0\n",
                run(23, how))
        end
    end)
end)
