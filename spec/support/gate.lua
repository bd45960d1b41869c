-- SPDX-License-Identifier: MIT
-- Gates, so that no spec sleeps to synchronise. A gate is shut until somebody opens it; who
-- passes waits for that, for a bounded time. Its token is what a task gets: a bare future for
-- threads, the path of a FIFO that holds a byte once the gate is open for processes.
--
-- A gate opens when it goes out of scope. Declare it after the executor whose tasks wait at
-- it: then an error in a spec opens the gate first and the executor can close.

local futures = require "futures"

local gate = {}

-- These travel as bytecode with the tasks that use them and so refer to nothing here.
local function pass_future(future)
    return future:result(30)
end

local function open_future(future)
    if not future:done() then
        future:set_result(true)
    end
end

local function pass_fifo(path)
    local fifo <close> = assert(io.open(path, "r+"))
    fifo:setvbuf("no")
    fifo:write((fifo:read(1)))
end

local function open_fifo(path)
    local fifo <close> = assert(io.open(path, "r+"))
    fifo:setvbuf("no")
    fifo:write("!")
end

local pass = { thread = pass_future, process = pass_fifo }
local open = { thread = open_future, process = open_fifo }

--- The function with which a task passes a gate, given its token.
function gate.passer(kind)
    return pass[kind or "thread"]
end

--- The function with which a task opens a gate, given its token.
function gate.opener(kind)
    return open[kind or "thread"]
end

local Gate = {}
Gate.__index = Gate

function gate.new(kind)
    local self = setmetatable({ kind = kind or "thread", opened = false }, Gate)
    if self.kind == "thread" then
        self.token = futures.Future()
    else
        self.token = os.tmpname()
        os.remove(self.token)
        assert(os.execute("mkfifo " .. self.token))
        -- An end that stays open keeps the byte in the FIFO.
        self.keeper = assert(io.open(self.token, "r+"))
    end
    return self
end

function Gate:open()
    if not self.opened then
        self.opened = true
        open[self.kind](self.token)
    end
end

function Gate:pass()
    pass[self.kind](self.token)
end

function Gate:__close()
    self:open()
    if self.keeper then
        self.keeper:close()
        os.remove(self.token)
    end
end

local function occupy_future(started, go)
    started:set_result(true)
    go:result(30)
    return "held"
end

-- Has its hands on the gate before it says that it waits there: whoever opens the gate then may
-- remove the FIFO.
local function occupy_fifo(started, go)
    local fifo <close> = assert(io.open(go, "r+"))
    fifo:setvbuf("no")
    do
        local other <close> = assert(io.open(started, "r+"))
        other:write("!")
    end
    fifo:write((fifo:read(1)))
    return "held"
end

local occupy = { thread = occupy_future, process = occupy_fifo }

local function complete_when_asleep(future, thread)
    local path, asleep = ("/proc/self/task/%d/stat"):format(thread), 0
    repeat
        local file <close> = assert(io.open(path))
        asleep = file:read("a"):match("^.*%) (%a)") == "S" and asleep + 1 or 0
    until asleep == 3
    future:set_result(true)
end

--- A future that a task on `ex`, a thread pool with a free worker, completes as soon as the
--- main thread sleeps: that is, waits in a call of the library that comes next.
function gate.when_asleep(ex)
    local future = futures.Future()
    local file <close> = assert(io.open("/proc/self/stat"))
    ex:submit(complete_when_asleep, future, file:read("n"))
    return future
end

local Hold = {}
Hold.__index = Hold

--- Keep `count` workers of `ex` busy (default 1). Returns when all of them are: a value with
--- `futures`, their tasks, and `open`, which lets them go; so does leaving its scope.
function gate.hold(ex, count, kind)
    kind = kind or "thread"
    local self = setmetatable({ futures = {}, gate = gate.new(kind) }, Hold)
    for i = 1, count or 1 do
        local started <close> = gate.new(kind)
        self.futures[i] = ex:submit(occupy[kind], started.token, self.gate.token)
        started:pass()
        started.opened = true
    end
    return self
end

function Hold:open()
    self.gate:open()
end

function Hold:__close()
    self.gate:__close()
end

return gate
