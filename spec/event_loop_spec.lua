-- SPDX-License-Identifier: MIT
-- futures.pollfd and futures.await: with luv, with cqueues, with a scheduler of our own.

local futures = require "futures"
local check = require "spec.support.check"
local gate = require "spec.support.gate"
local proc = require "spec.support.proc"
local scale = require "spec.support.scale"
local script = require "spec.support.script"
local uv = require "luv"

local LIMIT = scale.LIMIT

-- Is the descriptor readable now, as the system says?
local function readable(fd)
    local yes = false
    local poll = uv.new_poll(fd)
    poll:start("r", function() yes = true end)
    uv.run("nowait")
    poll:close()
    uv.run("nowait")
    return yes
end

-- Runs functions as coroutines; each is resumed when the future that it yielded is done.
local function run_all(...)
    local waiting, ready = {}, {}
    for i, fn in ipairs { ... } do ready[i] = coroutine.create(fn) end
    while #ready > 0 or next(waiting) do
        for _, co in ipairs(ready) do
            local ok, f = coroutine.resume(co)
            assert(ok, f)
            if f then waiting[f] = co end
        end
        ready = {}
        if next(waiting) then
            for _, f in ipairs((futures.wait(waiting, LIMIT, futures.FIRST_COMPLETED))) do
                ready[#ready + 1] = waiting[f]
                waiting[f] = nil
            end
            assert(#ready > 0, "nothing happens")
        end
    end
end

describe("pollfd", function()
    before_each(function() futures.poll() end)

    it("is readable while retry_on is to be asked, and not when a task has ended", function()
        local fd = futures.pollfd()
        local ex <close> = futures.ThreadPoolExecutor(1)
        local asked = 0
        local f = ex:with { retries = 1, retry_on = function()
            asked = asked + 1
            return true
        end }:submit(error, "x", 0)
        check.eventually("a question", function() return readable(fd) end)
        assert.is_false(f:done())
        assert.equal(1, futures.poll())
        assert.equal(1, asked)
        assert.is_false(readable(fd))
        check.eventually("the end", function() return f:done() end)
        assert.is_false(readable(fd))
        assert.equal(0, futures.poll())
        assert.equal(2, f:attempts())
    end)

    it("gives one descriptor", function()
        local fd = futures.pollfd()
        assert.equal("integer", math.type(fd))
        assert.is_true(fd > 2)
        assert.equal(fd, futures.pollfd())
        local before = proc.fds()
        for _ = 1, 100 do futures.pollfd() end
        assert.equal(before, proc.fds())
    end)

    it("is readable while a callback is due", function()
        local fd = futures.pollfd()
        assert.is_false(readable(fd))
        local f, g = futures.Future(), futures.Future()
        f:add_done_callback(function() end)
        g:add_done_callback(function() end)
        assert.is_false(readable(fd))
        f:set_result()
        assert.is_true(readable(fd))
        assert.is_true(readable(fd))
        g:set_result()
        assert.is_true(readable(fd))
        assert.equal(2, futures.poll())
        assert.is_false(readable(fd))
    end)

    it("is not readable for futures without a callback here", function()
        local f = futures.Future()
        f:set_result()
        assert.is_false(readable(futures.pollfd()))
    end)

    it("is readable for callbacks that were due before the first call", function()
        local out = script.output [[
            local futures = require "futures"
            local uv = require "luv"
            local f = futures.Future()
            f:add_done_callback(function() print "called" end)
            f:set_result()
            local poll = uv.new_poll(futures.pollfd())
            poll:start("r", function()
                futures.poll()
                poll:close()
            end)
            uv.run()
        ]]
        assert.equal("called\n", out)
    end)

    it("is no longer readable when another safe point has run them", function()
        local f, fd = futures.Future(), futures.pollfd()
        f:add_done_callback(function() end)
        f:set_result()
        f:result()
        assert.is_false(readable(fd))
    end)

    it("is no longer readable when what was due is not any more", function()
        local f, fd = futures.Future(), futures.pollfd()
        local d = f:next(function() error("must not run") end)
        f:set_result()
        assert.is_true(readable(fd))
        f = futures.Future()
        assert.is_true(futures.all({ f }):cancel()) -- a safe point
        assert.is_true(d:done())
        assert.is_false(readable(fd))
    end)

    it("is readable for next, all and any", function()
        local f, g, h = futures.Future(), futures.Future(), futures.Future()
        local fd = futures.pollfd()
        local ds = {
            f:next(function() end), futures.all { f, g }, futures.any { h },
            futures.all { f }:next(function() end),
        }
        for _, each in ipairs { f, g, h } do
            each:set_result()
            assert.is_true(readable(fd))
            futures.poll()
            assert.is_false(readable(fd))
        end
        for _, d in ipairs(ds) do assert.is_true(d:done()) end
    end)

    it("wakes a loop that sleeps, from another thread", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        local hold <close> = gate.hold(ex)
        local got
        hold.futures[1]:add_done_callback(function(f) got = f:result() end)
        local poll = uv.new_poll(futures.pollfd())
        poll:start("r", function()
            if futures.poll() > 0 then poll:close() end
        end)
        local open = uv.new_timer()
        open:start(5, 0, function()
            hold:open()
            open:close()
        end)
        uv.run()
        assert.equal("held", got)
    end)

    it("is a descriptor of the state, which a task has too", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        local here = futures.pollfd()
        local there = ex:submit(function() return futures.pollfd() end):result(LIMIT)
        assert.not_equal(here, there)
        assert.equal(there, ex:submit(function() return futures.pollfd() end):result(LIMIT))
    end)

    it("is closed with the state, and not inherited by programs", function()
        local before = proc.fds()
        do
            local ex <close> = futures.ThreadPoolExecutor(2)
            ex:map(function() return futures.pollfd() end, { 1, 2, 3 }):totable()
        end
        assert.equal(before, proc.fds())
        local fd = futures.pollfd()
        local pipe <close> = assert(io.popen(("ls -l /proc/self/fd/%d 2>&1"):format(fd)))
        local text = pipe:read("a")
        assert.is_nil(text:find("eventfd", 1, true), text)
    end)

    it("says so when there is no descriptor left", function()
        local out = script.output([[
            local futures = require "futures"
            local files = {}
            repeat
                local file = io.open("/dev/null")
                files[#files + 1] = file
            until not file
            local ok, err = pcall(futures.pollfd)
            print(ok, futures.iserror(err, futures.Error), err)
            files = nil
            collectgarbage()
            print(pcall(futures.pollfd))
        ]], { before = "ulimit -n 30;" })
        assert.matches("^false\ttrue\tError: .*Too many open files\ntrue\t%d+\n$", out)
    end)

    it("of a forked child is its own", function()
        local out = script.output [[
            local futures = require "futures"
            local posix = require "spec_posix"
            local uv = require "luv"
            io.stdout:setvbuf("no")
            local function readable(fd)
                local yes = false
                local poll = uv.new_poll(fd)
                poll:start("r", function() yes = true end)
                uv.run("nowait")
                poll:close()
                uv.run("nowait")
                return yes
            end
            local fd = futures.pollfd()
            local f = futures.Future()
            f:add_done_callback(function() io.write "called " end)
            f:set_result()
            local pid = posix.fork()
            if pid == 0 then
                futures.poll() -- of the child's copy; the parent's descriptor stays as it is
                local mine = futures.pollfd()
                local g = futures.Future()
                g:add_done_callback(function() end)
                g:set_result()
                io.write(tostring(mine ~= fd), " ", tostring(mine == futures.pollfd()), "\n")
                futures.poll()
                os.exit(0, true) -- closes the state
            end
            posix.waitpid(pid)
            io.write(tostring(fd == futures.pollfd()), " ", tostring(readable(fd)), " ")
            futures.poll()
            io.write(tostring(readable(fd)), "\n")
        ]]
        assert.equal("called true true\ntrue true called false\n", out)
    end)

    it("costs no descriptor where it is not used", function()
        local out = script.output [[
            local proc = require "spec.support.proc"
            local before = proc.fds()
            local futures = require "futures"
            local f = futures.Future()
            f:add_done_callback(function() end)
            f:set_result()
            futures.poll()
            local ex = futures.ThreadPoolExecutor(2)
            ex:submit(math.abs, 1):next(print):result()
            ex:shutdown()
            print(proc.fds() - before)
        ]]
        assert.equal("1\n0\n", out)
    end)
end)

describe("A luv loop", function()
    it("runs callbacks, chains and its own events", function()
        local ex <close> = futures.ThreadPoolExecutor(2)
        local hold <close> = gate.hold(ex)
        local ticks, results = 0, nil
        local timer = uv.new_timer()
        timer:start(1, 1, function()
            ticks = ticks + 1
            if ticks == 3 then hold:open() end -- the tasks below need it
        end)
        local poll = uv.new_poll(futures.pollfd())
        poll:start("r", function() futures.poll() end)
        local fs = {}
        for i = 1, 50 do
            fs[i] = hold.futures[1]:next(function() return ex:submit(math.abs, -i) end)
                :next(function(x) return ex:submit(function(y) return y * y end, x) end)
        end
        futures.all(fs):next(function(all)
            results = all
            timer:close()
            poll:close()
        end)
        uv.run()
        assert.equal(50, results.n)
        for i = 1, 50 do assert.equal(i * i, results[i]) end
    end)

    it("works with coroutines that await", function()
        local ex <close> = futures.ThreadPoolExecutor(2)
        local left, sum = 10, 0
        local poll = uv.new_poll(futures.pollfd())
        poll:start("r", function() futures.poll() end)
        local function spawn(fn, ...)
            local co = coroutine.create(fn)
            local function go(...)
                local ok, f = coroutine.resume(co, ...)
                assert(ok, f)
                if coroutine.status(co) == "suspended" then
                    f:add_done_callback(function() go() end)
                end
            end
            go(...)
        end
        for i = 1, left do
            spawn(function(n)
                local a = futures.await(ex:submit(math.abs, -n))
                -- This goes on inside a callback, from which the scheduler resumes us.
                local b = futures.await(ex:submit(math.abs, -a))
                sum = sum + b
                left = left - 1
                if left == 0 then poll:close() end
            end, i)
        end
        uv.run()
        assert.equal(55, sum)
    end)
end)

describe("A cqueues loop", function()
    local cqueues = require "cqueues"

    it("runs callbacks and chains beside its own coroutines", function()
        local ex <close> = futures.ThreadPoolExecutor(2)
        local loop, result, slept = cqueues.new(), nil, false
        ex:submit(math.abs, -4):next(function(x)
            return ex:submit(math.abs, -x)
        end):next(function(x) result = x end)
        loop:wrap(function()
            local fd = { pollfd = futures.pollfd(), events = "r" }
            while not result do
                assert(cqueues.poll(fd, LIMIT))
                futures.poll()
            end
        end)
        loop:wrap(function()
            cqueues.sleep(0.001)
            slept = true
        end)
        assert(loop:loop())
        assert.equal(4, result)
        assert.is_true(slept)
    end)

    it("gives results to its coroutines", function()
        local ex <close> = futures.ThreadPoolExecutor(2)
        local loop, results, open = cqueues.new(), {}, 5
        local condition = require "cqueues.condition"
        local function await(f)
            if not f:done() then
                local ready = condition.new()
                f:add_done_callback(function() ready:signal() end)
                while not f:done() do ready:wait() end
            end
            return f:result()
        end
        for i = 1, open do
            loop:wrap(function()
                results[i] = await(ex:submit(math.abs, -i))
                open = open - 1
            end)
        end
        loop:wrap(function()
            local fd = { pollfd = futures.pollfd(), events = "r" }
            while open > 0 do
                cqueues.poll(fd, 0.1)
                futures.poll()
            end
        end)
        assert(loop:loop())
        assert.same({ 1, 2, 3, 4, 5 }, results)
    end)
end)

describe("await", function()
    it("gives the results in a scheduler of coroutines", function()
        local ex <close> = futures.ThreadPoolExecutor(2)
        local order = {}
        local go = futures.Future()
        run_all(function()
            local a, b, c = futures.await(ex:submit(function() return 1, nil, 3 end))
            assert(a == 1 and b == nil and c == 3)
            order[#order + 1] = "first"
            go:set_result("go")
        end, function()
            assert(futures.await(go) == "go")
            order[#order + 1] = "second"
        end)
        assert.same({ "first", "second" }, order)
    end)

    it("yields the future, until the resumer finds it done", function()
        local f = futures.Future()
        local co = coroutine.create(function() return "got", futures.await(f) end)
        for _ = 1, 3 do
            local ok, yielded = coroutine.resume(co, "whatever")
            assert.is_true(ok)
            assert.is_true(rawequal(f, yielded))
        end
        f:set_result(1, nil)
        assert.same({ n = 4, true, "got", 1, nil }, table.pack(coroutine.resume(co)))
    end)

    it("does not yield for a done future", function()
        local f = futures.Future()
        f:set_result(5)
        assert.equal(5, coroutine.wrap(function() return futures.await(f) end)())
    end)

    it("raises the error, and a CancelledError", function()
        local err = {}
        local f, g = futures.Future(), futures.Future()
        local co = coroutine.create(function() return pcall(futures.await, f) end)
        coroutine.resume(co)
        f:set_exception(err)
        local _, ok, got = coroutine.resume(co)
        assert.is_false(ok)
        assert.is_true(rawequal(err, got))
        co = coroutine.create(function() return futures.await(g) end)
        coroutine.resume(co)
        g:cancel()
        ok, got = coroutine.resume(co)
        assert.is_false(ok)
        assert.is_true(futures.iserror(got, futures.CancelledError))
    end)

    it("is result outside of a coroutine", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        local f = ex:submit(function() return 1, nil, 3, nil end)
        assert.same({ n = 4, 1, nil, 3, nil }, table.pack(futures.await(f)))
        local ok, err = pcall(futures.await, ex:submit(error, "x"))
        assert.same({ false, "x" }, { ok, err })
    end)

    it("must be given a future", function()
        check.misuse(1, "await", function() futures.await() end)
        check.misuse(1, "await", function() futures.await(5) end)
        check.misuse(1, "await", function() futures.await {} end)
    end)

    it("works in the coroutines of a task", function()
        local ex <close> = futures.ThreadPoolExecutor(1)
        local f = ex:submit(function()
            local inner = futures.Future()
            local co = coroutine.wrap(function() return futures.await(inner) end)
            local yielded = co()
            inner:set_result("in a task")
            return yielded == inner, co(), futures.await(inner)
        end)
        assert.same({ true, "in a task", "in a task" }, { f:result(LIMIT) })
    end)

    it("says so where it cannot yield", function()
        local f = futures.Future()
        local co = coroutine.create(function()
            return pcall(table.sort, { 1, 2, 3 }, function() return futures.await(f) end)
        end)
        local _, ok, err = coroutine.resume(co)
        assert.is_false(ok)
        assert.is_true(futures.iserror(err, futures.Error))
        check.contains("cannot yield", err)
        f:set_result(false)
        co = coroutine.create(function()
            return pcall(table.sort, { 1, 2, 3 }, function() return futures.await(f) end)
        end)
        assert.same({ true, true }, { coroutine.resume(co) }) -- done: it need not yield
    end)

    it("can be closed while it waits", function()
        local f, closed = futures.Future(), false
        local co = coroutine.create(function()
            local _ <close> = setmetatable({}, { __close = function() closed = true end })
            futures.await(f)
        end)
        coroutine.resume(co)
        assert.is_true(coroutine.close(co))
        assert.is_true(closed)
        f:set_result()
    end)

    it("takes derived futures", function()
        local ex <close> = futures.ThreadPoolExecutor(2)
        local got
        run_all(function()
            local fs = { ex:submit(math.abs, -1), ex:submit(math.abs, -2) }
            got = futures.await(futures.all(fs))
        end)
        assert.same({ n = 2, 1, 2 }, got)
    end)
end)
