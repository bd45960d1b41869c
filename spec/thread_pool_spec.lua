-- SPDX-License-Identifier: MIT
-- The executor contract, run against the thread pool, and what only the thread pool has:
-- named threads that start on demand and are reused.

local futures = require "futures"
local check = require "spec.support.check"
local gate = require "spec.support.gate"
local proc = require "spec.support.proc"
local scale = require "spec.support.scale"

local LIMIT = scale.LIMIT

require "spec.executor_contract" {
    name = "ThreadPoolExecutor",
    kind = "thread",
    new = function(options) return futures.ThreadPoolExecutor(options) end,
}

local function thread_name()
    local file <close> = assert(io.open("/proc/thread-self/comm"))
    return file:read("l")
end

describe("ThreadPoolExecutor options", function()
    it("takes a number, options or nothing", function()
        local by_number <close> = futures.ThreadPoolExecutor(2)
        local by_options <close> = futures.ThreadPoolExecutor { max_workers = 2 }
        local by_default <close> = futures.ThreadPoolExecutor()
        local by_empty <close> = futures.ThreadPoolExecutor {}
        for _, ex in ipairs { by_number, by_options, by_default, by_empty } do
            assert.equal(9, ex:submit(math.max, 4, 9):result(LIMIT))
        end
    end)

    it("takes 2.0 workers for 2", function()
        local ex <close> = futures.ThreadPoolExecutor { max_workers = 2.0 }
        local hold <close> = gate.hold(ex, 2)
        assert.equal("pending", ex:submit(print):state())
        ex:shutdown { wait = false, cancel_futures = true }
        hold:open()
    end)

    it("refuses 0, 1.5, NaN, a string and other nonsense for max_workers", function()
        for _, bad in ipairs { 0, -1, 1.5, 0 / 0, math.huge, -math.huge, "3", true } do
            check.misuse(1, "ThreadPoolExecutor", function()
                local _ = futures.ThreadPoolExecutor { max_workers = bad }
            end)
        end
        for _, bad in ipairs { 0, -1, 1.5, 0 / 0, "3", true, print } do
            check.misuse(1, "ThreadPoolExecutor", function()
                local _ = futures.ThreadPoolExecutor(bad)
            end)
        end
    end)

    it("refuses an unknown option and names it", function()
        local err = check.misuse(1, "ThreadPoolExecutor", function()
            local _ = futures.ThreadPoolExecutor { max_worker = 3 }
        end)
        check.contains("max_worker", err)
        check.misuse(1, "ThreadPoolExecutor", function()
            local _ = futures.ThreadPoolExecutor { 3 }
        end)
    end)

    it("refuses a second argument, which would be forgotten", function()
        for _, class in ipairs { "ThreadPoolExecutor", "ProcessPoolExecutor" } do
            local err = check.misuse(2, class, function()
                local _ = futures[class](4, { max_pending = 3 })
            end)
            check.contains("options go into one table", err)
            check.misuse(2, class, function()
                local _ = futures[class](nil, "prefix")
            end)
        end
    end)

    it("refuses options of a wrong type", function()
        for key, list in pairs {
            thread_name_prefix = { 5, "a\0b" },
            initializer = { 42 },
            initargs = { "x", { n = "x" }, { n = -1 }, { n = 1.5 }, { n = 1e18 } },
        } do
            for _, bad in ipairs(list) do
                local err = check.misuse(1, "ThreadPoolExecutor", function()
                    local _ = futures.ThreadPoolExecutor { [key] = bad }
                end)
                check.contains(key, err)
            end
        end
    end)

    it("has min(32, cpu_count + 4) workers by default", function()
        local ex <close> = futures.ThreadPoolExecutor()
        local limit = math.min(32, futures.cpu_count() + 4)
        local hold <close> = gate.hold(ex, limit)
        local one_more = ex:submit(print)
        assert.equal(limit, ex:stats().workers)
        assert.equal("pending", one_more:state())
        assert.is_true(one_more:cancel())
        hold:open()
    end)
end)

describe("Threads of a pool", function()
    it("start on demand", function()
        local ex <close> = futures.ThreadPoolExecutor(8)
        assert.equal(0, ex:stats().workers)
        local hold <close> = gate.hold(ex, 3)
        assert.equal(3, ex:stats().workers)
        hold:open()
    end)

    it("are reused: three tasks one after the other need one thread", function()
        for _ = 1, scale.count(300) do
            local ex <close> = futures.ThreadPoolExecutor(4)
            local first = ex:submit(futures.worker):result(LIMIT)
            for _ = 2, 3 do
                assert.equal(first.id, ex:submit(futures.worker):result(LIMIT).id)
            end
            assert.equal(1, ex:stats().workers)
        end
    end)

    it("start while the others are busy", function()
        local ex <close> = futures.ThreadPoolExecutor(4)
        local hold <close> = gate.hold(ex, 2)
        assert.equal(1, ex:submit(math.abs, -1):result(LIMIT))
        assert.equal(3, ex:stats().workers)
        hold:open()
    end)

    it("are named after the prefix, also for the system", function()
        local ex <close> = futures.ThreadPoolExecutor {
            max_workers = 2,
            thread_name_prefix = "cook",
        }
        local hold <close> = gate.hold(ex, 1)
        local worker, seen = ex:submit(function()
            return futures.worker(), thread_name()
        end):result(LIMIT)
        assert.matches("^cook_%d+$", worker.name)
        assert.equal(worker.name, seen)
        assert.is_true(table.concat(proc.thread_names(), " "):find("cook_") ~= nil)
        hold:open()
    end)

    it("have different names in one pool", function()
        local ex <close> = futures.ThreadPoolExecutor {
            max_workers = 3,
            thread_name_prefix = "w",
        }
        local go <close> = gate.new()
        local pass, token, fs, names = gate.passer(), go.token, {}, {}
        for i = 1, 3 do
            fs[i] = ex:submit(function()
                pass(token)
                return futures.worker().name
            end)
        end
        check.eventually("three workers", function() return ex:stats().running == 3 end)
        go:open()
        for _, f in ipairs(fs) do
            local name = f:result(LIMIT)
            assert.is_nil(names[name])
            names[name] = true
        end
    end)

    it("have different names also under a very long prefix", function()
        local prefix = ("p"):rep(200)
        local ex <close> = futures.ThreadPoolExecutor {
            max_workers = 2, thread_name_prefix = prefix,
        }
        local hold <close> = gate.hold(ex)
        local name = ex:submit(function() return futures.worker().name end):result(LIMIT)
        assert.equal(prefix, name:sub(1, 200))
        assert.matches("^_%d+$", name:sub(201))
        hold:open()
    end)

    it("are named ThreadPoolExecutor-<k>_<n> by default, cut at 15 bytes outside", function()
        local one <close> = futures.ThreadPoolExecutor(1)
        local two <close> = futures.ThreadPoolExecutor(1)
        local pools = {}
        for _, ex in ipairs { one, two } do
            local name, seen = ex:submit(function()
                return futures.worker().name, thread_name()
            end):result(LIMIT)
            local k = name:match("^ThreadPoolExecutor%-(%d+)_%d+$")
            assert.is_not_nil(k)
            assert.is_nil(pools[k])
            pools[k] = true
            assert.equal("ThreadPoolExecu", seen)
        end
    end)
end)
