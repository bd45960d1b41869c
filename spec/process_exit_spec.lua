-- SPDX-License-Identifier: MIT
-- How a program with worker processes ends, or is ended, or forks: no process stays, output is
-- complete and there once.

local check = require "spec.support.check"
local proc = require "spec.support.proc"
local scale = require "spec.support.scale"
local script = require "spec.support.script"
local posix = require "spec_posix"

local SIGKILL, SIGTERM = 9, 15

local function sorted_lines(text)
    local list = {}
    for line in text:gmatch("[^\n]+") do
        list[#list + 1] = line
    end
    table.sort(list)
    return table.concat(list, " ")
end

describe("At the end of a script its process pools finish", function()
    for name, ending in pairs {
        ["after a shutdown that did not wait"] = "ex:shutdown { wait = false }",
        ["with an executor in a local"] = "",
        ["with an executor that was collected"] = "ex = nil collectgarbage() collectgarbage()",
        ["in os.exit(code, true)"] = "os.exit(0, true)",
        ["after its block was left"] = "do local _ <close> = ex end",
    } do
        it(name, function()
            local out, result = script.output([[
                local futures = require "futures"
                local ex = futures.ProcessPoolExecutor(2)
                for i = 1, 6 do
                    ex:submit(function(n) print("task " .. n) end, i)
                end
                io.write("main\n")
            ]] .. ending)
            assert.equal("main task 1 task 2 task 3 task 4 task 5 task 6", sorted_lines(out))
            assert.equal("", result.err)
        end)
    end

    it("after an error at the top level, with its exit code", function()
        local result = script.run [[
            local futures = require "futures"
            local ex = futures.ProcessPoolExecutor(1)
            ex:submit(print, "task")
            error "top"
        ]]
        assert.equal(1, result.code)
        assert.equal("task\n", result.out)
        check.contains("top", result.err)
    end)

    it("and os.exit(code) does not wait for them", function()
        local result = script.run [[
            local futures = require "futures"
            local ex = futures.ProcessPoolExecutor(1)
            local f = ex:submit(futures.sleep, 60)
            while not f:running() do futures.sleep(0.001) end
            io.write("partial")
            os.exit(7)
        ]]
        assert.equal(7, result.code)
        assert.equal("partial", result.out)
        assert.is_true(result.seconds < scale.seconds(15))
    end)
end)

describe("What is printed", function()
    it("comes once, whatever was not flushed when processes were forked", function()
        local path = os.tmpname()
        local out = script.output([[
            local futures = require "futures"
            io.stdout:setvbuf("full")
            local file = io.open(arg[1], "w")
            file:setvbuf("full")
            file:write("file\n")
            io.write("before\n")
            local ex = futures.ProcessPoolExecutor(2)
            for i = 1, 4 do
                ex:submit(function(n) io.stdout:setvbuf("full") print("task " .. n) end, i)
            end
            ex:submit(os.exit, 0)
            ex:submit(function() -- a descriptor that the program's file has, too
                local other = io.open(os.tmpname(), "w")
                os.exit(0)
            end)
            ex:shutdown()
            io.write("after\n")
            file:close()
        ]], { args = { path } })
        assert.equal("after before task 1 task 2 task 3 task 4", sorted_lines(out))
        local file <close> = assert(io.open(path))
        assert.equal("file\n", file:read("a"))
        os.remove(path)
    end)

    it("by a task is there when its future is done", function()
        local child = script.start [[
            local futures = require "futures"
            local ex <close> = futures.ProcessPoolExecutor(1)
            ex:submit(function()
                io.stdout:setvbuf("full")
                io.write("by the task\n")
            end):result()
            io.stdout:setvbuf("no")
            io.write("by the program\n")
        ]]
        assert.equal("by the task", child:line())
        assert.equal("by the program", child:line())
    end)

    it("by no thread that reads at the same time is a reason to wait", function()
        local out = script.output([[
            local futures = require "futures"
            local threads = futures.ThreadPoolExecutor(1)
            local fifo = arg[1]
            os.remove(fifo)
            os.execute("mkfifo " .. fifo)
            local keep = io.open(fifo, "r+")
            local reading = threads:submit(function(path)
                local file <close> = io.open(path)
                return file:read(1)
            end, fifo)
            while not reading:running() do futures.sleep(0.001) end
            futures.sleep(0.05)
            local ex <close> = futures.ProcessPoolExecutor(1)
            print(ex:submit(math.abs, -3):result(10))
            keep:write("x")
            keep:close()
            print(reading:result(10))
            os.remove(fifo)
        ]], { args = { os.tmpname() } })
        assert.equal("3\nx\n", out)
    end)
end)

-- Each prints "workers", the ids of all processes of its pool, and "ready", then does something
-- for ever.
local HEAD = [[
    local futures = require "futures"
    local posix = require "spec_posix"
    local function slurp(path)
        local file <close> = io.open(path)
        return file and file:read("a") or ""
    end
    local function children(pid)
        return slurp(("/proc/%d/task/%d/children"):format(pid, pid))
    end
    local function tell()
        local zygotes = children(posix.getpid())
        io.write("workers ", zygotes)
        for zygote in zygotes:gmatch("%d+") do
            io.write(" ", children(zygote))
        end
        io.write("\nready\n")
        io.stdout:flush()
    end
    local ex = futures.ProcessPoolExecutor(2)
    ex:submit(math.abs, 1):result()
]]

local states = {
    ["while its workers are idle"] = "tell() futures.sleep(100)",
    ["while its workers compute"] = [[
        for _ = 1, 4 do ex:submit(function() while true do end end) end
        while ex:stats().running < 2 do futures.sleep(0.001) end
        tell() ex:shutdown()]],
    ["while its workers sleep in C"] = [[
        for _ = 1, 2 do ex:submit(os.execute, "sleep 5") end
        while ex:stats().running < 2 do futures.sleep(0.001) end
        tell() ex:shutdown()]],
    ["while large values travel"] = [[
        local text = ("x"):rep(8 << 20)
        ex:submit(string.len, text):result()
        tell()
        while true do
            local fs = {}
            for i = 1, 8 do fs[i] = ex:submit(function(s) return s end, text) end
            for i = 1, 8 do fs[i]:result() end
        end]],
    ["while workers die and start"] = [[
        ex:submit(os.exit, 1):exception()
        tell()
        while true do ex:submit(os.exit, 1):exception() end]],
    ["after a fork of somebody else's, which lives on"] = [[
        if posix.fork() == 0 then
            io.stdout:close()
            io.stderr:close()
            os.execute("sleep 4")
            posix._exit(0)
        end
        tell() futures.sleep(100)]],
    ["with a pool inside of a worker"] = [[
        local f = ex:submit(function()
            local inner = require "futures".ProcessPoolExecutor(1)
            inner:submit(math.abs, 1):result()
            inner:submit(function() while true do end end):result()
        end)
        while not f:running() do futures.sleep(0.001) end
        futures.sleep(0.2)
        tell() futures.sleep(100)]],
}

describe("A program that is killed", function()
    for name, code in pairs(states) do
        it("leaves no process behind " .. name, function()
            local child = script.start(HEAD .. code)
            local list = child:expect_match("^workers")
            child:expect("ready")
            local pids = {}
            for pid in list:gmatch("%d+") do
                local called = proc.name(pid)
                if called == "futures-zygote" or called:find("^ProcessPool") then
                    pids[#pids + 1] = pid
                    for _, inner in ipairs(proc.children(pid)) do
                        pids[#pids + 1] = inner
                    end
                end
            end
            assert.is_true(#pids >= 1)
            posix.kill(child.pid, SIGKILL)
            check.takes(0, 2, check.eventually, "all are gone", function()
                for _, pid in ipairs(pids) do
                    local name_now = proc.name(pid)
                    local is_shell = name_now == "sh" or name_now == "sleep"
                    if not proc.gone(pid) and not is_shell then
                        return false
                    end
                end
                return true
            end)
        end)
    end

    it("by SIGTERM as well", function()
        local child = script.start(HEAD .. "tell() futures.sleep(100)")
        local list = child:expect_match("^workers")
        child:expect("ready")
        posix.kill(child.pid, SIGTERM)
        for pid in list:gmatch("%d+") do
            check.eventually("it is gone", function() return proc.gone(pid) end)
        end
    end)
end)

describe("Ctrl-C", function()
    it("reaches the program only, and its futures stay usable", function()
        -- The terminal sends the signal to the whole process group.
        local out = script.output [[
            local futures = require "futures"
            local posix = require "spec_posix"
            posix.new_group()
            local ex <close> = futures.ProcessPoolExecutor(2)
            local f = ex:submit(function()
                require "futures".sleep(0.5)
                return "done"
            end)
            while not f:running() do futures.sleep(0.001) end
            local ok, err = pcall(posix.kill, 0, 2)
            print(ok, tostring(err):match("interrupted!"))
            print(f:result(20))
            print(ex:stats().lost)
        ]]
        assert.equal("false\tinterrupted!\ndone\n0\n", out)
    end)
end)
