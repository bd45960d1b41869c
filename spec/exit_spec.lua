-- SPDX-License-Identifier: MIT
-- How a process ends while the library has work: the exit code is kept, output is complete,
-- nothing crashes or hangs.

require "spec.support.watchdog"
local scale = require "spec.support.scale"
local script = require "spec.support.script"

-- One worker, three tasks that print, the first waiting for `go`.
local PENDING = [[
    local futures = require "futures"
    local ex = futures.ThreadPoolExecutor(1)
    local go, started = futures.Future(), futures.Future()
    ex:submit(function(f, running)
        running:set_result()
        f:result(20)
        print "one"
    end, go, started)
    ex:submit(print, "two")
    local last = ex:submit(print, "three")
    started:result(20)
]]

local function lines(result)
    local list = {}
    for line in result.out:gmatch("[^\n]+") do
        list[#list + 1] = line
    end
    return table.concat(list, " ")
end

describe("At the end of a script the library joins what is left", function()
    it("with an executor in a local", function()
        local _, result = script.output(PENDING .. 'go:set_result() print "main"')
        -- Two threads print: a text and the end of its line are two writes.
        assert.equal("onetwothree", (result.out:gsub("main", ""):gsub("%s", "")))
        assert.equal("", result.err)
    end)

    it("with an executor in a global", function()
        local code = PENDING:gsub("local ex", "ex", 1)
        local _, result = script.output(code .. "go:set_result()")
        assert.equal("one two three", lines(result))
    end)

    it("with an executor that was collected", function()
        local _, result = script.output(PENDING .. [[
            ex = nil
            collectgarbage()
            collectgarbage()
            go:set_result()
        ]])
        assert.equal("one two three", lines(result))
    end)

    it("after a shutdown that did not wait", function()
        local _, result = script.output(PENDING .. [[
            ex:shutdown { wait = false }
            go:set_result()
        ]])
        assert.equal("one two three", lines(result))
    end)

    it("with several executors and many tasks", function()
        local _, result = script.output [[
            local futures = require "futures"
            for _ = 1, 3 do
                local ex = futures.ThreadPoolExecutor(2)
                for i = 1, 100 do
                    ex:submit(function(n) io.write(n .. "\n") end, i)
                end
            end
        ]]
        local sum, count = 0, 0
        for number in result.out:gmatch("%d+") do
            sum, count = sum + tonumber(number), count + 1
        end
        assert.equal(300, count)
        assert.equal(3 * 5050, sum)
    end)

    it("with callbacks that are due and never run", function()
        local _, result = script.output [[
            local futures = require "futures"
            local ex = futures.ThreadPoolExecutor(1)
            for i = 1, 10 do
                ex:submit(math.abs, i):add_done_callback(function() print "ran" end)
            end
        ]]
        assert.equal("", result.err)
    end)

    it("with a future that outlives its executor in every order of finalizers", function()
        local _, result = script.output [[
            local futures = require "futures"
            local ex, fs = futures.ThreadPoolExecutor(2), {}
            for i = 1, 100 do
                fs[i] = ex:submit(function(x) return { x } end, i)
            end
            local late = setmetatable({}, { __gc = function()
                print(pcall(fs[100].result, fs[100]), fs[1]:done())
            end })
            local again = futures.ThreadPoolExecutor(1)
            again:submit(print, "again")
        ]]
        assert.matches("again", result.out)
        assert.equal("", result.err)
    end)

    it("with a shutdown in a finalizer", function()
        local _, result = script.output [[
            local futures = require "futures"
            local ex = futures.ThreadPoolExecutor(1)
            ex:submit(print, "task")
            setmetatable({}, { __gc = function() print(ex:shutdown()) end })
        ]]
        assert.equal("task true", lines(result))
    end)

    it("with a map that nobody finished", function()
        local _, result = script.output [[
            local futures = require "futures"
            local ex = futures.ThreadPoolExecutor(2)
            local it = ex:with { chunksize = 3 }:map(math.abs, { 1, 2, 3, 4, 5, 6, 7, 8, 9 })
            it()
        ]]
        assert.equal("", result.err)
    end)

    it("with the module loaded and nothing done", function()
        local _, result = script.output 'require "futures"'
        assert.equal("", result.out .. result.err)
    end)
end)

describe("os.exit", function()
    it("with close joins like the end of a script and keeps the code", function()
        for _, code in ipairs { 0, 7 } do
            local last = ("go:set_result() os.exit(%d, true)"):format(code)
            local result = script.run(PENDING .. last)
            assert.equal(code, result.code)
            assert.equal("one two three", lines(result))
            assert.equal("", result.err)
        end
    end)

    it("ends at once with its code, whatever runs", function()
        for _, code in ipairs { 0, 7 } do
            local result = script.run(PENDING .. [[
                io.stdout:write("main\n")
                os.exit(]] .. code .. ")")
            assert.equal(code, result.code)
            assert.equal("main\n", result.out)
            assert.equal("", result.err)
            assert.is_true(result.seconds < scale.seconds(5))
        end
    end)

    it("ends at once though a worker computes for ever", function()
        local result = script.run [[
            local futures = require "futures"
            local ex = futures.ThreadPoolExecutor(2)
            local started = futures.Future()
            ex:submit(function(f)
                f:set_result()
                while true do end
            end, started)
            started:result(20)
            os.exit(3)
        ]]
        assert.equal(3, result.code)
        assert.is_true(result.seconds < scale.seconds(5))
    end)

    it("does not crash while workers print and allocate", function()
        for _ = 1, scale.count(20) do
            local result = script.run [[
                local futures = require "futures"
                local ex = futures.ThreadPoolExecutor(3)
                local started = futures.Future()
                for i = 1, 200 do
                    ex:submit(function(f, n)
                        pcall(f.set_result, f)
                        local t = {}
                        for k = 1, 1000 do
                            t[k] = { tostring(k * n) }
                        end
                        io.stderr:write("")
                    end, started, i)
                end
                started:result(20)
                os.exit(5)
            ]]
            assert.equal(5, result.code, result.err)
        end
    end)
end)

describe("An error at the top level", function()
    it("with work pending ends with code 1 after the work", function()
        local result = script.run(PENDING .. 'go:set_result() error("top level")')
        assert.equal(1, result.code)
        assert.equal("one two three", lines(result))
        assert.matches("top level", result.err)
        assert.is_nil(result.err:find("\n.*lua.*: .*\n.*core"))
    end)

    it("out of the scope of an executor cancels what has not started", function()
        local result = script.run [[
            local futures = require "futures"
            local ex <close> = futures.ThreadPoolExecutor(1)
            local started = futures.Future()
            local queued
            local go = futures.Future()
            ex:submit(function(f, g)
                f:set_result()
                g:result(20)
                print "ran"
            end, started, go)
            started:result(20)
            queued = ex:submit(print, "must not run")
            queued:add_done_callback(function() go:set_result() end)
            error("top level")
        ]]
        assert.equal(1, result.code)
        assert.equal("ran\n", result.out)
        assert.matches("top level", result.err)
    end)

    it("in a task is none at the top level", function()
        local _, result = script.output [[
            local futures = require "futures"
            local ex <close> = futures.ThreadPoolExecutor(1)
            ex:submit(error, "nobody looks at this")
        ]]
        assert.equal("", result.err)
    end)

    it("that is the error of a task says its text", function()
        local result = script.run [[
            local futures = require "futures"
            local ex <close> = futures.ThreadPoolExecutor(1)
            ex:submit(function() error("from the task", 0) end):result(20)
        ]]
        assert.equal(1, result.code)
        assert.matches("from the task", result.err)
        local by_object = script.run [[
            local futures = require "futures"
            futures.Future():result(0)
        ]]
        assert.equal(1, by_object.code)
        assert.matches("TimeoutError", by_object.err)
    end)
end)

describe("A process", function()
    it("may load the module twice in one state", function()
        local out = script.output [[
            local first = require "futures"
            local ex <close> = first.ThreadPoolExecutor(1)
            local f = ex:submit(math.abs, -1)
            for name in pairs(package.loaded) do
                if name:match("^futures") then
                    package.loaded[name] = nil
                end
            end
            local second = require "futures"
            local other <close> = second.ThreadPoolExecutor(1)
            local g = other:submit(math.abs, -2)
            print(#second.wait({ f, g }, 20), f:result(20), g:result(20))
            print(#first.wait({ g, f }, 20))
        ]]
        assert.equal("2\t1\t2\n2\n", out)
    end)

    it("of which one coroutine made the executor and another used it", function()
        local out = script.output [[
            local futures = require "futures"
            local ex
            coroutine.wrap(function() ex = futures.ThreadPoolExecutor(1) end)()
            collectgarbage()
            print(coroutine.wrap(function() return ex:submit(math.abs, -3):result(20) end)())
        ]]
        assert.equal("3\n", out)
    end)

    it("keeps its own lines whole when tasks print", function()
        local _, result = script.output [[
            local futures = require "futures"
            do
                local ex <close> = futures.ThreadPoolExecutor(4)
                for i = 1, 400 do
                    ex:submit(function(n) io.write("line " .. n .. " of a task\n") end, i)
                end
            end
            print("end")
        ]]
        local count = 0
        for line in result.out:gmatch("([^\n]*)\n") do
            if line ~= "end" then
                assert.matches("^line %d+ of a task$", line)
                count = count + 1
            end
        end
        assert.equal(400, count)
        assert.matches("end\n$", result.out)
    end)
end)
