-- SPDX-License-Identifier: MIT
-- The server that remembers what it was asked (witness.c says what it can do), for a spec.

local system = require "system"
local scale = require "spec.support.scale"
local server = require "spec.support.server"

local Witness = {}
Witness.__index = Witness

local witness = {}

--- Returns an object with `url` and `other` (the same server under another address).
function witness.start()
    local program = server.quote(server.build_dir() .. "/witness")
    local self = setmetatable({ server = server.start("exec " .. program, 2) }, Witness)
    self.url = assert(self.server.lines[1]:match("^listening on (%S+)$"))
    self.other = assert(self.server.lines[2]:match("^other (%S+)$"))
    self.fifo = os.tmpname()
    assert(os.remove(self.fifo))
    assert(os.execute("mkfifo " .. self.fifo))
    return self
end

function Witness:stop()
    self.server:stop()
    os.remove(self.fifo)
end

Witness.__close = Witness.stop

local function ask(self, words)
    self.server.pipe:write(words, " ", self.fifo, "\n")
    self.server.pipe:flush()
    local answer <close> = assert(io.open(self.fifo))
    return answer:read("a")
end

local FIELDS = "^(%d+) (%d+) (%d+) (%d+) (%d+) (%S+) (%S+) (%S+)$"

--- All requests in the order of their arrival: tables with `at` (seconds), `connection`, `turn`
--- (on it), `in_flight` and `of_host` (this one counted), `host`, `method`, `target`.
function Witness:seen()
    local list = {}
    for line in ask(self, "seen"):gmatch("[^\n]+") do
        local us, connection, turn, in_flight, of_host, host, method, target =
            line:match(FIELDS)
        list[#list + 1] = {
            at = tonumber(us) / 1e6, connection = tonumber(connection), turn = tonumber(turn),
            in_flight = tonumber(in_flight), of_host = tonumber(of_host),
            host = host, method = method, target = target,
        }
    end
    return list
end

--- Forgets all requests, and where the sequences stood.
function Witness:forget()
    ask(self, "forget")
end

--- The name of a gate that nobody has used.
function Witness:gate()
    self.gates = (self.gates or 0) + 1
    return "gate" .. self.gates
end

--- Lets all through that wait at the gate, now and later.
function Witness:open(gate)
    ask(self, "open " .. gate)
end

--- The number of open connections, of requests in flight, of requests that wait at the gate.
function Witness:now(gate)
    local open, in_flight, at_gate =
        ask(self, "now " .. (gate or "-")):match("(%d+) (%d+) (%d+)")
    return tonumber(open), tonumber(in_flight), tonumber(at_gate)
end

local function eventually(what, probe)
    local deadline = system.monotime() + scale.LIMIT
    while not probe() do
        if system.monotime() > deadline then
            error("never came: " .. what, 3)
        end
        system.sleep(0.001)
    end
end

--- Returns when `count` requests wait at the gate.
function Witness:await(gate, count)
    eventually(("%d requests at the gate %s"):format(count, gate), function()
        return select(3, self:now(gate)) == count
    end)
end

--- Returns when no connection is open any more.
function Witness:await_silence()
    eventually("the last connection closed", function()
        return self:now() == 0
    end)
end

--- The highest value of a field (`in_flight`, `of_host`) over all requests.
function Witness:peak(field)
    local peak = 0
    for _, sight in ipairs(self:seen()) do
        peak = math.max(peak, sight[field])
    end
    return peak
end

return witness
