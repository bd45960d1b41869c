-- SPDX-License-Identifier: MIT
-- A link checker: follows the links of one host, level by level, each level all at once, and
-- says which links are broken, and where they are. Exits with 1 when there are some.
--
--     lua5.4 examples/crawl.lua [--depth N] [-j AT_ONCE] [URL]      without: the demo server
--
--     --depth N       follow links so many levels down (4)
--     -j AT_ONCE      so many requests at once (16)
package.path = (arg[0]:match("^.*/") or "./") .. "lib/?.lua;" .. package.path
local cli, links = require "cli", require "links"
local futures, fetch = require "futures", require "futures.fetch"

local options, words, _ <close> = cli.start({ depth = 4, j = 16 }, { "/site/1" })
local start = words[1]
local host = start:match("^%a+://[^/?]+")
local found_on = { [start] = "the command line" } -- every address that was seen, and where
local level, pages, broken, elsewhere = { start }, 0, 0, 0
local show, from = cli.progress(), futures.monotonic()

local function look_at(url, depth, ok, r)
    if not ok or r.status >= 400 then
        broken = broken + 1
        show()
        print(("%-8s %s  (on %s)"):format(ok and r.status or r.kind, url, found_on[url]))
    elseif depth < options.depth and (r.headers["content-type"] or ""):find("html") then
        for _, link in ipairs(links.of(r)) do
            if link:sub(1, #host + 1) ~= host .. "/" then
                elsewhere = elsewhere + 1
            elseif not found_on[link] then
                found_on[link], level[#level + 1] = url, link
            end
        end
    end
end

local http <close> = fetch.Session { max_per_host = options.j, timeout = 10, retries = 2 }
for depth = 0, options.depth do
    local url_of = {}
    for _, url in ipairs(level) do url_of[http:get(url)] = url end
    level = {}
    for f in futures.as_completed(url_of) do
        look_at(url_of[f], depth, f:outcome())
        pages = pages + 1
        show(("depth %d, %d pages, %d broken"):format(depth, pages, broken))
    end
end
show()
print(("%d pages in %.2f s, %d broken, %d links lead elsewhere"):format(pages,
    futures.monotonic() - from, broken, elsewhere))
os.exit(broken == 0, true)
