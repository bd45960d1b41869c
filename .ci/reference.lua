-- SPDX-License-Identifier: MIT
-- Makes docs/reference.md from the LuaCATS annotations in lua/futures.
--
-- A block of `---` lines with `@class` or `@alias` is a section; the documented functions below
-- it in the same file are the entries of that section. Files without a section are internal.

local OUTPUT = "docs/reference.md"

local function files()
    local found = {}
    local pipe <close> = assert(io.popen("find lua/futures -name '*.lua' | LC_ALL=C sort"))
    for path in pipe:lines() do
        found[#found + 1] = path
    end
    -- The facade first, its parts after it.
    table.sort(found, function(a, b)
        local first_a, first_b = a:find("init.lua", 1, true), b:find("init.lua", 1, true)
        local dir_a, dir_b = a:match("^(.*)/"), b:match("^(.*)/")
        if dir_a ~= dir_b then return dir_a < dir_b end
        if (first_a ~= nil) ~= (first_b ~= nil) then return first_a ~= nil end
        return a < b
    end)
    return found
end

-- Calls visit(block, code) for each block of `---` lines and the line of code after it.
local function each_block(path, visit)
    local block = {}
    for line in io.lines(path) do
        local doc = line:match("^%s*%-%-%-%s?([^%-].*)$") or line:match("^%s*%-%-%-$") and ""
        if doc then
            block[#block + 1] = doc
        else
            if #block > 0 then visit(block, line) end
            block = {}
        end
    end
    if #block > 0 then visit(block, "") end
end

-- The first type in `text`, which may hold brackets and spaces, and what follows it.
local function split_type(text)
    local depth, i = 0, 1
    while i <= #text do
        local c = text:sub(i, i)
        if c:find("[%(%[{<]") then
            depth = depth + 1
        elseif c:find("[%)%]}>]") then
            depth = depth - 1
        elseif c == " " and depth == 0 and not text:sub(1, i - 1):find("[:,|]$")
            and not text:sub(i):find("^ [|:]") then
            break
        end
        i = i + 1
    end
    return text:sub(1, i - 1), (text:sub(i):gsub("^%s*#?%s*", ""))
end

-- Sorts the lines of a block: its prose, and its tags by name.
local function parse(block)
    local parsed = { text = {}, value = {}, field = {}, overload = {} }
    parsed.param, parsed["return"] = {}, {}
    for _, line in ipairs(block) do
        local tag, rest = line:match("^@(%a+)%s*(.*)$")
        local value = line:match("^|%s*(.*)$")
        if value then
            table.insert(parsed.value, value)
        elseif not tag then
            table.insert(parsed.text, line)
        elseif type(parsed[tag]) == "table" then
            table.insert(parsed[tag], rest)
        else
            parsed[tag] = rest
        end
    end
    return parsed
end

local function code(text)
    return "`" .. text .. "`"
end

local function add_prose(out, parsed)
    if #parsed.text > 0 then
        out[#out + 1] = table.concat(parsed.text, "\n") .. "\n"
    end
end

-- `name? type text` of a parameter or field as a list item.
local function named_item(entry)
    local name, rest = entry:match("^(%b[])%s+(.*)$")
    if not name then name, rest = entry:match("^(%S+)%s+(.*)$") end
    if not name then return "- " .. code(entry) end
    local kind, text = split_type(rest)
    return "- " .. code(name) .. " " .. code(kind) .. (text ~= "" and ": " .. text or "")
end

local function return_item(entry)
    local kind, text = split_type(entry)
    return "- returns " .. code(kind) .. (text ~= "" and " " .. text or "")
end

local function add_list(out, entries, item)
    for _, entry in ipairs(entries) do
        out[#out + 1] = item(entry)
    end
    if #entries > 0 then out[#out + 1] = "" end
end

local function add_section(out, parsed)
    local name, rest = (parsed.class or parsed.alias):match("^(%S+)%s*(.*)$")
    local parent, text = rest:match("^:%s*(%S+)%s*(.*)$")
    out[#out + 1] = "## " .. name .. "\n"
    if parent then out[#out + 1] = "Below " .. code(parent) .. ".\n" end
    if (text or rest) ~= "" then out[#out + 1] = (text or rest) .. "\n" end
    add_prose(out, parsed)
    add_list(out, parsed.overload, function(entry) return "- " .. code(entry) end)
    add_list(out, parsed.field, named_item)
    add_list(out, parsed.value, function(entry)
        local kind, explained = split_type(entry)
        return "- " .. code(kind) .. (explained ~= "" and ": " .. explained or "")
    end)
end

local function add_function(out, parsed, name)
    out[#out + 1] = "### " .. name .. "\n"
    add_prose(out, parsed)
    local items = table.move(parsed.param, 1, #parsed.param, 1, {})
    for i, entry in ipairs(items) do items[i] = named_item(entry) end
    for _, entry in ipairs(parsed["return"]) do items[#items + 1] = return_item(entry) end
    add_list(out, items, tostring)
end

-- "Response:json()" of a line that begins such a function. Where methods are kept in a table of
-- their own, they are shown with the name of their class.
local function function_head(line, class)
    local name, arguments = line:match("^function%s+([%w_.:]+)(%b())")
    if not name then
        name, arguments = line:match("^([%w_.]+)%s*=%s*function%s*(%b())")
    end
    return name and name:gsub("^methods[.:]", class:match("[^.]*$") .. ":") .. arguments
end

local function document(path, out)
    local class
    each_block(path, function(block, line)
        local parsed = parse(block)
        local section = parsed.class or parsed.alias
        if section then
            class = section:match("^%S+")
            add_section(out, parsed)
        elseif class and not parsed.private then
            local head = function_head(line, class)
            if head then add_function(out, parsed, head) end
        end
    end)
end

local out = { "# Reference\n", "Made by `./dev doc` from the annotations in `lua/futures`.\n" }
local introduction = #out
for _, path in ipairs(files()) do
    document(path, out)
end
if #out == introduction then
    io.stderr:write("doc: lua/futures has no annotations yet\n")
    os.exit(1)
end
os.execute("mkdir -p docs")
local file <close> = assert(io.open(OUTPUT, "w"))
assert(file:write((table.concat(out, "\n"):gsub("\n\n\n+", "\n\n"))))
print("wrote " .. OUTPUT)
