-- SPDX-License-Identifier: MIT
-- Tasks that are ended early while they fetch, or that fetch while they are ended.

local futures = require "futures"
local fetch = require "futures.fetch"
local check = require "spec.support.check"
local demo = require "spec.support.demo"
local scale = require "spec.support.scale"
local witness = require "spec.support.witness"

local LIMIT = scale.LIMIT

local pools = {
    threads = futures.ThreadPoolExecutor,
    processes = futures.ProcessPoolExecutor,
}

local function ends_in(class, f)
    local _, err = f:outcome(LIMIT)
    assert.is_true(futures.iserror(err, class), tostring(err))
end

-- Tasks that wait for a response: what they do with an error of it changes nothing.
local tasks = {
    ["fetch"] = fetch,
    ["fetch in a loop of pcall"] = function(url)
        while true do pcall(require "futures.fetch", url) end
    end,
    ["fetch in a coroutine"] = function(url)
        return coroutine.wrap(function() return require "futures.fetch" (url) end)()
    end,
    ["fetch with attempts left"] = function(url)
        return require "futures.fetch" (url, { retries = 5, timeout = 1000 })
    end,
}

describe("A task that waits for a response", function()
    local seen

    lazy_setup(function() seen = witness.start() end)
    lazy_teardown(function() seen:stop() end)

    for kind, new in pairs(pools) do
        for what, task in pairs(tasks) do
            local where = " in " .. what .. " of " .. kind

            it("is ended by cancel(true), with its transfer," .. where, function()
                local ex <close> = new(1)
                local gate = seen:gate()
                local f = ex:submit(task, seen.url .. "/wait/" .. gate)
                seen:await(gate, 1)
                local from = futures.monotonic()
                assert.is_true(f:cancel(true))
                ends_in(futures.CancelledError, f)
                assert.is_true(futures.monotonic() - from < scale.seconds(0.9))
                seen:await(gate, 0)
                assert.equal(1, ex:submit(math.abs, -1):result(LIMIT))
                assert.equal(0, ex:stats().lost)
            end)

            it("is ended by its limit, with its transfer," .. where, function()
                local ex <close> = new(1)
                local gate = seen:gate()
                local limit = scale.seconds(0.1)
                local f = ex:with { task_timeout = limit }:submit(task,
                    seen.url .. "/wait/" .. gate)
                seen:await(gate, 1)
                local from = futures.monotonic()
                ends_in(futures.TimeoutError, f)
                assert.is_true(futures.monotonic() - from < limit + scale.seconds(0.9))
                seen:await(gate, 0)
                assert.equal(1, ex:submit(math.abs, -1):result(LIMIT))
                assert.equal(0, ex:stats().lost)
            end)
        end
    end
end)

-- A value whose closing fetches, and then says what came.
local function fetching_closer(url, report, begun)
    return setmetatable({}, {
        __close = function()
            if begun then begun:set_result() end
            local ok, response = pcall(require "futures.fetch", url)
            local again = require "futures.fetch" (url) -- as a call of its own
            report:set_result(ok and response.status, again.status)
        end,
    })
end

-- Ways to come to a closing variable: before its end is asked for, or because of it.
local ways = {
    ["the end of the task unwinds them"] = function(url, report, begun)
        local _ <close> = fetching_closer(url, report)
        begun:set_result()
        while true do end
    end,
    ["the end of the task unwinds a coroutine"] = function(url, report, begun)
        coroutine.wrap(function()
            local _ <close> = fetching_closer(url, report)
            begun:set_result()
            while true do end
        end)()
    end,
    ["the end of the task ends another fetch"] = function(url, report, begun)
        local _ <close> = fetching_closer(url, report)
        begun:set_result()
        require "futures.fetch" (url:gsub("/delay/.*", "/delay/100000"))
    end,
    ["the end of a block closes them"] = function(url, report, begun)
        do
            local _ <close> = fetching_closer(url, report, begun)
        end
        while true do end
    end,
    ["an error closes them"] = function(url, report, begun)
        pcall(function()
            local _ <close> = fetching_closer(url, report, begun)
            error "x"
        end)
        while true do end
    end,
    ["an error in xpcall closes them"] = function(url, report, begun)
        xpcall(function()
            local _ <close> = fetching_closer(url, report, begun)
            error "x"
        end, debug.traceback)
        while true do end
    end,
    ["an error in a coroutine closes them"] = function(url, report, begun)
        pcall(coroutine.wrap(function()
            local _ <close> = fetching_closer(url, report, begun)
            error "x"
        end))
        while true do end
    end,
    ["coroutine.close closes them"] = function(url, report, begun)
        local co = coroutine.create(function()
            local _ <close> = fetching_closer(url, report, begun)
            coroutine.yield()
        end)
        coroutine.resume(co)
        coroutine.close(co)
        while true do end
    end,
    ["a finalizer runs"] = function(url, report, begun)
        local close = getmetatable(fetching_closer(url, report, begun)).__close
        setmetatable({}, { __gc = close })
        collectgarbage()
        while true do end
    end,
}

describe("A fetch of a task that is ended, in what closes, runs to its end", function()
    local good

    lazy_setup(function() good = demo.start() end)
    lazy_teardown(function() good:stop() end)

    for way, task in pairs(ways) do
        it("when " .. way, function()
            local ex <close> = futures.ThreadPoolExecutor(1)
            local report, begun = futures.Future(), futures.Future()
            local f = ex:submit(task, good.url .. "/delay/100", report, begun)
            begun:result(LIMIT)
            assert.is_true(f:cancel(true))
            local first, second = report:result(LIMIT)
            assert.equal(200, first)
            assert.equal(200, second)
            ends_in(futures.CancelledError, f)
            assert.equal(1, ex:submit(math.abs, -1):result(LIMIT))
        end)
    end

    for how, ask in pairs {
        ["cancel(true)"] = function(ex, task, ...)
            local f = ex:submit(task, ...)
            check.eventually("running", function() return f:running() end)
            futures.sleep(0.05)
            assert.is_true(f:cancel(true))
            return f
        end,
        ["task_timeout"] = function(ex, task, ...)
            return ex:with { task_timeout = 0.1 }:submit(task, ...)
        end,
    } do
        it("in a process, after " .. how, function()
            local ex <close> = futures.ProcessPoolExecutor(1)
            ex:submit(fetch, good.url .. "/delay/0"):result(LIMIT)
            local path = os.tmpname()
            local f = ask(ex, function(url, to)
                local _ <close> = setmetatable({}, { __close = function()
                    local response = require "futures.fetch" (url)
                    local file <close> = io.open(to, "w")
                    file:write(response.status)
                end })
                require "futures.fetch" (url:gsub("/delay/.*", "/delay/100000"))
            end, good.url .. "/delay/100", path)
            assert.is_false(f:outcome(LIMIT))
            local file <close> = io.open(path)
            assert.equal("200", file:read("a"))
            os.remove(path)
            assert.equal(0, ex:stats().lost)
        end)
    end
end)
