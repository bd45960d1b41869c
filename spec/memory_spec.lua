-- SPDX-License-Identifier: MIT
-- What the library holds: memory, threads, file descriptors, each in a process of its own.

require "spec.support.watchdog"
local scale = require "spec.support.scale"
local script = require "spec.support.script"

-- Sanitizers keep freed memory and pad what is in use.
local measured = scale.slow and pending or it

-- Numbers that a script prints, one a line.
local function numbers(code, ...)
    local list = {}
    for number in script.output(code:format(...)):gmatch("%-?%d+") do
        list[#list + 1] = tonumber(number)
    end
    return table.unpack(list)
end

local MB = 1 << 20

describe("Memory", function()
    measured("is where it was after 1,000,000 futures submitted and dropped", function()
        local growth, done = numbers [[
            local futures = require "futures"
            local proc = require "spec.support.proc"
            local ex = futures.ThreadPoolExecutor(2)
            local function run(batches)
                for _ = 1, batches do
                    local last
                    for i = 1, 10000 do
                        last = ex:submit(math.abs, i)
                    end
                    last:result(20)
                end
                collectgarbage()
                collectgarbage()
            end
            run(5)
            local before = proc.rss()
            run(100)
            print(proc.rss() - before)
            ex:shutdown()
            print(ex:stats().completed)
        ]]
        assert.equal(1050000, done)
        -- Twelve bytes a future would be too much.
        assert.is_true(growth < 12 * MB, "bytes: " .. growth)
    end)

    measured("of a pending task with small arguments is at most 500 bytes", function()
        local bytes = numbers [[
            local futures = require "futures"
            local proc = require "spec.support.proc"
            local ex = futures.ThreadPoolExecutor(1)
            local go, started = futures.Future(), futures.Future()
            ex:submit(function(f, running)
                running:set_result()
                f:result(20)
            end, go, started)
            started:result(20)
            local count, fs = 200000, {}
            for i = 1, count do
                fs[i] = false
            end
            local function task(id, name) return id, name end
            ex:submit(task, 0, "warm")
            collectgarbage()
            collectgarbage()
            local before = proc.rss()
            for i = 1, count do
                fs[i] = ex:submit(task, i, "name")
            end
            collectgarbage()
            collectgarbage()
            print((proc.rss() - before) // count)
            ex:shutdown { wait = false, cancel_futures = true }
            go:set_result()
        ]]
        assert.is_true(bytes <= 500, "bytes: " .. bytes)
    end)

    measured("of results is free again once the futures are dropped", function()
        local growth = numbers [[
            local futures = require "futures"
            local proc = require "spec.support.proc"
            local ex = futures.ThreadPoolExecutor(2)
            local function run(times)
                for _ = 1, times do
                    local f = ex:submit(string.rep, "x", 1 << 20)
                    assert(#f:result(20) == 1 << 20)
                end
                collectgarbage()
                collectgarbage()
            end
            run(20)
            local before = proc.rss()
            run(500)
            print(proc.rss() - before)
        ]]
        assert.is_true(growth < 16 * MB, "bytes: " .. growth)
    end)

    measured("of cancelled tasks is free while the queue goes on", function()
        local growth = numbers [[
            local futures = require "futures"
            local proc = require "spec.support.proc"
            local ex = futures.ThreadPoolExecutor(1)
            local go, started = futures.Future(), futures.Future()
            ex:submit(function(f, running)
                running:set_result()
                f:result(20)
            end, go, started)
            started:result(20)
            local payload = ("x"):rep(1000)
            local function run(times)
                for _ = 1, times do
                    for _ = 1, 1000 do
                        ex:submit(print, payload):cancel()
                    end
                    collectgarbage()
                end
            end
            run(10)
            local before = proc.rss()
            run(100)
            print(proc.rss() - before)
            go:set_result()
        ]]
        -- 100,000 payloads of 1,000 bytes would be 100 MB.
        assert.is_true(growth < 16 * MB, "bytes: " .. growth)
    end)

    measured("of callbacks, waits and maps is free again", function()
        local growth = numbers [[
            local futures = require "futures"
            local proc = require "spec.support.proc"
            local ex = futures.ThreadPoolExecutor(2)
            local never = futures.Future()
            local function run(times)
                for _ = 1, times do
                    local fs = { never }
                    for i = 1, 100 do
                        fs[#fs + 1] = ex:submit(math.abs, i)
                        fs[#fs]:add_done_callback(function() end)
                    end
                    futures.wait(fs, 20, futures.FIRST_COMPLETED)
                    futures.wait(fs, 0)
                    never:outcome(0)
                    local step = futures.as_completed(fs, 20)
                    step()
                    for i in ex:map(math.abs, { 1, 2, 3 }) do
                        if i == 2 then
                            break
                        end
                    end
                end
                collectgarbage()
                collectgarbage()
            end
            run(50)
            local before = proc.rss()
            run(500)
            print(proc.rss() - before)
        ]]
        -- 50,000 callbacks, 100,000 waited for.
        assert.is_true(growth < 8 * MB, "bytes: " .. growth)
    end)

    measured("of executors is free again, workers included", function()
        local growth = numbers [[
            local futures = require "futures"
            local proc = require "spec.support.proc"
            local function run(times)
                for i = 1, times do
                    local ex = futures.ThreadPoolExecutor(2)
                    ex:submit(function(x) return { x } end, i):result(20)
                    if i %% 2 == 0 then
                        ex:shutdown()
                    end
                end
                collectgarbage()
                collectgarbage()
            end
            run(1000) -- so many live at once as the collector lets
            local before = proc.rss()
            run(1000)
            print(proc.rss() - before)
        ]]
        assert.is_true(growth < 8 * MB, "bytes: " .. growth)
    end)
end)

describe("A long chain of futures", function()
    it("of which each is the argument of the next is freed without a crash", function()
        local out = script.output(([[
            local futures = require "futures"
            local ex = futures.ThreadPoolExecutor(2)
            local f
            for _ = 1, %d do
                f = ex:submit(type, f)
            end
            print(f:result(20))
            f = nil
            collectgarbage()
            collectgarbage()
            print(ex:shutdown())
        ]]):format(scale.count(300000)))
        assert.matches("^%a+\ntrue\n$", out)
    end)

    it("that is cancelled is freed without a crash", function()
        local out = script.output(([[
            local futures = require "futures"
            local ex = futures.ThreadPoolExecutor(1)
            local go, started = futures.Future(), futures.Future()
            ex:submit(function(g, running)
                running:set_result()
                g:result(20)
            end, go, started)
            started:result(20)
            local f
            for _ = 1, %d do
                f = ex:submit(type, f)
            end
            f = nil
            collectgarbage()
            ex:shutdown { wait = false, cancel_futures = true }
            collectgarbage()
            go:set_result()
            print(ex:shutdown())
        ]]):format(scale.count(300000)))
        assert.equal("true\n", out)
    end)
end)

describe("After the last shutdown", function()
    local function left(body)
        local threads, fds = numbers([[
            local futures = require "futures"
            local proc = require "spec.support.proc"
            local threads, fds = proc.threads(), proc.fds()
            do
                %s
            end
            -- A thread that was joined may still be on its way out of the kernel.
            local deadline = futures.monotonic() + 20
            repeat
                local same = proc.threads() == threads and proc.fds() == fds
            until same or futures.monotonic() > deadline
            print(proc.threads() - threads)
            print(proc.fds() - fds)
        ]], body)
        assert.equal(0, threads)
        assert.equal(0, fds)
    end

    it("no thread and no file descriptor is left", function()
        left [[
            local one = futures.ThreadPoolExecutor(8)
            local two <close> = futures.ThreadPoolExecutor(3)
            for _, ex in ipairs { one, two } do
                for _ = 1, 50 do
                    ex:submit(math.abs, 1)
                end
            end
            one:shutdown()
        ]]
    end)

    it("none is left of 100 pools one after the other", function()
        left [[
            for i = 1, 100 do
                local ex <close> = futures.ThreadPoolExecutor(2)
                ex:submit(math.abs, i):result(20)
            end
        ]]
    end)

    it("none is left of a broken pool", function()
        left [[
            local ex = futures.ThreadPoolExecutor {
                max_workers = 2, initializer = function() error "no" end,
            }
            ex:submit(print):outcome(20)
            ex:shutdown()
        ]]
    end)

    it("none is left of executors inside of tasks", function()
        left [[
            local ex <close> = futures.ThreadPoolExecutor(2)
            ex:submit(function()
                local futures = require "futures"
                local inner <close> = futures.ThreadPoolExecutor(2)
                return inner:submit(math.abs, -1):result(20)
            end):result(20)
        ]]
    end)

    it("none is left of a worker that keeps a handle to its own executor", function()
        left [[
            local ex = futures.ThreadPoolExecutor(2)
            ex:submit(function()
                _G.kept, _G.also = ex, ex:submit(math.abs, -1)
            end):result(20)
            ex = nil
            collectgarbage()
            collectgarbage()
        ]]
    end)

    it("none is left of workers that keep handles to each other's executors", function()
        left [[
            local one, two = futures.ThreadPoolExecutor(1), futures.ThreadPoolExecutor(1)
            local function keep(other, future) _G.kept = { other, future } end
            one:submit(keep, two, two:submit(math.abs, -1)):result(20)
            two:submit(keep, one, one:submit(math.abs, -1)):result(20)
            one, two = nil, nil
            collectgarbage()
            collectgarbage()
        ]]
    end)

    it("none is left of polls, sleeps and waits", function()
        left [[
            futures.poll(0.001)
            futures.sleep(0.001)
            futures.wait({ futures.Future() }, 0.001)
            futures.Future():outcome(0.001)
        ]]
    end)
end)

describe("Limits of the system", function()
    -- Every task of 500 waits until all are submitted, so the pool wants 500 threads.
    local MANY = [[
        local futures = require "futures"
        local ex, go = futures.ThreadPoolExecutor(500), futures.Future()
        local fs, refused = {}, 0
        for i = 1, 500 do
            local ok, f = pcall(ex.submit, ex, function(g, x)
                g:result(20)
                return x
            end, go, i)
            if ok then
                fs[#fs + 1] = f
            else
                refused = refused + 1
            end
        end
        local workers = ex:stats().workers
        go:set_result()
        local good, bad = 0, 0
        for _, f in ipairs(fs) do
            if f:outcome(20) then
                good = good + 1
            else
                bad = bad + 1
            end
        end
        print(good, good + bad + refused, workers < 500, ex:shutdown())
    ]]

    -- RLIMIT_NPROC holds for a user who is not root and is counted for each user.
    local NOBODY = "setpriv --reuid=65533 --clear-groups "
    local module = assert(package.searchpath("futures.core", package.cpath))
    local possible = os.execute(NOBODY .. "test -r " .. module .. " 2>/dev/null")
    local as_nobody = possible and not scale.slow and it or pending

    as_nobody("on threads: those that start do all the work", function()
        local out = script.output(nil, {
            path = "-", input = MANY, before = "prlimit --nproc=8 " .. NOBODY,
        })
        assert.equal("500\t500\ttrue\ttrue\n", out)
    end)

    local limited = scale.slow and pending or it -- a sanitizer needs the address space itself

    limited("on memory: each task ends well or not, nothing hangs or crashes", function()
        local result = script.run(MANY, { before = "ulimit -v 200000;" })
        if result.code == 1 then -- the script itself did not get its memory
            assert.matches("not enough memory", result.err)
        else
            assert.equal(0, result.code, result.err)
            assert.matches("^%d+\t500\ttrue\ttrue\n$", result.out)
        end
    end)

    it("on file descriptors: threads need none", function()
        local out = script.output([[
            local futures = require "futures"
            local files = {}
            repeat
                files[#files + 1] = io.open "/dev/null"
            until not io.open "/dev/null"
            local ex <close> = futures.ThreadPoolExecutor(4)
            print(ex:map(math.abs, { -1, -2, -3 }):totable()[3], futures.poll(0.001))
        ]], { before = "ulimit -n 20;" })
        assert.equal("3\t0\n", out)
    end)

    it("on address space: an absurd max_workers costs nothing until it is needed", function()
        local out = script.output [[
            local futures = require "futures"
            local ex <close> = futures.ThreadPoolExecutor(1000000)
            print(ex:submit(math.abs, -1):result(20), ex:stats().workers)
        ]]
        assert.equal("1\t1\n", out)
        local huge = script.run [[
            local futures = require "futures"
            local ok, ex = pcall(futures.ThreadPoolExecutor, math.maxinteger)
            if ok then
                print(ex:submit(math.abs, -1):result(20))
            else
                print((tostring(ex):gsub("^.*bad argument", "bad argument")))
            end
        ]]
        assert.equal(0, huge.code, huge.err)
    end)
end)
