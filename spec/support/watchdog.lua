-- SPDX-License-Identifier: MIT
-- Ends the run when a test hangs. A shell beside us is told the name of each test that starts;
-- when it hears nothing for too long it says which test hangs and aborts us. A blocking call
-- stuck in C would not notice anything milder.

local busted = require "busted"
local scale = require "spec.support.scale"

local LIMIT = scale.seconds(60)

local GUARD = [[
parent=$1 limit=$2 name='the first test'
while :; do
    IFS= read -r -t "$limit" line
    status=$?
    if [ $status = 0 ]; then name=$line; continue; fi
    [ $status -gt 128 ] || exit 0 # the run is over
    echo "watchdog: no end after $limit s: $name" >&2
    kill -ABRT "$parent"; sleep 2; kill -KILL "$parent"; exit 1
done
]]

local function self_pid()
    local file <close> = assert(io.open("/proc/self/stat"))
    return file:read("n")
end

local function start()
    local command = ("exec bash -c '%s' watchdog %d %d"):format(
        GUARD:gsub("'", [['"'"']]), self_pid(), math.ceil(LIMIT))
    local pipe = assert(io.popen(command, "w"))
    pipe:setvbuf("line")
    return pipe
end

local watchdog = {}

-- Every spec file is insulated and loads this module anew; the pipe is kept where only one
-- can be, in the registry, so that a run has one guard.
local KEY = "futures.spec.watchdog"
local registry = debug.getregistry()

if not registry[KEY] then
    registry[KEY] = start()
    busted.subscribe({ "test", "start" }, function(element)
        registry[KEY]:write((tostring(element.name):gsub("%c", " ")), "\n")
        return nil, true
    end)
end

watchdog.limit = LIMIT

--- Says that a long test goes on.
function watchdog.alive()
    registry[KEY]:write("a long test\n")
end

return watchdog
