-- SPDX-License-Identifier: MIT
-- What the example programs share: options, lists of URLs, a line of progress, the demo server.

local futures = require "futures"

local cli = {}

local function die(usage)
    io.stderr:write("usage: ", usage, "\n")
    os.exit(2)
end

-- Adds the first word of each line of a file to the list; what follows a # does not count.
local function add_lines(list, file)
    for line in file:lines() do
        list[#list + 1] = line:match("^%s*([^#%s]%S*)")
    end
end

-- The value of an option, read as its default is: a flag has none, a number must be one.
local function value_of(default, word, usage)
    if default == false then return true end
    if default == nil or word == nil then die(usage) end
    return type(default) == "number" and (tonumber(word) or die(usage)) or word
end

-- One word of `arg`, or two: gives how many. Sets an option or adds to the words.
local function take(at, usage, defaults, options, words)
    local name = arg[at]:match("^%-(%a)$") or arg[at]:match("^%-%-(%a+)$")
    if name == "i" then
        local file <close> = io.open(arg[at + 1] or die(usage)) or die(usage)
        add_lines(words, file)
        words.listed = true
        return 2
    elseif name then
        options[name] = value_of(defaults[name], arg[at + 1], usage)
        return defaults[name] == false and 1 or 2
    elseif arg[at] == "-" then
        add_lines(words, io.stdin)
        words.listed = true
    else
        words[#words + 1] = arg[at]:find("^%-") and die(usage) or arg[at]
    end
    return 1
end

-- The address of a demo server: FUTURES_DEMO_URL, or of one started here, which ends when the
-- second value is closed.
local function demo_server()
    local url = os.getenv("FUTURES_DEMO_URL")
    if url then return url end
    local name, build = os.tmpname(), os.getenv("FUTURES_BUILD") or "build/release"
    local command = ("exec '%s/demo_server' --until-stdin-closes >%s"):format(build, name)
    local server = io.popen(command, "w")
    for _ = 1, 200 do
        futures.sleep(0.01)
        local file <close> = io.open(name)
        url = file:read("a"):match("^listening on (%S+)\n")
        if url then break end
    end
    os.remove(name)
    return url or error("the demo server does not start; './dev demo' builds it", 0), server
end

--- Reads `arg`: -x VALUE and --name VALUE for each key of `defaults` (false: a flag, without a
--- value), -i FILE and - (standard input) for lists, all other words as they are. Without any
--- they are `paths` on the demo server, and `words.demo` is true. Gives the options, the words,
--- and what to close.
function cli.start(usage, defaults, paths)
    local options, words, at = setmetatable({}, { __index = defaults }), {}, 1
    while arg[at] do at = at + take(at, usage, defaults, options, words) end
    if #words > 0 or words.listed then return options, words, nil end
    local url, server = demo_server()
    words.demo = true
    for i, path in ipairs(paths) do words[i] = url .. path end
    return options, words, server
end

--- 1234567 as "1.2 MB".
function cli.size(bytes)
    for _, unit in ipairs { "bytes", "KB", "MB", "GB" } do
        if bytes < 1000 or unit == "GB" then
            return (unit == "bytes" and "%d %s" or "%.1f %s"):format(bytes, unit)
        end
        bytes = bytes / 1000
    end
end

--- A function that shows a text on the terminal's last line in place of the one before; it does
--- nothing where standard error is no terminal.
function cli.progress()
    local shows = os.execute("test -t 2")
    return function(text)
        if shows then io.stderr:write("\r\27[K", text or "") end
    end
end

--- How it goes, in words: "3 of 10, 2.1 MB, 1.5 a second, 5 s left".
function cli.meter(total)
    local from = futures.monotonic()
    return function(done, bytes)
        local rate = done / math.max(futures.monotonic() - from, 1e-3)
        local left = rate > 0 and ("%.0f s left"):format((total - done) / rate) or "no end yet"
        return ("%d of %d, %s, %.1f a second, %s"):format(done, total, cli.size(bytes), rate,
            left)
    end
end

local function json_value(value)
    if type(value) ~= "string" then return tostring(value) end
    local function escape(c) return ("\\u%04x"):format(c:byte()) end
    return '"' .. value:gsub('[%c"\\]', escape) .. '"'
end

--- { "name", value, "name", value, … } as an object of JSON, on one line, in this order.
function cli.json(fields)
    local parts = {}
    for i = 1, #fields, 2 do
        parts[#parts + 1] = json_value(fields[i]) .. ":" .. json_value(fields[i + 1])
    end
    return "{" .. table.concat(parts, ",") .. "}"
end

--- A file name in `folder` for what comes from a URL; each URL has its own.
function cli.file_name(folder, url)
    local name = url:gsub("^%a+://", ""):gsub("[^%w%.%-]+", "_"):gsub("^%.+", "_"):sub(-200)
    cli.names = cli.names or {}
    local count = (cli.names[name] or 0) + 1
    cli.names[name] = count
    return folder .. "/" .. name .. (count > 1 and "~" .. count or "")
end

return cli
