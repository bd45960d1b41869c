-- SPDX-License-Identifier: MIT
-- Scripts in an interpreter of their own: for what ends a process, needs a fresh one, or gets
-- a signal. Search paths are inherited; `timeout` ends what hangs.

local system = require "system"
local scale = require "spec.support.scale"
local proc = require "spec.support.proc"

local script = {}

local LIMIT = math.ceil(scale.seconds(20))

local function interpreter()
    if os.getenv("LUA") then
        return os.getenv("LUA")
    end
    local first = 0
    while arg and arg[first - 1] do
        first = first - 1
    end
    return first < 0 and arg[first] or "lua5.4"
end

script.lua = interpreter()

local function quote(text)
    return "'" .. tostring(text):gsub("'", [['\'']]) .. "'"
end

local function write(path, text)
    local file <close> = assert(io.open(path, "w"))
    assert(file:write(text))
end

local function slurp(path)
    local file <close> = assert(io.open(path))
    return file:read("a")
end

-- Turns what the shell said into `code` or `signal`; 124 is how `timeout` says it was needed.
local function verdict(result, how, code)
    if how == "signal" then
        result.signal = code
    elseif code == 124 or code == 137 then
        result.hung = true
    elseif code > 128 then
        result.signal = code - 128
    else
        result.code = code
    end
    return result
end

local function command_line(path, options)
    -- What this run added to the search paths, its children need as well.
    local words = {
        "env", "LUA_PATH_5_4=" .. quote(package.path), "LUA_CPATH_5_4=" .. quote(package.cpath),
        quote(script.lua),
    }
    for _, flag in ipairs(options.flags or {}) do
        words[#words + 1] = flag
    end
    words[#words + 1] = quote(path)
    for _, argument in ipairs(options.args or {}) do
        words[#words + 1] = quote(argument)
    end
    return table.concat(words, " ")
end

--- Run `code` (or the file `options.path`) to its end. Options: `flags` for the interpreter,
--- `args` for the script, `input` for its standard input, `before` for what the shell command
--- begins with. Returns `out`, `err`, `seconds`, and one of `code` (exit code), `signal`
--- (number) and `hung` (true).
function script.run(code, options)
    options = options or {}
    local path, out, err, input = os.tmpname(), os.tmpname(), os.tmpname(), os.tmpname()
    write(path, code or "")
    write(input, options.input or "")
    local command = ("%s timeout -k 1 %d %s <%s >%s 2>%s"):format(options.before or "",
        LIMIT, command_line(options.path or path, options), input, out, err)
    local from = system.monotime()
    local _, how, number = os.execute(command)
    local result = { seconds = system.monotime() - from, out = slurp(out), err = slurp(err) }
    for _, file in ipairs { path, out, err, input } do
        os.remove(file)
    end
    return verdict(result, how, number)
end

--- Run `code`, which must end well: returns what it printed.
function script.output(code, options)
    local result = script.run(code, options)
    if result.code ~= 0 then
        error(("script ended with code %s, signal %s, hung %s\n%s%s"):format(
            result.code, result.signal, result.hung, result.out, result.err), 2)
    end
    return result.out, result
end

local Child = {}
Child.__index = Child

--- Start `code` and talk to it while it runs. `options` as for `run`; `input` is the path of
--- what it reads.
function script.start(code, options)
    options = options or {}
    local self = setmetatable({ path = os.tmpname(), err_path = os.tmpname() }, Child)
    write(self.path, code)
    local command = ([[exec timeout -k 1 %d sh -c 'echo $$; exec "$@"' sh %s <%s 2>%s]]):format(
        LIMIT, command_line(self.path, options), options.input or "/dev/null", self.err_path)
    self.pipe = assert(io.popen(command, "r"))
    self.pid = assert(tonumber(self.pipe:read("l")))
    return self
end

--- The next line that the child prints, nil at its end.
function Child:line()
    return self.pipe:read("l")
end

--- Read lines up to one that matches `pattern`; the child must print it.
function Child:expect_match(pattern)
    local seen = {}
    for line in self.pipe:lines("l") do
        if line:find(pattern) then
            return line
        end
        seen[#seen + 1] = line
    end
    error(("the child never printed %s, but: %s\n%s"):format(
        pattern, table.concat(seen, "\n"), slurp(self.err_path)), 2)
end

--- Read lines up to one that is the word `text`.
function Child:expect(text)
    return self:expect_match("^" .. text .. "$")
end

--- Wait until the child's main thread sleeps in the kernel: three looks in a row, after it
--- said that it is about to block.
function Child:await_sleep()
    local deadline, asleep = system.monotime() + LIMIT, 0
    while asleep < 3 do
        asleep = proc.state(self.pid) == "S" and asleep + 1 or 0
        if system.monotime() > deadline then
            error("the child never slept", 2)
        end
        system.sleep(0.001)
    end
end

--- Send a signal by its name, at once.
function Child:kill(name)
    assert(os.execute(("kill -%s %d"):format(name, self.pid)))
end

--- Read to the end. Returns `out` (what was not read before), `err`, and code, signal or hung.
function Child:finish()
    local result = { out = self.pipe:read("a") }
    local _, how, number = self.pipe:close()
    result.err = slurp(self.err_path)
    self.finished = true
    os.remove(self.path)
    os.remove(self.err_path)
    return verdict(result, how, number)
end

function Child:__close()
    if not self.finished then
        os.execute(("kill -KILL %d 2>/dev/null"):format(self.pid))
        self:finish()
    end
end

return script
