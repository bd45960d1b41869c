-- SPDX-License-Identifier: MIT
-- Where the bytes of a body are: in C until they are asked for, then in Lua, and in both only
-- where they must be.

local futures = require "futures"
local fetch = require "futures.fetch"
local demo = require "spec.support.demo"
local scale = require "spec.support.scale"
local script = require "spec.support.script"

local LIMIT = scale.LIMIT
local SIZE = 100000

describe("A body that was read", function()
    local good

    lazy_setup(function()
        good = demo.start()
    end)

    lazy_teardown(function()
        good:stop()
    end)

    local function url()
        return good.url .. "/bytes/" .. SIZE
    end

    -- A response whose body only Lua has.
    local function read()
        local r = fetch(url())
        return r, r.body
    end

    it("stays the same", function()
        local r, body = read()
        assert.equal(SIZE, #body)
        for _ = 1, 3 do
            assert.equal(body, r.body)
            assert.same({ SIZE, SIZE, 200 }, { #r, r.size, r.status })
        end
    end)

    for name, new in pairs {
        threads = futures.ThreadPoolExecutor, processes = futures.ProcessPoolExecutor,
    } do
        -- Forking while the engine is at work is nothing for ThreadSanitizer.
        local it = scale.tsan and name == "processes" and pending or it

        it("travels to " .. name, function()
            local ex <close> = new(2)
            local r, body = read()
            for _ = 1, 3 do
                local there = ex:submit(function(x) return x.body end, r)
                local again = ex:submit(function(x) return #x.body, #x, x.body end, r)
                assert.equal(body, there:result(LIMIT))
                assert.same({ SIZE, SIZE, body }, { again:result(LIMIT) })
            end
            assert.equal(body, r.body)
        end)

        it("travels home from " .. name, function()
            local ex <close> = new(1)
            local f = ex:submit(function(where)
                local r = require "futures.fetch"(where)
                return #r.body, r
            end, url())
            local size, r = f:result(LIMIT)
            assert.same({ SIZE, SIZE, SIZE }, { size, #r, #r.body })
            assert.equal(fetch(url()).body, r.body)
        end)
    end

    it("travels there and back, and further, as often as one likes", function()
        local ex <close> = futures.ThreadPoolExecutor(3)
        local r, body = read()
        local function pass(x)
            return x, x.body
        end
        for _ = 1, 5 do
            local back, text = ex:submit(pass, r):result(LIMIT)
            assert.is_true(rawequal(back, r))
            assert.equal(body, text)
            r = back
        end
        local list = {}
        for i = 1, 20 do
            list[i] = ex:submit(pass, r)
        end
        for _, f in ipairs(list) do
            assert.equal(body, select(2, f:result(LIMIT)))
        end
    end)

    it("is there in each state that the future was sent to", function()
        local ex <close> = futures.ThreadPoolExecutor(2)
        local f = fetch.submit(url())
        local body = f:result(LIMIT).body
        local there = ex:submit(function(g) return g:result().body end, f)
        assert.equal(body, there:result(LIMIT))
        assert.equal(body, f:result().body)
    end)

    it("is in a bare future, too", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        local r, body = read()
        local bare = futures.Future()
        bare:set_result(r)
        local there = ex:submit(function(g) return g:result().body end, bare)
        assert.equal(body, there:result(LIMIT))
        assert.equal(body, bare:result().body)
    end)
end)

-- Sanitizers keep freed memory for themselves.
local it_measures = scale.slow and pending or it

describe("The memory of bodies", function()
    local good

    lazy_setup(function()
        good = demo.start()
    end)

    lazy_teardown(function()
        good:stop()
    end)

    local MB = 1000000

    -- MB that a script has taken, at most, which fetches `count` bodies of one each.
    local function peak(count, code)
        local text = script.output(([[
            local fetch = require "futures.fetch"
            local count, urls = %d, {}
            for i = 1, count do urls[i] = "%s/bytes/%d" end
            %s
            for line in io.lines "/proc/self/status" do
                local kb = line:match "^VmHWM:%%s+(%%d+)"
                if kb then print(kb // 1024) end
            end
        ]]):format(count, good.url, MB, code))
        return assert(tonumber(text), text)
    end

    it_measures("is taken once for those that were read and are kept", function()
        local taken = peak(150, [[
            local kept = {}
            for i = 1, count do kept[i] = fetch(urls[i]) assert(#kept[i].body == 1000000) end
        ]])
        assert.is_true(taken < 240, taken)
    end)

    it_measures("is known to the collector, though nobody reads them", function()
        local taken = peak(300, [[
            for i = 1, count do assert(fetch(urls[i]).ok) end
        ]])
        assert.is_true(taken < 100, taken)
        taken = peak(300, [[
            for _, r in fetch.map(urls, { buffersize = 8 }) do assert(r.ok) end
        ]])
        assert.is_true(taken < 150, taken)
    end)
end)
