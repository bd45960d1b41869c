-- SPDX-License-Identifier: MIT
-- Methods that are called on something else: with a dot for the colon, or through pcall. All
-- say it in Lua's words, with their own name, at the caller's line.

local futures = require "futures"
local fetch = require "futures.fetch"
require "spec.support.watchdog"
local check = require "spec.support.check"
local demo = require "spec.support.demo"

-- What errors call the things of a class, and all of its methods.
local classes = {
    future = { "result", "exception", "outcome", "traceback", "cancel", "cancelled", "running",
        "done", "state", "add_done_callback", "set_result", "set_exception",
        "set_running_or_notify_cancel", "next", "attempts", "__tostring" },
    executor = { "submit", "map", "with", "shutdown", "terminate_workers", "kill_workers",
        "stats", "__close", "__tostring" },
    view = { "submit", "map", "with", "shutdown", "terminate_workers", "kill_workers", "stats",
        "__close", "__tostring" },
    map = { "close", "totable", "__call", "__close" },
    session = { "submit", "map", "with", "shutdown", "stats", "get", "head", "post", "put",
        "patch", "delete", "request", "__close", "__tostring" },
    ["session's view"] = { "submit", "map", "with", "shutdown", "stats", "get", "request",
        "__close", "__tostring" },
    response = { "json", "raise_for_status" },
    headers = { "get_all" },
}
local words = { view = "executor", ["session's view"] = "session" }

describe("A method that is called on", function()
    local ex, http, server, objects, others

    setup(function()
        ex = futures.ThreadPoolExecutor(1)
        http = fetch.Session()
        server = demo.start()
        local response = http:get(server.url .. "/"):result()
        objects = {
            future = futures.Future(), executor = ex, view = ex:with {},
            map = ex:map(math.abs, { 1 }), session = http, ["session's view"] = http:with {},
            response = response, headers = response.headers,
        }
        others = {
            number = 5, string = "x", table = {}, ["function"] = print, boolean = true,
            thread = coroutine.create(print), ["FILE*"] = io.stdout,
        }
    end)

    teardown(function()
        http:shutdown()
        server:stop()
        ex:shutdown()
    end)

    local function assert_says(start, name, word, got, fn, ...)
        local ok, err = pcall(fn, ...)
        assert.is_false(ok)
        assert.equal("string", type(err))
        local plain = name:gsub("^__", "")
        local text = err:gsub("^.-:%d+: ", "")
        assert.equal(start:format(plain) .. (" (%s expected, got %s)"):format(word, got), text)
        return err
    end

    for class, names in pairs(classes) do
        local word = words[class] or class
        for _, name in ipairs(names) do
            it(("no %s says so: %s"):format(class, name), function()
                local object = objects[class]
                local fn = name:find("^__") and debug.getmetatable(object)[name] or object[name]
                assert.is_not_nil(fn)
                local start = "bad argument #1 to '%s'"
                for got, other in pairs(others) do
                    assert_says(start, name, word, got, fn, other, print)
                    local err = assert_says(start, name, word, got, function()
                        local _ = fn(other, print)
                        return _
                    end)
                    check.contains("self_spec.lua:", err)
                end
                assert.is_false((pcall(fn)))
                for other, thing in pairs(objects) do
                    if word ~= (words[other] or other) then
                        assert.is_false((pcall(fn, thing, print)))
                    end
                end
            end)
        end
    end

    it("nothing says so", function()
        local text = "bad argument #1 to '%s'"
        assert_says(text, "result", "future", "no value", objects.future.result)
        assert_says(text, "submit", "executor", "no value", ex.submit)
        assert_says(text, "map", "executor", "nil", ex.map)
        assert_says(text, "get", "session", "nil", http.get)
    end)

    it("an object that has borrowed it says that its self is bad", function()
        for class, name in pairs {
            future = "result", executor = "submit", view = "submit", map = "totable",
            session = "stats", response = "json", headers = "get_all",
        } do
            local borrower = { [name] = objects[class][name] }
            assert_says("calling '%s' on bad self", name, words[class] or class, "table",
                function()
                    load("local o = ... local r = o:" .. name .. "() return r")(borrower)
                end)
        end
    end)
end)
