-- SPDX-License-Identifier: MIT
-- The inside of a worker: futures.worker(), its libraries and paths, what a task may not do.

local futures = require "futures"
local check = require "spec.support.check"
local gate = require "spec.support.gate"
local proc = require "spec.support.proc"
local scale = require "spec.support.scale"
local script = require "spec.support.script"

local LIMIT = scale.LIMIT

describe("worker()", function()
    it("is nil outside a pool", function()
        assert.is_nil(futures.worker())
        assert.equal(1, select("#", futures.worker()))
    end)

    it("tells kind, id, name and pid inside a task", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        local worker = ex:submit(futures.worker):result(LIMIT)
        assert.equal("thread", worker.kind)
        assert.equal("integer", math.type(worker.id))
        assert.equal("string", type(worker.name))
        assert.equal(proc.pid(), worker.pid)
        assert.same(worker, ex:submit(futures.worker):result(LIMIT))
    end)

    it("has another id in each worker", function()
        local ex <close> = futures.ThreadPoolExecutor(3)
        local go <close> = gate.new()
        local pass, token, fs, ids = gate.passer(), go.token, {}, {}
        for i = 1, 3 do
            fs[i] = ex:submit(function()
                pass(token)
                return futures.worker().id
            end)
        end
        check.eventually("three workers", function() return ex:stats().running == 3 end)
        go:open()
        for i = 1, 3 do
            local id = fs[i]:result(LIMIT)
            assert.is_nil(ids[id])
            ids[id] = true
        end
    end)

    it("is the same in a coroutine of a task", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        local here, there = ex:submit(function()
            return futures.worker(), coroutine.wrap(function() return futures.worker() end)()
        end):result(LIMIT)
        assert.same(here, there)
    end)
end)

describe("A worker state", function()
    local ex
    setup(function() ex = futures.ThreadPoolExecutor(1) end)
    teardown(function() ex:shutdown() end)

    it("has the standard library", function()
        local names = ex:submit(function()
            local list = {}
            for name, value in pairs(_G) do
                if type(value) == "table" then
                    list[#list + 1] = name
                end
            end
            table.sort(list)
            return table.concat(list, " ")
        end):result(LIMIT)
        for name in ("coroutine debug io math os package string table utf8"):gmatch("%a%w+") do
            check.contains(name, names)
        end
    end)

    it("can load futures itself and sees the same module", function()
        local version = ex:submit(function() return require("futures")._VERSION end)
        assert.equal(futures._VERSION, version:result(LIMIT))
        assert.is_true(rawequal(futures, ex:submit(require, "futures"):result(LIMIT)))
    end)

    it("collects garbage as lua5.4 does, unless its initializer says how", function()
        for _, new in ipairs { futures.ThreadPoolExecutor, futures.ProcessPoolExecutor } do
            do
                local usual <close> = new(1)
                assert.equal("generational",
                    usual:submit(collectgarbage, "generational"):result(LIMIT))
            end
            local other <close> = new {
                max_workers = 1, initializer = collectgarbage, initargs = { "incremental" },
            }
            assert.equal("incremental",
                other:submit(collectgarbage, "incremental"):result(LIMIT))
        end
    end)

    it("has the caller's package.path and package.cpath", function()
        local path, cpath = ex:submit(function()
            return package.path, package.cpath
        end):result(LIMIT)
        assert.equal(package.path, path)
        assert.equal(package.cpath, cpath)
    end)

    it("finds modules where the caller's path says", function()
        local out = script.output([[
            local futures = require "futures"
            local dir = arg[1]
            package.path = dir .. "/?.lua;" .. package.path
            local ex <close> = futures.ThreadPoolExecutor(1)
            print(ex:submit(function() return require("mod_of_mine").value end):result(10))
        ]], { args = { (function()
            local dir = os.tmpname()
            os.remove(dir)
            assert(os.execute("mkdir " .. dir))
            local file <close> = assert(io.open(dir .. "/mod_of_mine.lua", "w"))
            file:write("return { value = 'found' }")
            return dir
        end)() } })
        assert.equal("found\n", out)
    end)

    it("has the caller's Lua preload loaders", function()
        local out = script.output [[
            local greeting = "hello"
            package.preload["from.preload"] = function(name)
                return { name = name, greet = function(who) return greeting .. " " .. who end }
            end
            local futures = require "futures"
            local ex <close> = futures.ThreadPoolExecutor(1)
            print(ex:submit(function()
                local module = require "from.preload"
                return module.name, module.greet("worker")
            end):result(10))
        ]]
        assert.equal("from.preload\thello worker\n", out)
    end)

    it("misses a preload loader that cannot travel only when it is required", function()
        local out = script.output [[
            local file = io.stdout
            package.preload["bad.loader"] = function() return file end
            package.preload["good.loader"] = function() return "good" end
            local futures = require "futures"
            local ex <close> = futures.ThreadPoolExecutor(1)
            local ok, err = ex:submit(require, "bad.loader"):outcome(20)
            local said = "upvalue 'file': userdata (FILE*) cannot travel"
            print(ok, tostring(err):find(said, 1, true) ~= nil)
            print((ex:submit(require, "good.loader"):result(20)))
        ]]
        assert.equal("false\ttrue\ngood\n", out)
    end)

    it("raises os.exit in the task and lives on", function()
        for _, call in ipairs {
            function() os.exit() end,
            function() os.exit(0) end,
            function() os.exit(7, true) end,
            function() os.exit(true, true) end,
        } do
            local f = ex:submit(call)
            local ok, err = f:outcome(LIMIT)
            assert.is_false(ok)
            check.contains("exit", err)
        end
        assert.equal(3, ex:submit(math.max, 2, 3):result(LIMIT))
    end)

    it("lets a task yield nothing at its top level", function()
        local f = ex:submit(function()
            coroutine.yield(1)
            return "went on"
        end)
        check.contains("yield", f:exception(LIMIT))
        check.contains("yield", ex:submit(coroutine.yield, 1):exception(LIMIT))
        assert.equal(3, ex:submit(math.max, 2, 3):result(LIMIT))
    end)

    it("lets a task use coroutines of its own", function()
        local sum = ex:submit(function()
            local total = 0
            for value in coroutine.wrap(function()
                for i = 1, 10 do
                    coroutine.yield(i)
                end
            end) do
                total = total + value
            end
            return total
        end):result(LIMIT)
        assert.equal(55, sum)
    end)

    it("is another state: what it changes is not changed here", function()
        ex:submit(function()
            rawset(string, "invented", true)
            package.loaded["invented.by.a.task"] = true
        end):result(LIMIT)
        assert.is_nil(rawget(string, "invented"))
        assert.is_nil(package.loaded["invented.by.a.task"])
    end)

    it("collects its garbage", function()
        local before, after = ex:submit(function()
            collectgarbage()
            local used = collectgarbage("count")
            for _ = 1, 100 do
                local _ = ("x"):rep(100000)
            end
            collectgarbage()
            return used, collectgarbage("count")
        end):result(LIMIT)
        assert.is_true(after < before + 1000)
    end)

    it("prints to the same standard output", function()
        local out = script.output [[
            local futures = require "futures"
            do
                local ex <close> = futures.ThreadPoolExecutor(1)
                ex:submit(print, "from a task", 1)
                ex:submit(function() io.write("written by a task\n") end)
            end
            print("from the caller")
        ]]
        assert.equal("from a task\t1\nwritten by a task\nfrom the caller\n", out)
    end)
end)
