-- SPDX-License-Identifier: MIT
--- From the options that the user writes to a flat table of checked values that the C part
--- takes as it is. All misuse is found here; nothing here raises.

local core = require "futures.fetch.core"
local body = require "futures.fetch.body"
local fields = require "futures.fetch.fields"
local limits = require "futures.fetch.limits"
local version = require "futures.version"

local request = {}

-- Each takes the flat request, the value and all options; it returns what is wrong, or nothing.
local options = {}

local function expected(what, value)
    return ("%s expected, got %s"):format(what, type(value))
end

local function has_control(text)
    return text:find("%c") ~= nil
end

local function boolean(key)
    return function(flat, value)
        if type(value) ~= "boolean" then
            return expected("boolean", value)
        end
        flat[key] = value
    end
end

local function file_name(key)
    return function(flat, value)
        if type(value) ~= "string" then
            return expected("string", value)
        elseif value == "" or value:find("\0", 1, true) then
            return "not a file name"
        end
        flat[key] = value
    end
end

options.verify = boolean "verify"
options.compression = boolean "compression"
options.deny_private = boolean "deny_private"
options.raise_for_status = boolean "raise_for_status"
options.cookies = boolean "cookies"
options.ca_file = file_name "ca_file"
options.cert = file_name "cert"
options.key = file_name "key"
options.output = file_name "output"

-- Methods are case-sensitive, but nobody who writes "get" means another one than GET.
local USUAL = {}
for name in ("GET HEAD POST PUT PATCH DELETE OPTIONS"):gmatch("%u+") do
    USUAL[name] = true
end

local TOKEN = "^[A-Za-z0-9!#$%%&'*+%-.^_`|~]+$"

function options.method(flat, value)
    if type(value) ~= "string" then
        return expected("string", value)
    elseif not value:find(TOKEN) then
        return ("method expected, got '%s'"):format((value:gsub("%c", "?")))
    end
    local upper = value:upper()
    flat.method = USUAL[upper] and upper or value
    if upper == "CONNECT" then
        return "CONNECT is for proxies"
    end
end

local function header_value(value)
    if type(value) ~= "string" and type(value) ~= "number" then
        return nil, expected("string or number", value)
    end
    local text = tostring(value)
    if text:find("[\r\n\0]") then
        return nil, "line break or zero byte in the value"
    end
    return text:match("^[ \t]*(.-)[ \t]*$")
end

function options.headers(flat, value)
    local list, problem = fields.list(value, header_value)
    if not list then
        return problem
    end
    for _, field in ipairs(list) do
        local name, text = field[1], field[2]
        if not name:find(TOKEN) then
            return ("'%s': not a header name"):format((name:gsub("%c", "?")))
        end
        local lower = name:lower()
        if lower == "transfer-encoding" then
            return "'Transfer-Encoding' is not for the caller to set"
        elseif lower == "content-length" then
            flat.announced = text -- compared with the body, sent by libcurl
        else
            flat.headers[#flat.headers + 1] = text == "" and name .. ";" or name .. ": " .. text
        end
    end
end

function options.query(flat, value)
    local list, problem = fields.list(value, fields.text)
    if not list then
        return problem
    end
    flat.query = fields.encode(list)
end

for key, option in pairs(limits) do
    options[key] = option
end

options.body = body.bytes
options.json = body.json
options.form = body.form
options.multipart = body.multipart

local function seconds(value)
    if value == false then
        return math.huge
    elseif type(value) ~= "number" then
        return nil, expected("number or false", value)
    elseif value ~= value then
        return nil, "not a number (NaN)"
    end
    return value
end

local LIMITS = { total = 60, connect = 10, idle = 30 } -- where a table does not name them

function options.timeout(flat, value)
    if type(value) ~= "table" then
        local limit, problem = seconds(value)
        flat.total = limit
        return problem and problem:gsub("number or false", "number, false or table") or nil
    end
    for key in pairs(value) do
        if not LIMITS[key] then
            return ("unknown limit '%s'"):format(tostring(key))
        end
    end
    for key, usual in pairs(LIMITS) do
        local limit, problem = usual, nil
        if value[key] ~= nil then
            limit, problem = seconds(value[key])
        end
        if not limit then
            return ("'%s': %s"):format(key, problem)
        end
        flat[key] = limit
    end
end

local function count(value, most)
    local n = type(value) == "number" and math.tointeger(value)
    if not n then
        return nil, math.type(value) and "number has no integer representation"
            or expected("integer", value)
    elseif n < 0 then
        return nil, "must not be negative"
    end
    return math.min(n, most)
end

function options.max_redirects(flat, value)
    local n, problem = count(value, 1000000)
    flat.max_redirects = n
    return problem
end

function options.max_body(flat, value, opts)
    if value == false then
        flat.max_body = false
        return opts.output == nil and "false only with the option 'output'" or nil
    end
    local n, problem = count(value, math.maxinteger)
    flat.max_body = n
    return problem
end

function options.http_version(flat, value)
    if value ~= "1.1" and value ~= "2" then
        return '"1.1" or "2" expected'
    end
    flat.http_version = value
end

function options.user_agent(flat, value)
    if type(value) ~= "string" then
        return expected("string", value)
    elseif has_control(value) then
        return "line break or control byte in it"
    end
    flat.user_agent = value
end

local function credential(auth, key)
    local value = auth[key]
    if type(value) ~= "string" then
        return ("'%s': %s"):format(key, expected("string", value))
    elseif has_control(value) then
        return ("'%s': control byte in it"):format(key)
    end
end

local AUTH = { user = true, password = true, scheme = true, token = true }

function options.auth(flat, value)
    if type(value) ~= "table" then
        return expected("table", value)
    end
    for key in pairs(value) do
        if not AUTH[key] then
            return ("unknown field '%s'"):format(tostring(key))
        end
    end
    if value.token ~= nil then
        if value.user ~= nil or value.password ~= nil or value.scheme ~= nil then
            return "either 'token' or 'user' and 'password'"
        end
        flat.scheme, flat.token = "bearer", value.token
        return credential(value, "token")
    end
    flat.scheme, flat.user, flat.password = value.scheme or "basic", value.user, value.password
    if flat.scheme ~= "basic" and flat.scheme ~= "digest" then
        return [['scheme': "basic" or "digest" expected]]
    end
    local problem = credential(value, "user") or credential(value, "password")
    if not problem and flat.scheme == "basic" and flat.user:find(":", 1, true) then
        return "'user': basic authentication allows no colon in it"
    end
    return problem
end

local PROXIES = { http = true, https = true, socks4 = true, socks4a = true, socks5 = true,
    socks5h = true }

-- libcurl would find these at the first request, and quote the password.
local function is_proxy(text)
    local scheme, rest = text:match("^(%a[%w+.-]*)://(.*)$")
    return PROXIES[(scheme or "http"):lower()] and core.parse_url("http://" .. (rest or text))
end

function options.proxy(flat, value, opts)
    if value == false then
        flat.proxy = ""
    elseif type(value) ~= "string" then
        return expected("string or false", value)
    elseif not is_proxy(value) then
        return "not a proxy"
    elseif opts.deny_private then
        return "behind a proxy 'deny_private' cannot see addresses"
    else
        flat.proxy = value
    end
end

function options.base_url(flat, value)
    if type(value) ~= "string" then
        return expected("string", value)
    end
    local base, _, reason = core.parse_url(value)
    flat.base_url = value -- with its credentials, which go where it leads
    return not base and reason or nil
end

--- The URL with the query of the options.
function request.add_query(url, query)
    if not query or query == "" then
        return url
    end
    local front, fragment = url:match("^([^#]*)(.*)$")
    local joint = not front:find("?", 1, true) and "?" or front:find("[?&]$") and "" or "&"
    return front .. joint .. query .. fragment
end

local function finish(flat)
    local size = flat.body and #flat.body or 0
    if flat.announced and (flat.parts or tonumber(flat.announced) ~= size) then
        return "option 'headers': 'Content-Length' differs from the length of the body"
    end
    local has_body = flat.body ~= nil or flat.parts ~= nil
    flat.method = flat.method or (has_body and "POST" or "GET")
    if has_body and flat.method == "HEAD" then
        return "a HEAD request has no body"
    end
    if flat.deny_private then
        flat.proxy = ""
    end
    if flat.retry and not flat.retry.methods[flat.method] then
        flat.retry.max = 0
    end
end

--- The flat request, or nil and what is wrong.
---@return table|nil flat
---@return string|nil problem
function request.flatten(opts)
    local flat = { headers = {}, user_agent = "lua-futures/" .. version }
    for key, value in pairs(opts) do
        local option = options[key]
        if not option then
            return nil, ("unknown option '%s'"):format(tostring(key))
        end
        local problem = option(flat, value, opts)
        if problem then
            return nil, ("option '%s': %s"):format(key, problem)
        end
    end
    local problem = finish(flat)
    if problem then
        return nil, problem
    end
    return flat
end

-- Of these a request has one: that of the call takes the place of any of the session.
local BODIES = { body = true, json = true, form = true, multipart = true }

-- A list of pairs out of both, without those of `outer` that `inner` names as well. What is
-- wrong with them is found later.
local function merge_headers(outer, inner)
    local list = fields.list(outer, function(value) return value end)
    local own = fields.list(inner, function(value) return value end)
    if not list or not own then
        return inner
    end
    local named, merged = {}, {}
    for name in pairs(inner) do -- also one without a value: an empty array
        named[type(name) == "string" and name:lower() or name] = true
    end
    for _, field in ipairs(own) do
        named[field[1]:lower()] = true
    end
    for _, field in ipairs(list) do
        if not named[field[1]:lower()] then
            merged[#merged + 1] = field
        end
    end
    return table.move(own, 1, #own, #merged + 1, merged)
end

local function copy(value, copies)
    if type(value) ~= "table" then
        return value
    elseif copies[value] then
        return copies[value]
    end
    local new = debug.setmetatable({}, debug.getmetatable(value)) -- of arrays, for lua-cjson
    copies[value] = new
    for key, one in next, value do
        rawset(new, key, copy(one, copies))
    end
    return new
end

--- A copy of options, for what outlives the call: later changes of theirs do not reach it.
function request.copy(opts)
    return copy(opts, {})
end

--- The options of a call with those of its session; the call's win, also with `false`.
function request.merge(outer, inner)
    local merged, has_body = {}, false
    for key in pairs(inner) do
        has_body = has_body or BODIES[key] ~= nil
    end
    for key, value in pairs(outer) do
        if not (has_body and BODIES[key]) then
            merged[key] = value
        end
    end
    for key, value in pairs(inner) do
        local both = key == "headers" and outer.headers ~= nil
        merged[key] = both and merge_headers(outer.headers, value) or value
    end
    return merged
end

return request
