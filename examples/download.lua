-- SPDX-License-Identifier: MIT
-- One large file in pieces, several of them at once, each written where it belongs.
--
--     lua5.4 examples/download.lua [-j AT_ONCE] [--piece BYTES] [URL [FILE]]
--
--     -j AT_ONCE      so many pieces at once (8)
--     --piece BYTES   how large a piece is (4194304)
--
-- Without a FILE it is called as the URL ends. Without a URL it is 50 MB of the demo server,
-- into a file that is removed.
package.path = (arg[0]:match("^.*/") or "./") .. "lib/?.lua;" .. package.path
local cli, futures, fetch = require "cli", require "futures", require "futures.fetch"

local options, words, _ <close> = cli.start({ j = 8, piece = 4 << 20 }, { "/bytes/50000000" })
local url = words[1]
local path = words[2] or words.demo and os.tmpname() or url:match("[^/?]+$") or "index.html"

local http <close> = fetch.Session { max_per_host = options.j, retries = 3, timeout = false,
    compression = false, raise_for_status = true }
local about = http:head(url):result()
local size = math.tointeger(tonumber(about.headers["content-length"])) or 0
if about.headers["accept-ranges"] ~= "bytes" then error(url .. " has no ranges", 0) end

local file <close> = assert(io.open(path, "wb"))
local offset_of, waiting = {}, {}
for offset = 0, size - 1, options.piece do
    local last = math.min(offset + options.piece, size) - 1
    local f = http:get(url, { headers = { Range = ("bytes=%d-%d"):format(offset, last) } })
    offset_of[f], waiting[#waiting + 1] = offset, f
end

local show, how_it_goes, written = cli.progress(), cli.meter(size), 0
local from, pieces = futures.monotonic(), #waiting
while #waiting > 0 do
    local done, left = futures.wait(waiting, 0.1, futures.FIRST_COMPLETED)
    local bytes = written
    for _, f in ipairs(done) do
        local body = f:result().body
        file:seek("set", offset_of[f])
        assert(file:write(body))
        written, bytes = written + #body, bytes + #body
    end
    for _, f in ipairs(left) do bytes = bytes + (f:progress() or 0) end
    waiting = left
    show(how_it_goes(bytes, bytes))
end
show()
local took = futures.monotonic() - from
print(("%s: %s in %d pieces, %d at once, %.2f s, %s a second"):format(path, cli.size(written),
    pieces, options.j, took, cli.size(written / took)))
if words.demo then os.remove(path) end
