-- SPDX-License-Identifier: MIT
-- Ctrl-C: a real SIGINT to a child that blocks. It must raise `interrupted!` within 100 ms in
-- every blocking call, once, also inside a coroutine, and leave the futures usable.

local system = require "system"
require "spec.support.watchdog"
local gate = require "spec.support.gate"
local scale = require "spec.support.scale"
local script = require "spec.support.script"

-- Each blocking call, on an executor `ex` whose one worker is held by the future `held`.
local calls = {
    ["result"] = "held:result()",
    ["result with a timeout"] = "held:result(30)",
    ["exception"] = "held:exception()",
    ["outcome"] = "held:outcome()",
    ["result of a bare future"] = "futures.Future():result(30)",
    ["wait"] = "futures.wait({ held })",
    ["wait for the first"] = "futures.wait({ held, queued }, 30, futures.FIRST_COMPLETED)",
    ["a step of as_completed"] = "for _ in futures.as_completed { held } do end",
    ["a step of a map"] = "for _ in ex:map(math.abs, { 1 }) do end",
    ["totable of a map"] = "ex:map(math.abs, { 1 }):totable()",
    ["a step of an unordered map"] =
        "for _ in ex:with { ordered = false }:map(math.abs, { 1 }) do end",
    ["shutdown"] = "ex:shutdown()",
    ["shutdown with a timeout"] = "ex:shutdown { timeout = 30 }",
    ["sleep"] = "futures.sleep(30)",
    ["poll"] = "held:add_done_callback(function() end); futures.poll(30)",
}

local PREAMBLE = [[
    local futures = require "futures"
    local ex = futures.ThreadPoolExecutor(1)
    local go, started = futures.Future(), futures.Future()
    local held = ex:submit(function(f, running)
        running:set_result()
        return f:result(25)
    end, go, started)
    started:result(20)
    local queued = ex:submit(math.abs, -5)
    io.stdout:setvbuf("line")
]]

-- Blocks in `call`, is interrupted, then shows that nothing was lost: no second raise, the held
-- future and the queued one (that a map may have cancelled its own is another matter) end well.
local SCRIPT = PREAMBLE .. [[
    local function block()
        %s
    end
    print "READY"
    local ok, err = %s
    print "BACK"
    print(ok, (tostring(err):gsub("^.*: ", "")))
    futures.sleep(0.02)
    print(held:state(), futures.poll(0.001))
    go:set_result("fine")
    print(held:result(20), queued:result(20), ex:shutdown())
]]

-- Seconds from the signal to the line that the child prints next.
local function interrupt(child, busy)
    if not busy then
        child:await_sleep()
    end
    local from = system.monotime()
    child:kill("INT")
    child:expect("BACK")
    return system.monotime() - from
end

-- The machine may be busy; the best of a few runs is what the library is answerable for.
local function within_100_ms(code, look, busy)
    local best = math.huge
    for _ = 1, 5 do
        local child <close> = script.start(code)
        child:expect("READY")
        best = math.min(best, interrupt(child, busy))
        look(child:finish())
        if best < 0.1 then
            return
        end
    end
    assert.is_true(best < scale.seconds(0.1), "seconds: " .. best)
end

local function sound(result)
    assert.equal(0, result.code, result.err)
    assert.equal("false\tinterrupted!\nrunning\t0\nfine\t5\ttrue\n", result.out)
end

describe("Ctrl-C raises interrupted! within 100 ms in", function()
    for name, call in pairs(calls) do
        it(name, function()
            within_100_ms(SCRIPT:format(call, "pcall(block)"), sound)
        end)
    end
end)

describe("Ctrl-C raises interrupted! inside a coroutine in", function()
    for name, call in pairs(calls) do
        it(name, function()
            local resume = "coroutine.resume(coroutine.create(block))"
            within_100_ms(SCRIPT:format(call, resume), sound)
        end)
    end
end)

describe("Ctrl-C", function()
    it("raises interrupted! when leaving the scope of an executor waits", function()
        within_100_ms(PREAMBLE .. [[
            print "READY"
            local ok, err = pcall(function()
                local closing <close> = ex
            end)
            print "BACK"
            print(ok, (tostring(err):gsub("^.*: ", "")))
            futures.sleep(0.02)
            go:set_result("fine")
            print(held:result(20), ex:shutdown())
        ]], function(result)
            assert.equal(0, result.code, result.err)
            assert.equal("false\tinterrupted!\nfine\ttrue\n", result.out)
        end)
    end)

    it("raises through nested coroutines and pcalls", function()
        within_100_ms(PREAMBLE .. [[
            local outer = coroutine.wrap(function()
                return pcall(coroutine.wrap(function()
                    return select(2, pcall(held.result, held))
                end))
            end)
            print "READY"
            local ok, err = outer()
            print "BACK"
            print(ok, (tostring(err):gsub("^.*: ", "")))
            go:set_result("fine")
            print(held:result(20))
        ]], function(result)
            assert.equal(0, result.code, result.err)
            assert.equal("true\tinterrupted!\nfine\n", result.out)
        end)
    end)

    it("in a callback raises out of the call that ran it", function()
        within_100_ms(PREAMBLE .. [[
            local bare, after = futures.Future(), 0
            bare:add_done_callback(function()
                print "READY"
                while true do end
            end)
            bare:add_done_callback(function() after = after + 1 end)
            bare:set_result("bare")
            local ok, err = pcall(futures.poll)
            print "BACK"
            print(ok, (tostring(err):gsub("^.*: ", "")))
            futures.poll()
            go:set_result("fine")
            print(after, bare:result(), held:result(20))
        ]], function(result)
            assert.equal(0, result.code, result.err)
            assert.equal("false\tinterrupted!\n1\tbare\tfine\n", result.out)
        end, true)
    end)

    it("in a callback that waits raises out of both", function()
        within_100_ms(PREAMBLE .. [[
            local bare, inner = futures.Future(), nil
            bare:add_done_callback(function() inner = select(2, pcall(held.result, held)) end)
            bare:set_result("bare")
            print "READY"
            local ok = pcall(bare.result, bare)
            print "BACK"
            print(ok, (tostring(inner):gsub("^.*: ", "")))
            go:set_result("fine")
            print(bare:result(), held:result(20))
        ]], function(result)
            assert.equal(0, result.code, result.err)
            assert.matches("interrupted!\nbare\tfine\n$", result.out)
        end)
    end)

    it("that nobody catches ends the script with code 1 and a message", function()
        local child <close> = script.start [[
            local futures = require "futures"
            io.stdout:setvbuf("line")
            print "READY"
            futures.sleep(30)
        ]]
        child:expect("READY")
        child:await_sleep()
        child:kill("INT")
        local result = child:finish()
        assert.equal(1, result.code)
        assert.matches("interrupted!", result.err)
    end)

    it("in Lua code before a blocking call leaves that call alone", function()
        local child <close> = script.start [[
            local futures = require "futures"
            io.stdout:setvbuf("line")
            local ok, err = pcall(function()
                print "READY"
                while true do end
            end)
            print "BACK"
            print(ok, (tostring(err):gsub("^.*: ", "")))
            print(pcall(futures.sleep, 0.01))
            print(futures.Future():outcome(0.01))
        ]]
        child:expect("READY")
        child:kill("INT")
        child:expect("BACK")
        local result = child:finish()
        assert.matches("^false\tinterrupted!\ntrue\nfalse\tTimeoutError", result.out)
        assert.equal(0, result.code)
    end)

    it("twice, at the prompt of the interpreter, raises twice", function()
        local path = os.tmpname()
        os.remove(path)
        assert(os.execute("mkfifo " .. path))
        local input <close> = assert(io.open(path, "r+"))
        input:setvbuf("no")
        local child <close> = script.start(PREAMBLE:gsub("local ", ""), {
            flags = { "-i" }, input = path,
        })
        for i = 1, 2 do
            input:write('print "READY" held:result()\n')
            child:expect_match("READY$")
            child:await_sleep()
            child:kill("INT")
            input:write(("print('NEXT', %d)\n"):format(i))
            child:expect_match("NEXT\t" .. i)
        end
        input:write('go:set_result("fine") print(held:result(20)) os.exit(0)\n')
        local result = child:finish()
        os.remove(path)
        assert.equal(0, result.code)
        assert.matches("fine", result.out)
        local _, raised = result.err:gsub("interrupted!", "")
        assert.equal(2, raised)
    end)

    it("a second time in the same script ends it at once, as in plain Lua", function()
        local child <close> = script.start(PREAMBLE .. [[
            print "READY"
            pcall(held.result, held)
            print "BACK"
            held:result()
        ]])
        child:expect("READY")
        interrupt(child)
        child:await_sleep()
        child:kill("INT")
        local result = child:finish()
        assert.equal(2, result.signal)
    end)

    it("leaves the tasks running", function()
        within_100_ms([[
            local futures = require "futures"
            local ex = futures.ThreadPoolExecutor(2)
            local go = futures.Future()
            local function count(f)
                local sum = 0
                repeat
                    sum = sum + 1
                until f:done()
                return "counted"
            end
            local function wait(f) return f:result(20) end
            local fs = { ex:submit(count, go), ex:submit(wait, go) }
            io.stdout:setvbuf("line")
            print "READY"
            local ok, err = pcall(futures.wait, fs)
            print "BACK"
            go:set_result("slept")
            print(ok, fs[1]:result(20), fs[2]:result(20))
        ]], function(result)
            assert.equal("false\tcounted\tslept\n", result.out)
            assert.equal(0, result.code)
        end)
    end)
end)

describe("A debug hook of one's own", function()
    it("is not taken for Ctrl-C and stays", function()
        local out = script.output [[
            local futures = require "futures"
            local ex = futures.ThreadPoolExecutor(1)
            local count = 0
            local function hook() count = count + 1 end
            for _, mask in ipairs { "crl", "c", "r", "l", "" } do
                debug.sethook(hook, mask, 1)
                local ok, value = pcall(function()
                    futures.sleep(0.001)
                    futures.wait({ futures.Future() }, 0.001)
                    return ex:submit(function()
                        futures.sleep(0.001)
                        return 5
                    end):result(20)
                end)
                local kept = debug.gethook() == hook
                debug.sethook()
                print(ok, value, kept, count > 0)
            end
        ]]
        assert.equal(("true\t5\ttrue\ttrue\n"):rep(5), out)
    end)

    it("may raise an error through a wait", function()
        local out = script.output [[
            local futures = require "futures"
            local f = futures.Future()
            local ok, err = pcall(function()
                debug.sethook(function()
                    debug.sethook()
                    error("from the hook", 0)
                end, "", 2)
                futures.wait({ f }, 0.001)
            end)
            f:set_result(1)
            print(ok, err, f:result())
        ]]
        assert.equal("false\tfrom the hook\t1\n", out)
    end)
end)

describe("Another signal", function()
    it("does not end a wait", function()
        -- The main thread waits until a task has read a byte that is written after the signals.
        local go <close> = gate.new("process")
        local child <close> = script.start([[
            local futures = require "futures"
            local ex = futures.ThreadPoolExecutor(1)
            local f = ex:submit(function(path)
                local fifo <close> = assert(io.open(path, "r+"))
                fifo:setvbuf("no")
                return fifo:read(1)
            end, arg[1])
            io.stdout:setvbuf("line")
            print "READY"
            print(pcall(f.result, f, 20))
        ]], { args = { go.token } })
        child:expect("READY")
        for _ = 1, 5 do
            child:await_sleep()
            -- A stop and go makes system calls return early; the other is ignored.
            child:kill("STOP")
            child:kill("CONT")
            child:kill("WINCH")
        end
        go:open()
        assert.equal("true\t!\n", child:finish().out)
    end)
end)
