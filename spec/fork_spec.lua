-- SPDX-License-Identifier: MIT
-- What is left of the parent's pools in a child of somebody else's fork: they refuse work, what
-- they had not done fails, nothing waits for it without end, and the parent does not notice.

local scale = require "spec.support.scale"
local script = require "spec.support.script"

local it = scale.tsan and pending or it -- workers are at work while they fork

local CHILD = [[
    local futures = require "futures"
    local posix = require "spec_posix"
    local NEW = futures.%s

    -- Runs fn in a forked child and prints how that ended.
    local function in_child(fn)
        local child = posix.fork()
        if child == 0 then
            local ok, err = xpcall(fn, debug.traceback)
            if not ok then io.stderr:write(tostring(err), "\n") end
            if not ok then posix._exit(1) end
            posix.close_and_exit(0)
        end
        print(posix.waitpid(child))
    end

    local function forked(ok, err)
        assert(not ok and futures.iserror(err, futures.Error) and tostring(err):find("forked"),
            tostring(err))
    end
]]

-- A worker that a gate holds, and three tasks behind it.
local PENDING = CHILD .. [[
    local ex <close> = NEW(1)
    local path = os.tmpname()
    local function gate(name)
        while io.open(name) do require "futures".sleep(0.002) end
        return "done"
    end
    local running = ex:submit(gate, path)
    while not running:running() do futures.sleep(0.001) end
    local fs = { running }
    for i = 1, 3 do fs[#fs + 1] = ex:submit(math.abs, -i) end
    local function open_gate()
        os.remove(path)
        for i, f in ipairs(fs) do assert(f:result(20) == (i == 1 and "done" or i - 1)) end
    end
]]

local function passes(code, class, children)
    local expected = ("exited\t0\n"):rep(children or 1)
    assert.equal(expected, (script.output(code:format(class))))
end

for _, class in ipairs { "ThreadPoolExecutor", "ProcessPoolExecutor" } do
    describe("In a child of somebody else's fork a " .. class, function()
        it("refuses work, and a new one works", function()
            passes(CHILD .. [[
                local ex <close> = NEW(2)
                assert(ex:submit(math.abs, -2):result(20) == 2)
                local slow = ex:submit(futures.sleep, 0.3)
                in_child(function()
                    forked(pcall(ex.submit, ex, math.abs, 1))
                    forked(pcall(ex.map, ex, math.abs, { 1 }))
                    forked(pcall(slow.result, slow, 20))
                    assert(ex:shutdown { timeout = 1 } == true)
                    assert(ex:stats().workers == 0 and tostring(ex))
                    assert(slow:cancel() == false)
                    do
                        local own <close> = NEW(1)
                        assert(own:submit(math.abs, -7):result(20) == 7)
                    end
                    collectgarbage()
                end)
                assert(slow:outcome(20) and ex:submit(math.abs, -3):result(20) == 3)
            ]], class)
        end)

        it("has futures that failed", function()
            passes(PENDING .. [[
                local derived = fs[2]:next(math.abs)
                local all = futures.all(fs)
                in_child(function()
                    for _, f in ipairs(fs) do
                        forked(f:outcome())
                        forked(pcall(f.result, f))
                        forked(false, f:exception())
                        assert(f:state() == "finished" and not f:cancelled())
                    end
                    forked(derived:outcome())
                    forked(all:outcome())
                    forked(futures.any { fs[3] }:outcome())
                end)
                open_gate()
                assert(derived:result(20) == 1 and all:result(20).n == 4)
            ]], class)
        end)

        it("keeps nobody waiting", function()
            passes(PENDING .. [[
                local steps = futures.as_completed(fs)
                in_child(function()
                    local done, not_done = futures.wait(fs)
                    assert(#done == 4 and #not_done == 0)
                    assert(#futures.wait(fs, nil, "FIRST_EXCEPTION") == 4)
                    local n = 0
                    for f in futures.as_completed(fs) do
                        forked(f:outcome())
                        n = n + 1
                    end
                    for f in steps do
                        forked(f:outcome())
                        n = n + 1
                    end
                    assert(n == 8)
                end)
                open_gate()
            ]], class)
        end)

        it("ends the waits that were begun before", function()
            passes(PENDING .. [[
                local steps = futures.as_completed(fs)
                in_child(function()
                    local n = 0
                    for f in steps do
                        forked(f:outcome())
                        n = n + 1
                    end
                    assert(n == 4)
                end)
                open_gate()
            ]], class)
        end)

        it("ends the maps that were begun before", function()
            passes(PENDING .. [[
                local maps = {
                    (ex:map(math.abs, { 1, 2, 3 })),
                    (ex:with { ordered = false }:map(math.abs, { 1, 2, 3 })),
                    (ex:with { chunksize = 2 }:map(math.abs, { 1, 2, 3 })),
                    (ex:with { buffersize = 2 }:map(math.abs, { 1, 2 })),
                }
                in_child(function()
                    for _, map in ipairs(maps) do
                        forked(pcall(map))
                        forked(pcall(map))
                        map:close()
                        assert(map() == nil)
                    end
                end)
                open_gate()
                for _, map in ipairs(maps) do assert(#map:totable() >= 2) end
            ]], class)
        end)

        it("lets callbacks run", function()
            passes(PENDING .. [[
                local seen = {}
                for i, f in ipairs(fs) do
                    f:add_done_callback(function(g) seen[i] = g:done() and g end)
                end
                in_child(function()
                    assert(futures.poll(20) == 4)
                    for i, f in ipairs(fs) do assert(seen[i] == f) end
                end)
                in_child(function()
                    futures.pollfd()
                    assert(futures.poll() == 4)
                end)
                in_child(function()
                    futures.sleep(0)
                    assert(#seen == 4)
                end)
                assert(#seen == 0)
                open_gate()
                assert(#seen == 4)
            ]], class, 3)
        end)
    end)
end
