-- SPDX-License-Identifier: MIT
-- Bodies that are encoded: gzip and deflate are undone; what is not whole is no success.

local fetch = require "futures.fetch"
local bad_server = require "spec.support.bad_server"
local fetch_check = require "spec.support.fetch_check"
local scale = require "spec.support.scale"

local LIMIT = scale.LIMIT

-- As hexadecimal digits, which the server turns into bytes.
local GZIP = "1f8b0800000000000203cb48cdc9c9d75148afca2c00004a9bb15c0b000000" -- hello, gzip
local ZLIB = "789ccb48cdc9c9d751a8cac94c020018b20412" -- hello, zlib
local RAW = "cb48cdc9c9d751284a2c0700" -- hello, raw: deflate without the frame of zlib
local TWICE = "1f8b0800000000000203ab9873dae3ecc993d703579c3ae9c3c420b1894508001ddbbddf13000000"

describe("An encoded body", function()
    local server

    lazy_setup(function()
        server = bad_server.start()
    end)

    lazy_teardown(function()
        server:stop()
    end)

    local function url(way, coding, hex)
        return ("%s/coded/%s/%s/%s"):format(server.url, way, coding, hex)
    end

    local function body(way, coding, hex, opts)
        return fetch(url(way, coding, hex), opts).body
    end

    local function fails(way, coding, hex, opts)
        return fetch_check.fails("protocol", url(way, coding, hex), opts)
    end

    it("is undone", function()
        for _, way in ipairs { "200", "404", "chunked" } do
            assert.equal("hello, gzip", body(way, "gzip", GZIP))
            assert.equal("hello, gzip", body(way, "X-GZip", GZIP))
            assert.equal("hello, zlib", body(way, "deflate", ZLIB))
            assert.equal("hello, raw", body(way, "deflate", RAW))
            assert.equal("hello", body(way, "identity", "68656c6c6f"))
        end
        assert.equal("gzip", fetch(url("200", "gzip", GZIP)).headers["content-encoding"])
    end)

    it("may have none, one or several members", function()
        assert.equal("", body("200", "gzip", ""))
        assert.equal("", body("chunked", "deflate", ""))
        assert.equal(("hello, gzip"):rep(3), body("200", "gzip", GZIP:rep(3)))
        assert.equal(("hello, gzip"):rep(3), body("chunked", "gzip", GZIP:rep(3)))
    end)

    it("may be encoded twice", function()
        for _, way in ipairs { "200", "chunked" } do
            assert.equal("hello, zlib", body(way, "deflate,gzip", TWICE))
            assert.equal("hello, zlib", body(way, "identity,,deflate,gzip", TWICE))
        end
    end)

    local function cut_short(hex, coding, name)
        for bytes = 1, #hex // 2 - 1 do
            for _, way in ipairs { "200", "chunked" } do
                local err = fails(way, coding, hex:sub(1, 2 * bytes))
                assert.matches(name .. " body cut short by 127%.0%.0%.1:%d+", err.message)
                assert.is_true(err.retryable)
                assert.equal(200, err.status)
                assert.is_nil(err.code)
            end
        end
    end

    it("that ends early is a failure, wherever it is cut", function()
        cut_short(GZIP, "gzip", "gzip")
        cut_short(ZLIB, "deflate", "deflate")
        cut_short(RAW, "deflate", "deflate")
        cut_short(TWICE, "deflate,gzip", "gzip")
        assert.matches("cut short", fails("200", "gzip", GZIP .. GZIP:sub(1, -3)).message)
    end)

    it("that ends early is fetched again, and leaves no file", function()
        local path = os.tmpname()
        os.remove(path)
        local err = fails("200", "gzip", GZIP:sub(1, -3),
            { output = path, retries = { max = 2, backoff = 0 } })
        assert.equal(3, err.attempt)
        assert.is_nil(io.open(path))
        assert.is_nil(io.open(path .. ".part"))
    end)

    it("is followed by nothing", function()
        for _, more in ipairs { "00", "68656c6c6f" } do
            for coding, hex in pairs { gzip = GZIP, deflate = ZLIB } do
                for _, way in ipairs { "200", "chunked" } do
                    local err = fails(way, coding, hex .. more)
                    assert.matches(coding .. ": more bytes behind the end", err.message)
                    assert.is_false(err.retryable)
                end
            end
        end
        assert.matches("gzip: ", fails("200", "gzip", GZIP .. "1f00").message)
    end)

    it("makes sense, or is a failure", function()
        local wrong_sum = GZIP:gsub("4a9b", "4a9c")
        assert.matches("gzip: incorrect data check", fails("200", "gzip", wrong_sum).message)
        assert.matches("gzip: incorrect header", fails("200", "gzip", ZLIB).message)
        assert.matches("deflate: ", fails("200", "deflate", GZIP).message)
    end)

    it("in an unknown way is a failure, unless it was asked for", function()
        for _, coding in ipairs { "br", "zstd", "gzip,br", "utf-8",
            "gzip,gzip,gzip,gzip,gzip,gzip" } do
            local err = fails("200", coding, "0102")
            assert.matches("content coding '", err.message)
        end
        local headers = { ["Accept-Encoding"] = "br" }
        assert.equal("\1\2", body("200", "br", "0102", { headers = headers }))
        assert.equal("hello, gzip", body("200", "gzip", GZIP, { headers = headers }))
    end)

    it("stays as it is when it is a part, or nobody wants it undone", function()
        local part = { headers = { Range = "bytes=0-9" } }
        assert.equal("\x1f\x8b", body("206", "gzip", GZIP:sub(1, 4), part))
        assert.equal("\x1f\x8b", body("200", "gzip", GZIP:sub(1, 4), { compression = false }))
        local sent = fetch_check.sent(fetch(server.url .. "/echo", part))
        assert.is_nil(sent["accept-encoding"])
        sent = fetch_check.sent(fetch(server.url .. "/echo"))
        assert.equal("gzip, deflate", sent["accept-encoding"])
    end)

    it("is limited by its decoded size", function()
        assert.equal("hello, gzip", body("200", "gzip", GZIP, { max_body = 11 }))
        fetch_check.fails("too_large", url("200", "gzip", GZIP), { max_body = 10 })
        fetch_check.fails("too_large", url("200", "gzip", GZIP:rep(2)), { max_body = 21 })
    end)

    it("tells no length ahead", function()
        local f = fetch.submit(url("200", "gzip", GZIP))
        assert.equal("hello, gzip", f:result(LIMIT).body)
        local done, all = f:progress()
        assert.equal(11, done)
        assert.is_nil(all)
    end)
end)
