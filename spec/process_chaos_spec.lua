-- SPDX-License-Identifier: MIT
-- Workers that are killed all the time under load, and many pools beside threads that work.

local futures = require "futures"
local check = require "spec.support.check"
local posix = require "spec_posix"
local proc = require "spec.support.proc"
local scale = require "spec.support.scale"
local script = require "spec.support.script"

local LIMIT = scale.LIMIT
local SIGKILL = 9

local function square(n)
    return n * n
end

-- Looks at the futures of the squares of 1 to #fs: each is right, or says that its worker died.
local function count_lost(fs)
    local lost = 0
    for i, f in ipairs(fs) do
        local ok, value = f:outcome(LIMIT)
        if ok then
            assert.equal(i * i, value)
        else
            assert.is_true(futures.iserror(value, futures.WorkerLostError), tostring(value))
            assert.equal(SIGKILL, value.signal)
            lost = lost + 1
        end
    end
    return lost
end

describe("Under a load of 100,000 tasks", function()
    it("random workers are killed every 10 ms: each future ends and says what happened",
        function()
            local count = scale.count(100000)
            local ex <close> = futures.ProcessPoolExecutor(4)
            local fs, kills, due = {}, 0, 0
            local function maybe_kill()
                if futures.monotonic() < due then
                    return
                end
                due = futures.monotonic() + 0.01
                local workers = proc.workers()
                if #workers > 0 and posix.kill(workers[math.random(#workers)], SIGKILL) then
                    kills = kills + 1
                end
            end
            for i = 1, count do
                fs[i] = ex:submit(square, i)
                if i % 100 == 0 then
                    maybe_kill()
                end
            end
            while ex:stats().pending > 0 do
                maybe_kill()
                futures.sleep(0.002)
            end
            local lost = count_lost(fs)
            local stats = ex:stats()
            assert.is_true(kills > 0)
            assert.is_true(lost <= kills)
            assert.equal(lost, stats.lost)
            assert.equal(count - lost, stats.completed)
            assert.equal(0, stats.pending + stats.running)
        end)

    it("workers that end themselves in every tenth task cost only these", function()
        local count = scale.count(2000)
        local ex <close> = futures.ProcessPoolExecutor(3)
        local fs = {}
        for i = 1, count do
            fs[i] = ex:submit(function(n)
                if n % 10 == 0 then
                    os.exit(n % 256)
                end
                return n
            end, i)
        end
        for i, f in ipairs(fs) do
            local ok, value = f:outcome(LIMIT)
            assert.equal(i % 10 ~= 0, ok)
            assert.equal(ok and i or i % 256, ok and value or value.exitcode)
        end
        assert.equal(count // 10, ex:stats().lost)
    end)

    it("large values arrive whole while workers are killed", function()
        local ex <close> = futures.ProcessPoolExecutor(2)
        local text, fs = ("x"):rep(3 << 20), {}
        for i = 1, scale.count(40) do
            fs[i] = ex:submit(function(s, n) return s .. n end, text, i)
            if i % 5 == 0 then
                local workers = proc.workers()
                posix.kill(workers[math.random(#workers)] or 0x7ffffff, SIGKILL)
            end
        end
        for i, f in ipairs(fs) do
            local ok, value = f:outcome(LIMIT)
            if ok then
                assert.is_true(value == text .. i)
            else
                assert.equal(SIGKILL, value.signal)
            end
        end
    end)
end)

local it_unless_tsan = scale.tsan and pending or it

describe("200 process pools", function()
    it_unless_tsan("are made, used and closed while threads work, and leave nothing", function()
        local threads = futures.ThreadPoolExecutor(1)
        local stop, started = futures.Future(), futures.Future()
        local _ <close> = setmetatable({}, {
            __close = function()
                if not stop:done() then
                    stop:set_result()
                end
            end,
        })
        local busy = threads:submit(function(f, running)
            local rounds = 0
            running:set_result()
            while not f:done() do
                local t = {}
                for k = 1, 100 do
                    t[k] = { ("x"):rep(k), k }
                end
                io.stderr:write("")
                rounds = rounds + #t
            end
            return rounds
        end, stop, started)
        started:result(LIMIT) -- its worker has read the files of its modules
        local function baseline()
            check.collect()
            return { fds = proc.fds(), threads = proc.threads(), children = #proc.children(),
                mappings = proc.shared_mappings() }
        end
        local before = baseline()
        for i = 1, scale.count(200) do
            local ex <close> = futures.ProcessPoolExecutor(2)
            assert.equal(i * i, ex:submit(square, i):result(LIMIT))
        end
        assert.same(before, baseline())
        stop:set_result()
        assert.is_true(busy:result(LIMIT) > 0)
        threads:shutdown()
    end)

    it_unless_tsan("are made by several threads at once", function()
        local threads <close> = futures.ThreadPoolExecutor(4)
        local fs = {}
        for i = 1, scale.count(40) do
            fs[i] = threads:submit(function(n)
                local ex <close> = require "futures".ProcessPoolExecutor(1)
                return (ex:submit(function(x) return x + 1 end, n):result())
            end, i)
        end
        for i, f in ipairs(fs) do
            assert.equal(i + 1, f:result(LIMIT))
        end
        assert.same({}, proc.zygotes())
    end)
end)

describe("When the system gives no more", function()
    it("descriptors, the constructor says so", function()
        local files = {}
        local before = posix.limit("files", proc.fds() + 4)
        while true do
            local file = io.open("/dev/null")
            if not file then
                break
            end
            files[#files + 1] = file
        end
        local ok, err = pcall(futures.ProcessPoolExecutor, 1)
        posix.limit("files", before)
        for _, file in ipairs(files) do
            file:close()
        end
        assert.is_false(ok)
        assert.is_true(futures.iserror(err, futures.Error))
        check.contains("cannot make a pool: cannot start a process", err)
        local ex <close> = futures.ProcessPoolExecutor(1)
        assert.equal(4, ex:submit(square, 2):result(LIMIT))
    end)

    it("works where a process may have few descriptors", function()
        assert.equal("20\n", (script.output [[
            local futures = require "futures"
            require "spec_posix".limit("files", 16)
            local ex <close> = futures.ProcessPoolExecutor(4)
            local sum = 0
            for _, v in ex:map(math.abs, { -8, -12 }) do sum = sum + v end
            print(sum)
        ]]))
    end)
end)
