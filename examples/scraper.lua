-- SPDX-License-Identifier: MIT
-- A scraper whose pages nobody can trust: each is fetched and read by a task that has a limit,
-- so one that hangs, and one on which the reader never ends, cost their own time and no more.
--
--     lua5.4 examples/scraper.lua [--limit SECONDS] [URL ...]   without any: the demo server
package.path = (arg[0]:match("^.*/") or "./") .. "lib/?.lua;" .. package.path
local cli, futures, fetch = require "cli", require "futures", require "futures.fetch"

local options, urls, _ <close> = cli.start({ limit = 0.5 }, { "/site/1", "/delay/60000",
    "/site/2", "/bytes/1000", "/site/3", "/status/503", "/site/4" })

-- With a mistake in it: it never gets past a page without a title.
local function title_of(text)
    local at = 1
    while not text:find("^<title>", at) do at = at % #text + 1 end
    return text:match("^<title>(.-)</title>", at)
end

-- Runs in a worker thread.
local function scrape(url)
    local r = fetch(url, { timeout = 30 })
    r:raise_for_status()
    return title_of(r.body), #r
end

local ex <close> = futures.ThreadPoolExecutor(8)
local url_of, read, from = {}, 0, futures.monotonic()
for _, url in ipairs(urls) do
    local limited = ex:with { task_timeout = options.limit, name = url, retries = 2,
        retry_on = function(err) return futures.iserror(err) and err.retryable end }
    url_of[limited:submit(scrape, url)] = url
end
for f in futures.as_completed(url_of) do
    local ok, title, bytes = f:outcome()
    read = read + (ok and 1 or 0)
    print(ok and ("%-8s %5d bytes  %s"):format(title, bytes, url_of[f])
        or ("%s (attempts: %d)"):format(title, f:attempts()))
end
print(("%d of %d pages read in %.2f s"):format(read, #urls, futures.monotonic() - from))
