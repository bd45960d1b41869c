-- SPDX-License-Identifier: MIT
-- A table that knows which future belongs to which URL, and answers taken as they come. What
-- goes wrong with one does not touch the others.
--
--     lua5.4 examples/urls.lua                                        downloads are pretended
--     FUTURES_DEMO_URL=http://127.0.0.1:PORT lua5.4 examples/urls.lua     from the demo server

local futures = require "futures"

local server = os.getenv "FUTURES_DEMO_URL"

local function download(url)
    local fetch = require "futures.fetch"
    return #fetch(url, { timeout = 0.5, raise_for_status = true })
end

local function pretend(url)
    local what, n = url:match "/(%a+)/(%d+)$"
    futures.sleep(what == "delay" and math.min(n / 1000, 0.5) or 0.01)
    if what == "status" then error("status " .. n, 0) end
    if what == "delay" and n / 1000 > 0.5 then error("no answer within 0.5 s", 0) end
    return what == "bytes" and tonumber(n) or 15
end

local ex <close> = futures.ThreadPoolExecutor(5)

local paths = { "/delay/300", "/bytes/20000", "/status/404", "/delay/5000", "/delay/100" }
local urls = {}
for _, path in ipairs(paths) do
    local url = (server or "http://example.org") .. path
    urls[ex:submit(server and download or pretend, url)] = url
end

for future in futures.as_completed(urls) do
    local ok, size = future:outcome() -- like pcall: true and results, or false and the error
    print(("%s %s: %s"):format(ok and "✓" or "✗", urls[future],
        ok and size .. " bytes" or tostring(size)))
end
