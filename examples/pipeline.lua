-- SPDX-License-Identifier: MIT
-- Futures of futures: each order goes through three steps, as soon as the one before is done;
-- `all` waits for every order, `any` takes the first offer that comes.
--
--     lua5.4 examples/pipeline.lua

local futures = require "futures"

local ex <close> = futures.ThreadPoolExecutor(4)

local function parse(line)
    local what, count = line:match "^(%a+) (%d+)$"
    if not what then error("not an order: " .. line, 0) end
    return what, tonumber(count)
end

local function price(what, count)
    futures.sleep(0.02) -- asks a slow server
    return what, count * #what
end

local function order(line)
    return ex:submit(parse, line)
        :next(function(what, count) return ex:submit(price, what, count) end) -- is followed
        :next(function(what, sum) return ("%s: %d"):format(what, sum) end,
            function(err) return "refused: " .. err end)
end

local orders = futures.all { order "apples 3", order "pears 12", order "???", order "figs 7" }
for i, text in ipairs(orders:result()) do print(i, text) end

local function offer(name, seconds)
    futures.sleep(seconds)
    if name == "closed" then error("closed on Sundays", 0) end
    return name
end

local offers = { { "closed", 0 }, { "slow", 0.2 }, { "quick", 0.02 } }
for i, o in ipairs(offers) do offers[i] = ex:submit(offer, table.unpack(o)) end
print("first offer", futures.any(offers):result())
