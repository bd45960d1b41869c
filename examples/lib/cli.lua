-- SPDX-License-Identifier: MIT
-- What the example programs share: options, lists of URLs, a line of progress, the demo server.

local futures = require "futures"

local cli = {}

--- The folder of the program, with a slash at its end.
cli.folder = arg[0]:match("^.*/") or "./"

local program = arg[0]:match("[^/]*$")

-- The comment at the top of the program, which says how it is used.
local function header()
    local lines = {}
    for line in io.lines(arg[0]) do
        local text = line:match("^%-%- ?(.*)$")
        if not text then break end
        lines[#lines + 1] = not text:find("^SPDX") and text or nil
    end
    return table.concat(lines, "\n")
end

-- The command line is wrong.
local function die(reason, ...)
    local usage = header():match("lua5%.4 examples/([^\n]*)")
    io.stderr:write("usage: ", usage, "\n", program, ": ", reason:format(...),
        "; --help says more\n")
    os.exit(2)
end

-- Adds the first word of each line of a file to the list; what follows a # does not count.
local function add_lines(list, file)
    for line in file:lines() do
        list[#list + 1] = line:match("^%s*([^#%s]%S*)")
    end
    list.listed = true
end

-- The value of an option, read as its default is: an integer from 1 (from 0, if that is the
-- default), a number above 0 or a text.
local function value_of(option, default, word)
    if not word then die("%s: a value is missing", option) end
    local number = tonumber(word)
    if math.type(default) == "integer" then
        local least = math.min(default, 1)
        number = number and math.tointeger(number)
        return number and number >= least and number
            or die("%s: integer from %d expected, got '%s'", option, least, word)
    elseif math.type(default) == "float" then
        return number and number > 0 and number
            or die("%s: number above 0 expected, got '%s'", option, word)
    end
    return word
end

-- One word of `arg`, or two: gives how many. Sets an option or adds to the words.
local function take(at, defaults, options, words)
    local word, value = arg[at], arg[at + 1]
    local name = word:match("^%-(%a)$") or word:match("^%-%-(%a+)$")
    if word == "--help" then
        print(header())
        os.exit(true)
    elseif word == "-" then
        add_lines(words, io.stdin)
    elseif word == "-i" then
        local file <close>, problem = io.open(value or die("-i: a file name is missing"))
        add_lines(words, file or die("-i: %s", problem))
        return 2
    elseif not word:find("^%-") then
        words[#words + 1] = word
    elseif not name or defaults[name] == nil then
        die("unknown option %s", word)
    else
        options[name] = defaults[name] == false or value_of(word, defaults[name], value)
        return defaults[name] == false and 1 or 2
    end
    return 1
end

-- The address of a demo server: FUTURES_DEMO_URL, or of one started here, which ends when the
-- second value is closed.
local function demo_server()
    local url = os.getenv("FUTURES_DEMO_URL")
    if url then return url end
    local build = os.getenv("FUTURES_BUILD") or cli.folder .. "../build/release"
    local path, name = build .. "/demo_server", os.tmpname()
    local there = io.open(path)
    if there then there:close() end
    local server = there
        and io.popen(("exec '%s' --until-stdin-closes >%s"):format(path, name), "w")
    for _ = 1, there and 200 or 0 do
        futures.sleep(0.01)
        local file <close> = io.open(name)
        url = file:read("a"):match("^listening on (%S+)\n")
        if url then break end
    end
    os.remove(name)
    return url or die("no URL is given, and %s does not start: './dev demo' builds it", path),
        server
end

--- Reads `arg`: -x VALUE and --name VALUE for each key of `defaults` (false: a flag, without a
--- value), -i FILE and - (standard input) for lists, all other words as they are. Without any
--- they are `paths` on the demo server, and `words.demo` is true. Gives the options, the words,
--- and what to close. `--help` prints the comment at the top of the program.
function cli.start(defaults, paths)
    local options, words, at = setmetatable({}, { __index = defaults }), {}, 1
    while arg[at] do at = at + take(at, defaults, options, words) end
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

--- A file name in `folder`, which is made, for what comes from a URL; each URL has its own.
function cli.file_name(folder, url)
    if not cli.names then
        cli.names = {}
        os.execute("mkdir -p -- '" .. folder:gsub("'", [['\'']]) .. "'")
    end
    local name = url:gsub("^%a+://", ""):gsub("[^%w%.%-]+", "_"):gsub("^%.+", "_"):sub(-200)
    local count = (cli.names[name] or 0) + 1
    cli.names[name] = count
    return folder .. "/" .. name .. (count > 1 and "~" .. count or "")
end

return cli
