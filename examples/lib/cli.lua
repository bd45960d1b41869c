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

--- Reads `arg`: -x NUMBER for each letter in `defaults`, -i FILE and - (standard input) for
--- lists, all other words as they are. Gives the options by letter, and the words.
function cli.arguments(usage, defaults)
    local options, words, at = setmetatable({}, { __index = defaults }), {}, 1
    while arg[at] do
        local letter = arg[at]:match("^%-(%a)$")
        if letter == "i" then
            local file <close> = io.open(arg[at + 1] or die(usage)) or die(usage)
            add_lines(words, file)
            at = at + 1
        elseif letter then
            options[letter] = defaults[letter] and tonumber(arg[at + 1]) or die(usage)
            at = at + 1
        elseif arg[at] == "-" then
            add_lines(words, io.stdin)
        else
            words[#words + 1] = arg[at]:find("^%-") and die(usage) or arg[at]
        end
        at = at + 1
    end
    return options, words
end

--- The address of a demo server: FUTURES_DEMO_URL, or of one started here, which ends when the
--- second value is closed.
function cli.demo_server()
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

--- A function that shows a text on the terminal's last line in place of the one before; it does
--- nothing where standard error is no terminal.
function cli.progress()
    local shows = os.execute("test -t 2")
    return function(text)
        if shows then io.stderr:write("\r\27[K", text or "") end
    end
end

return cli
