-- SPDX-License-Identifier: MIT
-- Counts the runs of a task, in whatever thread or process they are: a file that grows by a
-- byte with each. Its token is the file's path.

local tally = {}

local Tally = {}
Tally.__index = Tally

function tally.new()
    return setmetatable({ token = os.tmpname() }, Tally)
end

--- In a task: counts a run, and gives its number.
function tally.count(path)
    do
        local file <close> = assert(io.open(path, "a"))
        file:write("x")
    end
    local file <close> = assert(io.open(path))
    return #file:read("a")
end

--- A task that runs out of its worker, or raises, in its first `failures` runs, and then
--- returns their number.
function tally.die(path, failures)
    local n = tally.count(path)
    if n <= failures then os.exit(n) end
    return n
end

function tally.fail(path, failures)
    local n = tally.count(path)
    if n <= failures then error { run = n } end
    return n
end

--- How many runs there were.
function Tally:runs()
    local file <close> = assert(io.open(self.token))
    return #file:read("a")
end

function Tally:__close()
    os.remove(self.token)
end

return tally
