-- SPDX-License-Identifier: MIT
-- Fetches many URLs at once, on one thread, and says how each one went. It fails when one did.
--
--     lua5.4 examples/fetch.lua [OPTION ...] [URL ...]      without any: the demo server
--
--     -j AT_ONCE      so many requests at once (50)
--     -t SECONDS      for each request (10)
--     --retries N     after a failure that may pass it is sent again so often (0)
--     --output DIR    each body goes to a file in this folder, which is made
--     --json          a line of JSON for each URL
--     -i FILE         URLs from a file, one a line; what follows a # does not count
--     -               the same from standard input
package.path = (arg[0]:match("^.*/") or "./") .. "lib/?.lua;" .. package.path
local cli, futures, fetch = require "cli", require "futures", require "futures.fetch"

local options, urls, _ <close> = cli.start(
    { j = 50, t = 10.0, retries = 0, output = "", json = false },
    { "/json", "/bytes/100000", "/delay/100", "/delay/300", "/redirect/3", "/echo" })

local done, failed, bytes = 0, 0, 0
local show, how_it_goes, from = cli.progress(), cli.meter(#urls), futures.monotonic()
local function report(url, ok, r)
    done, failed = done + 1, failed + ((not ok or r.status >= 400) and 1 or 0)
    bytes = bytes + (ok and #r or 0)
    show()
    if options.json then
        print(cli.json(ok and { "url", url, "status", r.status, "bytes", #r, "seconds",
            r.time.total } or { "url", url, "error", r.kind, "message", r.message }))
    elseif ok then
        print(("%3d %10d bytes %8.3f s  %s"):format(r.status, #r, r.time.total, url))
    else
        print(("%-28s  %s"):format(r.kind or "error", r.message or r))
    end
    show(how_it_goes(done, bytes))
end

local http <close> = fetch.Session { max_connections = options.j, max_per_host = options.j,
    timeout = options.t, retries = options.retries }
local url_of = {}
for _, url in ipairs(urls) do
    local output = options.output ~= "" and cli.file_name(options.output, url) or nil
    local ok, f = pcall(http.get, http, url, { output = output })
    if ok then url_of[f] = url else report(url, false, f) end
end
for f in futures.as_completed(url_of) do report(url_of[f], f:outcome()) end
show()
local out = options.json and io.stderr or io.stdout
out:write(("%d fetched, %d failed, %s in %.3f s, %d at once\n"):format(done - failed, failed,
    cli.size(bytes), futures.monotonic() - from, options.j))
os.exit(failed == 0, true)
