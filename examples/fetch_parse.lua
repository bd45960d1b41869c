-- SPDX-License-Identifier: MIT
-- Two stages: one thread fetches pages, and as they come, processes parse them. Pages are held
-- to 16 at a time, however long the list is.
--
--     lua5.4 examples/fetch_parse.lua [URL ...]      without any: the demo server
package.path = (arg[0]:match("^.*/") or "./") .. "lib/?.lua;" .. package.path
local cli, futures, fetch = require "cli", require "futures", require "futures.fetch"

local paths = {}
for page = 1, 31 do paths[page] = "/site/" .. page end
local _, urls, _ <close> = cli.start({}, paths)

-- Runs in a worker process: what it gets and gives is copied.
local function parse(url, text)
    local links = select(2, text:gsub("<a href", ""))
    return { url = url, title = text:match("<title>(.-)</title>") or "?", links = links,
        pid = futures.worker().pid }
end

local ex <close> = futures.ProcessPoolExecutor(futures.cpu_count())
local parsed, from = {}, futures.monotonic()
local pages = fetch.map(urls, { ordered = false, buffersize = 16, raise_for_status = true })
for _, r in pages do
    parsed[#parsed + 1] = ex:submit(parse, r.url, r.body)
end

local links, processes, count = 0, {}, 0
for f in futures.as_completed(parsed) do
    local page = f:result()
    links = links + page.links
    count = count + (processes[page.pid] and 0 or 1)
    processes[page.pid] = true
    print(("%-10s %2d links  %s"):format(page.title, page.links, page.url))
end
print(("%d pages, %d links, %d processes, %.2f s"):format(#parsed, links, count,
    futures.monotonic() - from))
