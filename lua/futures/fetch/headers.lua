-- SPDX-License-Identifier: MIT
--- The header fields of a response. A table {name, value, name, value, ...} with integer keys
--- only, so that every string key asks for a header.

local check = require "futures.check"

--- Header fields: `headers[name]` in any case, `pairs(headers)` in the order of arrival with a
--- repeated name as often as it came, `#headers` fields in all.
---@class futures.Headers
---@field [string] string the first value of that name, in any case
local Headers = { __name = "Headers" }

local methods = {}

--- All values of that name, in any case, in the order of arrival.
---@param name string
---@return string[]
function methods:get_all(name)
    if debug.getmetatable(self) ~= Headers then check.bad_self(self, "get_all", "headers") end
    if type(name) ~= "string" then
        error(("bad argument #1 to 'get_all' (string expected, got %s)"):format(type(name)), 2)
    end
    local found, wanted = {}, name:lower()
    for i = 1, rawlen(self), 2 do
        if self[i]:lower() == wanted then
            found[#found + 1] = self[i + 1]
        end
    end
    return found
end

-- Methods come first: what they are called is not for the server to say.
function Headers:__index(key)
    if type(key) ~= "string" or methods[key] then
        return methods[key]
    end
    local wanted = key:lower()
    for i = 1, rawlen(self), 2 do
        if rawget(self, i):lower() == wanted then
            return rawget(self, i + 1)
        end
    end
    return nil
end

-- `for name, value in pairs(headers)`: in the order of arrival, a repeated name as often as it
-- came.
function Headers:__pairs()
    local i = -1
    return function()
        i = i + 2
        return rawget(self, i), rawget(self, i + 1)
    end
end

-- How many fields.
function Headers:__len()
    return rawlen(self) // 2
end

function Headers:__tostring()
    local lines = {}
    for name, value in pairs(self) do
        lines[#lines + 1] = name .. ": " .. value
    end
    return table.concat(lines, "\n")
end

return Headers
