-- SPDX-License-Identifier: MIT
-- Fetches many URLs at once and says how each one went. Without any it visits the demo server.
package.path = (arg[0]:match("^.*/") or "./") .. "lib/?.lua;" .. package.path
local cli, futures, fetch = require "cli", require "futures", require "futures.fetch"

local usage = "fetch.lua [-j WORKERS] [-t SECONDS] [-i FILE] [URL ...] [-]"
local options, urls = cli.arguments(usage, { j = 16, t = 10 })
local demo, server
if #urls == 0 and #arg == 0 then
    demo, server = cli.demo_server()
    for path in ("json bytes/100000 delay/100 delay/300 redirect/3 echo"):gmatch("%S+") do
        urls[#urls + 1] = demo .. "/" .. path
    end
end

-- The task. In its worker it finds `fetch` and `options` as they are here.
local function get(url)
    local r = fetch(url, { timeout = options.t })
    return r.status, #r, r.time.total
end

local _ <close> = server
local ex <close> = futures.ThreadPoolExecutor(options.j)
local from, url_of, done, failed, bytes = futures.monotonic(), {}, 0, 0, 0
for _, url in ipairs(urls) do url_of[ex:submit(get, url)] = url end
local show = cli.progress()
for f in futures.as_completed(url_of) do
    local ok, status, size, seconds = f:outcome()
    done, failed = done + 1, failed + ((not ok or status >= 400) and 1 or 0)
    show()
    if ok then
        bytes = bytes + size
        print(("%3d %10d bytes %8.3f s  %s"):format(status, size, seconds, url_of[f]))
    else
        print(("%-28s  %s"):format(status.kind or "error", status.message or status))
    end
    show(("%d of %d"):format(done, #urls))
end
show()
local summary = "%d fetched, %d failed, %d bytes in %.3f s with %d workers"
print(summary:format(done - failed, failed, bytes, futures.monotonic() - from, options.j))
os.exit(failed == 0, true)
