-- SPDX-License-Identifier: MIT
-- Programs that serve while a spec runs. Each ends when its standard input closes, which is at
-- the latest when this process ends, however it ends.

local server = {}

local function exists(path)
    local file = io.open(path)
    return file ~= nil and file:close()
end

--- The folder of the programs that were built along with the modules under test.
function server.build_dir()
    local module = package.searchpath("futures.fetch.core", package.cpath)
    local beside = module and module:match("^(.*)/futures/fetch/[^/]*$")
    for _, dir in ipairs { os.getenv("FUTURES_BUILD") or "build/release", beside } do
        if exists(dir .. "/demo_server") and exists(dir .. "/bad_server") then
            return dir
        end
    end
    error("demo_server and bad_server are not built", 2)
end

function server.quote(text)
    return "'" .. text:gsub("'", [['\'']]) .. "'"
end

local Server = {}
Server.__index = Server

--- Starts a shell command; its standard input is a pipe from us. Returns an object with the
--- first `count` lines of its output.
function server.start(command, count)
    local fifo = os.tmpname()
    assert(os.remove(fifo))
    assert(os.execute("mkfifo " .. fifo))
    local self = setmetatable({ lines = {} }, Server)
    self.pipe = assert(io.popen(("%s >%s"):format(command, fifo), "w"))
    local output = assert(io.open(fifo))
    for i = 1, count do
        self.lines[i] = output:read("l")
    end
    output:close()
    os.remove(fifo)
    if #self.lines < count then
        self:stop()
        error("did not start: " .. command, 2)
    end
    return self
end

--- Closes the pipe and waits for the end of the program.
function Server:stop()
    if self.pipe then
        self.pipe:close()
        self.pipe = nil
    end
end

Server.__close = Server.stop

return server
