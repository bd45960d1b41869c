-- SPDX-License-Identifier: MIT
-- Ctrl-C while functions of `next` run, while all and any are waited for, and in await.

require "spec.support.watchdog"
local script = require "spec.support.script"

-- Runs the code, sends it a SIGINT when it has printed READY (and sleeps, unless it is busy),
-- and gives the rest of what it prints.
local function interrupted(code, busy)
    local child <close> = script.start(([[
        io.stdout:setvbuf("line")
        local futures = require "futures"
        local function short(err) return (tostring(err):gsub("^.*: ", "")) end
        local never = futures.Future()
        %s
    ]]):format(code))
    child:expect("READY")
    if not busy then child:await_sleep() end
    child:kill("INT")
    local result = child:finish()
    assert.equal(0, result.code, result.err)
    return result.out
end

describe("Ctrl-C", function()
    it("in a function of next is for the program and for the new future", function()
        local out = interrupted([[
            local f = futures.Future()
            local d = f:next(function()
                print "READY"
                while true do end
            end)
            local after = d:next(print, function(err) return "handled", short(err) end)
            local other = f:next(function(x) return x + 1 end)
            f:set_result(1)
            local ok, err = pcall(futures.poll)
            print(ok, short(err), d:state(), after:state(), other:state())
            print(futures.poll(), short(d:exception()), other:result(), after:result())
            print(futures.poll())
        ]], true)
        assert.equal("false\tinterrupted!\tfinished\tpending\tpending\n"
            .. "2\tinterrupted!\t2\thandled\tinterrupted!\n0\n", out)
    end)

    for _, call in ipairs {
        "never:next(print):result()",
        "futures.all({ never }):result()",
        "futures.any({ never }):outcome()",
        "futures.await(never:next(print))",
    } do
        it("ends " .. call .. " and leaves the futures usable", function()
            local out = interrupted(([[
                local d
                print "READY"
                local ok, err = pcall(function() %s end)
                print(ok, short(err))
                local d = never:next(function(x) return x end)
                never:set_result("fine")
                print(d:result())
            ]]):format(call))
            assert.matches("^false\tinterrupted!\n.*fine\n$", out)
        end)
    end

    it("during await ends the scheduler's wait, and not the coroutine", function()
        local out = interrupted [[
            local co = coroutine.create(function() return "got", futures.await(never) end)
            local _, f = coroutine.resume(co)
            print "READY"
            local ok, err = pcall(futures.wait, { f })
            print(ok, short(err), coroutine.status(co))
            never:set_result("it")
            print(coroutine.resume(co))
        ]]
        assert.equal("false\tinterrupted!\tsuspended\ntrue\tgot\tit\n", out)
    end)
end)
