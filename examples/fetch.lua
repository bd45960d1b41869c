-- SPDX-License-Identifier: MIT
-- Fetches many URLs at once and says how each one went. Without any it visits the demo server.

local futures = require "futures"
local fetch = require "futures.fetch"

local function usage()
    io.stderr:write "usage: fetch.lua [-j WORKERS] [-t SECONDS] [-i FILE] [URL ...] [-]\n"
    os.exit(2)
end

local workers, limit, urls, position = 16, 10, nil, 0

local function next_argument()
    position = position + 1
    return arg[position]
end

local function add_lines(file) -- one URL a line; empty ones and # comments do not count
    urls = urls or {}
    for line in (file or usage()):lines() do
        urls[#urls + 1] = line:match("^%s*([^#%s]%S*)")
    end
end

local function read_arguments()
    for word in next_argument do
        if word == "-j" then
            workers = tonumber(next_argument() or "", 10) or usage()
        elseif word == "-t" then
            limit = tonumber(next_argument()) or usage()
        elseif word == "-i" then
            add_lines(assert(io.open(next_argument() or usage())))
        elseif word == "-" then
            add_lines(io.stdin)
        elseif word:find("^%-") then
            usage()
        else
            urls = urls or {}
            urls[#urls + 1] = word
        end
    end
end

local function start_demo_server()
    local name, build = os.tmpname(), os.getenv("FUTURES_BUILD") or "build/release"
    local command = ("exec '%s/demo_server' --until-stdin-closes >%s"):format(build, name)
    local server, url = io.popen(command, "w"), nil
    for _ = 1, 200 do
        futures.sleep(0.01)
        local file <close> = io.open(name)
        url = file:read("a"):match("^listening on (%S+)\n")
        if url then break end
    end
    os.remove(name)
    return url or error("the demo server does not start; './dev demo' builds it", 0), server
end

read_arguments()
local demo, server
if not urls then
    demo, urls = os.getenv("FUTURES_DEMO_URL"), {}
    if not demo then demo, server = start_demo_server() end
    for path in ("json bytes/100000 delay/100 delay/300 redirect/3 echo"):gmatch("%S+") do
        urls[#urls + 1] = demo .. "/" .. path
    end
end

-- The task. In its worker it finds `fetch` and `limit` as they are here.
local function get(url)
    local r = fetch(url, { timeout = limit })
    return r.status, #r, r.time.total
end

local _ <close> = server
local ex <close> = futures.ThreadPoolExecutor(workers)
local on_terminal = os.execute("test -t 2")
local from, url_of, done, failed, bytes = futures.monotonic(), {}, 0, 0, 0
for _, url in ipairs(urls) do
    url_of[ex:submit(get, url)] = url
end
for f in futures.as_completed(url_of) do
    local ok, status, size, seconds = f:outcome()
    done = done + 1
    if not ok or status >= 400 then failed = failed + 1 end
    if on_terminal then io.stderr:write "\r\27[K" end
    if ok then
        bytes = bytes + size
        print(("%3d %10d bytes %8.3f s  %s"):format(status, size, seconds, url_of[f]))
    else
        print(("%-28s  %s"):format(status.kind or "error", status.message or status))
    end
    if on_terminal then io.stderr:write(("%d of %d"):format(done, #urls)) end
end
if on_terminal then io.stderr:write "\r\27[K" end
local summary = "%d fetched, %d failed, %d bytes in %.3f s with %d workers"
print(summary:format(done - failed, failed, bytes, futures.monotonic() - from, workers))
os.exit(failed == 0, true)
