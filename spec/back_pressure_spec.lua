-- SPDX-License-Identifier: MIT
-- Back-pressure: max_pending and on_full.

local futures = require "futures"
local check = require "spec.support.check"
local gate = require "spec.support.gate"
local scale = require "spec.support.scale"
local script = require "spec.support.script"

local LIMIT = scale.LIMIT

local function echo(...)
    return ...
end

local kinds = {
    thread = futures.ThreadPoolExecutor, process = futures.ProcessPoolExecutor,
}

-- A future that `action` completes once the main thread sleeps in a call that comes next.
local function when_asleep(action)
    local helper = futures.ThreadPoolExecutor(1)
    local asleep = gate.when_asleep(helper)
    asleep:add_done_callback(function()
        action()
    end)
    return setmetatable({}, { __close = function() helper:shutdown() end })
end

for kind, new in pairs(kinds) do
    describe("A full " .. kind .. " pool", function()
        it("refuses with on_full = 'error', and takes again when there is room", function()
            local ex <close> = new { max_workers = 1, max_pending = 2, on_full = "error" }
            local hold <close> = gate.hold(ex, 1, kind)
            local fs = { ex:submit(echo, 1), ex:submit(echo, 2) }
            for _ = 1, 3 do
                local err = check.raises(futures.QueueFullError, function() ex:submit(echo) end)
                check.contains("max_pending", err)
            end
            assert.equal(2, ex:stats().pending)
            assert.equal(3, ex:stats().submitted)
            assert.is_true(fs[1]:cancel())
            fs[3] = ex:submit(echo, 3)
            check.raises(futures.QueueFullError, function() ex:submit(echo) end)
            hold:open()
            assert.equal(2, fs[2]:result(LIMIT))
            assert.equal(3, fs[3]:result(LIMIT))
            assert.equal(4, ex:submit(echo, 4):result(LIMIT))
            assert.equal(0, ex:stats().failed)
        end)

        it("refuses no task for which a worker is free", function()
            for _ = 1, scale.count(50) do
                local ex <close> = new { max_workers = 3, max_pending = 1, on_full = "error" }
                local hold <close> = gate.new(kind)
                local fs = {}
                for i = 1, 4 do
                    fs[i] = ex:submit(gate.passer(kind), hold.token)
                end
                check.raises(futures.QueueFullError, function() ex:submit(echo) end)
                hold:open()
                for i = 1, 4 do fs[i]:result(LIMIT) end
            end
        end)

        it("lets a submit wait for room", function()
            local ex <close> = new { max_workers = 1, max_pending = 2 }
            local hold <close> = gate.hold(ex, 1, kind)
            local fs = { ex:submit(echo, 1), ex:submit(echo, 2) }
            local opened = false
            local _ <close> = when_asleep(function()
                opened = true
                hold:open()
            end)
            fs[3] = ex:submit(echo, 3)
            assert.is_true(opened)
            for i = 1, 3 do assert.equal(i, fs[i]:result(LIMIT)) end
        end)

        it("has room again when a task is cancelled", function()
            local ex <close> = new { max_workers = 1, max_pending = 2 }
            local hold <close> = gate.hold(ex, 1, kind)
            local first, second = ex:submit(echo, 1), ex:submit(echo, 2)
            local _ <close> = when_asleep(function() first:cancel() end)
            local third = ex:submit(echo, 3)
            assert.is_true(first:cancelled())
            assert.equal("pending", second:state())
            hold:open()
            assert.equal(3, third:result(LIMIT))
        end)

        it("never holds more than its bound", function()
            local ex <close> = new { max_workers = 2, max_pending = 3 }
            local fs = {}
            for i = 1, scale.count(3000) do
                fs[i] = ex:submit(echo, i)
                assert.is_true(ex:stats().pending <= 3)
            end
            for i, f in ipairs(fs) do assert.equal(i, f:result(LIMIT)) end
        end)

        it("counts what a worker that still starts has not begun", function()
            for _, on_full in ipairs { "block", "error" } do
                local go <close> = gate.new(kind)
                local ex <close> = new {
                    max_workers = 3, max_pending = 2, on_full = on_full,
                    initializer = gate.passer(kind), initargs = { go.token },
                }
                local fs = { ex:submit(echo, 1), ex:submit(echo, 2) }
                assert.equal(2, ex:stats().pending)
                assert.equal(0, ex:stats().running)
                local opened = false
                local _ <close> = when_asleep(function()
                    opened = true
                    assert(ex:stats().pending == 2)
                    go:open()
                end)
                fs[3] = ex:submit(echo, 3) -- not refused: the workers will be there in a moment
                assert.is_true(opened)
                for i = 1, 3 do assert.equal(i, fs[i]:result(LIMIT)) end
            end
        end)

        it("has room as soon as a worker starts a task, not when it ends", function()
            local ex <close> = new { max_workers = 1, max_pending = 1 }
            local first <close> = gate.hold(ex, 1, kind)
            local second <close> = gate.new(kind)
            local waits = ex:submit(gate.passer(kind), second.token)
            local _ <close> = when_asleep(function() first:open() end)
            local last = ex:submit(echo, 3)
            -- Its place is free once a worker has it, a moment before it says that it runs.
            check.eventually("the start", function() return waits:running() end)
            assert.equal("pending", last:state())
            assert.equal(1, ex:stats().pending)
            assert.equal(1, ex:stats().running)
            second:open()
            assert.equal(3, last:result(LIMIT))
        end)

        it("ends the wait of a submit when it is shut down", function()
            for _, cancel in ipairs { true, false } do
                local ex <close> = new { max_workers = 1, max_pending = 1 }
                local hold <close> = gate.hold(ex, 1, kind)
                local queued = ex:submit(echo, 1)
                local _ <close> = when_asleep(function()
                    ex:shutdown { wait = false, cancel_futures = cancel }
                end)
                local err = check.raises(futures.Error, function() ex:submit(echo) end)
                check.contains("cannot schedule new futures after shutdown", err)
                assert.equal(cancel, queued:cancelled())
                hold:open()
            end
        end)

        it("counts the chunks of a map as tasks", function()
            local ex <close> = new { max_workers = 1, max_pending = 2, on_full = "error" }
            local hold <close> = gate.hold(ex, 1, kind)
            local view = ex:with { chunksize = 10 }
            local it = view:map(echo, { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 })
            assert.equal(2, ex:stats().pending)
            check.raises(futures.QueueFullError, function() view:map(echo, { 1 }) end)
            hold:open()
            assert.equal(12, it:totable().n)
        end)

        it("lets a map wait for room, at the call", function()
            local ex <close> = new { max_workers = 2, max_pending = 4 }
            local source = {}
            for i = 1, 500 do source[i] = i end
            for _, options in ipairs { {}, { chunksize = 7 }, { ordered = false } } do
                local sum = 0
                for _, v in ex:with(options):map(echo, source) do sum = sum + v end
                assert.equal(125250, sum)
            end
        end)

        it("cancels what a map submitted before it was refused", function()
            local ex <close> = new { max_workers = 1, max_pending = 3, on_full = "error" }
            local hold <close> = gate.hold(ex, 1, kind)
            check.raises(futures.QueueFullError, function() ex:map(echo, { 1, 2, 3, 4, 5 }) end)
            assert.equal(0, ex:stats().pending)
            assert.equal(3, ex:stats().cancelled)
            hold:open()
        end)

        -- Others fill the queue between the first two rows of a map.
        local function interrupted_map(on_full, options)
            local ex = new { max_workers = 1, max_pending = 2, on_full = on_full }
            local read = 0
            local function source()
                read = read + 1
                return read <= 5 and read or nil
            end
            options.buffersize = 1
            local it = ex:with(options):map(echo, source)
            check.eventually("the first", function() return ex:stats().completed > 0 end)
            local hold = gate.hold(ex, 1, kind)
            local others = { ex:submit(echo, "a"), ex:submit(echo, "b") }
            return ex, it, hold, others
        end

        for _, on_full in ipairs { "error", "block" } do
            for shape, options in pairs {
                ["in order"] = {}, ["by completion"] = { ordered = false },
                ["in chunks"] = { chunksize = 2 },
            } do
                it("loses no row of a map " .. shape .. ", " .. on_full, function()
                    local pool, map, held, others = interrupted_map(on_full, options)
                    local ex <close> = pool
                    local hold <close> = held
                    local seen = { select(2, map()) } -- the second row does not fit
                    assert.same({ 1 }, seen)
                    assert.equal(2, ex:stats().pending)
                    hold:open()
                    for _, v in map do seen[#seen + 1] = v end
                    assert.same({ 1, 2, 3, 4, 5 }, seen)
                    assert.equal("a", others[1]:result(LIMIT))
                    assert.equal("b", others[2]:result(LIMIT))
                    assert.equal(0, ex:stats().cancelled)
                end)
            end

            it("is waited for within the time of a map, " .. on_full, function()
                local pool, map, held = interrupted_map(on_full, { timeout = scale.seconds(1) })
                local ex <close> = pool
                    local hold <close> = held
                assert.same({ 1, 1 }, { map() })
                local err = check.raises(futures.TimeoutError, map)
                check.contains("1 (of 2) futures unfinished", err)
                assert.is_nil(map())
                hold:open()
                assert.equal(4, ex:stats().submitted)
            end)
        end

        it("is waited for within the time of a map, at the call", function()
            local ex <close> = new { max_workers = 1, max_pending = 2 }
            local hold <close> = gate.hold(ex, 1, kind)
            local err = check.raises(futures.TimeoutError, function()
                ex:with { timeout = 0.05 }:map(echo, { 1, 2, 3, 4 })
            end)
            check.contains("3 (of 3) futures unfinished", err)
            assert.equal(0, ex:stats().pending)
            assert.equal(2, ex:stats().cancelled)
            hold:open()
        end)

        it("is not meant by default", function()
            local ex <close> = new { max_workers = 1 }
            local hold <close> = gate.hold(ex, 1, kind)
            for _ = 1, 10000 do ex:submit(echo) end
            assert.equal(10000, ex:stats().pending)
            ex:shutdown { wait = false, cancel_futures = true }
            hold:open()
        end)
    end)
end

describe("A submit that waits for room", function()
    it("is a safe point: callbacks run", function()
        local ex <close> = futures.ThreadPoolExecutor { max_workers = 1, max_pending = 1 }
        local hold <close> = gate.hold(ex)
        ex:submit(echo)
        local other <close> = futures.ThreadPoolExecutor(1)
        local ran = {}
        gate.when_asleep(other):add_done_callback(function()
            ran[#ran + 1] = "callback"
            hold:open()
        end)
        ex:submit(echo)
        ran[#ran + 1] = "submit"
        assert.same({ "callback", "submit" }, ran)
    end)

    it("ends when the pool breaks", function()
        local go <close> = gate.new()
        local broken <close> = futures.ThreadPoolExecutor {
            max_workers = 1, max_pending = 1, initargs = { gate.passer(), go.token },
            initializer = function(pass, token) pass(token) error("no start") end,
        }
        local first = broken:submit(echo)
        local done <close> = when_asleep(function() go:open() end)
        local err = check.raises(futures.BrokenThreadPool, function() broken:submit(echo) end)
        check.contains("no start", err)
        assert.is_true(futures.iserror(first:exception(LIMIT), futures.BrokenThreadPool))
        assert.is_not_nil(done)
    end)

    it("ends on Ctrl-C within 0.1 s, and nothing is lost", function()
        for _, inside in ipairs { "%s", "coroutine.wrap(function() %s end)()" } do
            local child <close> = script.start(([[
                local futures = require "futures"
                local ex = futures.ThreadPoolExecutor { max_workers = 1, max_pending = 1 }
                local go = futures.Future()
                local started = futures.Future()
                local f = ex:submit(function(s, g) s:set_result() return g:result(30) end,
                    started, go)
                started:result(10)
                local queued = ex:submit(math.abs, -7)
                print("ready")
                io.stdout:flush()
                local ok, err = pcall(function() ]] .. inside .. [[ end)
                print(ok, (tostring(err):gsub("^.*interrupted!$", "interrupted!")))
                go:set_result("went")
                print(f:result(10), queued:result(10), ex:submit(math.abs, -8):result(10))
                print(ex:stats().submitted)
                ex:shutdown()
            ]]):format("ex:submit(math.abs, -1)"))
            child:expect("ready")
            child:await_sleep()
            child:kill("INT")
            local result = child:finish()
            assert.equal("false\tinterrupted!\nwent\t7\t8\n3\n", result.out, result.err)
            assert.equal(0, result.code)
        end
    end)

    it("of a map ends on Ctrl-C, and no row is lost", function()
        local child <close> = script.start [[
            local futures = require "futures"
            local ex = futures.ThreadPoolExecutor { max_workers = 1, max_pending = 1 }
            local it = ex:with { buffersize = 1 }:map(math.abs, { -1, -2, -3 })
            while ex:stats().completed < 1 do futures.sleep(0.001) end
            local go, started = futures.Future(), futures.Future()
            ex:submit(function(s, g) s:set_result() return g:result(30) end, started, go)
            started:result(10)
            local queued = ex:submit(math.abs, -7)
            print(it())
            print("ready")
            io.stdout:flush()
            local ok, err = pcall(it)
            print(ok, (tostring(err):gsub("^.*interrupted!$", "interrupted!")))
            go:set_result()
            for i, v in it do print(i, v) end
            print(queued:result(10))
        ]]
        child:expect("1\t1")
        child:expect("ready")
        child:await_sleep()
        child:kill("INT")
        local result = child:finish()
        assert.equal("false\tinterrupted!\n2\t2\n3\t3\n7\n", result.out, result.err)
        assert.equal(0, result.code)
    end)

    it("is no deadlock in a task of the pool itself", function()
        local ex <close> = futures.ThreadPoolExecutor { max_workers = 2, max_pending = 1 }
        local fs = {}
        for i = 1, 10 do
            fs[i] = ex:submit(function(pool, n)
                local inner = {}
                for k = 1, n do inner[k] = pool:submit(math.abs, -k) end
                return inner
            end, ex, 20)
        end
        for i = 1, 10 do
            local inner = fs[i]:result(LIMIT)
            for k = 1, 20 do assert.equal(k, inner[k]:result(LIMIT)) end
        end
    end)

    it("may be one of many in several threads", function()
        local ex <close> = futures.ThreadPoolExecutor { max_workers = 2, max_pending = 3 }
        local producers <close> = futures.ThreadPoolExecutor(4)
        local count = scale.count(2000)
        local made = {}
        for p = 1, 4 do
            made[p] = producers:submit(function(pool, from, n)
                local fs, sum = {}, 0
                for i = 1, n do
                    fs[i] = pool:submit(math.abs, -(from + i))
                    assert(pool:stats().pending <= 3)
                end
                for i = 1, n do sum = sum + fs[i]:result(30) end
                return sum
            end, ex, p * count, count)
        end
        local sum = 0
        for p = 1, 4 do sum = sum + made[p]:result(scale.seconds(50)) end
        local expected = 0
        for i = count + 1, 5 * count do expected = expected + i end
        assert.equal(expected, sum)
        assert.equal(4 * count, ex:stats().submitted)
    end)
end)

describe("max_pending and on_full", function()
    it("that make no sense are misuse", function()
        for _, bad in ipairs { 0, -1, 1.5, 0 / 0, math.huge, "3", true } do
            local err = check.misuse(1, "ThreadPoolExecutor", function()
                local _ = futures.ThreadPoolExecutor { max_pending = bad }
            end)
            check.contains("max_pending", err)
        end
        for _, bad in ipairs { "wait", "", 1, false, true } do
            local err = check.misuse(1, "ThreadPoolExecutor", function()
                local _ = futures.ThreadPoolExecutor { max_pending = 1, on_full = bad }
            end)
            check.contains("option 'on_full': 'block' or 'error' expected", err)
        end
    end)

    it("are options of the pool, not of its views", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        check.misuse(1, "with", function() ex:with { max_pending = 1 } end)
    end)

    it("take 2.0 for 2, and say 'block' by default", function()
        local ex <close> = futures.ThreadPoolExecutor { max_pending = 2.0, on_full = "block" }
        assert.equal(1, ex:submit(echo, 1):result(LIMIT))
    end)
end)
