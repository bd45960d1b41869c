-- SPDX-License-Identifier: MIT
--- Names and values as the options headers, query, form and multipart take them: a map, where
--- an array value repeats its name, or a list of pairs.

local fields = {}

--- What is wrong with a table as an array, or nil: `ipairs` would not come by all of it.
function fields.array_problem(array)
    local count = 0
    for _ in pairs(array) do
        count = count + 1
    end
    return count ~= #array and "array with holes or other keys" or nil
end

local function add(list, name, value, accept)
    local taken, problem = accept(value)
    if problem then
        return ("'%s': %s"):format(tostring(name), problem)
    end
    list[#list + 1] = { name, taken }
end

local function add_all(list, name, value, accept)
    if type(name) ~= "string" then
        return ("names must be strings, got %s"):format(type(name))
    elseif type(value) ~= "table" or (value[1] == nil and next(value) ~= nil) then
        return add(list, name, value, accept)
    end
    local problem = fields.array_problem(value)
    if problem then
        return ("'%s': %s"):format(name, problem)
    end
    for _, one in ipairs(value) do
        problem = add(list, name, one, accept)
        if problem then
            return problem
        end
    end
end

-- Maps have no order: sorted by name a request is the same each time.
local function sorted_names(map)
    local names = {}
    for name in pairs(map) do
        if type(name) ~= "string" then
            return nil, ("names must be strings, got %s"):format(type(name))
        end
        names[#names + 1] = name
    end
    table.sort(names)
    return names
end

local function of_pairs(source, accept)
    local list, problem = {}, fields.array_problem(source)
    if problem then
        return nil, problem
    end
    for i, pair in ipairs(source) do
        if type(pair) ~= "table" or type(pair[1]) ~= "string" or pair[3] ~= nil then
            return nil, ("pair %d: {name, value} expected"):format(i)
        end
        problem = add(list, pair[1], pair[2], accept)
        if problem then
            return nil, problem
        end
    end
    return list
end

--- A list of {name, value}. `accept(value)` gives the value to keep, or nil and what is wrong.
---@return table|nil list
---@return string|nil problem
function fields.list(source, accept)
    if type(source) ~= "table" then
        return nil, "table expected, got " .. type(source)
    elseif source[1] ~= nil then
        return of_pairs(source, accept)
    end
    local names, problem = sorted_names(source)
    if not names then
        return nil, problem
    end
    local list = {}
    for _, name in ipairs(names) do
        problem = add_all(list, name, source[name], accept)
        if problem then
            return nil, problem
        end
    end
    return list
end

--- Strings and numbers, and for `fields.list` what else `tostring` says well.
function fields.text(value)
    local kind = type(value)
    if kind == "string" or kind == "number" or kind == "boolean" then
        return tostring(value)
    end
    return nil, "string, number or boolean expected, got " .. kind
end

local function escape(text)
    return (text:gsub("[^A-Za-z0-9%-._~]", function(c)
        return ("%%%02X"):format(c:byte())
    end))
end

--- name=value&name=value, percent-encoded; `plus` writes a space as a form does.
function fields.encode(list, plus)
    local out = {}
    for i, field in ipairs(list) do
        local text = escape(field[1]) .. "=" .. escape(field[2])
        out[i] = plus and text:gsub("%%20", "+") or text
    end
    return table.concat(out, "&")
end

return fields
