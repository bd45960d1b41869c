-- SPDX-License-Identifier: MIT
--- The options that give a request its body: body, json, form, multipart. Each takes the flat
--- request and the value; it returns what is wrong, or nothing.

local fields = require "futures.fetch.fields"

local body = {}

local function set(flat, bytes, content_type, opts)
    if flat.body or flat.parts then
        return "only one of 'body', 'json', 'form' and 'multipart'"
    end
    flat.body = bytes
    local headers = opts.headers
    local list = type(headers) == "table" and fields.list(headers, tostring) or {}
    for _, field in ipairs(list) do
        if field[1]:lower() == "content-type" then
            return nil
        end
    end
    flat.headers[#flat.headers + 1] = content_type and "Content-Type: " .. content_type or nil
end

function body.bytes(flat, value, opts)
    if type(value) ~= "string" then
        return "string expected, got " .. type(value)
    end
    return set(flat, value, nil, opts)
end

function body.json(flat, value, opts)
    local found, cjson = pcall(require, "cjson.safe")
    if not found then
        return "needs lua-cjson: install it with 'luarocks install lua-cjson'"
    end
    local text, problem = cjson.encode(value)
    if not text then
        return tostring(problem)
    end
    return set(flat, text, "application/json", opts)
end

function body.form(flat, value, opts)
    local list, problem = fields.list(value, fields.text)
    if not list then
        return problem
    end
    return set(flat, fields.encode(list, true), "application/x-www-form-urlencoded", opts)
end

local PART = { body = true, path = true, filename = true, type = true }

local function check_part(value)
    for key, text in pairs(value) do
        if not PART[key] then
            return ("unknown field '%s'"):format(tostring(key))
        elseif type(text) ~= "string" then
            return ("'%s': string expected, got %s"):format(key, type(text))
        elseif key ~= "body" and text:find("[\r\n\0]") then
            return ("'%s': line break or zero byte in it"):format(key)
        end
    end
    if (value.body == nil) == (value.path == nil) then
        return "either 'body' or 'path'"
    end
end

local function part(value)
    if type(value) == "table" then
        local problem = check_part(value)
        return not problem and value or nil, problem
    end
    local text, problem = fields.text(value)
    return text and { body = text }, problem and "string or table expected, got " .. type(value)
end

-- A part that is an empty table is no array of none.
local function empty_part(value)
    for name, one in pairs(type(value) == "table" and value or {}) do
        if type(one) == "table" and next(one) == nil then
            return ("'%s': either 'body' or 'path'"):format(tostring(name))
        end
    end
end

function body.multipart(flat, value)
    local list, problem = fields.list(value, part)
    problem = problem or empty_part(value)
    if problem then
        return problem
    elseif #list == 0 then
        return "no parts"
    elseif flat.body then
        return "only one of 'body', 'json', 'form' and 'multipart'"
    end
    local parts = {}
    for i, field in ipairs(list) do
        local name, p = field[1], field[2]
        if name:find("[\r\n\0]") then
            return "line break or zero byte in a name"
        end
        parts[i] = { name = name, body = p.body, path = p.path }
        parts[i].filename, parts[i].type = p.filename, p.type
    end
    flat.parts = parts
end

return body
