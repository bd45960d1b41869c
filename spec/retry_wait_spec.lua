-- SPDX-License-Identifier: MIT
-- Waits inside of retry_on, and Ctrl-C there.

local futures = require "futures"
require "spec.support.watchdog"
local check = require "spec.support.check"
local scale = require "spec.support.scale"
local script = require "spec.support.script"
local tally = require "spec.support.tally"

local LIMIT = scale.LIMIT

local pools = {
    thread = futures.ThreadPoolExecutor,
    process = futures.ProcessPoolExecutor,
}

local function yes() return true end

describe("retry_on", function()
    for name, wait in pairs {
        ["such a task"] = function(other) other:result() end,
        ["the first of such"] = function(other)
            futures.wait({ other }, nil, futures.FIRST_COMPLETED)
        end,
        ["the end of its pool"] = function(_, pool) pool:shutdown() end,
    } do
        it("cannot wait where a task waits for what it is asked about: " .. name, function()
            local ex <close> = futures.ThreadPoolExecutor(1)
            local pool <close> = futures.ThreadPoolExecutor(1)
            local runs <close> = tally.new()
            local f, other, text
            f = ex:with { name = "asked", retries = 1, retry_on = function()
                other = pool:with { name = "other" }:submit(function(asked)
                    return asked:result()
                end, f)
                local ok, err = pcall(wait, other, pool)
                text = ok or tostring(err)
                return true
            end }:submit(tally.fail, runs.token, 1)
            assert.equal(2, f:result(LIMIT))
            -- Who waits last is refused; then the other one goes on.
            local ok, result = other:outcome(LIMIT)
            local asks = "the wait can never end: the retry_on of task 'asked' waits for "
            check.contains(ok and asks or "the wait can never end: task 'other' waits for ",
                ok and text or tostring(result))
        end)
    end

    it("cannot wait for what callbacks have to settle, which wait for its end", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        local runs <close> = tally.new()
        local texts = {}
        local f = ex:with { name = "asked", retries = 1, retry_on = function()
            local derived = ex:submit(math.abs, 1):next(function() end)
            for i, wait in ipairs {
                function() derived:result() end,
                function() futures.wait { derived } end,
                function() for _ in futures.as_completed { derived } do end end,
            } do
                texts[i] = tostring(select(2, pcall(wait)))
            end
            return true
        end }:submit(tally.fail, runs.token, 1)
        assert.equal(2, f:result(LIMIT))
        assert.equal(3, #texts)
        for _, text in ipairs(texts) do
            check.contains("Error: the wait can never end: the retry_on of task 'asked'", text)
        end
    end)
end)

for kind, new in pairs(pools) do
    describe("retry_on (" .. kind .. ")", function()
        it("is asked in a wait inside of a callback, too", function()
            local ex <close> = new(1)
            local runs <close> = tally.new()
            local first, got = futures.Future(), nil
            first:add_done_callback(function()
                got = ex:with { retries = 1, retry_on = yes }
                    :submit(tally.fail, runs.token, 1):result(LIMIT)
            end)
            first:set_result()
            futures.poll()
            assert.equal(2, got)
        end)

        it("may wait for other tasks, which have a retry_on as well", function()
            local ex <close> = new(1)
            local a <close> = tally.new()
            local b <close> = tally.new()
            local inner
            local f = ex:with { retries = 1, retry_on = function()
                inner = ex:with { retries = 2, retry_on = yes }
                    :submit(tally.fail, b.token, 2):result(LIMIT)
                return true
            end }:submit(tally.fail, a.token, 1)
            assert.equal(2, f:result(LIMIT))
            assert.equal(3, inner)
        end)

        it("cannot wait for what it is asked about", function()
            local ex <close> = new(1)
            local runs <close> = tally.new()
            local f
            local texts = {}
            f = ex:with { retries = 1, retry_on = function()
                local others = { f }
                for _, wait in ipairs {
                    function() f:result() end,
                    function() futures.wait(others) end,
                    function() for _ in futures.as_completed(others) do end end,
                    function() ex:shutdown() end,
                } do
                    texts[#texts + 1] = tostring(select(2, pcall(wait)))
                end
                assert.is_false((f:outcome(0.01)))
                return true
            end }:submit(tally.fail, runs.token, 1)
            assert.equal(2, f:result(LIMIT))
            assert.equal(4, #texts)
            for _, text in ipairs(texts) do
                check.contains("Error: the wait can never end: the retry_on of task", text)
            end
        end)

        for shape, options in pairs {
            ["in order"] = {}, ["by completion"] = { ordered = false },
            ["in chunks"] = { chunksize = 2 },
        } do
            it("cannot take the step of a map that waits for it, " .. shape, function()
                local ex <close> = new(1)
                local runs <close> = tally.new()
                local fail, map, text = tally.fail, nil, nil
                options.retries = 1
                options.retry_on = function()
                    text = tostring(select(2, pcall(map)))
                    return true
                end
                map = ex:with(options):map(function() return fail(runs.token, 1) end, { "x" })
                assert.equal(1, futures.poll(LIMIT))
                check.contains("Error: the wait can never end: the retry_on of task", text)
                assert.same({ 1, 2 }, { map() }) -- nothing of the map is lost
                assert.is_nil((map()))
                map = ex:with(options):map(error, { "x" })
                assert.is_false((pcall(map))) -- asked inside of that step
                check.contains("a step of this map is running already", text)
            end)
        end

        it("cannot take a step of as_completed where only its task is left", function()
            local ex <close> = new(1)
            local runs <close> = tally.new()
            local f, step, taken, text
            local other = futures.Future()
            f = ex:with { retries = 1, retry_on = function()
                taken = step()
                text = tostring(select(2, pcall(step)))
                return true
            end }:submit(tally.fail, runs.token, 1)
            step = futures.as_completed { f, other }
            other:set_result()
            assert.equal(2, f:result(LIMIT))
            assert.equal(other, taken)
            check.contains("Error: the wait can never end: the retry_on of task", text)
            assert.equal(f, step())
        end)

        it("may wait for others beside what it is asked about", function()
            local ex <close> = new(2)
            local runs <close> = tally.new()
            local f, done
            f = ex:with { retries = 1, retry_on = function()
                local other = ex:submit(math.abs, -3)
                done = futures.wait({ f, other }, nil, futures.FIRST_COMPLETED)
                return done[1] == other and #done == 1
            end }:submit(tally.fail, runs.token, 1)
            assert.equal(2, f:result(LIMIT))
        end)
    end)

    describe("Ctrl-C in retry_on (" .. kind .. ")", function()
        local PREAMBLE = ([[
            io.stdout:setvbuf("line")
            local futures = require "futures"
            local ex = futures.%s(1)
            local asked = 0
            local function short(err) return (tostring(err):gsub("^.*: ", "")) end
            local function submit(retry_on)
                return ex:with { retries = 3, retry_on = function(...)
                    asked = asked + 1
                    print "READY"
                    return retry_on(...)
                end }:submit(error, "the task's", 0)
            end
        ]]):format(kind == "thread" and "ThreadPoolExecutor" or "ProcessPoolExecutor")

        -- Runs the code, sends it a SIGINT when it has printed READY (and sleeps, unless it is
        -- busy), and gives the rest of what it prints, within 0.1 s of its line BACK.
        local function interrupted(code, busy)
            local out
            for _ = 1, 5 do -- the machine may be busy: the best counts
                local child <close> = script.start(PREAMBLE .. code)
                child:expect("READY")
                if not busy then child:await_sleep() end
                local from = futures.monotonic()
                child:kill("INT")
                child:expect("BACK")
                local took = futures.monotonic() - from
                local result = child:finish()
                assert.equal(0, result.code, result.err)
                assert.is_true(out == nil or out == result.out)
                out = result.out
                if took < 0.1 then return out end
            end
            error("never within 0.1 s")
        end

        -- The call raises once; the answer was no, so the task's error is final, and the pool
        -- goes on.
        for call, busy in pairs {
            ["while true do end"] = true, ["futures.sleep(30)"] = false,
            ["futures.Future():result(30)"] = false,
            ["coroutine.wrap(futures.sleep)(30)"] = false,
        } do
            it("ends " .. call .. " and the call that asks", function()
                assert.equal("false\tinterrupted!\nthe task's\t1\t1\tfinished\n5\n",
                    interrupted(([[
                        local f = submit(function() %s end)
                        local ok, err = pcall(f.result, f)
                        print "BACK"
                        print(ok, short(err))
                        print(f:exception(20), f:attempts(), asked, f:state())
                        print(ex:submit(math.abs, -5):result(20))
                    ]]):format(call), busy))
            end)
        end

        it("that it catches is its own affair: what it says then counts", function()
            local out = interrupted([[
                local f = submit(function()
                    if asked == 1 then pcall(futures.sleep, 30) print "BACK" end
                    return true
                end)
                local ok = pcall(futures.wait, { f })
                while not f:done() do futures.poll(0.01) end
                print(futures.iserror(f:exception()) == false, f:attempts())
            ]])
            assert.equal("true\t4\n", (out:gsub("READY\n", "")))
        end)

        it("ends a step of a map, which goes on after it", function()
            assert.equal("false\tinterrupted!\nfalse\tthe task's\n2\t2\n", interrupted([[
                local map = ex:with { retries = 1, retry_on = function()
                    print "READY"
                    futures.sleep(30)
                end }:map(function(i)
                    if i == 1 then error("the task's", 0) end
                    return i
                end, { 1, 2 })
                local ok, err = pcall(map)
                print "BACK"
                print(ok, short(err))
                print(pcall(map))
                print(map())
            ]]))
        end)
    end)
end
