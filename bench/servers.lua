-- SPDX-License-Identifier: MIT
-- The servers that requests are measured against: nginx, and for slow answers the demo server.
-- Contestants find their addresses in the environment.

local demo = require "spec.support.demo"
local nginx = require "spec.support.nginx"

local servers = {}

--- Starts them. Returns the words for `env`, and a function that ends them.
function servers.start()
    local web, slow = nginx.start(), demo.start()
    local words = ("BENCH_URL=%s BENCH_SLOW_URL=%s "):format(web.url, slow.url)
    return words, function()
        web:stop()
        slow:stop()
    end
end

return servers
