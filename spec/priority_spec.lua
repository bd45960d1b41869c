-- SPDX-License-Identifier: MIT
-- Priorities: which of the queued tasks is the next.

local futures = require "futures"
local check = require "spec.support.check"
local gate = require "spec.support.gate"
local scale = require "spec.support.scale"

local LIMIT = scale.LIMIT

local function echo(...)
    return ...
end

-- The order in which tasks run on the one worker of `new`. `submit(add)` calls
-- add(options, label) for each. They write to a file, which processes share, too.
local function order_of(new, kind, submit)
    local path = os.tmpname()
    local fs = {}
    local function note(label)
        local file <close> = assert(io.open(path, "a"))
        file:write(label, " ")
    end
    do
        local ex <close> = new(1)
        local hold <close> = gate.hold(ex, 1, kind)
        submit(function(options, label)
            local f = (options and ex:with(options) or ex):submit(note, label)
            fs[#fs + 1] = f
            return f
        end)
        hold:open()
        for _, f in ipairs(fs) do f:outcome(LIMIT) end
    end
    local file <close> = assert(io.open(path))
    os.remove(path)
    return file:read("a")
end

for kind, new in pairs {
    thread = futures.ThreadPoolExecutor, process = futures.ProcessPoolExecutor,
} do
    local function order(submit)
        return order_of(new, kind, submit)
    end

    describe("Priorities of a " .. kind .. " pool", function()
        it("run the higher ones first, 0 without the option", function()
            assert.equal("c e a d b ", order(function(add)
                add(nil, "a")
                add({ priority = -1 }, "b")
                add({ priority = 2 }, "c")
                add({ priority = 0 }, "d")
                add({ priority = 1 }, "e")
            end))
        end)

        it("keep the order of submission among equal ones", function()
            local expected = { [3] = "", [0] = "", [-3] = "" }
            local actual = order(function(add)
                for i = 1, 60 do
                    local p = ({ 3, 0, -3 })[i * 7 % 3 + 1]
                    add(i % 2 == 0 and p == 0 and {} or { priority = p }, i)
                    expected[p] = expected[p] .. i .. " "
                end
            end)
            assert.equal(expected[3] .. expected[0] .. expected[-3], actual)
        end)

        it("may be any number", function()
            assert.equal("a b c d e f ", order(function(add)
                add({ priority = -math.huge }, "f")
                add({ priority = math.mininteger }, "e")
                add({ priority = 0.25 }, "d")
                add({ priority = 0.5 }, "c")
                add({ priority = math.maxinteger }, "b")
                add({ priority = math.huge }, "a")
            end))
        end)

        it("let a late one pass many that wait", function()
            local out = order(function(add)
                for _ = 1, 30 do add(nil, "-") end
                add({ priority = 1 }, "late")
                add({ priority = 2 }, "later")
            end)
            assert.equal("later late " .. ("- "):rep(30), out)
        end)

        it("are of no account once a task is cancelled", function()
            assert.equal("a d ", order(function(add)
                add(nil, "d")
                local b = add({ priority = 2 }, "b")
                local c = add({ priority = 1 }, "c")
                add({ priority = 3 }, "a")
                assert.is_true(c:cancel())
                assert.is_true(b:cancel())
            end))
        end)

        it("belong to views, of which the inner one wins", function()
            local ex <close> = new(1)
            local hold <close> = gate.hold(ex, 1, kind)
            local outer = ex:with { priority = 1, name = "outer" }
            local fs = {
                outer:with { priority = -1 }:submit(futures.monotonic),
                ex:submit(futures.monotonic),
                outer:with { name = "inner" }:submit(futures.monotonic),
            }
            check.contains("'inner'", tostring(fs[3]))
            hold:open()
            local last, middle, first = fs[1]:result(LIMIT), fs[2]:result(), fs[3]:result()
            assert.is_true(first < middle and middle < last)
        end)

        it("of a map are those of its chunks", function()
            local ex <close> = new(1)
            local hold <close> = gate.hold(ex, 1, kind)
            local low = ex:with { priority = -1, chunksize = 2 }:map(echo, { 1, 2, 3 })
            local first = ex:submit(futures.monotonic)
            local high = ex:with { priority = 1, chunksize = 3 }:map(futures.monotonic,
                { 1, 2, 3 })
            hold:open()
            local _, at = high()
            assert.is_true(at < first:result(LIMIT))
            assert.same({ 1, 2, 3, n = 3 }, low:totable())
        end)

        it("do not keep a shutdown from cancelling them all", function()
            local fs = {}
            local ex = new(1)
            local hold <close> = gate.hold(ex, 1, kind)
            for i = 1, 40 do
                fs[i] = ex:with { priority = i % 5 - 2 }:submit(echo, i)
            end
            ex:shutdown { wait = false, cancel_futures = true }
            for i = 1, 40 do
                assert.is_true(fs[i]:cancelled())
            end
            assert.equal(40, ex:stats().cancelled)
            hold:open()
            assert.is_true(ex:shutdown { timeout = LIMIT })
        end)
    end)
end

describe("A priority", function()
    it("that is no number is misuse", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        for _, bad in ipairs { 0 / 0, "1", true, {} } do
            local err = check.misuse(1, "with", function() ex:with { priority = bad } end)
            check.contains("priority", err)
            check.contains("number expected", err)
        end
    end)

    it("travels with its view", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        local other <close> = futures.ThreadPoolExecutor(1)
        local hold <close> = gate.hold(ex)
        local plain = ex:submit(futures.monotonic)
        local urgent = other:submit(function(view)
            return view:submit(require("futures").monotonic)
        end, ex:with { priority = 5 }):result(LIMIT)
        hold:open()
        assert.is_true(urgent:result(LIMIT) < plain:result(LIMIT))
    end)
end)

-- Each worker counts its own.
local function count_turns()
    _G.spec_turns = (_G.spec_turns or 0) + 1
    return _G.spec_turns
end

describe("100,000 tasks of mixed priorities", function()
    local count = scale.count(100000)

    -- Seconds of processor time to submit them to a pool whose worker is held.
    local function submit_all(option_of)
        local ex = futures.ThreadPoolExecutor(1)
        local hold <close> = gate.hold(ex)
        local views, fs = {}, {}
        for i = 0, 99 do views[i] = ex:with { priority = option_of(i) } end
        collectgarbage()
        local from = os.clock()
        for i = 1, count do
            fs[i] = views[i * 7919 % 100]:submit(count_turns)
        end
        local seconds = os.clock() - from
        return seconds, ex, hold, fs
    end

    it("run in their order", function()
        local _, ex, hold, fs = submit_all(function(i) return i // 10 - 5 end)
        hold:open()
        ex:shutdown()
        local at = {}
        for i, f in ipairs(fs) do at[f:result()] = i end
        assert.equal(count, #at)
        local last, last_index = math.huge, 0
        for turn, i in ipairs(at) do
            local p = i * 7919 % 100 // 10 - 5
            if p > last or (p == last and i < last_index) then
                error(("turn %d: %d after %d"):format(turn, i, last_index))
            end
            last, last_index = p, i
        end
    end)

    it("cost no more than twice as much to submit as plain ones", function()
        local best_plain, best_mixed = math.huge, math.huge
        for _ = 1, 5 do
            local plain, ex, hold = submit_all(function() return nil end)
            hold:open()
            ex:shutdown { cancel_futures = true }
            local mixed, ex2, hold2 = submit_all(function(i) return i // 10 - 5 end)
            hold2:open()
            ex2:shutdown { cancel_futures = true }
            best_plain = math.min(best_plain, plain)
            best_mixed = math.min(best_mixed, mixed)
            if best_mixed < 2 * best_plain then break end
        end
        assert.is_true(best_mixed < 2 * best_plain, best_mixed .. " against " .. best_plain)
    end)
end)
