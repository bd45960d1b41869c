-- SPDX-License-Identifier: MIT
-- Code that waits without callbacks: a scheduler of coroutines in a few lines. `await` yields a
-- future to it, and it resumes the coroutine when that future is done.
--
--     lua5.4 examples/await.lua

local futures = require "futures"

local waiting = {} -- future → the coroutines that await it

local function resume(co, ...)
    local ok, future = coroutine.resume(co, ...)
    if not ok then error(future, 0) end
    if coroutine.status(co) == "dead" then return end
    waiting[future] = waiting[future] or {}
    table.insert(waiting[future], co)
end

local function spawn(fn, ...)
    resume(coroutine.create(fn), ...)
end

local function run()
    while next(waiting) do
        for _, future in ipairs((futures.wait(waiting, nil, futures.FIRST_COMPLETED))) do
            local coroutines = waiting[future]
            waiting[future] = nil
            for _, co in ipairs(coroutines) do resume(co) end
        end
    end
end

local ex <close> = futures.ThreadPoolExecutor(4)

local function visit(name, steps)
    for step = 1, steps do
        futures.await(ex:submit(futures.sleep, 0.01 * #name))
        print(("%s has done step %d of %d"):format(name, step, steps))
    end
end

spawn(visit, "tortoise", 2)
spawn(visit, "hare", 3)
run()
