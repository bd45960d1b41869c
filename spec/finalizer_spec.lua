-- SPDX-License-Identifier: MIT
-- What a finalizer may do, and what does not happen inside of it.

local futures = require "futures"
local check = require "spec.support.check"

describe("A finalizer", function()
    before_each(function() futures.poll() end)

    it("runs no callback, whatever it calls", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        local seen
        local f, ran = futures.Future(), { count = 0 }
        local derived = f:next(math.abs)
        f:add_done_callback(function() ran.count = ran.count + 1 end)
        f:set_result(-1)
        local function all()
            f:result(30)
            ex:submit(math.abs, -1):result(30)
            futures.wait({ f }, 30)
            futures.as_completed({ f }, 30)()
            ex:map(math.abs, { 1 }):totable()
            futures.sleep(0)
            futures.Future():cancel()
            f:add_done_callback(function() ran.count = ran.count + 1 end)
            assert(futures.poll(30) == 0)
            assert(not derived:outcome(0))
            for _, wait in ipairs { derived.result, function(d) futures.wait { d } end,
                function(d) futures.as_completed { d }() end } do
                local ok, err = pcall(wait, derived)
                assert(not ok and tostring(err):find("a finalizer waits for", 1, true), err)
            end
            return "all"
        end
        setmetatable({}, { __gc = function() seen = select(2, pcall(all)) end })
        check.collect()
        assert.equal("all", seen)
        assert.equal(0, ran.count)
        assert.is_false(derived:done())
        futures.poll()
        assert.equal(2, ran.count)
        assert.is_true(derived:done())
    end)
end)

describe("The finalizers of this library", function()
    it("refuse what is not theirs", function()
        require "futures.fetch"
        local checked = 0
        for name, class in pairs(debug.getregistry()) do
            local finalizer = type(name) == "string" and name:find("^futures")
                and type(class) == "table" and rawget(class, "__gc")
            if finalizer then
                checked = checked + 1
                for _, value in ipairs { 5, "text", {}, print, io.stdout } do
                    local ok, err = pcall(finalizer, value)
                    assert.is_false(ok, name)
                    check.contains("bad argument #1", err)
                end
                assert.is_false((pcall(finalizer)))
            end
        end
        assert.is_true(checked >= 6, checked)
    end)
end)
