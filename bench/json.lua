-- SPDX-License-Identifier: MIT
-- Just enough of JSON to write the results: strings, numbers, booleans, arrays, objects.

local json = {}

local function quote(s)
    return '"' .. s:gsub('[%c"\\]', function(c)
        return ("\\u%04x"):format(c:byte())
    end) .. '"'
end

local function number(x)
    if x ~= x or x == math.huge or x == -math.huge then
        return "null"
    end
    return ("%.14g"):format(x)
end

local function encode(value, indent)
    if type(value) == "string" then
        return quote(value)
    elseif type(value) == "number" then
        return number(value)
    elseif type(value) ~= "table" then
        return tostring(value)
    end
    local parts, inner = {}, indent .. "  "
    local array = #value > 0 or next(value) == nil
    if array then
        for i, v in ipairs(value) do
            parts[i] = encode(v, inner)
        end
        if type(value[1]) == "number" then
            return "[" .. table.concat(parts, ", ") .. "]"
        end
    else
        for k, v in pairs(value) do
            parts[#parts + 1] = quote(k) .. ": " .. encode(v, inner)
        end
        table.sort(parts)
    end
    local open, close = table.unpack(array and { "[", "]" } or { "{", "}" })
    if #parts == 0 then
        return open .. close
    end
    local body = table.concat(parts, ",\n" .. inner)
    return open .. "\n" .. inner .. body .. "\n" .. indent .. close
end

--- JSON text of a tree of tables; an empty table is an array.
function json.encode(value)
    return encode(value, "")
end

return json
