-- SPDX-License-Identifier: MIT
-- Tasks that run again: the option retries, and lost workers.

local futures = require "futures"
require "spec.support.watchdog"
local check = require "spec.support.check"
local gate = require "spec.support.gate"
local posix = require "spec_posix"
local scale = require "spec.support.scale"
local tally = require "spec.support.tally"

local LIMIT = scale.LIMIT

local pools = {
    thread = futures.ThreadPoolExecutor,
    process = futures.ProcessPoolExecutor,
}

local function lost(f)
    local err = f:exception(LIMIT)
    assert.is_true(futures.iserror(err, futures.WorkerLostError), tostring(err))
    return err
end

describe("retries = n", function()
    it("runs a task again whose worker has died, up to n times", function()
        local ex <close> = futures.ProcessPoolExecutor(2)
        for failures = 0, 3 do
            local runs <close> = tally.new()
            local f = ex:with { retries = 3 }:submit(tally.die, runs.token, failures)
            assert.equal(failures + 1, f:result(LIMIT))
            assert.equal(failures + 1, f:attempts())
            assert.equal("finished", f:state())
        end
        local stats = ex:stats()
        assert.equal(6, stats.retried)
        assert.equal(6, stats.lost)
        assert.equal(4, stats.submitted)
        assert.equal(4, stats.completed)
        assert.equal(0, stats.failed)
    end)

    it("gives the error of the last run when they are used up", function()
        local ex <close> = futures.ProcessPoolExecutor(1)
        local runs <close> = tally.new()
        local f = ex:with { retries = 2 }:submit(tally.die, runs.token, 100)
        assert.equal(3, lost(f).exitcode)
        assert.equal(3, f:attempts())
        assert.equal(3, runs:runs())
        local stats = ex:stats()
        assert.equal(1, stats.failed)
        assert.equal(3, stats.lost)
        assert.equal(2, stats.retried)
    end)

    it("tells the last worker's pid and signal", function()
        local ex <close> = futures.ProcessPoolExecutor(1)
        local pids <close> = tally.new()
        local function die(path)
            do
                local file <close> = assert(io.open(path, "a"))
                file:write(posix.getpid(), "\n")
            end
            posix.kill(posix.getpid(), 9)
        end
        local err = lost(ex:with { retries = 1 }:submit(die, pids.token))
        local seen = {}
        for line in io.lines(pids.token) do seen[#seen + 1] = math.tointeger(line) end
        assert.equal(2, #seen)
        assert.not_equal(seen[1], seen[2])
        assert.equal(seen[2], err.pid)
        assert.equal(9, err.signal)
    end)

    it("is none for a plain task, and 0 is none", function()
        local ex <close> = futures.ProcessPoolExecutor(1)
        for _, view in ipairs { ex, ex:with { name = "x" }, ex:with { retries = 0 } } do
            local runs <close> = tally.new()
            local f = view:submit(tally.die, runs.token, 1)
            lost(f)
            assert.equal(1, f:attempts())
            assert.equal(1, runs:runs())
        end
    end)

    it("is not for errors", function()
        for kind, new in pairs(pools) do
            local ex <close> = new(1)
            local runs <close> = tally.new()
            local f = ex:with { retries = 5 }:submit(tally.fail, runs.token, 1)
            assert.equal(1, f:exception(LIMIT).run, kind)
            assert.equal(1, f:attempts())
            assert.equal(1, runs:runs())
            assert.equal(0, ex:stats().retried)
        end
    end)

    it("costs no other task", function()
        local ex <close> = futures.ProcessPoolExecutor(2)
        local retrying, fs, runs = ex:with { retries = 1 }, {}, {}
        for i = 1, 100 do
            if i % 10 == 0 then
                runs[i] = tally.new()
                fs[i] = retrying:submit(tally.die, runs[i].token, 1)
            else
                fs[i] = ex:submit(math.abs, -i)
            end
        end
        for i, f in ipairs(fs) do
            local counted <close> = runs[i] -- luacheck: ignore 211
            assert.equal(runs[i] and 2 or i, f:result(LIMIT))
            assert.equal(runs[i] and 2 or 1, f:attempts())
        end
        local stats = ex:stats()
        assert.equal(10, stats.retried)
        assert.equal(100, stats.completed)
        assert.equal(0, stats.pending)
    end)

    it("keeps large arguments and functions for the next run", function()
        local ex <close> = futures.ProcessPoolExecutor(1)
        local runs <close> = tally.new()
        local big, die = ("0123456789"):rep(100000), tally.die
        local f = ex:with { retries = 2 }:submit(function(text)
            return die(runs.token, 2), #text, text:sub(-3)
        end, big)
        assert.same({ 3, 1000000, "789" }, { f:result(LIMIT) })
    end)

    it("runs again though nobody has the future", function()
        local runs <close> = tally.new()
        do
            local ex <close> = futures.ProcessPoolExecutor(1)
            ex:with { retries = 3 }:submit(tally.die, runs.token, 3)
            collectgarbage()
        end
        assert.equal(4, runs:runs())
    end)

    it("keeps the priority", function()
        local ex <close> = futures.ProcessPoolExecutor(1)
        local runs <close> = tally.new()
        local log = os.tmpname()
        local function note(path, word, die, token)
            do
                local file <close> = assert(io.open(path, "a"))
                file:write(word, " ")
            end
            if die then die(token, 1) end
        end
        do
            local hold <close> = gate.hold(ex, 1, "process")
            local fs = {
                ex:with { priority = 1 }:submit(note, log, "low"),
                ex:with { priority = 5, retries = 1 }:submit(note, log, "high", tally.die,
                    runs.token),
                ex:with { priority = 3 }:submit(note, log, "middle"),
            }
            hold:open()
            for _, f in ipairs(fs) do f:result(LIMIT) end
        end
        local file <close> = assert(io.open(log))
        assert.equal("high high middle low ", file:read("a"))
        os.remove(log)
    end)

    it("is not refused where the queue is full", function()
        local ex <close> = futures.ProcessPoolExecutor {
            max_workers = 1, max_pending = 1, on_full = "error",
        }
        local runs <close> = tally.new()
        local go <close> = gate.new("process")
        local pass, die = gate.passer("process"), tally.die
        local f = ex:with { retries = 1 }:submit(function(token, path)
            if tally.count(path) == 1 then pass(token) end
            return die(path, 2)
        end, go.token, runs.token)
        check.eventually("the first run", function() return runs:runs() == 1 end)
        local g = ex:submit(math.abs, -7)
        assert.is_true(futures.iserror(select(2, pcall(ex.submit, ex, math.abs, 1)),
            futures.QueueFullError))
        go:open()
        assert.equal(4, f:result(LIMIT))
        assert.equal(7, g:result(LIMIT))
    end)

    it("holds for maps, and for whole chunks", function()
        local ex <close> = futures.ProcessPoolExecutor(2)
        for _, chunksize in ipairs { 1, 4 } do
            local runs <close> = tally.new()
            local die = tally.die
            local view = ex:with { retries = 1, chunksize = chunksize }
            local results = view:map(function(i)
                if i == 6 then die(runs.token, 1) end
                return 2 * i
            end, { 1, 2, 3, 4, 5, 6, 7, 8 }):totable()
            assert.same({ 2, 4, 6, 8, 10, 12, 14, 16, n = 8 }, results)
            assert.equal(2, runs:runs())
        end
        assert.equal(2, ex:stats().retried)
    end)
end)

-- In a task: a pool of its own loses its worker, in the first two runs.
local function lose_inner(die, path)
    local inner <close> = require "futures".ProcessPoolExecutor(1)
    return inner:submit(die, path, 2):result(20)
end

for kind, new in pairs(pools) do
    describe("A worker that a task has lost, in a pool of its own (" .. kind .. ")", function()
        local it_unless_hard = scale.tsan and kind == "process" and pending or it

        it_unless_hard("is a WorkerLostError like others: the task runs again", function()
            local ex <close> = new(1)
            for _, retries in ipairs { 1, 2, 5 } do
                local runs <close> = tally.new()
                local asked = 0
                local f = ex:with {
                    retries = retries, retry_on = function() asked = asked + 1 end,
                }:submit(lose_inner, tally.die, runs.token)
                if retries < 2 then
                    assert.equal(2, lost(f).exitcode)
                else
                    assert.equal(3, f:result(LIMIT))
                end
                assert.equal(math.min(retries, 2) + 1, f:attempts())
                assert.equal(0, asked)
            end
            local stats = ex:stats()
            assert.equal(0, stats.lost) -- none of its own
            assert.equal(1, stats.failed)
        end)

        it_unless_hard("counts in a chunk, too", function()
            local ex <close> = new(1)
            local runs <close> = tally.new()
            local inside, die = lose_inner, tally.die
            local map = ex:with { retries = 2, chunksize = 3 }:map(function(i)
                return i == 2 and inside(die, runs.token) or 10 * i
            end, { 1, 2, 3 })
            assert.same({ 10, 3, 30, n = 3 }, map:totable())
            assert.equal(2, ex:stats().retried)
        end)

        it_unless_hard("that it has caught is its own affair", function()
            local ex <close> = new(1)
            local runs <close> = tally.new()
            local inside = lose_inner
            local f = ex:with { retries = 2 }:submit(function(...)
                local ok, err = pcall(inside, ...)
                return ok, err.name
            end, tally.die, runs.token)
            assert.same({ false, "WorkerLostError" }, { f:result(LIMIT) })
            assert.equal(1, f:attempts())
        end)
    end)
end

describe("A lost worker's error", function()
    it("passed on by hand, or one that looks like it, is told apart by its class", function()
        local processes <close> = futures.ProcessPoolExecutor(1)
        local err = lost(processes:submit(os.exit, 3))
        for kind, new in pairs(pools) do
            local ex <close> = new(1)
            local view = ex:with { retries = 2 }
            local f = view:submit(error, err)
            assert.equal(3, lost(f).exitcode)
            assert.equal(3, f:attempts(), kind)
            -- Where nothing but the classes is loaded, too.
            f = view:submit(function()
                local class = require "futures.errors".WorkerLostError
                error(setmetatable({ name = "WorkerLostError", exitcode = 4 }, class))
            end)
            assert.equal(4, lost(f).exitcode)
            assert.equal(3, f:attempts(), kind)
            for _, other in ipairs {
                { name = "WorkerLostError" }, setmetatable({ name = "WorkerLostError" }, {}),
                "WorkerLostError: worker process 1 ended with exit code 3", false,
            } do
                f = view:submit(error, other)
                assert.is_false((f:outcome(LIMIT)))
                assert.equal(1, f:attempts(), kind)
            end
        end
    end)
end)
