-- SPDX-License-Identifier: MIT
--- What came back.

local check = require "futures.check"
local core = require "futures.fetch.core"
local errors = require "futures.errors"
local FetchError = require("futures.fetch.errors").FetchError

---@class futures.ResponseTime seconds from the start of the request, summed over redirects
---@field dns number until the name was resolved
---@field connect number until the connection stood
---@field tls number until it was secure, 0 where it is not
---@field first_byte number until the first byte of the last response
---@field total number until the end

---@class futures.Response
---@field status integer
---@field ok boolean status is 200 to 299
---@field reason string the words behind the status, "" where HTTP/2 has none
---@field url string the last one of a chain of redirects; never with credentials
---@field http_version string "1.0", "1.1", "2", "3"
---@field headers futures.Headers
---@field body? string nil when it is in the file `path`
---@field path? string the file of the option `output`
---@field size integer bytes of the body
---@field redirects integer
---@field attempts integer
---@field time futures.ResponseTime
---@field request {method: string, url: string}
local Response = core.Response -- csrc/fetch/bind_response.c has the fields

local methods = Response.methods

local RETRYABLE = {}
for _, status in ipairs { 408, 429, 500, 502, 503, 504 } do
    RETRYABLE[status] = true
end

-- In `response.json(x)`: nothing but a response has these methods.
local function check_response(self, name)
    if debug.getmetatable(self) ~= Response then check.bad_self(self, name, "response", 1) end
end

local function fail(self, kind, text)
    local request = self.request
    local message = ("%s (%s %s)"):format(text, request.method, self.url)
    return errors.new(FetchError, message, {
        kind = kind,
        url = self.url,
        attempt = self.attempts,
        status = self.status,
        bytes = self.size,
        retryable = kind == "status" and RETRYABLE[self.status] or false,
    })
end

--- Raises a FetchError of kind `status` for 4xx and 5xx; else returns the response.
---@return futures.Response
function methods:raise_for_status()
    check_response(self, "raise_for_status")
    if self.status >= 400 then
        local text = self.reason == "" and "status %d" or "%d %s"
        error(fail(self, "status", text:format(self.status, self.reason)), 2)
    end
    return self
end

local BYTE_ORDER_MARK = "\xEF\xBB\xBF" -- not of JSON, but some servers send it

--- The body as a Lua value. Needs lua-cjson. Raises a FetchError of kind `protocol` when it is
--- not JSON.
function methods:json()
    check_response(self, "json")
    local found, cjson = pcall(require, "cjson.safe")
    if not found then
        error("json() needs lua-cjson: install it with 'luarocks install lua-cjson'", 2)
    elseif not self.body then
        error(("the body is in the file '%s'"):format(self.path), 2)
    end
    local body = self.body
    if body:sub(1, #BYTE_ORDER_MARK) == BYTE_ORDER_MARK then
        body = body:sub(#BYTE_ORDER_MARK + 1)
    end
    local value, problem = cjson.decode(body)
    if problem then
        error(fail(self, "protocol", "the body is not JSON: " .. problem), 2)
    end
    return value
end

return Response
