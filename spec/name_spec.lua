-- SPDX-License-Identifier: MIT
-- Names of tasks: in what a future shows of itself and in the tracebacks of errors.

local futures = require "futures"
local check = require "spec.support.check"
local scale = require "spec.support.scale"

local LIMIT = scale.LIMIT

local function fail()
    error("boom")
end

for kind, new in pairs {
    thread = futures.ThreadPoolExecutor, process = futures.ProcessPoolExecutor,
} do
    describe("The name of a task of a " .. kind .. " pool", function()
        it("is in tostring, as long as the future lives", function()
            local ex <close> = new(1)
            local f = ex:with { name = "resize 17" }:submit(math.abs, 1)
            assert.matches("^Future: 0x%x+ 'resize 17' %(%a+%)$", tostring(f))
            f:result(LIMIT)
            assert.matches("^Future: 0x%x+ 'resize 17' %(finished%)$", tostring(f))
            assert.matches("^Future: 0x%x+ %(%a+%)$", tostring(ex:submit(math.abs, 1)))
        end)

        it("ends the traceback of its error", function()
            local ex <close> = new(1)
            local f = ex:with { name = "resize 17" }:submit(fail)
            assert.is_false((f:outcome(LIMIT)))
            assert.matches("name_spec.lua:%d+: boom\nstack traceback:\n.*" ..
                "\n\tin task 'resize 17'$", f:traceback())
            check.contains("boom", f:exception())
            assert.is_nil(f:exception():find("resize", 1, true))
        end)

        it("is not there without the option", function()
            local ex <close> = new(1)
            local f = ex:submit(fail)
            f:outcome(LIMIT)
            assert.is_nil(f:traceback():find("in task", 1, true))
        end)
    end)
end

describe("A name", function()
    it("may be empty, long, or full of signs", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        for _, name in ipairs { "", ("x"):rep(10000), "%s%n '\"\n" } do
            local f = ex:with { name = name }:submit(fail)
            f:outcome(LIMIT)
            check.contains("in task '" .. name .. "'", f:traceback())
            check.contains(name, tostring(f))
        end
    end)

    it("that is no string, or has zeros, is misuse", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        for _, bad in ipairs { 1, true, {}, "a\0b" } do
            local err = check.misuse(1, "with", function() ex:with { name = bad } end)
            check.contains("name", err)
        end
    end)
end)
