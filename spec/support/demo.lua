-- SPDX-License-Identifier: MIT
-- The demo server for a spec.

local server = require "spec.support.server"

local demo = {}

--- Returns a server object with `url`, without a slash at its end.
function demo.start()
    local program = server.build_dir() .. "/demo_server"
    local self = server.start("exec " .. server.quote(program) .. " --until-stdin-closes", 1)
    self.url = assert(self.lines[1]:match("^listening on (http://%S+)$"))
    return self
end

return demo
