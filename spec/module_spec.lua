-- SPDX-License-Identifier: MIT
-- The module itself: names and constants.

local futures = require "futures"
require "spec.support.watchdog"

describe("The module", function()
    it("has the names of the contract", function()
        local names = [[
            ThreadPoolExecutor Future wait as_completed poll sleep monotonic cpu_count worker
            iserror all any await pollfd
        ]]
        for name in names:gmatch("%g+") do
            local value = futures[name]
            local mt = debug.getmetatable(value)
            local callable = type(value) == "function" or mt ~= nil and mt.__call ~= nil
            assert.is_true(callable, name)
        end
    end)

    it("has a version, which is a string", function()
        assert.equal("string", type(futures._VERSION))
        assert.is_true(#futures._VERSION > 0)
    end)

    it("has three different values of return_when", function()
        local seen = {}
        for _, name in ipairs { "FIRST_COMPLETED", "FIRST_EXCEPTION", "ALL_COMPLETED" } do
            local value = futures[name]
            assert.is_not_nil(value, name)
            assert.is_nil(seen[value])
            seen[value] = true
        end
    end)

    it("sets no global", function()
        local script = require "spec.support.script"
        local out = script.output [[
            local known = {}
            for name in pairs(_G) do known[name] = true end
            local futures = require "futures"
            local ex <close> = futures.ThreadPoolExecutor(1)
            ex:map(math.abs, { -1, 2 }):totable()
            for name in pairs(_G) do
                if not known[name] then print(name) end
            end
            local clean = ex:submit(function()
                local extra = {}
                for name in pairs(_G) do extra[#extra + 1] = name end
                return #extra
            end):result(20)
            local count = 0
            for _ in pairs(known) do count = count + 1 end
            print(clean <= count)
        ]]
        assert.equal("true\n", out)
    end)

    it("needs neither package nor require once it is loaded, here and in workers", function()
        local script = require "spec.support.script"
        local out = script.output [[
            local futures = require "futures"
            package, require = nil, nil
            local ex <close> = futures.ThreadPoolExecutor(1)
            print(ex:submit(math.abs, -1):result(20), ex:map(math.abs, { -2 }):totable()[1])
            print(futures.iserror(select(2, ex:submit(error, "x"):outcome(20))))
            print(ex:submit(function()
                package, require = nil, nil
                local inner <close> = futures.ThreadPoolExecutor(1)
                return inner:submit(math.abs, -3):result(20)
            end):result(20))
        ]]
        assert.equal("1\t2\nfalse\n3\n", out)
    end)

    it("does not load libcurl", function()
        local script = require "spec.support.script"
        local out = script.output [[
            require("futures").ThreadPoolExecutor(1):submit(print):result(20)
            print(io.open("/proc/self/maps"):read("a"):find("libcurl") == nil)
        ]]
        assert.matches("true\n$", out)
    end)
end)
