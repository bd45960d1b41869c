-- SPDX-License-Identifier: MIT
-- The server that misbehaves, for a spec.

local server = require "spec.support.server"

local bad_server = {}

local function program()
    return server.quote(server.build_dir() .. "/bad_server")
end

--- Returns a server object with `url`, `deaf` (connects never end), `refused` (nobody there).
function bad_server.start()
    local self = server.start("exec " .. program(), 3)
    self.url = assert(self.lines[1]:match("^listening on (%S+)$"))
    self.deaf = assert(self.lines[2]:match("^deaf (%S+)$"))
    self.refused = assert(self.lines[3]:match("^refused (%S+)$"))
    return self
end

--- The numbers of `count` ports that are free now.
function bad_server.free_ports(count)
    local pipe <close> = assert(io.popen(("%s --free-ports %d"):format(program(), count)))
    local ports = {}
    for line in pipe:lines() do
        ports[#ports + 1] = math.tointeger(tonumber(line))
    end
    assert(#ports == count)
    return ports
end

return bad_server
